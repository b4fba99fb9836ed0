//! Random commands of several clients, compared after each: every reply byte for
//! byte, every event, and the whole keyspace.
//!
//! `STUNT_DOUBLE_REAL_CASES` says how many cases, `STUNT_DOUBLE_REAL_SEED` where
//! they begin. Clients may block, be in a transaction, listen, speak RESP3; one
//! more listens to the keyspace's events. What Redis leaves unordered is compared
//! sorted.

use crate::both::{Both, Told, unordered};
use crate::grammar::{PATTERNS, Picks, build};
use crate::server::{RealServer, request};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::collections::BTreeSet;

const CLIENTS: u64 = 3;
/// Listens to events.
const LISTENER: u64 = 10;
/// Looks at the keyspace; one for each database.
const OBSERVERS: [(u64, &str); 2] = [(20, "0"), (21, "1")];

#[derive(Clone, Debug)]
struct Step {
    client: u64,
    pattern: usize,
    picks: Vec<u16>,
    /// The words are cut after so many, if that is fewer.
    cut: usize,
}

impl Step {
    fn words(&self) -> Vec<Vec<u8>> {
        let mut words = build(PATTERNS[self.pattern], &mut Picks(&self.picks));
        // Without a count these draw one, and not the same.
        let draws = ["SPOP", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER"];
        let least = if draws.iter().any(|name| words[0] == name.as_bytes()) { 3 } else { 1 };
        words.truncate(self.cut.max(least));
        // Alone it lists commands that are not modelled, too.
        if words == [b"COMMAND"] {
            words.push(b"COUNTS".to_vec());
        }
        words
    }
}

fn step() -> impl Strategy<Value = Step> {
    let cut = prop_oneof![30 => Just(usize::MAX), 1 => 1..4_usize];
    let picks = proptest::collection::vec(any::<u16>(), 14);
    (0..CLIENTS, 0..PATTERNS.len(), picks, cut).prop_map(|(client, pattern, picks, cut)| Step {
        client,
        pattern,
        picks,
        cut,
    })
}

/// Commands whose answers have no order.
const UNORDERED: [&str; 18] = [
    "SMEMBERS",
    "SINTER",
    "SUNION",
    "SDIFF",
    "HGETALL",
    "HKEYS",
    "HVALS",
    "KEYS",
    "SCAN",
    "SSCAN",
    "HSCAN",
    "SPOP",
    "EXEC",
    "SRANDMEMBER",
    "HRANDFIELD",
    "ZRANDMEMBER",
    "PUBSUB",
    "ZSCAN",
];

fn shown(words: &[Vec<u8>]) -> String {
    words.iter().map(|w| w.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}

/// The answer to `HELLO` has the number of the connection.
pub(crate) fn without_ids(bytes: &[u8]) -> Vec<u8> {
    const BEFORE: &[u8] = b"$2\r\nid\r\n:";
    let mut rest = bytes;
    let mut without = Vec::new();
    while let Some(at) = rest.windows(BEFORE.len()).position(|part| part == BEFORE) {
        without.extend_from_slice(&rest[..at + BEFORE.len()]);
        rest = &rest[at + BEFORE.len()..];
        rest = &rest[rest.iter().position(|b| *b == b'\r').unwrap_or(0)..];
    }
    without.extend_from_slice(rest);
    without
}

/// What is the same, but for an order that Redis leaves open.
fn same(real: &Told, ours: &Told, ordered: bool) -> bool {
    real == ours
        || (!ordered
            && real.closed == ours.closed
            && unordered(&real.bytes) == unordered(&ours.bytes))
}

/// What a reader of the type sees of a key.
fn reading(kind: &[u8], key: &[u8]) -> Option<Vec<Vec<u8>>> {
    let words: &[&[u8]] = match kind {
        b"+string\r\n" => &[b"GET", key],
        b"+list\r\n" => &[b"LRANGE", key, b"0", b"-1"],
        b"+hash\r\n" => &[b"HGETALL", key],
        b"+set\r\n" => &[b"SMEMBERS", key],
        b"+zset\r\n" => &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
        _ => return None,
    };
    Some(words.iter().map(|word| word.to_vec()).collect())
}

/// Compares what both have, key by key.
fn compare_keyspaces(both: &mut Both<'_>) -> Result<(), TestCaseError> {
    for (observer, _) in OBSERVERS {
        for key in [b"k1", b"k2", b"k3", b"k4", b"l1", b"l2"] {
            let (kind, ours) = both.ask(observer, &[b"TYPE", key]);
            prop_assert_eq!(&kind, &ours, "the type of {}", key.escape_ascii());
            let Some(reading) = reading(&kind.bytes, key) else { continue };
            let reading: Vec<&[u8]> = reading.iter().map(Vec::as_slice).collect();
            let questions: [&[&[u8]]; 2] = [&reading, &[b"OBJECT", b"ENCODING", key]];
            for question in questions {
                let (real, ours) = both.ask(observer, question);
                let words: Vec<Vec<u8>> = question.iter().map(|w| w.to_vec()).collect();
                prop_assert!(
                    same(&real, &ours, false),
                    "{}: real {:?} ours {:?}",
                    shown(&words),
                    real.bytes.escape_ascii().to_string(),
                    ours.bytes.escape_ascii().to_string()
                );
            }
            // Relative times were counted from other moments.
            let (real, ours) = both.ask(observer, &[b"PEXPIRETIME", key]);
            let some = |told: &Told| told.bytes != b":-1\r\n";
            prop_assert_eq!(some(&real), some(&ours), "whether {} expires", key.escape_ascii());
        }
    }
    Ok(())
}

fn run(server: &RealServer, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut both = Both::new(server, "KEA");
    both.send(LISTENER, &request(&[b"PSUBSCRIBE", b"__key*"]));
    for (observer, database) in OBSERVERS {
        both.send(observer, &request(&[b"SELECT", database.as_bytes()]));
    }
    both.told();
    let mut log: Vec<String> = Vec::new();
    let mut unordered_asked = BTreeSet::new();
    for step in steps {
        let words = step.words();
        let borrowed: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        log.push(format!("{}: {}", step.client, shown(&words)));
        both.send(step.client, &request(&borrowed));
        let name = String::from_utf8_lossy(&words[0]).to_uppercase();
        if UNORDERED.contains(&name.as_str()) {
            unordered_asked.insert(step.client);
        }
        for (client, (mut real, mut ours)) in both.told() {
            real.bytes = without_ids(&real.bytes);
            ours.bytes = without_ids(&ours.bytes);
            // Who was blocked is answered only now what it asked before.
            let ordered = !unordered_asked.contains(&client);
            if !real.bytes.is_empty() {
                unordered_asked.remove(&client);
            }
            prop_assert!(
                same(&real, &ours, ordered),
                "client {client} was told\n  real {}\n  ours {}\nafter\n{}",
                real.bytes.escape_ascii(),
                ours.bytes.escape_ascii(),
                log.join("\n")
            );
        }
        compare_keyspaces(&mut both)
            .map_err(|e| TestCaseError::fail(format!("{e}\nafter\n{}", log.join("\n"))))?;
    }
    for client in 0..CLIENTS {
        both.disconnect(client);
    }
    Ok(())
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn random_commands_of_several_clients() {
    let Some(server) = RealServer::start(&["--save", "", "--appendonly", "no"]) else { return };
    let cases = number("STUNT_DOUBLE_REAL_CASES", 100);
    let seed = number("STUNT_DOUBLE_REAL_SEED", 1);
    let config = Config {
        cases: cases as u32,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let steps = proptest::collection::vec(step(), 1..60);
    if let Err(error) = runner.run(&steps, |steps| run(&server, &steps)) {
        panic!("seed {seed}: {error}");
    }
    println!("{cases} cases from seed {seed} without a difference");
}
