//! The cost of the kinds of queues and exchanges: expiry, dead letters, priorities, streams,
//! patterns and headers. Each number stands beside a plain queue's or a bare structure's in the
//! same run.
//!
//! `cargo bench -p stunt-double-benches --bench rabbitmq_queues`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hint::black_box;
use std::time::Duration;
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event};
use stunt_double::rabbitmq::{
    BindOptions, BrokerOptions, ConnectionOptions, ConsumeOptions, ExchangeOptions, FieldTable,
    FieldValue, Properties, Publish, QueueOptions,
};
use stunt_double::{Instant, Site, Stream};

const NOW: Instant = Instant::ZERO;
const CHANNEL: ChannelId = ChannelId::new(1, 1);

/// Messages in one measured run.
const MESSAGES: u64 = 10_000;

fn broker() -> Broker {
    let names = Stream::seeded(1, Site::new("bench.names"), 0);
    let mut broker = Broker::new(BrokerOptions::default(), names);
    broker
        .connection_open(NOW, CHANNEL.connection, ConnectionOptions::default())
        .expect("a new one");
    broker.channel_open(NOW, CHANNEL).expect("a new one");
    broker
}

fn declare(broker: &mut Broker, queue: &str, durable: bool, arguments: FieldTable) {
    let options = QueueOptions { durable, arguments, ..Default::default() };
    broker.queue_declare(NOW, CHANNEL, queue, options).expect("a new one");
}

/// A time for the i-th message, scattered over an hour, no two alike.
fn scattered(i: u64) -> u64 {
    1 + i.wrapping_mul(2_654_435_761) % 3_600_000
}

/// Publishes with distinct times to live, and lets all of them expire.
fn expire(messages: u64, body: &Bytes) -> Broker {
    let mut broker = broker();
    declare(&mut broker, "q", false, FieldTable::new());
    for i in 0..messages {
        let properties = Properties::default().with_expiration(scattered(i).to_string());
        let publish = Publish { properties, ..Publish::new("", "q", body.clone()) };
        broker.basic_publish(NOW, CHANNEL, publish).expect("the queue exists");
    }
    while let Some(at) = broker.poll_timeout() {
        broker.handle_timeout(at);
    }
    broker
}

fn time_to_live(c: &mut Criterion) {
    let mut group = c.benchmark_group("time-to-live");
    group.sample_size(10);
    let body = Bytes::from_static(&[0; 100]);
    for messages in [10_000, 100_000, 1_000_000] {
        group.throughput(Throughput::Elements(messages));
        group.bench_with_input(BenchmarkId::new("bare-heap", messages), &messages, |b, n| {
            b.iter(|| {
                let mut heap: BinaryHeap<_> = (0..*n).map(|i| Reverse((scattered(i), i))).collect();
                while let Some(next) = heap.pop() {
                    black_box(next);
                }
            });
        });
        group.bench_with_input(BenchmarkId::new("broker", messages), &messages, |b, n| {
            b.iter(|| black_box(expire(*n, &body)));
        });
    }
    group.finish();
}

/// A broker whose queue holds messages that are to die together.
fn doomed(messages: u64) -> Broker {
    let mut broker = broker();
    declare(&mut broker, "dead", false, FieldTable::new());
    let arguments = FieldTable::new()
        .with("x-dead-letter-exchange", "")
        .with("x-dead-letter-routing-key", "dead")
        .with("x-message-ttl", 1_000);
    declare(&mut broker, "q", false, arguments);
    for _ in 0..messages {
        let publish = Publish::new("", "q", Bytes::from_static(&[0; 100]));
        broker.basic_publish(NOW, CHANNEL, publish).expect("the queue exists");
    }
    broker
}

