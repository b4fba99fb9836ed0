#!/usr/bin/env bash
# redis-server 7.0.15: the error of `XADD key ms-*` at the end of a millisecond's sequence numbers depends on what other commands of the
# same server failed before.
#
# Expected by many: the same request on the same stream has the same error, whatever happened on other keys.
# Seen: the reply is chosen by C's `errno` (t_stream.c, xaddCommand), which streamAppendItem does not set in this case. Usually it says that
# elements are too large, which they are not. Right after an ID was refused on another stream, in the same pipeline, it says that the ID is
# too small:
#   ERR Elements are too large to be stored
#   ERR The ID specified in XADD is equal or smaller than the target stream top item
#
# Needs Debian's redis-server 7.0.15 (taken from the package if it is not installed).
set -euo pipefail

folder=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

if ! command -v redis-server >/dev/null; then
  (cd "$folder" && apt-get download redis-tools redis-server >/dev/null 2>&1 && for package in *.deb; do dpkg -x "$package" root; done)
  PATH=$folder/root/usr/bin:$PATH
fi
redis-server --version | grep -q 'v=7\.0\.15 ' || { echo "not redis-server 7.0.15: $(redis-server --version)"; exit 1; }

redis-server --port 0 --unixsocket "$folder/socket" --dir "$folder" --save '' --logfile "$folder/log" >/dev/null &
server=$!
ask() { redis-cli -s "$folder/socket" "$@" 2>&1; }
for _ in $(seq 1 100); do
  [ "$(ask ping)" = PONG ] && break
  sleep 0.1
done

last=5-18446744073709551615
[ "$(ask xadd stream "$last" field value)" = "$last" ]
alone=$(ask xadd stream '5-*' field value | head -n 1)
[ "$(ask xadd other 2-0 field value)" = 2-0 ]
pipeline=$(printf "xadd other 1-0 field value\r\nxadd stream 5-* field value\r\n" | ask | grep -v '^$' | tail -n 1)
echo "$alone"
echo "$pipeline"
[ "$alone" = 'ERR Elements are too large to be stored' ]
[ "$pipeline" = 'ERR The ID specified in XADD is equal or smaller than the target stream top item' ]
