//! The commands about clients and settings: their errors, and their effects on other clients.

use crate::both::{Both, Told};
use crate::protocol::{lines, server};

#[test]
fn some_clients_are_closed_and_others_wait() {
    let Some(real) = server() else { return };
    let mut both = Both::new(&real, "");
    lines(&mut both, 1, &["SUBSCRIBE ch"]);
    lines(&mut both, 2, &["PSUBSCRIBE c*"]);
    lines(&mut both, 3, &["CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE pubsub", "PUBLISH ch x"]);
    lines(&mut both, 4, &["CLIENT PAUSE 60000 WRITE"]);
    lines(&mut both, 5, &["GET k", "SET k v", "GET k"]);
    lines(&mut both, 6, &["MULTI", "GET k", "EXEC", "MULTI", "INCR n", "EXEC"]);
    lines(&mut both, 7, &["PUBLISH ch x"]);
    lines(&mut both, 8, &["BLPOP none 0"]);
    lines(&mut both, 4, &["GET k", "CLIENT UNPAUSE", "GET k", "GET n"]);
}

#[test]
fn clients_are_described_by_the_same_fields() {
    let Some(real) = server() else { return };
    let mut both = Both::new(&real, "");
    for request in [&[&b"CLIENT"[..], b"INFO"], &[&b"CLIENT"[..], b"LIST"]] {
        let (real, ours) = both.ask(1, request);
        let names = |told: &Told| -> Vec<String> {
            let text = String::from_utf8_lossy(&told.bytes).into_owned();
            let line = text.lines().nth(1).unwrap_or_default().to_owned();
            line.split(' ').map(|f| f.split('=').next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(names(&real), names(&ours));
    }
}

#[test]
fn errors_about_clients_and_settings() {
    let Some(real) = server() else { return };
    let mut both = Both::new(&real, "");
    lines(&mut both, 1, ERRORS);
}

const ERRORS: &[&str] = &[
    "CLIENT",
    "CLIENT NOSUCH",
    "CLIENT ID x",
    "CLIENT LIST x",
    "CLIENT LIST TYPE",
    "CLIENT LIST TYPE nosuch",
    "CLIENT LIST TYPE master",
    "CLIENT LIST TYPE normal x",
    "CLIENT LIST ID",
    "CLIENT LIST ID x",
    "CLIENT LIST ID 0",
    "CLIENT LIST ID 99999999",
    "CLIENT INFO x",
    "CLIENT KILL",
    "CLIENT KILL 1.2.3.4:5",
    "CLIENT KILL ID",
    "CLIENT KILL ID x",
    "CLIENT KILL ID 0",
    "CLIENT KILL ID -1",
    "CLIENT KILL ID 99999999",
    "CLIENT KILL TYPE nosuch",
    "CLIENT KILL TYPE master",
    "CLIENT KILL USER nobody",
    "CLIENT KILL SKIPME maybe",
    "CLIENT KILL SKIPME",
    "CLIENT KILL ADDR 1.2.3.4:5",
    "CLIENT KILL LADDR 1.2.3.4:5",
    "CLIENT KILL ID 99999999 NOSUCH x",
    "CLIENT KILL ID 99999999 TYPE",
    "CLIENT UNBLOCK",
    "CLIENT UNBLOCK x",
    "CLIENT UNBLOCK 99999999",
    "CLIENT UNBLOCK 99999999 NOSUCH",
    "CLIENT UNBLOCK 99999999 ERROR",
    "CLIENT UNBLOCK 99999999 TIMEOUT x",
    "CLIENT PAUSE",
    "CLIENT PAUSE x",
    "CLIENT PAUSE -1",
    "CLIENT PAUSE 1 NOSUCH",
    "CLIENT PAUSE 1 WRITE x",
    "CLIENT PAUSE 9223372036854775808",
    "CLIENT UNPAUSE x",
    "CLIENT UNPAUSE",
    "CLIENT SETNAME",
    "CLIENT SETNAME a\nb",
    "CLIENT SETNAME caf\u{e9}",
    "CLIENT SETNAME me",
    "CLIENT GETNAME",
    "CLIENT GETNAME x",
    "CLIENT NO-EVICT maybe",
    "CLIENT NO-EVICT on",
    "CLIENT REPLY",
    "CLIENT REPLY NOSUCH",
    "CONFIG",
    "CONFIG NOSUCH",
    "CONFIG GET",
    "CONFIG GET nosuch",
    "CONFIG GET hash-max-ziplist-entries",
    "CONFIG GET hash-max-listpack-entries",
    "CONFIG GET HASH-MAX-LISTPACK-VALUE",
    "CONFIG SET",
    "CONFIG SET nosuch",
    "CONFIG SET nosuch 1",
    "CONFIG SET hash-max-listpack-entries",
    "CONFIG SET hash-max-listpack-entries x",
    "CONFIG SET hash-max-listpack-entries -1",
    "CONFIG SET hash-max-listpack-entries 512 hash-max-listpack-entries 512",
    "CONFIG SET hash-max-listpack-entries 512 nosuch 1",
    "CONFIG SET hash-max-ziplist-entries 512 hash-max-listpack-entries 512",
    "CONFIG SET list-max-listpack-size x",
    "CONFIG SET notify-keyspace-events Q",
    "CONFIG SET notify-keyspace-events KEA",
    "CONFIG GET notify-keyspace-events",
    "CONFIG SET notify-keyspace-events AKE$",
    "CONFIG GET notify-keyspace-events",
    "CONFIG SET appendfsync sometimes",
    "CONFIG SET appendonly maybe",
    "CONFIG SET save x",
    "CONFIG SET save -1",
    "CONFIG SET proto-max-bulk-len x",
    "CONFIG SET proto-max-bulk-len 1",
    "CONFIG SET client-query-buffer-limit 1",
    "CONFIG SET timeout x",
    "CONFIG SET databases 3",
    "CONFIG RESETSTAT x",
    "CONFIG SET maxmemory text",
    "CONFIG SET maxmemory-policy none",
    "CONFIG SET hz x",
    "CONFIG SET lazyfree-lazy-expire maybe",
    "CONFIG SET auto-aof-rewrite-min-size x",
    "OBJECT NOSUCH k",
    "OBJECT ENCODING",
    "OBJECT FREQ",
    "OBJECT HELP x",
    "COMMAND NOSUCH",
    "COMMAND COUNT x",
    "COMMAND GETKEYS",
    "COMMAND GETKEYSANDFLAGS",
    "COMMAND LIST FILTERBY",
    "COMMAND LIST FILTERBY NOSUCH x",
    "COMMAND LIST FILTERBY MODULE x",
    "PUBSUB NOSUCH",
    "PUBSUB NUMPAT x",
    "DEBUG NOSUCH",
    "DEBUG",
    "DEBUG SLEEP",
];
