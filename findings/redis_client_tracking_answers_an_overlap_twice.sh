#!/usr/bin/env bash
# redis-server 7.0.15: CLIENT TRACKING with prefixes of which two overlap is answered twice, and tracking begins, unless the first prefix is
# one of the two.
#
# Expected by many: one request has one reply, and prefixes that overlap are refused ("Prefixes for a single client must not overlap").
# Seen: the check of the given prefixes returns the index of the one that overlaps as its result (tracking.c,
# checkPrefixCollisionsOrReply), and only index 0 counts as a failure. So `PREFIX a PREFIX ab` is refused, while `PREFIX z PREFIX a PREFIX
# ab` gets the error and then +OK. A client that pairs replies with requests is one reply behind from then on: below, the answer to
# CLIENT GETREDIR is that +OK, and its own answer (0: tracking is on) comes one later.
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
for _ in $(seq 1 100); do
  [ "$(redis-cli -s "$folder/socket" ping 2>&1)" = PONG ] && break
  sleep 0.1
done

python3 - "$folder/socket" <<'PYTHON'
import socket
import sys


def replies(prefixes):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    words = " ".join(f"PREFIX {prefix}" for prefix in prefixes)
    connection.sendall(f"CLIENT TRACKING ON BCAST {words}\r\nCLIENT GETREDIR\r\nECHO end\r\n".encode())
    received = b""
    while not received.endswith(b"$3\r\nend\r\n"):
        received += connection.recv(4096)
    return received.decode().split("\r\n")[:-3]


refused = replies(["a", "ab"])
twice = replies(["z", "a", "ab"])
print(refused)
print(twice)
overlap = (
    "-ERR Prefix 'a' overlaps with another provided prefix 'ab'. "
    "Prefixes for a single client must not overlap."
)
assert refused == [overlap, ":-1"]
assert twice == [overlap, "+OK", ":0"]
PYTHON
