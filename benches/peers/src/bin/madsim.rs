//! madsim: the scheduler is always random, the time moves a little with each poll, and each world
//! has a network and a file system. It has no trace and no digest unless it is asked to check
//! determinism, which it does by a second run.

use madsim::Config;
use madsim::runtime::Runtime;
use madsim::time::sleep;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use stunt_double_peers::{Batch, SLEEPERS, period, run, timers_run, yield_now};

fn world(seed: u64) -> Runtime {
    Runtime::with_seed_and_config(seed, Config::default())
}

fn worlds() -> Batch {
    Box::new(|| {
        for seed in 0..1_000 {
            world(seed).block_on(async {
                madsim::task::spawn(sleep(Duration::from_secs(1))).await.expect("it ends");
            });
        }
        1_000
    })
}

fn bare_worlds() -> Batch {
    Box::new(|| {
        for seed in 0..1_000 {
            world(seed).block_on(async { sleep(Duration::from_secs(1)).await });
        }
        1_000
    })
}

/// Runs some tasks that only yield, in one world.
fn yields(seed: u64, tasks: u64, times: u64) {
    world(seed).block_on(async move {
        let tasks = (0..tasks).map(|_| {
            madsim::task::spawn(async move {
                for _ in 0..times {
                    yield_now().await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("it ends");
        }
    });
}

fn polls() -> Batch {
    Box::new(|| {
        yields(1, 10, 1_000);
        10_000
    })
}

fn schedules() -> Batch {
    Box::new(|| {
        for seed in 0..1_000 {
            yields(seed, 3, 10);
        }
        1_000
    })
}

fn timers() -> Batch {
    let runtime = world(1);
    let fired = Arc::<AtomicU64>::default();
    let counts = Arc::clone(&fired);
    runtime.block_on(async move {
        for i in 0..SLEEPERS {
            let fired = Arc::clone(&counts);
            madsim::task::spawn(async move {
                loop {
                    sleep(period(i)).await;
                    fired.fetch_add(1, Relaxed);
                }
            });
        }
    });
    Box::new(move || {
        let before = fired.load(Relaxed);
        runtime.block_on(async { sleep(timers_run()).await });
        fired.load(Relaxed) - before
    })
}

fn main() {
    run(&[
        ("worlds", worlds),
        ("bare-worlds", bare_worlds),
        ("polls", polls),
        ("schedules", schedules),
        ("timers", timers),
    ]);
}
