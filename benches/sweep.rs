//! A sweep over seeds: what a seed of a real test costs, and how a sweep scales with the cores.
//!
//! The same seeds are swept on one thread and on two, in turns, and each round gives a factor; the
//! median of the factors counts. Wall time is what a sweep is about, so the machine must be quiet:
//! with something else on the second core, the factor is of that. The worlds of two threads share
//! only the counters of the sweep. A seed takes the same processor time on one thread, on two, and
//! in two processes, so neither the allocator nor a cache line is contended.
//!
//! `cargo bench -p stunt-double-benches --bench sweep [-- SEEDS]`

mod no_task_is_lost;

use stunt_double::sim::{Config, Retention, Seeds};

const ROUNDS: usize = 9;
const SEEDS: u64 = 2_000;

/// Sweeps the seeds, and returns the microseconds of wall time for one of them.
fn sweep(seeds: u64, threads: usize, retention: Option<Retention>) -> f64 {
    let mut sweep = Seeds::new(0..seeds).with_threads(threads);
    if let Some(retention) = retention {
        sweep = sweep.with_config(Config::new(0).with_retention(retention));
    }
    let swept = sweep.run(no_task_is_lost::test);
    let took = swept.wall_time;
    swept.expect_none();
    took.as_secs_f64() * 1e6 / seeds as f64
}

/// Returns the median of the values, and prints them.
fn show(what: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (least, median) = (values[0], values[values.len() / 2]);
    let greatest = values[values.len() - 1];
    println!("{what:36} {median:8.2} {unit:14} ({least:.2} to {greatest:.2})");
}

fn main() {
    let seeds = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let seeds = seeds.unwrap_or(SEEDS).max(1);
    let mut one = Vec::new();
    let mut two = Vec::new();
    let mut digest = Vec::new();
    let mut off = Vec::new();
    for round in 0..ROUNDS {
        // Whoever goes second finds the machine as the first has left it, so they take turns.
        if round % 2 == 0 {
            one.push(sweep(seeds, 1, None));
            two.push(sweep(seeds, 2, None));
        } else {
            two.push(sweep(seeds, 2, None));
            one.push(sweep(seeds, 1, None));
        }
        digest.push(sweep(seeds, 1, Some(Retention::Digest)));
        off.push(sweep(seeds, 1, Some(Retention::Off)));
    }
    let factors = one.iter().zip(&two).map(|(one, two)| one / two).collect();
    println!("{seeds} seeds, {ROUNDS} rounds: median (range)");
    show("one thread, default settings", "µs a seed", one);
    show("one thread, digest only", "µs a seed", digest);
    show("one thread, no trace", "µs a seed", off);
    show("two threads, default settings", "µs a seed", two);
    show("two threads over one", "times as fast", factors);
}