fn dead_letters(c: &mut Criterion) {
    let mut group = c.benchmark_group("dead-letters");
    group.sample_size(10);
    for messages in [1_000, 10_000, 100_000] {
        group.throughput(Throughput::Elements(messages));
        group.bench_with_input(BenchmarkId::new("expired", messages), &messages, |b, n| {
            let late = NOW + Duration::from_secs(1);
            b.iter_batched_ref(
                || doomed(*n),
                |broker| broker.handle_timeout(late),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// Publishes with priorities in turn, then fetches all.
fn fill_and_empty(broker: &mut Broker, queue: &str, body: &Bytes) {
    for i in 0..MESSAGES {
        let properties = Properties::default().with_priority((i % 10) as u8);
        let publish = Publish { properties, ..Publish::new("", queue, body.clone()) };
        broker.basic_publish(NOW, CHANNEL, publish).expect("the queue exists");
    }
    while let Some(got) = broker.basic_get(NOW, CHANNEL, queue, true).expect("the queue exists") {
        black_box(got);
    }
}

fn priorities(c: &mut Criterion) {
    let mut group = c.benchmark_group("priorities");
    group.throughput(Throughput::Elements(MESSAGES));
    let body = Bytes::from_static(&[0; 100]);
    for (name, arguments) in
        [("plain", FieldTable::new()), ("10-levels", FieldTable::new().with("x-max-priority", 9))]
    {
        group.bench_function(name, |b| {
            let mut broker = broker();
            declare(&mut broker, "q", false, arguments.clone());
            b.iter(|| fill_and_empty(&mut broker, "q", &body));
        });
    }
    group.finish();
}

/// A broker with an exchange, and this many bindings of one queue to it.
fn bound(kind: &str, bindings: impl Iterator<Item = (String, FieldTable)>) -> Broker {
    let mut broker = broker();
    declare(&mut broker, "q", false, FieldTable::new().with("x-max-length", 1));
    let options = ExchangeOptions { kind: kind.into(), ..Default::default() };
    broker.exchange_declare(NOW, CHANNEL, "x", options).expect("a new one");
    for (key, arguments) in bindings {
        let binding = BindOptions { arguments, ..BindOptions::new("q", "x", key) };
        broker.queue_bind(NOW, CHANNEL, binding).expect("both exist");
    }
    broker
}

fn patterns(c: &mut Criterion) {
    let mut group = c.benchmark_group("topic-two-hashes");
    for words in [8, 64] {
        let key = vec!["a"; words].join(".");
        let publish = Publish::new("x", key.clone(), Bytes::new());
        for (name, pattern) in [("literal", key), ("two-hashes", "#.a.#.b".to_owned())] {
            group.bench_function(BenchmarkId::new(name, words), |b| {
                let pattern = std::iter::once((pattern.clone(), FieldTable::new()));
                let mut broker = bound("topic", pattern);
                b.iter(|| broker.basic_publish(NOW, CHANNEL, publish.clone()));
            });
        }
    }
    group.finish();
}

fn headers(c: &mut Criterion) {
    let mut group = c.benchmark_group("headers-bindings");
    let table = |i: i32| FieldTable::new().with("kind", "order").with("shop", i);
    for bindings in [10, 10_000] {
        let publish = Publish {
            properties: Properties::default().with_headers(table(5)),
            ..Publish::new("x", "", Bytes::new())
        };
        let mut maps: Vec<_> = (0..bindings).map(table).collect();
        group.bench_function(BenchmarkId::new("bare-compare", bindings), |b| {
            let shop = FieldValue::from(5);
            b.iter(|| maps.iter_mut().filter(|table| table.get("shop") == Some(&shop)).count());
        });
        group.bench_function(BenchmarkId::new("broker", bindings), |b| {
            let mut broker = bound("headers", (0..bindings).map(|i| (String::new(), table(i))));
            b.iter(|| broker.basic_publish(NOW, CHANNEL, publish.clone()));
        });
    }
    group.finish();
}

/// Appends to a stream that one consumer reads along, acknowledging every tenth
/// message and those before.
fn streams(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream");
    group.throughput(Throughput::Elements(MESSAGES));
    let body = Bytes::from_static(&[0; 100]);
    group.bench_function("bare-copy", |b| {
        let mut log: VecDeque<Vec<u8>> = VecDeque::new();
        b.iter(|| {
            for _ in 0..MESSAGES {
                log.push_back(body.to_vec());
                black_box(log.back().map(|record| Bytes::copy_from_slice(record)));
            }
            log.clear();
        });
    });
    group.bench_function("append-and-read", |b| {
        let mut broker = broker();
        let arguments = FieldTable::new()
            .with("x-queue-type", "stream")
            .with("x-max-length-bytes", 100_000_000)
            .with("x-stream-max-segment-size-bytes", 10_000_000);
        declare(&mut broker, "s", true, arguments);
        broker.basic_qos(NOW, CHANNEL, 0, 1_000, false).expect("the channel is open");
        broker
            .basic_consume(NOW, CHANNEL, "s", ConsumeOptions::default())
            .expect("the stream exists");
        b.iter(|| {
            for _ in 0..MESSAGES {
                let publish = Publish::new("", "s", body.clone());
                broker.basic_publish(NOW, CHANNEL, publish).expect("the stream exists");
                let output = broker.poll_output().expect("the consumer reads along");
                let Event::Deliver { delivery_tag, message, .. } = output.event else {
                    unreachable!("only deliveries come")
                };
                black_box(message.body());
                if delivery_tag.0 % 10 == 0 {
                    broker.basic_ack(NOW, CHANNEL, delivery_tag, true).expect("it is outstanding");
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, time_to_live, dead_letters, priorities, patterns, headers, streams);
criterion_main!(benches);
