//! The README's first program is this one, and what the README and docs/failures.md print of its
//! failure is what it prints.

use std::time::Duration;
use stunt_double::redis::{self, Client, Pipeline, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sweep, seeds};

async fn visit(node: Node, redis: Redis) -> Result<(), redis::Error> {
    let client = Client::connect(&node, &redis).await?;
    client.call(["INCR", "visits"]).await?;
    client.call(["EXPIRE", "visits", "60"]).await?;
    Ok(())
}

fn every_counter_expires() -> Sweep {
    seeds(0..1_000, |sim| {
        let redis = redis::start(sim, ServerOptions::default());
        let node = sim.node_with("limiter", redis.clone(), visit);
        let faults = Chaos::new().kill_for_good(&node);
        faults.run_then_heal(sim, Duration::from_secs(10)).expect_done();
        assert_ne!(redis.command(["TTL", "visits"]).as_integer(), Some(-1), "no expiry");
    })
}

mod mended {
    use super::*;

    pub(super) async fn visit(node: Node, redis: Redis) -> Result<(), redis::Error> {
        let client = Client::connect(&node, &redis).await?;
        let both = Pipeline::new().command(["INCR", "visits"]).command(["EXPIRE", "visits", "60"]);
        client.transaction(&both).await?;
        Ok(())
    }
}

/// Returns the lines of the block of a document that holds these words.
fn block<'a>(document: &'a str, language: &str, words: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    let mut blocks = document.split(&*start).skip(1).filter_map(|rest| rest.split("```").next());
    let block = blocks.find(|block| block.contains(words)).expect("such a block");
    block.lines().collect()
}

const README: &str = include_str!("../../README.md");
const FAILURES: &str = include_str!("../../docs/failures.md");

/// Whether a line says where the program is, which is elsewhere in a package of its own.
fn is_a_place(line: &str) -> bool {
    let places = ["panicked at ", "replay with: ", "the tape, ", "the picture, "];
    places.iter().any(|place| line.trim_start().starts_with(place))
}

#[test]
fn the_readmes_program_is_this_one() {
    let ours: Vec<&str> = include_str!("readme.rs").lines().map(str::trim).collect();
    let is_frame =
        |line: &str| line.is_empty() || line.starts_with("use ") || line.starts_with("#[test]");
    for words in ["fn every_counter_expires", "client.transaction"] {
        for line in block(README, "rust", words).iter().map(|line| line.trim()) {
            let line = match line {
                "fn every_counter_expires() {" => "fn every_counter_expires() -> Sweep {",
                ".expect_none();" => continue,
                "async fn visit(node: Node, redis: Redis) -> Result<(), redis::Error> {" => {
                    "pub(super) async fn visit(node: Node, redis: Redis) -> Result<(), redis::Error> {"
                }
                line => line,
            };
            assert!(is_frame(line) || ours.contains(&line), "not in this file: {line}");
        }
    }
}

#[test]
fn the_documents_print_what_the_program_prints() {
    let account = every_counter_expires().to_string();
    let told: Vec<&str> = account.lines().filter(|line| !is_a_place(line)).collect();
    for document in [README, FAILURES] {
        let printed = block(document, "text", "the decisive choice");
        assert!(printed.iter().any(|line| line.starts_with("  replay with: STUNT_DOUBLE_SEED=")));
        let printed: Vec<&str> = printed.into_iter().filter(|line| !is_a_place(line)).collect();
        assert_eq!(printed.join("\n"), told.join("\n"), "{account}");
    }
}

#[test]
fn with_the_fix_no_seed_fails() {
    let sweep = seeds(0..1_000, |sim| {
        let redis = redis::start(sim, ServerOptions::default());
        let node = sim.node_with("limiter", redis.clone(), mended::visit);
        let faults = Chaos::new().kill_for_good(&node);
        faults.run_then_heal(sim, Duration::from_secs(10)).expect_done();
        assert_ne!(redis.command(["TTL", "visits"]).as_integer(), Some(-1), "no expiry");
    });
    sweep.expect_none();
}
