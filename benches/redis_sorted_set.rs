//! The cost of a sorted set, beside a bare ordered tree and a map of the same members in the same
//! run (which cannot return ranks).
//!
//! `cargo bench -p stunt-double-benches --bench redis_sorted_set`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::ops::Bound;
use std::time::Duration;
use stunt_double::redis::Sds;
use stunt_double::redis::value::SortedSet;
use stunt_double::{Site, Stream};

const MANY: usize = 1_000_000;

/// Members of 16 bytes with scores that are all different or all equal.
fn members(count: usize, equal: bool) -> Vec<(Sds, f64)> {
    let mut draws = Stream::seeded(1, Site::new("bench.members"), 0);
    (0..count)
        .map(|n| {
            // Scattered by the upper bits, unique by the lower ones.
            let name = draws.choose(1 << 40) << 20 | n as u64;
            let score = if equal { 0.0 } else { draws.choose(1 << 53) as f64 };
            (Sds::from(format!("{name:016x}")), score)
        })
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Score) -> Ordering {
        self.0.partial_cmp(&other.0).expect("no score is NaN")
    }
}

/// A sorted set without ranks.
#[derive(Default)]
struct Bare {
    scores: IndexMap<Sds, f64, FxBuildHasher>,
    order: BTreeSet<(Score, Sds)>,
}

impl Bare {
    fn insert(&mut self, member: Sds, score: f64) {
        self.order.insert((Score(score), member.clone()));
        self.scores.insert(member, score);
    }

    fn pop_first(&mut self) -> Option<(Sds, f64)> {
        let (Score(score), member) = self.order.pop_first()?;
        self.scores.swap_remove(&member);
        Some((member, score))
    }
}

fn bare(members: Vec<(Sds, f64)>) -> Bare {
    let mut bare = Bare::default();
    for (member, score) in members {
        bare.insert(member, score);
    }
    bare
}

fn insert(c: &mut Criterion) {
    let mut group = c.benchmark_group("insert");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for (name, count, equal) in
        [("random", 1_000, false), ("random", MANY, false), ("equal", MANY, true)]
    {
        let members = members(count, equal);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new(name, count), |b| {
            b.iter_batched(
                || members.clone(),
                |members| members.into_iter().collect::<SortedSet>(),
                BatchSize::PerIteration,
            );
        });
        group.bench_function(BenchmarkId::new(format!("{name} bare"), count), |b| {
            b.iter_batched(|| members.clone(), bare, BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Returns a different place each time, spread over the whole set.
fn places(count: usize) -> impl FnMut() -> usize {
    let mut at = 0;
    move || {
        at = (at + 611_953) % count;
        at
    }
}

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    for (name, equal) in [("random", false), ("equal", true)] {
        let members = members(MANY, equal);
        let set: SortedSet = members.iter().cloned().collect();
        let mut place = places(MANY);
        // How much of the next measurement the map and the cold members account for.
        group.bench_function(format!("{name} score"), |b| {
            b.iter(|| set.score(&members[place()].0));
        });
        group.bench_function(format!("{name} rank"), |b| {
            b.iter(|| set.rank(&members[place()].0));
        });
        group.bench_function(format!("{name} first of a range by rank"), |b| {
            b.iter(|| black_box(set.range(place()..MANY).next()));
        });
        group.bench_function(format!("{name} 100 by rank"), |b| {
            b.iter(|| {
                let start = place();
                set.range(start..start + 100).map(|(_, score)| score).sum::<f64>()
            });
        });
        group.bench_function(format!("{name} 100 down by rank"), |b| {
            b.iter(|| {
                let start = place();
                set.range(start..start + 100).rev().map(|(_, score)| score).sum::<f64>()
            });
        });
        if !equal {
            group.bench_function(format!("{name} 100 by score"), |b| {
                b.iter(|| {
                    let min = Bound::Included(members[place()].1);
                    let ranks = set.rank_range_by_score(min, Bound::Unbounded);
                    set.range(ranks).take(100).map(|(_, score)| score).sum::<f64>()
                });
            });
        }
    }
    group.finish();
}

/// A queue by score: the lowest member leaves and comes back with a higher score.
fn churn(c: &mut Criterion) {
    let mut group = c.benchmark_group("churn");
    for count in [1_000, MANY] {
        let step = (1u64 << 53) as f64 / 2.0;
        let mut set: SortedSet = members(count, false).into_iter().collect();
        group.bench_function(BenchmarkId::new("pop_first, insert", count), |b| {
            b.iter(|| {
                let (member, score) = set.pop_first().expect("it is never empty");
                set.insert(member, score + step);
            });
        });
        let mut bare = bare(members(count, false));
        group.bench_function(BenchmarkId::new("pop_first, insert bare", count), |b| {
            b.iter(|| {
                let (member, score) = bare.pop_first().expect("it is never empty");
                bare.insert(member, score + step);
            });
        });
    }
    group.finish();
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = settings();
    targets = insert, read, churn
}
criterion_main!(benches);
