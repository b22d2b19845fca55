#!/usr/bin/env bash
# Makes an authority and a certificate for servers on this machine (and under the names in NAMES), and two passwords. For
# development and tests: the authority's key lies beside the rest.
set -euo pipefail
dir=${1:?usage: dev-certs.sh FOLDER}
umask 077
names=DNS:localhost,IP:127.0.0.1
for name in ${NAMES:-}; do names=$names,DNS:$name; done
mkdir -p "$dir"
cd "$dir"

if [ ! -f server.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650 -subj '/CN=Promptory development' \
        -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign' \
        -keyout ca.key -out ca.pem 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj '/CN=localhost' \
        -keyout server.key -out server.csr 2>/dev/null
    # Servers are each other's clients, too.
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 825 -out server.pem -extfile - 2>/dev/null <<TXT
subjectAltName = $names
extendedKeyUsage = serverAuth, clientAuth
basicConstraints = CA:FALSE
TXT
    rm -f server.csr
fi
for user in service operator; do
    [ -f "$user.password" ] || openssl rand -hex 24 >"$user.password"
done
