//! Redis in process: the typed operations, the commands (words in, a reply out, with all checks of
//! the real server), and bytes in to bytes out in pipelines of 64.

use std::hint::black_box;
use stunt_double::redis::ServerOptions;
use stunt_double::redis::database::{Database, SetOptions};
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::{ClientId, Output, Server};
use stunt_double::redis::value::End;
use stunt_double::sim::service::ByteService as _;
use stunt_double::{Instant, Site, Stream};
use stunt_double_peers::{Batch, Case, FIVE_CALLS, KEYS, OPERATIONS, Scattered, VALUE, keys, repeated};

pub(crate) const CASES: &[Case] = &[
    ("get", || typed_get(1)),
    ("set", || typed_set(1)),
    ("incr", typed_incr),
    ("lpush", typed_lpush),
    ("get-many", || typed_get(KEYS)),
    ("set-many", || typed_set(KEYS)),
    ("get-words", || command(&["GET", "key:000000000000"])),
    ("set-words", || command(&["SET", "key:000000000000", VALUE])),
    ("incr-words", || command(&["INCR", "counter"])),
    ("lpush-words", || command(&["LPUSH", "list", VALUE])),
    ("get-bytes", || bytes(1, &["GET", KEY])),
    ("set-bytes", || bytes(1, &["SET", KEY, VALUE])),
    ("incr-bytes", || bytes(1, &["INCR", "counter"])),
    ("lpush-bytes", || bytes(1, &["LPUSH", "list", VALUE])),
    ("zadd-bytes", || bytes(1, &["ZADD", "zset", "1", KEY])),
    ("get-bytes-many", || bytes(KEYS, &["GET", KEY])),
    ("set-bytes-many", || bytes(KEYS, &["SET", KEY, VALUE])),
    ("incr-bytes-many", || bytes(KEYS, &["INCR", COUNTER])),
    ("zadd-bytes-many", || bytes(KEYS, &["ZADD", "zset", NUMBER, KEY])),
    ("eval-bytes", || bytes(1, EVAL)),
    ("xadd-bytes", || bytes(1, XADD)),
    ("geoadd-bytes-many", || bytes(KEYS, GEOADD)),
    ("geosearch-bytes-many", || filled_bytes(GEOADD, GEOSEARCH)),
    ("pfadd-bytes-many", || bytes(KEYS, &["PFADD", "sketch", KEY])),
    ("pfcount-bytes-many", || filled_bytes(&["PFADD", "sketch", KEY], &["PFCOUNT", "sketch"])),
];

/// Words of a request that stand for the next key, counter or number.
const KEY: &str = "<key>";
const COUNTER: &str = "<counter>";
const NUMBER: &str = "<number>";
/// Words that stand for the place of the next key, within 100 by 10 degrees.
const LONGITUDE: &str = "<longitude>";
const LATITUDE: &str = "<latitude>";

const EVAL: &[&str] = &["EVAL", FIVE_CALLS, "2", "visits", "state", "60000", "100"];
const XADD: &[&str] = &["XADD", "stream", "MAXLEN", "~", "10000", "*", "field", VALUE];
const GEOADD: &[&str] = &["GEOADD", "places", LONGITUDE, LATITUDE, KEY];
const GEOSEARCH: &[&str] =
    &["GEOSEARCH", "places", "FROMLONLAT", "50", "5", "BYRADIUS", "10", "km"];

const NOW: Instant = Instant::ZERO;
const CLIENT: ClientId = ClientId(1);

fn filled(keys: &[String]) -> Database {
    let mut db = Database::new();
    for key in keys {
        db.set(key.as_bytes(), VALUE.as_bytes(), SetOptions::default()).expect("nothing is there");
    }
    db
}

fn typed_get(count: u64) -> Batch {
    let (keys, mut walk) = (keys(count), Scattered::over(count));
    let mut db = filled(&keys);
    repeated(move || {
        let _ = black_box(db.get(keys[walk.step()].as_bytes()));
    })
}

