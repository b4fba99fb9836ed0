//! The cost of Redis operations: the typed operations, the commands, and bytes in to bytes out.
//! Each number stands beside that of a bare structure in the same run.
//!
//! `cargo bench -p stunt-double-benches --bench redis`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;
use stunt_double::redis::ServerOptions;
use stunt_double::redis::database::{Database, SetOptions};
use stunt_double::redis::resp::ByteServer;
use stunt_double::redis::server::{ClientId, Output, Server};
use stunt_double::redis::value::End;
use stunt_double::redis::value::bitmap::{self, Operator};
use stunt_double::sim::service::ByteService;
use stunt_double::{Instant, Site, Stream};

const NOW: Instant = Instant::ZERO;
const CLIENT: ClientId = ClientId(1);

/// The number of operations in one measured run, where no million is involved.
const OPERATIONS: usize = 10_000;

/// Keys of 10 bytes, such as `key:000042`.
fn keys(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| format!("key:{i:06}").into_bytes()).collect()
}

/// Every key once, in a scattered order. The keys lie in memory in the order in which they are
/// asked for, as in arriving requests.
fn scattered(keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut at = 0;
    (0..keys.len())
        .map(|_| {
            at = (at + 618_033_989) % keys.len();
            keys[at].clone()
        })
        .collect()
}

fn filled(keys: &[Vec<u8>]) -> Database {
    let mut db = Database::new();
    for key in keys {
        db.set(key, b"value:00", SetOptions::default()).expect("nothing is there");
    }
    db
}

fn server(keys: &[Vec<u8>]) -> Server {
    let options = ServerOptions::default().with_save_points([]);
    let mut server = Server::new(options, Stream::calm(Site::new("bench.redis"), 0));
    *server.database(0).expect("there are 16") = filled(keys);
    server.connected(NOW, CLIENT, "bench");
    server
}

type Bare = IndexMap<Bytes, Bytes, FxBuildHasher>;

fn bare(keys: &[Vec<u8>]) -> Bare {
    let value = Bytes::from_static(b"value:00");
    keys.iter().map(|key| (Bytes::copy_from_slice(key), value.clone())).collect()
}

/// GET and SET with a million keys: typed, through the command table, and in a bare map.
fn get_and_set(c: &mut Criterion) {
    let keys = keys(1_000_000);
    let asked = scattered(&keys);
    let mut group = c.benchmark_group("a million keys");
    group.throughput(Throughput::Elements(asked.len() as u64));
    group.sample_size(10);

    let mut map = bare(&keys);
    group.bench_function("bare get", |b| {
        b.iter(|| asked.iter().for_each(|key| _ = black_box(map.get(key.as_slice()))));
    });
    let value = Bytes::from_static(b"value:01");
    group.bench_function("bare insert", |b| {
        b.iter(|| {
            for key in &asked {
                map.insert(Bytes::copy_from_slice(key), value.clone());
            }
        });
    });
    drop(map);

    let mut db = filled(&keys);
    group.bench_function("typed GET", |b| {
        b.iter(|| asked.iter().for_each(|key| _ = black_box(db.get(key))));
    });
    group.bench_function("typed SET", |b| {
        b.iter(|| {
            for key in &asked {
                black_box(db.set(key, b"value:01", SetOptions::default())).expect("a string");
            }
        });
    });
    drop(db);

    let mut server = server(&keys);
    let call = |server: &mut Server, request: &[&[u8]]| {
        server.handle_input(NOW, CLIENT, request);
        let Some(Output::Reply { reply, .. }) = server.poll_output() else {
            unreachable!("a command is answered")
        };
        black_box(reply);
    };
    group.bench_function("command GET", |b| {
        b.iter(|| asked.iter().for_each(|key| call(&mut server, &[b"GET", key])));
    });
    group.bench_function("command SET", |b| {
        b.iter(|| asked.iter().for_each(|key| call(&mut server, &[b"SET", key, b"value:01"])));
    });
    group.finish();
}

