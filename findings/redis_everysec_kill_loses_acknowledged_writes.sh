#!/usr/bin/env bash
# redis-server 7.0.15: with `appendfsync everysec` the death of the process alone (SIGKILL, no loss of power) loses writes that
# were answered with OK, if they came while a background sync was running.
#
# Expected by many: everysec risks a second of data when the machine dies, and nothing when only the process does, since
# every write is handed to the operating system before it is answered.
# Seen: while a sync runs the server postpones its write to the file, for up to two seconds (aof.c, flushAppendOnlyFile), and answers
# meanwhile. Here a sync takes three seconds, by a shim around fdatasync such as a busy disk is: `first` begins the sync, `second` is
# set half a second later and answered OK, and after kill -9 and a restart `second` is gone:
#   first: 1
#   second: (nil)
#
# Needs Debian's redis-server 7.0.15 (taken from the package if it is not installed), gcc.
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

cat >"$folder/slow.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
int fdatasync(int fd) {
  if (access(getenv("SLOW_WHILE_THERE"), F_OK) == 0) sleep(3);
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
C
gcc -shared -fPIC -o "$folder/slow.so" "$folder/slow.c" -ldl

start() {
  env "$@" redis-server --port 0 --unixsocket "$folder/socket" --dir "$folder" --save '' --appendonly yes \
    --appendfsync everysec --logfile "$folder/log" >/dev/null &
  server=$!
  for _ in $(seq 1 100); do
    [ "$(redis-cli -s "$folder/socket" ping 2>/dev/null)" = PONG ] && return
    sleep 0.1
  done
  echo 'redis-server did not start'
  exit 1
}

start LD_PRELOAD="$folder/slow.so" SLOW_WHILE_THERE="$folder/slow"
sleep 2.2 # nothing is being synced any more
touch "$folder/slow"
[ "$(redis-cli -s "$folder/socket" set first 1)" = OK ]
sleep 0.5
[ "$(redis-cli -s "$folder/socket" set second 1)" = OK ]
sleep 0.3
kill -9 "$server"
wait "$server" 2>/dev/null || true
rm "$folder/slow"

start SLOW=no
first=$(redis-cli -s "$folder/socket" get first)
second=$(redis-cli -s "$folder/socket" --no-raw get second)
echo "first: $first"
echo "second: $second"
[ "$first" = 1 ] && [ "$second" = '(nil)' ]
