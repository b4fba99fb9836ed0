//! Random commands of several clients, compared after each: every reply byte for byte, every event,
//! and the whole keyspace.
//!
//! `STUNT_DOUBLE_REAL_CASES` sets the number of cases, `STUNT_DOUBLE_REAL_SEED` the first seed.
//! Clients may block, be in a transaction, listen, and speak RESP3; one more client listens to
//! keyspace events. Replies that Redis leaves open are compared as far as `open` knows them to be
//! fixed.

use crate::both::{Both, Told};
#[cfg(feature = "lua")]
use crate::families;
use crate::grammar::{self, Picks, build, mutate};
use crate::hash_fields;
use crate::later;
use crate::open::{Askers, Hashed, Words, first_difference, replies};
use crate::producers;
use crate::server::{RealServer, request};
use proptest::prelude::*;
use proptest::test_runner::{
    Config, Reason, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner,
};
use std::cell::Cell;
use std::collections::BTreeMap;
use stunt_double::redis::Reply;

const CLIENTS: u64 = 3;
/// The client that listens to events.
const LISTENER: u64 = 10;
/// The clients that look at the keyspace, one for each database.
const OBSERVERS: [(u64, &str); 2] = [(20, "0"), (21, "1")];

#[derive(Clone, Debug)]
struct Step {
    client: u64,
    pattern: &'static str,
    picks: Vec<u16>,
    /// A change to the finished words.
    mutation: Option<(u16, u16, u16)>,
}

#[derive(Clone, Debug)]
struct Case {
    limits: usize,
    steps: Vec<Step>,
}

impl Step {
    fn words(&self) -> Words {
        let mut words = build(self.pattern, &mut Picks(&self.picks));
        if let Some((how, at, what)) = self.mutation
            && !self.pattern.starts_with(producers::KEPT)
        {
            mutate(&mut words, how, usize::from(at), usize::from(what));
        }
        // Unsubscribing from everything at once has an open order, and so have the counts.
        if words.len() == 1 && words[0].ends_with(b"UNSUBSCRIBE") {
            words.push(b"c1".to_vec());
        }
        words
    }
}

fn case(patterns: &'static [&'static str]) -> impl Strategy<Value = Case> {
    let mutation = proptest::option::weighted(0.15, any::<(u16, u16, u16)>());
    let picks = proptest::collection::vec(any::<u16>(), 24);
    let step = (0..CLIENTS, 0..patterns.len(), picks, mutation).prop_map(
        move |(client, pattern, picks, mutation)| Step {
            client,
            pattern: patterns[pattern],
            picks,
            mutation,
        },
    );
    let steps = proptest::collection::vec(step, 1..60);
    (0..LIMITS.len(), steps).prop_map(|(limits, steps)| Case { limits, steps })
}