/// The cost of a thousand GETs with growing numbers of other keys, and that of a bare map.
fn other_keys(c: &mut Criterion) {
    let mut group = c.benchmark_group("1,000 keys among");
    group.throughput(Throughput::Elements(1_000));
    for count in [1_000, 100_000, 10_000_000] {
        let keys = keys(count);
        let hot: Vec<Vec<u8>> = keys.iter().step_by(count / 1_000).cloned().collect();
        let asked = scattered(&hot);
        let map = bare(&keys);
        group.bench_function(BenchmarkId::new("bare get", count), |b| {
            b.iter(|| asked.iter().for_each(|key| _ = black_box(map.get(key.as_slice()))));
        });
        drop(map);
        let mut db = filled(&keys);
        drop(keys);
        group.bench_function(BenchmarkId::new("typed GET", count), |b| {
            b.iter(|| asked.iter().for_each(|key| _ = black_box(db.get(key))));
        });
    }
    group.finish();
}

fn write_request(words: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Requests as bytes in pipelines of 64, as `redis-benchmark -P 64` sends them.
fn pipelines(requests: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let requests: Vec<Vec<u8>> = requests.collect();
    requests.chunks(64).map(<[Vec<u8>]>::concat).collect()
}

/// Bytes in to bytes out, pipelined, with a million keys.
fn resp(c: &mut Criterion) {
    let mut group = c.benchmark_group("RESP");
    group.sample_size(10);
    for count in [1, 1_000_000] {
        let keys = keys(count);
        // With a single key, that key is requested every time.
        let asked = if count == 1 { vec![keys[0].clone(); OPERATIONS] } else { scattered(&keys) };
        group.throughput(Throughput::Elements(asked.len() as u64));
        let request = |words: &[&[u8]]| {
            let mut bytes = Vec::new();
            write_request(words, &mut bytes);
            bytes
        };
        let scores: Vec<String> =
            (0..asked.len()).map(|i| format!("{}", i * 7_919 % 1_000_003)).collect();
        let kinds: [(&str, Vec<Vec<u8>>); 3] =
            [
                ("GET", pipelines(asked.iter().map(|key| request(&[b"GET", key])))),
                ("SET", pipelines(asked.iter().map(|key| request(&[b"SET", key, b"value:01"])))),
                // The same million members, with other scores each time.
                (
                    "ZADD",
                    pipelines(asked.iter().zip(&scores).map(|(member, score)| {
                        request(&[b"ZADD", b"zset", score.as_bytes(), member])
                    })),
                ),
            ];
        for (name, pipelines) in kinds {
            let mut server = ByteServer::new(server(&keys));
            server.connected(NOW, CLIENT.0, "bench");
            let mut out = Vec::new();
            group.bench_function(BenchmarkId::new(name, format!("{count} keys")), |b| {
                b.iter(|| {
                    for pipeline in &pipelines {
                        server.receive(NOW, CLIENT.0, pipeline);
                        out.clear();
                        black_box(server.drain_output(CLIENT.0, &mut out));
                    }
                });
            });
        }
    }
    group.finish();
}

fn lists(c: &mut Criterion) {
    let mut group = c.benchmark_group("lists");
    group.throughput(Throughput::Elements(OPERATIONS as u64));
    let element = Bytes::from_static(b"element:0000");
    group.bench_function("bare VecDeque: push and pop", |b| {
        let mut deque: VecDeque<Bytes> = (0..1_000).map(|_| element.clone()).collect();
        b.iter(|| {
            for _ in 0..OPERATIONS {
                deque.push_front(Bytes::copy_from_slice(black_box(&element)));
                black_box(deque.pop_back());
            }
        });
    });
    group.bench_function("bare map of VecDeque: push and pop", |b| {
        let deque: VecDeque<Bytes> = (0..1_000).map(|_| element.clone()).collect();
        let mut map: IndexMap<Bytes, VecDeque<Bytes>, FxBuildHasher> = IndexMap::default();
        map.insert(Bytes::from_static(b"list"), deque);
        b.iter(|| {
            for _ in 0..OPERATIONS {
                let deque = map.get_mut(black_box(&b"list"[..])).expect("it is there");
                deque.push_front(Bytes::copy_from_slice(black_box(&element)));
                let deque = map.get_mut(black_box(&b"list"[..])).expect("it is there");
                black_box(deque.pop_back());
            }
        });
    });
    group.bench_function("List: push and pop", |b| {
        let mut list: stunt_double::redis::value::List =
            (0..1_000).map(|_| element.as_ref().into()).collect();
        b.iter(|| {
            for _ in 0..OPERATIONS {
                list.push(End::Left, black_box(element.as_ref()));
                black_box(list.pop(End::Right));
            }
        });
    });
    for len in [1_000, 1_000_000] {
        let mut db = Database::new();
        for _ in 0..len {
            db.push(b"list", End::Right, &[&element]).expect("a list");
        }
        group.bench_function(BenchmarkId::new("typed LPUSH and RPOP at", len), |b| {
            b.iter(|| {
                for _ in 0..OPERATIONS {
                    db.push(b"list", End::Left, &[&element]).expect("a list");
                    black_box(db.pop(b"list", End::Right)).expect("a list");
                }
            });
        });
        group.bench_function(BenchmarkId::new("LINDEX in the middle of", len), |b| {
            b.iter(|| {
                for _ in 0..OPERATIONS {
                    black_box(db.lindex(b"list", len / 2)).expect("a list");
                }
            });
        });
    }
    group.finish();
}

/// Operations on a bitmap of one mebibyte, against a plain copy of it.
fn bitmaps(c: &mut Criterion) {
    const MIB: usize = 1 << 20;
    let mut group = c.benchmark_group("a mebibyte of bits");
    group.throughput(Throughput::Bytes(MIB as u64));
    let one: Vec<u8> = (0..MIB).map(|i| (i * 31) as u8).collect();
    let other: Vec<u8> = (0..MIB).map(|i| (i * 17) as u8).collect();
    group.bench_function("bare copy", |b| b.iter(|| black_box(one.clone())));
    group.bench_function("BITCOUNT", |b| b.iter(|| black_box(bitmap::count(&one))));
    group.bench_function("BITOP AND", |b| {
        b.iter(|| black_box(bitmap::combine(Operator::And, &[black_box(&one), black_box(&other)])));
    });
    group.finish();
}

/// A scan of a million keys, and the expiry of a million keys, beside a bare walk.
fn whole_keyspace(c: &mut Criterion) {
    let mut group = c.benchmark_group("a whole keyspace of");
    group.sample_size(10);
    for count in [10_000, 1_000_000] {
        let keys = keys(count);
        group.throughput(Throughput::Elements(count as u64));
        let mut db = filled(&keys);
        group.bench_function(BenchmarkId::new("SCAN COUNT 100", count), |b| {
            b.iter(|| {
                let mut cursor = 0;
                loop {
                    let page = db.scan(cursor, 100);
                    black_box(page.items);
                    cursor = page.cursor;
                    if cursor == 0 {
                        break;
                    }
                }
            });
        });
        let map = bare(&keys);
        group.bench_function(BenchmarkId::new("bare walk with copies", count), |b| {
            b.iter(|| map.keys().for_each(|key| _ = black_box(Bytes::copy_from_slice(key))));
        });
        group.bench_function(BenchmarkId::new("all expire, at different times", count), |b| {
            let set_up = || {
                let mut db = filled(&keys);
                for (i, key) in keys.iter().enumerate() {
                    db.pexpire(key, Duration::from_millis(1 + (i * 7_919 % count) as u64));
                }
                db
            };
            let expire = |mut db: Database| {
                db.advance_to(NOW + Duration::from_secs(86_400));
                assert!(db.is_empty());
                db
            };
            b.iter_batched(set_up, expire, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    targets = get_and_set, other_keys, resp, lists, bitmaps, whole_keyspace
}
criterion_main!(benches);
