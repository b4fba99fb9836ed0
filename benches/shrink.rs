//! The cost of an explanation: a failing tape of 10,000 choices, and the world of a real test.
//!
//! The first scenario makes 10,000 choices and runs the world of `no_task_is_lost` (some 0.3 ms);
//! it fails if three of the choices are as they should not be. Printed are the times of making its
//! tape small, and of everything, on one thread and on all, with the runs that this took. The
//! default effort applies. Everything but the time is the same on any number of threads.
//!
//! `cargo bench -p stunt-double-benches --bench shrink`

mod no_task_is_lost;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use stunt_double::Site;
use stunt_double::sim::{Effort, Seeds, Sim};

const DRAW: Site = Site::new("bench.draw");

/// Fails if three of 10,000 choices are high.
fn scenario(sim: &mut Sim) -> Result<(), String> {
    let drawn: Vec<u64> = (0..10_000).map(|i| sim.choose(DRAW, i % 100, 100)).collect();
    no_task_is_lost::test(sim);
    let high = [1_234, 5_678, 9_012].iter().all(|i| drawn[*i] >= 60);
    if high { Err("three are high".to_owned()) } else { Ok(()) }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn measure(threads: usize, effort: Effort) -> (f64, u64, usize) {
    let runs = AtomicU64::new(0);
    let began = Instant::now();
    let sweep = Seeds::new(0..1_000).without_files().with_threads(threads).with_effort(effort).run(
        |sim: &mut Sim| {
            runs.fetch_add(1, Relaxed);
            scenario(sim)
        },
    );
    let took = began.elapsed() - sweep.wall_time;
    let account = sweep.account.expect("it fails again");
    (took.as_secs_f64(), runs.into_inner() - sweep.ran, account.decisions.len())
}

fn main() {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let shrink_only = Effort::default().with_risk(0, 0);
    for (what, effort) in [("shrink alone", shrink_only), ("everything", Effort::default())] {
        for threads in [1, all] {
            let mut times: Vec<(f64, u64, usize)> =
                (0..5).map(|_| measure(threads, effort)).collect();
            times.sort_by(|a, b| a.0.total_cmp(&b.0));
            let ((least, ..), (median, runs, left), (most, ..)) = (times[0], times[2], times[4]);
            println!(
                "{what:14} {threads:2} threads: {median:.2} s ({least:.2} to {most:.2}), {runs} \
                 runs, {left} choices left"
            );
        }
    }
}
