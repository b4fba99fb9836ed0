#!/usr/bin/env bash
# redis-server 7.0.15: SCAN ... TYPE none lists a key that this very SCAN removes.
#
# A key whose time has come, and that nobody has looked at since, is looked up by SCAN for its
# type. The look removes it (event "expired"), so its type is "none", which is what was asked
# for; and what is gone cannot be found to have expired, so that its name is listed. The same
# SCAN again lists nothing, and without TYPE, or with any other type, the name is never listed.
# A program that takes TYPE none for "no such type" gets names of keys that do not exist.
#
# Output seen:
#   SCAN 0 TYPE none: 0 gone
#   again:            0
#   EXISTS gone:      0
set -euo pipefail

redis-server --version | grep -q 'v=7\.0\.15 ' || { echo 'redis-server is not 7.0.15'; exit 2; }
folder=$(mktemp -d)
redis-server --port 0 --unixsocket "$folder/redis.sock" --dir "$folder" --save '' \
  --enable-debug-command yes --daemonize no >/dev/null &
server=$!
trap 'kill "$server"; wait "$server" || true; rm -rf "$folder"' EXIT
ask() { redis-cli -s "$folder/redis.sock" "$@"; }
for _ in $(seq 100); do ask PING >/dev/null 2>&1 && break; sleep 0.05; done

ask DEBUG SET-ACTIVE-EXPIRE 0 >/dev/null
ask SET gone v PX 1 >/dev/null
sleep 0.05
first=$(ask SCAN 0 TYPE none | xargs)
again=$(ask SCAN 0 TYPE none | xargs)
exists=$(ask EXISTS gone)
echo "SCAN 0 TYPE none: $first"
echo "again:            $again"
echo "EXISTS gone:      $exists"
[ "$first" = '0 gone' ] && [ "$again" = 0 ] && [ "$exists" = 0 ]
