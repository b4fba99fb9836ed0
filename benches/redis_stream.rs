//! The cost of a stream: additions, reads of a group with acknowledgements, and ranges. Beside each
//! stands a bare deque or ordered map of the same entries in the same run.
//!
//! `cargo bench -p stunt-double-benches --bench redis_stream`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::time::Duration;
use stunt_double::redis::Sds;
use stunt_double::redis::database::{
    Database, GroupRead, GroupStart, XaddId, XaddOptions, XreadgroupOptions,
};
use stunt_double::redis::value::{StreamId, Trim, TrimTo};

/// The number of entries in one measured run.
const ENTRIES: usize = 100_000;

fn id(n: usize) -> StreamId {
    StreamId::new(1_700_000_000_000 + n as u64, 0)
}

fn add(db: &mut Database, n: usize, options: XaddOptions) {
    let fields: &[(&[u8], &[u8])] = &[(b"user", b"alice"), (b"amount", b"1234")];
    db.xadd(b"stream", XaddId::Exact(id(n)), fields, options).expect("ids grow");
}

fn filled() -> Database {
    let mut db = Database::new();
    (0..ENTRIES).for_each(|n| add(&mut db, n, XaddOptions::default()));
    let start = GroupStart::After(StreamId::MIN);
    db.xgroup_create(b"stream", b"group", start, None, false).expect("it is new");
    db
}

fn fields() -> Vec<(Sds, Sds)> {
    vec![("user".into(), "alice".into()), ("amount".into(), "1234".into())]
}

fn xadd(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream/xadd");
    group.throughput(Throughput::Elements(ENTRIES as u64));
    let added = |options: XaddOptions| {
        move |mut db: Database| {
            (0..ENTRIES).for_each(|n| add(&mut db, n, options));
            db
        }
    };
    group.bench_function("typed", |b| {
        b.iter_batched(Database::new, added(XaddOptions::default()), BatchSize::PerIteration);
    });
    let trim = Trim { approximate: true, limit: 10_000, ..Trim::exactly(TrimTo::Length(1_000)) };
    let capped = XaddOptions { trim: Some(trim), ..XaddOptions::default() };
    group.bench_function("typed, up to about 1000", |b| {
        b.iter_batched(Database::new, added(capped), BatchSize::PerIteration);
    });
    group.bench_function("a bare deque", |b| {
        b.iter(|| {
            let mut deque = VecDeque::new();
            (0..ENTRIES).for_each(|n| deque.push_back((id(n), fields())));
            deque
        });
    });
    group.finish();
}

/// Reads everything by a group, this many entries at a time, and acknowledges them.
fn read_and_acknowledge(mut db: Database, count: usize) -> Database {
    let options = XreadgroupOptions { count, ..Default::default() };
    let mut left = ENTRIES;
    while left > 0 {
        let read = db.xreadgroup(b"stream", b"group", b"consumer", GroupRead::New, options);
        let ids: Vec<StreamId> =
            read.expect("the group exists").entries.iter().map(|(id, _)| *id).collect();
        left -= db.xack(b"stream", b"group", &ids).expect("it is a stream");
    }
    db
}

fn groups(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream/xreadgroup+xack");
    group.throughput(Throughput::Elements(ENTRIES as u64));
    for count in [1, 10, 100] {
        group.bench_function(format!("typed, {count} at a time"), |b| {
            let work = |db| read_and_acknowledge(db, count);
            b.iter_batched(filled, work, BatchSize::PerIteration);
        });
    }
    group.bench_function("a bare deque and an ordered map", |b| {
        let set_up = || (0..ENTRIES).map(|n| (id(n), fields())).collect::<VecDeque<_>>();
        let work = |entries: VecDeque<(StreamId, Vec<(Sds, Sds)>)>| {
            let mut pending = BTreeMap::new();
            for (id, fields) in &entries {
                pending.insert(*id, 1);
                black_box(fields.clone());
                pending.remove(id);
            }
            entries
        };
        b.iter_batched(set_up, work, BatchSize::PerIteration);
    });
    group.finish();
}

fn ranges(c: &mut Criterion) {
    let mut db = filled();
    let mut group = c.benchmark_group("stream/xrange of 100");
    group.throughput(Throughput::Elements(100));
    let mut at = 0;
    group.bench_function("typed", |b| {
        b.iter(|| {
            at = (at + 61_803) % (ENTRIES - 100);
            db.xrange(b"stream", id(at), StreamId::MAX, 100).expect("it is a stream")
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    targets = xadd, groups, ranges
}
criterion_main!(benches);
