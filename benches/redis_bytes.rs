//! The cost of positions, of HyperLogLogs, and of values as bytes, each as a typed operation.
//!
//! `cargo bench -p stunt-double-benches --bench redis_bytes`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use stunt_double::redis::ServerOptions;
use stunt_double::redis::database::{Database, RestoreOptions, ZaddOptions};
use stunt_double::redis::server::Server;
use stunt_double::redis::value::geo::{Area, Order, Point, Search, Shape, Unit};
use stunt_double::{Instant, Site, Stream};

/// The number of members, and of operations in one measured run.
const COUNT: usize = 10_000;

/// Points within a few degrees, scattered but the same in each run.
fn points() -> Vec<(Point, Vec<u8>)> {
    let scattered = |n: usize, by: usize| (n * by % 100_003) as f64 / 100_003.0;
    (0..COUNT)
        .map(|n| {
            let point = Point::new(10.0 + scattered(n, 7_919), 50.0 + scattered(n, 104_729));
            (point.expect("it is in range"), format!("member:{n:06}").into_bytes())
        })
        .collect()
}

fn places(points: &[(Point, Vec<u8>)]) -> Database {
    let mut db = Database::new();
    let members: Vec<(Point, &[u8])> = points.iter().map(|(p, m)| (*p, m.as_slice())).collect();
    db.geoadd(b"places", &members, ZaddOptions::default()).expect("nothing is there");
    db
}

fn geo(c: &mut Criterion) {
    let points = points();
    let mut group = c.benchmark_group("geo");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("geoadd", |b| {
        let add = |mut db: Database| {
            for (point, member) in &points {
                let members = [(*point, member.as_slice())];
                db.geoadd(b"places", &members, ZaddOptions::default()).expect("it is a set");
            }
            db
        };
        b.iter_batched(Database::new, add, BatchSize::PerIteration);
    });
    group.bench_function("zadd of the same scores", |b| {
        let scored: Vec<(f64, &[u8])> =
            points.iter().map(|(point, member)| (point.score(), member.as_slice())).collect();
        let add = |mut db: Database| {
            for member in &scored {
                db.zadd(b"places", &[*member], ZaddOptions::default()).expect("it is a set");
            }
            db
        };
        b.iter_batched(Database::new, add, BatchSize::PerIteration);
    });
    let mut db = places(&points);
    for (name, radius, found) in [("1 km", 1.0, 4), ("10 km", 10.0, 400), ("100 km", 100.0, 9_000)]
    {
        let centre = Point::new(10.5, 50.5).expect("it is in range");
        let area = Area { centre, shape: Shape::Circle { radius }, unit: Unit::Kilometres };
        let order = Some(Order::Nearest);
        let search = Search { area, order, count: 0, any: false };
        let exactly = db.geosearch(b"places", &search).expect("it is a set").len();
        assert!(exactly.abs_diff(found) < COUNT, "{exactly}");
        group.throughput(Throughput::Elements(exactly as u64));
        group.bench_function(format!("geosearch of {exactly} within {name}"), |b| {
            b.iter(|| black_box(db.geosearch(b"places", &search)));
        });
    }
    group.finish();
}

fn hyperloglog(c: &mut Criterion) {
    let elements: Vec<Vec<u8>> = (0..COUNT).map(|n| format!("user:{n:06}").into_bytes()).collect();
    let mut group = c.benchmark_group("hyperloglog");
    for (name, count) in [("sparse, to 500", 500), ("to 10000, dense", COUNT)] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("pfadd, {name}"), |b| {
            let add = |mut db: Database| {
                for element in &elements[..count] {
                    db.pfadd(b"sketch", &[element]).expect("it is a sketch");
                }
                db
            };
            b.iter_batched(Database::new, add, BatchSize::PerIteration);
        });
    }
    let mut db = Database::new();
    for element in &elements {
        db.pfadd(b"sketch", &[element]).expect("it is a sketch");
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("pfcount, kept", |b| b.iter(|| black_box(db.pfcount(b"sketch"))));
    group.bench_function("pfcount, of two dense", |b| {
        b.iter(|| black_box(db.pfcount_union(&[b"sketch", b"sketch"])));
    });
    group.finish();
}

fn bytes(c: &mut Criterion) {
    let mut db = places(&points());
    let payload = db.dump(b"places").expect("it exists");
    let mut group = c.benchmark_group("bytes");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("dump, per member", |b| b.iter(|| black_box(db.dump(b"places"))));
    let options = RestoreOptions { replace: true, ..RestoreOptions::default() };
    group.bench_function("restore, per member", |b| {
        b.iter(|| db.restore(b"copy", &payload, options).expect("it is valid"));
    });
    let mut server =
        Server::new(ServerOptions::default(), Stream::calm(Site::new("bench.redis"), 0));
    let database = server.database(0).expect("there are 16");
    for n in 0..COUNT {
        let (key, value) = (format!("key:{n:06}"), format!("value number {n} of {COUNT}"));
        database.mset([(key.as_bytes(), value.as_bytes())]);
    }
    let file = server.to_rdb();
    group.bench_function("to_rdb, per key", |b| b.iter(|| black_box(server.to_rdb())));
    group.bench_function("load_rdb, per key", |b| {
        b.iter(|| server.load_rdb(Instant::ZERO, &file).expect("it is valid"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = geo, hyperloglog, bytes
}
criterion_main!(benches);
