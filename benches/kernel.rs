//! The cost of the world itself, each number beside a bare structure's in the same run.
//!
//! `cargo bench -p stunt-double-benches --bench kernel`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;
use stunt_double::sim::{Config, Retention, Sim};

/// Timer events in one measured run.
const EVENTS: u64 = 200_000;

/// The period of the `i`-th sleeper: all different, none a multiple of another
/// for long, so that the heap is really used.
fn period(i: u64) -> Duration {
    Duration::from_nanos(1_000_000 + (i * 7_919) % 999_983)
}

/// A world in which `tasks` tasks sleep over and over.
fn sleepers(tasks: u64, retention: Retention) -> Sim {
    let mut sim =
        Sim::with_config(Config::new(1).with_retention(retention).with_max_steps(u64::MAX));
    sim.daemon("sleepers", move |node| async move {
        for i in 0..tasks {
            let sleeper = node.clone();
            node.spawn(async move {
                loop {
                    sleeper.sleep(period(i)).await;
                }
            });
        }
        node.sleep(Duration::MAX).await;
    });
    let _ = sim.run_for(Duration::from_millis(2));
    sim
}

/// Runs a world for as long as `events` timer events take on average.
fn fire(sim: &mut Sim, tasks: u64) {
    let mean = Duration::from_nanos(1_500_000);
    let _ = sim.run_for(mean.mul_f64(EVENTS as f64 / tasks as f64));
}

/// The baseline: the same times pushed to and popped from a bare heap.
struct BareHeap {
    heap: BinaryHeap<std::cmp::Reverse<(u64, u64, u64)>>,
    sequence: u64,
}

impl BareHeap {
    fn new(tasks: u64) -> BareHeap {
        let heap =
            (0..tasks).map(|i| std::cmp::Reverse((period(i).as_nanos() as u64, i, i))).collect();
        BareHeap { heap, sequence: tasks }
    }

    fn fire(&mut self) {
        for _ in 0..EVENTS {
            let std::cmp::Reverse((at, _, task)) = self.heap.pop().expect("never empty");
            self.sequence += 1;
            let next = at + period(task).as_nanos() as u64;
            self.heap.push(std::cmp::Reverse((next, self.sequence, task)));
        }
    }
}

fn timers(c: &mut Criterion) {
    let mut group = c.benchmark_group("timer-event");
    group.throughput(Throughput::Elements(EVENTS));
    for tasks in [10, 100, 1_000, 10_000, 100_000] {
        group.bench_with_input(BenchmarkId::new("bare-heap", tasks), &tasks, |b, &tasks| {
            let mut bare = BareHeap::new(tasks);
            b.iter(|| black_box(&mut bare).fire());
        });
        group.bench_with_input(BenchmarkId::new("world", tasks), &tasks, |b, &tasks| {
            let mut sim = sleepers(tasks, Retention::Digest);
            b.iter(|| fire(black_box(&mut sim), tasks));
        });
    }
    for (name, retention) in [
        ("trace-off", Retention::Off),
        ("trace-digest", Retention::Digest),
        ("trace-last-1000", Retention::Last(1_000)),
    ] {
        group.bench_function(BenchmarkId::new(name, 100), |b| {
            let mut sim = sleepers(100, retention);
            b.iter(|| fire(black_box(&mut sim), 100));
        });
    }
    group.finish();
}

fn worlds(c: &mut Criterion) {
    let mut group = c.benchmark_group("world");
    group.throughput(Throughput::Elements(1));
    group.bench_function("empty", |b| {
        b.iter(|| {
            let mut sim = Sim::new(black_box(1));
            sim.run()
        });
    });
    group.finish();
}

criterion_group!(benches, timers, worlds);
criterion_main!(benches);
