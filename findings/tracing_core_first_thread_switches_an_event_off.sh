#!/usr/bin/env bash
# tracing-core 0.1.36: with one scoped subscriber, a thread without a subscriber that meets an event first switches the event
# off for the thread that has one.
#
# Expected: a subscriber of `set_default` receives every event of its own thread, whichever thread was there first.
# Seen: while a process has a single subscriber, the interest in an event is asked of the thread that meets it first. "Nobody
# listens" is kept for all threads. With a second subscriber alive, all of them are asked:
#   one subscriber: 0 of 1 events
#   two subscribers: 1 of 1 events
#
# Needs cargo. tracing-core and tracing are taken from crates.io.
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
tracing = "=0.1.44"
tracing-core = "=0.1.36"
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

#[derive(Clone, Default)]
struct Counter(Arc<AtomicU32>);

impl Subscriber for Counter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Relaxed);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn count(log: fn()) -> u32 {
    let counter = Counter::default();
    let _guard = tracing::subscriber::set_default(counter.clone());
    std::thread::spawn(log).join().unwrap();
    log();
    counter.0.load(Relaxed)
}

fn main() {
    println!("one subscriber: {} of 1 events", count(|| tracing::info!("one")));
    let _second = Dispatch::new(Counter::default());
    println!("two subscribers: {} of 1 events", count(|| tracing::info!("two")));
}
RUST
seen=$(cd "$folder" && cargo run --quiet)
echo "$seen"
diff <(echo "$seen") <(sed -n 's/^#   //p' "$0")
