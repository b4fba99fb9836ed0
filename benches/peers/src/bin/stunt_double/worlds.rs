//! The world: each process is a node with a name, a clock and an exit; each event enters the trace
//! and its digest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use stunt_double::sim::{Config, Node, Retention, Sim, Strategy};
use stunt_double_peers::{Batch, Case, SLEEPERS, period, timers_run};

pub(crate) const CASES: &[Case] = &[
    ("worlds", || worlds(Config::new)),
    ("worlds-digest", || worlds(digest_only)),
    ("polls", || polls(Config::new)),
    ("polls-digest", || polls(digest_only)),
    ("schedules", || schedules(Config::new)),
    ("schedules-digest", || schedules(digest_only)),
    ("schedules-nodes", || schedules_of_nodes(Config::new)),
    ("timers", || timers(Config::new)),
    ("timers-digest", || timers(digest_only)),
];

type Settings = fn(seed: u64) -> Config;

fn digest_only(seed: u64) -> Config {
    Config::new(seed).with_retention(Retention::Digest)
}

fn worlds(settings: Settings) -> Batch {
    Box::new(move || {
        for seed in 0..1_000 {
            let mut sim = Sim::with_config(settings(seed));
            sim.node("n", async |node| node.sleep(Duration::from_secs(1)).await);
            sim.run().expect_done();
        }
        1_000
    })
}

/// Runs some tasks of one node that only yield.
fn yields(config: Config, tasks: u64, times: u64) {
    let mut sim = Sim::with_config(config.with_strategy(Strategy::Random));
    sim.node("n", move |node| async move {
        let tasks = (0..tasks).map(|_| {
            let task = node.clone();
            node.spawn(async move {
                for _ in 0..times {
                    task.yield_now().await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("it ends");
        }
    });
    sim.run().expect_done();
}

fn polls(settings: Settings) -> Batch {
    Box::new(move || {
        yields(settings(1), 10, 1_000);
        10_000
    })
}

fn schedules(settings: Settings) -> Batch {
    Box::new(move || {
        for seed in 0..1_000 {
            yields(settings(seed), 3, 10);
        }
        1_000
    })
}

/// The same with three processes instead of three tasks of one: no peer has these.
fn schedules_of_nodes(settings: Settings) -> Batch {
    Box::new(move || {
        for seed in 0..1_000 {
            let mut sim = Sim::with_config(settings(seed).with_strategy(Strategy::Random));
            for name in ["a", "b", "c"] {
                sim.node(name, async |node| {
                    for _ in 0..10 {
                        node.yield_now().await;
                    }
                });
            }
            sim.run().expect_done();
        }
        1_000
    })
}

fn timers(settings: Settings) -> Batch {
    let mut sim = Sim::with_config(settings(1).with_max_steps(u64::MAX));
    let fired = Arc::<AtomicU64>::default();
    let counts = Arc::clone(&fired);
    sim.daemon_with("n", counts, async |node: Node, fired| {
        for i in 0..SLEEPERS {
            let (task, fired) = (node.clone(), Arc::clone(&fired));
            node.spawn(async move {
                loop {
                    task.sleep(period(i)).await;
                    fired.fetch_add(1, Relaxed);
                }
            });
        }
        std::future::pending::<()>().await;
    });
    sim.run_for(Duration::ZERO).expect_reached();
    Box::new(move || {
        let before = fired.load(Relaxed);
        sim.run_for(timers_run()).expect_reached();
        fired.load(Relaxed) - before
    })
}
