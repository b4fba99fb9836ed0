#!/usr/bin/env bash
# redis-server 7.0.15: within EXEC a key outlives its time to live, and PERSIST revives it.
#
# EXEC looks at the clock once, and keys expire as of then, for all of its commands. PTTL, TIME
# and EXPIRE look at the clock themselves. So in a transaction that takes longer than a key's
# time to live, PTTL says that nothing is left of it, GET still returns the value, and PERSIST
# keeps the key for good. (Here a DEBUG SLEEP stands for slow commands. From 7.2 on PTTL is as
# of the start, too.)
#
# Output seen:
#   left: 0, value: v, persisted: 1, afterwards: v without a time to live (-1)
set -euo pipefail

redis-server --version | grep -q 'v=7\.0\.15 ' || { echo 'redis-server is not 7.0.15'; exit 2; }
folder=$(mktemp -d)
redis-server --port 0 --unixsocket "$folder/redis.sock" --dir "$folder" --save '' \
  --enable-debug-command yes --daemonize no >/dev/null &
server=$!
trap 'kill "$server"; wait "$server" || true; rm -rf "$folder"' EXIT
ask() { redis-cli -s "$folder/redis.sock" "$@"; }
for _ in $(seq 100); do ask PING >/dev/null 2>&1 && break; sleep 0.05; done

mapfile -t answers < <(ask <<'COMMANDS'
MULTI
SET key v PX 100
DEBUG SLEEP 0.3
PTTL key
GET key
PERSIST key
EXEC
GET key
PTTL key
COMMANDS
)
# OK and five times QUEUED; the replies of EXEC; what is there afterwards.
left=${answers[8]} value=${answers[9]} persisted=${answers[10]}
after=${answers[11]} forever=${answers[12]}
echo "left: $left, value: $value, persisted: $persisted, afterwards: $after without a time to live ($forever)"
[ "$left $value $persisted $after $forever" = '0 v 1 v -1' ]
