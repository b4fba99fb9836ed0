//! Random bytes for a Redis server: requests with scripts, cut and damaged anywhere, and files and
//! payloads of values that are damaged behind a correct checksum. Nothing may panic, and a file
//! that is refused must leave the data as they were. It is no part of the gate, because it takes as
//! long as one likes.
//!
//! `cargo run --release -p stunt-double-benches --features lua --bin fuzz -- MINUTES [SEED]`
//!
//! Each case is drawn from its number. A panic ends the run with that number, with which the same
//! case comes first: `… --bin fuzz -- 1 SEED`.

#![expect(clippy::disallowed_methods, reason = "it runs for a time that its user chooses")]

#[path = "../tests/real/families.rs"]
mod families;
#[path = "../tests/real/grammar.rs"]
mod grammar;
#[path = "../tests/real/hash_fields.rs"]
mod hash_fields;
#[path = "../tests/real/later.rs"]
mod later;

use grammar::{Picks, build, mutate};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::{ClientId, Server};
use stunt_double::redis::{ServerOptions, Version};
use stunt_double::sim::service::ByteService as _;
use stunt_double::{Instant, Site, Stream};

/// Requests of one case.
const REQUESTS: usize = 150;

/// The clients of a case.
const CLIENTS: u64 = 3;

/// Draws of one case: numbers that follow from its seed (splitmix64).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap_or_default()
    }

    fn picks(&mut self) -> Vec<u16> {
        (0..24).map(|_| (self.next() & 0xffff) as u16).collect()
    }
}

/// Bytes that mean something in requests, scripts, files and payloads.
const PIECES: [&[u8]; 16] = [
    b"\r\n",
    b"*-1\r\n",
    b"$-1\r\n",
    b"*2147483647\r\n",
    b"$536870912\r\n",
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x80\0\0\0\x01",
    b"\xc3",
    b"\x7f",
    b" end ",
    b"(",
    b"redis.call('get',",
    b"..",
    b"-9223372036854775808",
];

/// Damages some bytes: one is changed, cut, repeated, or something is put between.
fn damage(bytes: &mut Vec<u8>, draws: &mut Draws) {
    if bytes.is_empty() {
        return;
    }
    let at = draws.below(bytes.len());
    match draws.below(6) {
        0 => bytes[at] = (draws.next() & 0xff) as u8,
        1 => bytes[at] ^= 1 << draws.below(8),
        2 => drop(bytes.drain(at..(at + 1 + draws.below(8)).min(bytes.len()))),
        3 => bytes.truncate(at),
        4 => {
            let piece = bytes[at..(at + 1 + draws.below(16)).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => {
            bytes.splice(at..at, PIECES[draws.below(PIECES.len())].iter().copied());
        }
    }
}

fn request(words: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Draws a request: one of the grammar, often with a damaged word, seldom damaged as bytes.
fn draw(draws: &mut Draws) -> Vec<u8> {
    let patterns = match draws.below(6) {
        0 | 1 => families::PATTERNS,
        2 => hash_fields::PATTERNS,
        3 => later::PATTERNS,
        _ => grammar::PATTERNS,
    };
    let picks = draws.picks();
    let mut words = build(patterns[draws.below(patterns.len())], &mut Picks(&picks));
    if draws.below(6) == 0 {
        let how = (draws.next() & 0xffff) as u16;
        mutate(&mut words, how, draws.below(64), draws.below(64));
    }
    while !words.is_empty() && draws.below(4) == 0 {
        let at = draws.below(words.len());
        damage(&mut words[at], draws);
    }
    let mut bytes = request(&words);
    if draws.below(40) == 0 {
        damage(&mut bytes, draws);
    }
    bytes
}

/// CRC-64 as Redis computes it (polynomial of Jones), which ends payloads.
fn crc64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u64::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0x95ac_9329_ac4b_c9b5 } else { crc >> 1 }
        })
    })
}

fn new_server(draws: &mut Draws) -> ByteServer {
    let version = Version::ALL[draws.below(Version::ALL.len())];
    let options = ServerOptions::default().with_version(version);
    ByteServer::new(Server::new(options, Stream::calm(Site::new("fuzz.redis"), draws.next())))
}

