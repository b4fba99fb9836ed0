//! Test-suites of small applications, run over every version of the server: what breaks when it is
//! upgraded, before anybody upgrades it.
//!
//! Each check is a way in which programs really use Redis or RabbitMQ, and passes on the oldest
//! version. The output shows where it breaks, and what the program got instead.
//!
//! `cargo run --release --example upgrade -- --seed 1`

#[path = "../common/mod.rs"]
mod common;
mod rabbitmq;
mod redis;

use std::fmt::Display;
use std::sync::{Arc, Mutex};

/// Where a program puts what it got.
pub(crate) type Got = Arc<Mutex<Option<String>>>;

/// The subject of a check, in words.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    pub(crate) name: &'static str,
    pub(crate) expects: &'static str,
    /// The change that a program needs if it fails the check.
    pub(crate) remedy: &'static str,
}

/// Runs a check over versions, and prints those on which it does not get what it expects.
pub(crate) fn over<V: Copy + Display>(words: Words, versions: &[V], run: impl Fn(V, Got)) {
    println!("\n{}", words.name);
    println!("  expects: {}", words.expects);
    let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
    let all: Vec<String> = versions
        .iter()
        .map(|version| {
            let got = Got::default();
            run(*version, Arc::clone(&got));
            got.lock().expect("nothing panics").take().expect("the node has ended")
        })
        .collect();
    assert_eq!(all[0], words.expects, "the oldest version passes every check");
    let mut different: Vec<&String> = Vec::new();
    for got in all.iter().filter(|got| *got != words.expects) {
        if !different.contains(&got) {
            different.push(got);
        }
    }
    for got in &different {
        let which: Vec<bool> = all.iter().map(|other| other == *got).collect();
        println!("  {}: {got}", ranges(&names, &which));
    }
    if different.is_empty() {
        println!("  it holds everywhere");
    } else {
        println!("  remedy: {}", words.remedy);
    }
}

/// Names the versions that are marked, successive ones of a product as one range.
fn ranges(names: &[String], marked: &[bool]) -> String {
    let product = |at: usize| names[at].split_once('-').map_or("", |(product, _)| product);
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < names.len() {
        if !marked[at] {
            at += 1;
            continue;
        }
        let first = at;
        while at + 1 < names.len() && marked[at + 1] && product(at + 1) == product(first) {
            at += 1;
        }
        let is_newest = at + 1 == names.len() || product(at + 1) != product(first);
        ranges.push(match (first == at, is_newest) {
            (true, _) => names[first].clone(),
            (false, true) => format!("{} and later", names[first]),
            (false, false) => format!("{} to {}", names[first], names[at]),
        });
        at += 1;
    }
    ranges.join(", ")
}

fn main() {
    let seed = common::seed();
    println!("Each check passes on the versions that it does not list.");
    common::heading("Redis and Valkey");
    redis::run(seed);
    common::heading("RabbitMQ");
    rabbitmq::run(seed);
}
