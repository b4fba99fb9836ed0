#!/usr/bin/env bash
# rabbitmq-server 3.10.8 and pika 1.3.2: a header with an integer below -2^31 comes back as itself from a classic queue and
# as a huge positive number from a quorum queue.
#
# Expected: the consumer reads the header that the producer set, whatever the type of the queue.
# Seen: pika writes such an integer as a field of type `L`, 64 bits and signed. A classic queue passes the header on as it
# came. A quorum queue (and a stream, and dead-lettering) writes headers anew, and RabbitMQ's own letter for 64 bits is
# `l`, which pika reads as unsigned:
#   classic -1099511627776
#   quorum 18446742974197923840
#
# Needs Debian's rabbitmq-server 3.10.8, installed; python3 with venv. pika is taken from PyPI.
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
printf 'listeners.tcp.default = 127.0.0.1:%s\nloopback_users = none\ndisk_free_limit.absolute = 1MB\n' "$port" >"$folder/rabbitmq.conf"
echo '[].' >"$folder/plugins"
export HOME=$folder/home RABBITMQ_NODENAME="finding$$@localhost" RABBITMQ_NODE_PORT=$port RABBITMQ_DIST_PORT=$(free_port) \
  ERL_EPMD_PORT=$(free_port) ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_MNESIA_BASE=$folder/mnesia RABBITMQ_LOG_BASE=$folder/log \
  RABBITMQ_ENABLED_PLUGINS_FILE=$folder/plugins RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf RABBITMQ_CONF_ENV_FILE=$folder/none \
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' RABBITMQ_ALLOW_INPUT=1
version=$("$scripts/rabbitmqctl" --silent version)
[ "$version" = 3.10.8 ] || { echo "not rabbitmq-server 3.10.8: $version"; exit 1; }

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet install pika==1.3.2
epmd >/dev/null 2>&1 & epmd=$!
"$scripts/rabbitmq-server" -noinput >/dev/null 2>&1 & beam=$!

cat >"$folder/client.py" <<'PYTHON'
import sys, time, pika

def connect():
    for _ in range(300):
        try:
            return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(sys.argv[1])))
        except pika.exceptions.AMQPConnectionError:
            time.sleep(0.2)
    sys.exit("rabbitmq-server did not start")

channel = connect().channel()
for kind in ["classic", "quorum"]:
    channel.queue_declare(kind, durable=True, arguments={"x-queue-type": kind})
    channel.basic_publish("", kind, b"", pika.BasicProperties(headers={"n": -2**40}))
    properties = None
    while properties is None:
        _, properties, _ = channel.basic_get(kind, auto_ack=True)
    print(kind, int(properties.headers["n"]))
PYTHON
seen=$("$folder/venv/bin/python" "$folder/client.py" "$port")
echo "$seen"
[ "$seen" = $'classic -1099511627776\nquorum 18446742974197923840' ] || { echo 'this has changed'; exit 1; }
