//! moonpool-sim: an executor with a random schedule, and a world with an event queue whose sleeps
//! are late at random, as is its default. It has no trace and no digest; what it reports is made by
//! a runner above, which is not measured.

use moonpool_sim::executor::{Executor, spawn, until_stalled, yield_now};
use moonpool_sim::{SimWorld, TimeProvider as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use stunt_double_peers::{Batch, SLEEPERS, period, run, timers_run};

fn worlds() -> Batch {
    Box::new(|| {
        for seed in 0..1_000 {
            let mut sim = SimWorld::new_with_seed(seed);
            Executor::new(seed).block_on(async {
                let time = sim.time_provider();
                let task = spawn("n", async move { time.sleep(Duration::from_secs(1)).await });
                until_stalled().await;
                while sim.step() {
                    until_stalled().await;
                }
                task.await.expect("it ends").expect("the world is there");
            });
        }
        1_000
    })
}

/// Runs some tasks that only yield, under one executor.
fn yields(seed: u64, tasks: u64, times: u64) {
    Executor::new(seed).block_on(async move {
        let tasks = (0..tasks).map(|_| {
            spawn("n", async move {
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
    let mut executor = Executor::new(1);
    let mut sim = SimWorld::new_with_seed(1);
    let fired = Arc::<AtomicU64>::default();
    executor.block_on(async {
        for i in 0..SLEEPERS {
            let (time, fired) = (sim.time_provider(), Arc::clone(&fired));
            spawn("n", async move {
                while time.sleep(period(i)).await.is_ok() {
                    fired.fetch_add(1, Relaxed);
                }
            });
        }
        until_stalled().await;
    });
    Box::new(move || {
        let before = fired.load(Relaxed);
        let end = sim.now() + timers_run();
        executor.block_on(async {
            while sim.now() < end {
                sim.step();
                until_stalled().await;
            }
        });
        fired.load(Relaxed) - before
    })
}

fn main() {
    run(&[("worlds", worlds), ("polls", polls), ("schedules", schedules), ("timers", timers)]);
}
