#!/usr/bin/env bash
# Starts one server or three on the loopback address, with the configuration that is shipped: TLS, accounts, permissions,
# sync_interval always. Ctrl-C ends them.
set -euo pipefail
usage() {
    cat <<'TXT'
dev-start.sh single|cluster [FOLDER]

  FOLDER   certificates, passwords, stores and logs (default target/nats-dev); kept
  PORT     environment: the first client's port (default 4222; the others follow, 4000 above is monitoring)
  PROMPTORY_NATS_SERVER   environment: the server's program (default: what ./test --only nats-server installs)
TXT
}
here=$(cd "$(dirname "$0")" && pwd)
kind=${1:-}
case "$kind" in single) count=1 ;; cluster) count=3 ;; *) usage >&2; exit 2 ;; esac
mkdir -p "${2:-target/nats-dev}"
folder=$(cd "${2:-target/nats-dev}" && pwd)
port=${PORT:-4222}
server=${PROMPTORY_NATS_SERVER:-$here/../../target/tools/nats/bin/nats-server}
[ -x "$server" ] || { echo "there is no NATS server at $server: run ./test --only nats-server" >&2; exit 1; }

"$here/dev-certs.sh" "$folder/tls"
export PROMPTORY_NATS_CERT=$folder/tls/server.pem PROMPTORY_NATS_KEY=$folder/tls/server.key PROMPTORY_NATS_CA=$folder/tls/ca.pem
# Quoted, so that a password of digits is no number and one that begins with $ no variable.
PROMPTORY_NATS_SERVICE_PASSWORD="\"$(cat "$folder/tls/service.password")\""
PROMPTORY_NATS_OPERATOR_PASSWORD="\"$(cat "$folder/tls/operator.password")\""
export PROMPTORY_NATS_SERVICE_PASSWORD PROMPTORY_NATS_OPERATOR_PASSWORD

pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait' EXIT
trap 'exit 0' INT TERM
urls=
for n in $(seq 0 $((count - 1))); do
    routes=
    for other in $(seq 0 $((count - 1))); do
        [ "$other" = "$n" ] || routes="$routes, \"nats://127.0.0.1:$((port + 2000 + other))\""
    done
    PROMPTORY_NATS_NAME=n$n PROMPTORY_NATS_LISTEN=127.0.0.1:$((port + n)) PROMPTORY_NATS_HTTP=127.0.0.1:$((port + 4000 + n)) \
        PROMPTORY_NATS_STORE=$folder/n$n PROMPTORY_NATS_CLUSTER_LISTEN=127.0.0.1:$((port + 2000 + n)) \
        PROMPTORY_NATS_ROUTES="[${routes#, }]" "$server" -c "$here/$kind.conf" >>"$folder/n$n.log" 2>&1 &
    pids+=($!)
    urls="$urls,tls://127.0.0.1:$((port + n))"
done
echo "servers      ${urls#,}"
echo "authority    $folder/tls/ca.pem"
echo "passwords    $folder/tls/service.password (user promptory), $folder/tls/operator.password (user operator)"
echo "logs         $folder/n*.log"
wait