fn drain(server: &mut ByteServer) {
    while server.poll_output().is_some() {}
}

/// Sends requests in pieces, with time between them.
fn requests(server: &mut ByteServer, draws: &mut Draws) -> Instant {
    let mut now = Instant::ZERO;
    for client in 0..CLIENTS {
        server.connected(now, client, "fuzz");
    }
    let mut client = CLIENTS;
    for _ in 0..REQUESTS {
        let to = draws.below(CLIENTS as usize) as u64;
        let bytes = draw(draws);
        let cut = draws.below(bytes.len() + 1);
        server.receive(now, to, &bytes[..cut]);
        drain(server);
        server.receive(now, to, &bytes[cut..]);
        drain(server);
        now += Duration::from_millis(draws.below(200) as u64);
        while server.poll_timeout().is_some_and(|due| due <= now) && draws.below(50) != 0 {
            server.handle_timeout(now);
            drain(server);
        }
        if draws.below(60) == 0 {
            server.disconnected(now, to);
            server.connected(now, client, "again");
            client += 1;
        }
    }
    now
}

/// Loads damaged files, and restores damaged payloads whose checksum is right.
fn files(server: &mut ByteServer, now: Instant, draws: &mut Draws) {
    server.handle_timeout(now);
    drain(server);
    let machine = server.machine_mut();
    let mut whole = machine.to_rdb();
    for _ in 0..4 {
        let mut file = whole.clone();
        for _ in 0..=draws.below(3) {
            damage(&mut file, draws);
        }
        // A checksum of zeros is not checked.
        let end = file.len().saturating_sub(8);
        file[end..].fill(0);
        if let Err(error) = machine.load_rdb(now, &file) {
            let left = machine.to_rdb();
            let differs = left.iter().zip(&whole).position(|(left, whole)| left != whole);
            assert!(left == whole, "refused ({error}), and yet byte {differs:?} has changed");
        } else {
            machine.load_rdb(now, &whole).expect("the server wrote it");
            // A value that has become small is loaded in its small encoding.
            whole = machine.to_rdb();
        }
    }
    let observer = ClientId(u64::MAX / 2);
    machine.connected(now, observer, "observer");
    for key in ["k1", "k2", "k3", "k4"] {
        let Some(database) = machine.database(0) else { return };
        let Some(payload) = database.dump(key.as_bytes()) else { continue };
        for _ in 0..4 {
            let mut body = payload[..payload.len() - 8].to_vec();
            let version = body.split_off(body.len() - 2);
            for _ in 0..=draws.below(3) {
                damage(&mut body, draws);
            }
            body.extend_from_slice(&version);
            body.extend_from_slice(&crc64(&body).to_le_bytes());
            let mut words = vec![b"RESTORE".to_vec(), b"r".to_vec(), b"0".to_vec(), body];
            words.push(b"REPLACE".to_vec());
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            machine.handle_input(now, observer, &words);
            let look: [&[&[u8]]; 3] =
                [&[b"DUMP", b"r"], &[b"OBJECT", b"ENCODING", b"r"], &[b"DEBUG", b"DIGEST"]];
            for words in look {
                machine.handle_input(now, observer, words);
            }
            while machine.poll_output().is_some() {}
        }
    }
}

fn case(seed: u64) {
    let mut draws = Draws(seed);
    let mut server = new_server(&mut draws);
    let now = requests(&mut server, &mut draws);
    files(&mut server, now, &mut draws);
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (Some(Ok(minutes)), seed) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: fuzz MINUTES [SEED]");
        return ExitCode::from(2);
    };
    let first = seed.and_then(Result::ok).unwrap_or(1);
    let began = std::time::Instant::now();
    let mut seed = first;
    while began.elapsed() < Duration::from_secs(60 * minutes) {
        if catch_unwind(AssertUnwindSafe(|| case(seed))).is_err() {
            eprintln!("the case of seed {seed} panicked");
            return ExitCode::FAILURE;
        }
        seed = seed.wrapping_add(1);
        if (seed - first).is_multiple_of(1_000) {
            println!("{} cases, {} s", seed - first, began.elapsed().as_secs());
        }
    }
    println!("{} cases from seed {first}, none panicked", seed - first);
    ExitCode::SUCCESS
}
