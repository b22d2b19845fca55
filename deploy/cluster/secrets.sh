#!/usr/bin/env bash
# Makes what compose.yaml takes as secrets: authority, certificate, passwords, the root key. What is there stays.
# Root, so that the files can belong to the user of the images (10001) and to nobody else.
set -euo pipefail
cd "$(dirname "$0")"
NAMES="nats-0 nats-1 nats-2" ../nats/dev-certs.sh secrets
# Without it no text can ever be read: keep a copy elsewhere.
[ -f secrets/root.key ] || (umask 077; head -c 32 /dev/urandom >secrets/root.key)
chown -R 10001 secrets