pub(crate) fn shown(words: &[Vec<u8>]) -> String {
    words.iter().map(|w| w.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}

/// Removes the connection's number from the reply to `HELLO`.
pub(crate) fn without_ids(bytes: &[u8]) -> Vec<u8> {
    const BEFORE: &[u8] = b"$2\r\nid\r\n:";
    let mut rest = bytes;
    let mut without = Vec::new();
    while let Some(at) = rest.windows(BEFORE.len()).position(|part| part == BEFORE) {
        without.extend_from_slice(&rest[..at + BEFORE.len()]);
        without.push(b'0');
        rest = &rest[at + BEFORE.len()..];
        rest = &rest[rest.iter().position(|b| *b == b'\r').unwrap_or(0)..];
    }
    without.extend_from_slice(rest);
    without_modules(without)
}

/// Removes the modules from the reply to `HELLO`: some versions bring modules that are not
/// modelled.
fn without_modules(bytes: Vec<u8>) -> Vec<u8> {
    const BEFORE: &[u8] = b"$7\r\nmodules\r\n*";
    const MODULE: &[u8] = b"$4\r\nargs\r\n*0\r\n";
    let Some(at) = bytes.windows(BEFORE.len()).position(|part| part == BEFORE) else {
        return bytes;
    };
    let (head, rest) = bytes.split_at(at + BEFORE.len());
    let end = rest.windows(MODULE.len()).position(|part| part == MODULE);
    let rest = match (rest.first(), end) {
        (Some(b'1'), Some(end)) => &rest[end + MODULE.len()..],
        _ => rest.get(3..).unwrap_or_default(),
    };
    [head, b"0\r\n", rest].concat()
}

/// The keys that commands name.
const KEYS: [&[u8]; 10] = [b"k1", b"k2", b"k3", b"k4", b"l1", b"l2", b"g1", b"g2", b"p1", b"p2"];

/// Returns requests that read everything in a database. Most of them are of the wrong type.
fn questions() -> Vec<Words> {
    let of_all: [&[&[u8]]; 2] = [&[b"DBSIZE"], &[b"KEYS", b"*"]];
    let of_each = |key| -> [Vec<&'static [u8]>; 11] {
        [
            vec![b"TYPE", key],
            vec![b"OBJECT", b"ENCODING", key],
            vec![b"PEXPIRETIME", key],
            vec![b"GET", key],
            vec![b"LRANGE", key, b"0", b"-1"],
            vec![b"HGETALL", key],
            vec![b"HPEXPIRETIME", key, b"FIELDS", b"5", b"a", b"b", b"c", b"1", b"2"],
            vec![b"SMEMBERS", key],
            vec![b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
            vec![b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"],
            vec![b"XREVRANGE", key, b"+", b"-"],
        ]
    };
    let of_all = of_all.iter().map(|words| words.to_vec());
    let of_each = KEYS.iter().flat_map(|key| of_each(*key));
    of_all.chain(of_each).map(|words| words.iter().map(|word| word.to_vec()).collect()).collect()
}

/// Returns the keys that have a hash table, according to the replies to all the requests.
fn hash_tables(questions: &[Words], answers: &[u8]) -> Hashed {
    let is = |reply: &Reply| matches!(reply.as_bytes(), Some(b"hashtable" | b"skiplist"));
    let answers = replies(answers);
    let asked = questions.iter().zip(&answers).filter(|(words, _)| words[0] == b"OBJECT");
    asked.filter(|(_, reply)| is(reply)).map(|(words, _)| words[2].clone()).collect()
}

/// Reads everything on both. Expired keys are removed by that, so the listener may get more events,
/// which are added.
fn look(both: &mut Both<'_>, questions: &[Words], told: &mut BTreeMap<u64, (Told, Told)>) {
    let pipeline: Vec<u8> = questions.iter().flat_map(bytes).collect();
    for (observer, _) in OBSERVERS {
        both.send(observer, &pipeline);
    }
    for (client, (real, ours)) in both.told() {
        let (all_real, all_ours) = told.entry(client).or_default();
        all_real.bytes.extend(real.bytes);
        all_ours.bytes.extend(ours.bytes);
    }
}

/// Compares what was read. Returns the keys that have a hash table, beside those that had one.
fn compare_keyspaces(
    questions: &[Words],
    told: &BTreeMap<u64, (Told, Told)>,
    before: &Hashed,
) -> Result<Hashed, TestCaseError> {
    let mut all = before.clone();
    for (observer, database) in OBSERVERS {
        let (real, ours) = &told[&observer];
        let mut hashed = hash_tables(questions, &real.bytes);
        hashed.extend(before.iter().cloned());
        if let Some(first) = first_difference(questions, &real.bytes, &ours.bytes, &hashed) {
            let (real, ours) = (replies(&real.bytes), replies(&ours.bytes));
            let (real, ours) = (real.get(first), ours.get(first));
            let question = shown(&questions[first]);
            return Err(TestCaseError::fail(format!(
                "{question} in database {database}\n  real {real:?}\n  ours {ours:?}"
            )));
        }
        all.extend(hashed);
    }
    Ok(all)
}

fn bytes(words: &Words) -> Vec<u8> {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    request(&words)
}

/// Sizes up to which values stay compact: the defaults, small ones, none.
const LIMITS: [[&str; 7]; 3] = [
    ["512", "64", "128", "64", "512", "100", "4096"],
    ["3", "5", "3", "5", "3", "3", "100"],
    ["0", "0", "0", "0", "0", "2", "0"],
];

fn begin<'a>(server: &'a RealServer, case: &Case) -> Both<'a> {
    let mut both = Both::new(server, "KEA");
    both.tell_time();
    let limits = LIMITS[case.limits];
    let line = format!(
        "CONFIG SET hash-max-listpack-entries {} hash-max-listpack-value {} \
         zset-max-listpack-entries {} zset-max-listpack-value {} set-max-intset-entries {} \
         stream-node-max-entries {} stream-node-max-bytes {}",
        limits[0], limits[1], limits[2], limits[3], limits[4], limits[5], limits[6]
    );
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    both.send(0, &request(&words));
    // Active expiry on the real server depends on luck.
    both.send(0, &request(&[b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"]));
    // One client speaks RESP3 from the beginning.
    both.send(1, &request(&[b"HELLO", b"3"]));
    both.send(LISTENER, &request(&[b"PSUBSCRIBE", b"__key*"]));
    for (observer, database) in OBSERVERS {
        both.send(observer, &request(&[b"SELECT", database.as_bytes()]));
    }
    // What other cases have left on the real server.
    for words in ["ACL DELUSER u v w", "SCRIPT FLUSH", "FUNCTION FLUSH"] {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        both.send(0, &request(&words));
    }
    both.told();
    both
}

fn run(server: &RealServer, questions: &[Words], case: &Case) -> Result<(), TestCaseError> {
    let mut both = begin(server, case);
    let mut log = vec![format!("limits {:?}", LIMITS[case.limits])];
    let mut askers = Askers::default();
    let (mut hashed, mut reloaded) = (Hashed::new(), false);
    for step in &case.steps {
        let words = step.words();
        // A known difference: the real server sends the replies before it in the former protocol.
        if words[0].eq_ignore_ascii_case(b"HELLO") && askers.may_queue(step.client) {
            continue;
        }
        log.push(format!("{}: {}", step.client, shown(&words)));
        both.catch_up();
        both.send(step.client, &bytes(&words));
        askers.ask(step.client, &words);
        let mut told = both.told();
        look(&mut both, questions, &mut told);
        for (client, (real, ours)) in &mut told {
            if OBSERVERS.iter().any(|(observer, _)| observer == client) {
                continue;
            }
            real.bytes = without_ids(&real.bytes);
            ours.bytes = without_ids(&ours.bytes);
            prop_assert!(
                askers.told_the_same(*client, real, ours, &hashed),
                "client {client} was told\n  real {}\n  ours {}\nafter\n{}",
                real.bytes.escape_ascii(),
                ours.bytes.escape_ascii(),
                log.join("\n")
            );
        }
        // A hash table that was saved is read in its order, and may be compact from then on.
        reloaded |= words[0].eq_ignore_ascii_case(b"DEBUG");
        if reloaded {
            hashed.extend(KEYS.iter().map(|key| key.to_vec()));
        } else {
            hashed.clear();
        }
        hashed = compare_keyspaces(questions, &told, &hashed)
            .map_err(|e| TestCaseError::fail(format!("{e}\nafter\n{}", log.join("\n"))))?;
    }
    Ok(())
}

/// Returns the failure, with the steps removed that it does not need.
fn without_unnecessary_operations(
    server: &RealServer,
    questions: &[Words],
    mut case: Case,
) -> Option<Reason> {
    let mut reason = None;
    loop {
        let before = case.steps.len();
        for index in (0..before).rev() {
            let mut fewer = case.clone();
            fewer.steps.remove(index);
            if let Err(TestCaseError::Fail(why)) = run(server, questions, &fewer) {
                (case, reason) = (fewer, Some(why));
            }
        }
        if case.steps.len() == before {
            return reason;
        }
    }
}

pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Returns the command that reproduces a failure.
fn replay(name: &str, seed: u64, cases: u64) -> String {
    format!(
        "replay with: STUNT_DOUBLE_REAL_SEED={seed} STUNT_DOUBLE_REAL_CASES={cases} \
         cargo test --test real {name}"
    )
}

#[test]
fn random_commands_of_several_clients() {
    compare("random_commands_of_several_clients", grammar::PATTERNS);
}

#[test]
fn random_hash_fields() {
    compare("random_hash_fields", hash_fields::PATTERNS);
}

#[test]
fn random_commands_of_later_versions() {
    compare("random_commands_of_later_versions", later::PATTERNS);
}

#[test]
fn random_producers_and_claims() {
    compare("random_producers_and_claims", producers::PATTERNS);
}

#[cfg(feature = "lua")]
#[test]
fn random_scripts_users_and_tracking() {
    compare("random_scripts_users_and_tracking", families::PATTERNS);
}

fn compare(name: &str, patterns: &'static [&'static str]) {
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
    let questions = questions();
    // A busy machine can keep the real server waiting for seconds, which its clock then shows. A
    // difference that is none the second time is counted, and no failure.
    let once = Cell::new(0);
    let twice = |case: Case| {
        run(&server, &questions, &case).or_else(|why| {
            once.set(once.get() + 1);
            println!("a difference that may not come again: {why}");
            run(&server, &questions, &case)
        })
    };
    match runner.run(&case(patterns), twice) {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => {
            let reason =
                without_unnecessary_operations(&server, &questions, case).unwrap_or(reason);
            panic!("{reason}\n{}", replay(name, seed, cases));
        }
        Err(TestError::Abort(reason)) => panic!("{reason}\n{}", replay(name, seed, cases)),
    }
    let once: u64 = once.get();
    assert!(once <= cases / 100 + 1, "{once} of {cases} cases differed once, and then not");
    println!("{cases} cases from seed {seed} without a difference ({once} had one only once)");
}