fn typed_set(count: u64) -> Batch {
    let (keys, mut walk) = (keys(count), Scattered::over(count));
    let mut db = filled(&keys);
    repeated(move || {
        let key = keys[walk.step()].as_bytes();
        let _ = black_box(db.set(key, VALUE.as_bytes(), SetOptions::default()));
    })
}

fn typed_incr() -> Batch {
    let mut db = Database::new();
    repeated(move || {
        let _ = black_box(db.incrby(b"counter", 1));
    })
}

fn typed_lpush() -> Batch {
    let mut db = Database::new();
    repeated(move || {
        let _ = black_box(db.push(b"list", End::Left, &[VALUE.as_bytes()]));
    })
}

fn server(keys: &[String]) -> Server {
    let mut server = Server::new(ServerOptions::default(), Stream::calm(Site::new("peers"), 0));
    *server.database(0).expect("there are 16") = filled(keys);
    server
}

fn command(words: &[&str]) -> Batch {
    let mut server = server(&keys(1));
    server.connected(NOW, CLIENT, "peer");
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    Box::new(move || {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        for _ in 0..OPERATIONS {
            server.handle_input(NOW, CLIENT, &words);
            let Some(Output::Reply { reply, .. }) = server.poll_output() else {
                unreachable!("a command is answered")
            };
            black_box(reply);
        }
        OPERATIONS
    })
}

/// Pipelines of 64 requests, as `redis-benchmark -P 64` sends them. The keys are set before, and
/// what else a command names is filled by the batch that warms up.
fn bytes(count: u64, words: &[&str]) -> Batch {
    let mut server = connected(count);
    let (pipelines, operations) = pipelines(count, words);
    let mut out = Vec::new();
    Box::new(move || {
        for pipeline in &pipelines {
            ask(&mut server, pipeline, &mut out);
        }
        operations
    })
}

/// The same requests again and again, after others with every key.
fn filled_bytes(fill: &[&str], words: &[&str]) -> Batch {
    let mut server = connected(KEYS);
    let mut out = Vec::new();
    for pipeline in pipelines(KEYS, fill).0 {
        ask(&mut server, &pipeline, &mut out);
    }
    let (pipelines, operations) = pipelines(1, words);
    Box::new(move || {
        for pipeline in &pipelines {
            ask(&mut server, pipeline, &mut out);
        }
        operations
    })
}

fn connected(count: u64) -> ByteServer {
    let mut server = ByteServer::new(server(&keys(count)));
    server.connected(NOW, CLIENT.0, "peer");
    server
}

fn ask(server: &mut ByteServer, pipeline: &[u8], out: &mut Vec<u8>) {
    server.receive(NOW, CLIENT.0, pipeline);
    out.clear();
    black_box(server.drain_output(CLIENT.0, out));
}

/// Returns pipelines with every key once, and how many requests they are.
fn pipelines(count: u64, words: &[&str]) -> (Vec<Vec<u8>>, u64) {
    let (keys, mut walk) = (keys(count), Scattered::over(count));
    let distinct = if count == 1 { 6_400 } else { count };
    // The second half moves each member that the first half has put somewhere else.
    let moves = words.iter().any(|word| [NUMBER, LONGITUDE].contains(word));
    let rounds = if moves { 2 * distinct } else { distinct };
    let request = |i: u64| {
        let key = &keys[walk.step()];
        let number = i * 7_919 % 1_000_003;
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = match *word {
                KEY => key.clone(),
                COUNTER => key.replace("key", "counter"),
                NUMBER => number.to_string(),
                LONGITUDE => format!("{number:012}e-4"),
                LATITUDE => format!("{:012}e-5", number * 31 % 1_000_003),
                word => word.to_owned(),
            };
            bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        bytes
    };
    let requests: Vec<Vec<u8>> = (0..rounds).map(request).collect();
    (requests.chunks(64).map(<[Vec<u8>]>::concat).collect(), rounds)
}
