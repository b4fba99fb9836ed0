#!/usr/bin/env bash
# shuttle 0.9.10: under its PCT scheduler, tasks that yield take turns, whatever the depth. It never sees most of their orders.
#
# Expected: a scheduler that promises to find any bug of its depth runs a task on after `yield_now` in some of its schedules.
# Seen: a yield lowers the task below all others each time, so two tasks that yield after every step alternate. A bug that needs
# one task to take two steps while the other waits is not found, however many schedules are run:
#   orders of two tasks with three steps each, of 20 possible, in 5,000 schedules
#   random: 20
#   PCT of depth 2: 2
#   PCT of depth 5: 2
#
# Needs cargo. shuttle is taken from crates.io.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
shuttle = "=0.9.10"
TOML
cat >"$folder/src/main.rs" <<'RUST'
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

const SCHEDULES: usize = 5_000;

/// Returns how many orders of the steps of two tasks a scheduler sees.
fn orders(scheduler: impl Scheduler + 'static) -> usize {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let all = Arc::clone(&seen);
    Runner::new(scheduler, Config::new()).run(move || {
        let order = Arc::new(Mutex::new(String::new()));
        let tasks = ["a", "b"].map(|name| {
            let order = Arc::clone(&order);
            spawn(async move {
                for _ in 0..3 {
                    order.lock().unwrap().push_str(name);
                    yield_now().await;
                }
            })
        });
        for task in tasks {
            block_on(task).unwrap();
        }
        all.lock().unwrap().insert(order.lock().unwrap().clone());
    });
    seen.lock().unwrap().len()
}

fn main() {
    println!("orders of two tasks with three steps each, of 20 possible, in 5,000 schedules");
    println!("random: {}", orders(RandomScheduler::new_from_seed(1, SCHEDULES)));
    for depth in [2, 5] {
        println!("PCT of depth {depth}: {}", orders(PctScheduler::new_from_seed(1, depth, SCHEDULES)));
    }
}
RUST
seen=$(cd "$folder" && cargo run --quiet)
echo "$seen"
diff <(echo "$seen") <(sed -n 's/^#   //p' "$0")
