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

/// Runs a check over versions, and prints those on which it does not get what it expects.
pub(crate) fn over<V: Copy + Display>(
    name: &str,
    expects: &str,
    versions: &[V],
    run: impl Fn(V, Got),
) {
    common::heading(name);
    println!("expects {expects}");
    let mut breaks = false;
    for version in versions {
        let got = Got::default();
        run(*version, Arc::clone(&got));
        let got = got.lock().expect("nothing panics").take().expect("the node has ended");
        if got != expects {
            breaks = true;
            println!("  {version:<11} {got}");
        }
    }
    if !breaks {
        println!("  it holds everywhere");
    }
}

fn main() {
    let seed = common::seed();
    redis::run(seed);
    rabbitmq::run(seed);
}
