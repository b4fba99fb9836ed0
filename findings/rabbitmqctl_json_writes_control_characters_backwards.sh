#!/usr/bin/env bash
# rabbitmqctl 3.10.8: --formatter json writes the four digits of a control character in the wrong order.
#
# Expected: U+0001 as \u0001 and U+0012 as \u0012, as JSON has it.
# Seen: \u1000 and \u2100, which are other characters: whoever parses the output reads a name that does not exist. (The
# characters that JSON has a letter for, such as \n, are right.)
#   {"name":"a\u1000b"}
#   {"name":"a\u2100b"}
#
# Needs Debian's rabbitmq-server 3.10.8, installed; python3.
set -euo pipefail

scripts=/usr/lib/rabbitmq/bin
folder=$(mktemp -d)
beam= epmd=
cleanup() {
  for pid in $beam $epmd; do
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$folder"
}
trap cleanup EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
mkdir -p "$folder/home"
printf 'listeners.tcp.default = 127.0.0.1:%s\ndisk_free_limit.absolute = 1MB\n' "$port" >"$folder/rabbitmq.conf"
echo '[].' >"$folder/plugins"
export HOME=$folder/home RABBITMQ_NODENAME="finding$$@localhost" RABBITMQ_NODE_PORT=$port RABBITMQ_DIST_PORT=$(free_port) \
  ERL_EPMD_PORT=$(free_port) ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_MNESIA_BASE=$folder/mnesia RABBITMQ_LOG_BASE=$folder/log \
  RABBITMQ_ENABLED_PLUGINS_FILE=$folder/plugins RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf RABBITMQ_CONF_ENV_FILE=$folder/none \
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' RABBITMQ_ALLOW_INPUT=1
version=$("$scripts/rabbitmqctl" --silent version)
[ "$version" = 3.10.8 ] || { echo "not rabbitmqctl 3.10.8: $version"; exit 1; }

epmd >/dev/null 2>&1 & epmd=$!
"$scripts/rabbitmq-server" -noinput >/dev/null 2>&1 & beam=$!
for _ in $(seq 1 300); do
  (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  sleep 0.2
done

"$scripts/rabbitmqctl" --quiet delete_vhost / >/dev/null
"$scripts/rabbitmqctl" --quiet add_vhost $'a\x01b' >/dev/null
"$scripts/rabbitmqctl" --quiet add_vhost $'a\x12b' >/dev/null
seen=$("$scripts/rabbitmqctl" --quiet list_vhosts --formatter json | grep -o '{.*}' | sort)
echo "$seen"
[ "$seen" = $'{"name":"a\\u1000b"}\n{"name":"a\\u2100b"}' ] || { echo 'this has changed'; exit 1; }
