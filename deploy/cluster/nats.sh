#!/bin/sh
# What a server of the cluster is started with: its name, its routes to the OTHERS, and the secrets, as deploy/nats/README.md
# names them.
set -eu
routes=
for other in $OTHERS; do routes="$routes, \"nats://$other:6222\""; done
export PROMPTORY_NATS_NAME="$(hostname)" PROMPTORY_NATS_LISTEN=0.0.0.0:4222 PROMPTORY_NATS_HTTP=127.0.0.1:8222
export PROMPTORY_NATS_STORE=/store PROMPTORY_NATS_CLUSTER_LISTEN=0.0.0.0:6222 PROMPTORY_NATS_ROUTES="[${routes#, }]"
export PROMPTORY_NATS_CERT=/run/secrets/server-cert PROMPTORY_NATS_KEY=/run/secrets/server-key PROMPTORY_NATS_CA=/run/secrets/ca
# Quoted, so that a password of digits is no number and one that begins with $ no variable.
PROMPTORY_NATS_SERVICE_PASSWORD="\"$(cat /run/secrets/service-password)\""
PROMPTORY_NATS_OPERATOR_PASSWORD="\"$(cat /run/secrets/operator-password)\""
export PROMPTORY_NATS_SERVICE_PASSWORD PROMPTORY_NATS_OPERATOR_PASSWORD
exec nats-server -c /etc/nats/cluster.conf
