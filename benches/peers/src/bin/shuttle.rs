//! shuttle: schedules of tasks on stacks of their own. It has no clock, no network and no trace,
//! but keeps the schedule of a run, which a failure prints.

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::scheduler::RandomScheduler;
use shuttle::{Config, Runner};
use stunt_double_peers::{Batch, run};

/// Runs some tasks that only yield, in so many schedules.
fn yields(schedules: usize, tasks: u64, times: u64) {
    let mut config = Config::new();
    config.max_steps = shuttle::MaxSteps::None;
    Runner::new(RandomScheduler::new_from_seed(1, schedules), config).run(move || {
        let tasks = (0..tasks).map(|_| {
            spawn(async move {
                for _ in 0..times {
                    yield_now().await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            block_on(task).expect("it ends");
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
        yields(1_000, 3, 10);
        1_000
    })
}

fn main() {
    run(&[("polls", polls), ("schedules", schedules)]);
}
