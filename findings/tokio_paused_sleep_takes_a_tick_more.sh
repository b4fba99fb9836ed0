#!/usr/bin/env bash
# tokio 1.54.1: on a paused clock that does not show a whole millisecond, `sleep` takes a whole millisecond more than it was
# asked for.
#
# Expected: with `start_paused`, `sleep(5 ms)` takes 5 ms of the virtual clock, wherever the clock stands.
# Seen: a deadline is rounded up to the next whole millisecond since the runtime began, and the clock then jumps by whole
# milliseconds from where it stands, so it lands beyond the deadline by the same fraction:
#   from 0 ns: 5000000 ns
#   from 300000 ns: 6000000 ns
#   from 999999 ns: 6000000 ns
#
# Needs cargo. tokio is taken from crates.io.
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
tokio = { version = "=1.54.1", default-features = false, features = ["rt", "test-util", "time"] }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::time::Duration;
use tokio::time::{Instant, advance, sleep};

fn main() {
    for offset in [0, 300_000, 999_999] {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            advance(Duration::from_nanos(offset)).await;
            let start = Instant::now();
            sleep(Duration::from_millis(5)).await;
            println!("from {offset} ns: {} ns", start.elapsed().as_nanos());
        });
    }
}
RUST
seen=$(cd "$folder" && cargo run --quiet)
echo "$seen"
diff <(echo "$seen") <(sed -n 's/^#   //p' "$0")
