//! The cost of the broker, each number beside a bare structure's in the same run: alone, and
//! through the world with async clients.
//!
//! `cargo bench -p stunt-double-benches --bench rabbitmq`

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use stunt_double::rabbitmq::broker::Event;
use stunt_double::rabbitmq::broker::{Broker, ChannelId};
use stunt_double::rabbitmq::{
    self, BindOptions, BrokerOptions, ConsumeOptions, ExchangeOptions, Properties, Publish,
    QueueOptions,
};
use stunt_double::rabbitmq::{Connection, ConnectionOptions, DeliveryTag, Error, RabbitMq};
use stunt_double::sim::{Config, Node, Outcome, Retention, Sim};
use stunt_double::{Instant, Site, Stream};

const NOW: Instant = Instant::ZERO;
const CHANNEL: ChannelId = ChannelId::new(1, 1);

/// Messages in one measured run.
const MESSAGES: usize = 10_000;

fn broker() -> Broker {
    let names = Stream::seeded(1, Site::new("bench.names"), 0);
    let mut broker = Broker::new(BrokerOptions::default(), names);
    broker
        .connection_open(NOW, CHANNEL.connection, ConnectionOptions::default())
        .expect("a new one");
    broker.channel_open(NOW, CHANNEL).expect("a new one");
    broker
}

fn queue_name(i: usize) -> String {
    format!("queue-{i}")
}

/// A broker with this many queues, a consumer on the first.
fn with_queues(queues: usize) -> Broker {
    let mut broker = broker();
    for i in 0..queues {
        broker
            .queue_declare(NOW, CHANNEL, &queue_name(i), QueueOptions::default())
            .expect("a new one");
    }
    broker.basic_consume(NOW, CHANNEL, "queue-0", ConsumeOptions::default()).expect("it exists");
    while broker.poll_output().is_some() {}
    broker
}

/// Publish, route, deliver, acknowledge.
fn round(broker: &mut Broker, exchange: &str, key: &str, body: &Bytes) {
    let publish = Publish::new(exchange, key, body.clone());
    broker.basic_publish(NOW, CHANNEL, publish).expect("the exchange exists");
    let delivered = broker.poll_output().expect("a consumer waits");
    let Event::Deliver { delivery_tag, message, .. } = delivered.event else {
        unreachable!("only deliveries come")
    };
    black_box(message.body());
    broker.basic_ack(NOW, CHANNEL, delivery_tag, false).expect("it is outstanding");
}

fn rounds_of(broker: &mut Broker, exchange: &str, key: &str, body: &Bytes) {
    for _ in 0..MESSAGES {
        round(broker, exchange, key, body);
    }
}

/// The unavoidable work of a round: look the queue up by name, push to and pop
/// from a deque, insert a tag into and remove it from a map.
struct Bare {
    queues: IndexMap<String, VecDeque<Arc<(String, Bytes)>>, FxBuildHasher>,
    unacked: BTreeMap<u64, Arc<(String, Bytes)>>,
    tag: u64,
}

impl Bare {
    fn new(queues: usize) -> Bare {
        let queues = (0..queues).map(|i| (queue_name(i), VecDeque::new())).collect();
        Bare { queues, unacked: BTreeMap::new(), tag: 0 }
    }

    fn round(&mut self, key: &str, body: &Bytes) {
        let queue = self.queues.get_mut(key).expect("it exists");
        queue.push_back(Arc::new((key.to_owned(), body.clone())));
        let message = queue.pop_front().expect("it was just pushed");
        self.tag += 1;
        self.unacked.insert(self.tag, message);
        black_box(self.unacked.remove(&self.tag));
    }
}

fn rounds(c: &mut Criterion) {
    let mut group = c.benchmark_group("round");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    let body = Bytes::from_static(&[0; 100]);
    for queues in [10, 1_000, 100_000] {
        group.bench_with_input(BenchmarkId::new("bare", queues), &queues, |b, &queues| {
            let mut bare = Bare::new(queues);
            b.iter(|| (0..MESSAGES).for_each(|_| bare.round("queue-0", &body)));
        });
        group.bench_with_input(BenchmarkId::new("broker", queues), &queues, |b, &queues| {
            let mut broker = with_queues(queues);
            b.iter(|| rounds_of(&mut broker, "", "queue-0", &body));
        });
    }
    group.finish();
}

/// Rounds through every queue in turn: here the caches matter, and the bare
/// structure shows how much.
fn in_turn(c: &mut Criterion) {
    let mut group = c.benchmark_group("queues-in-turn");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    let body = Bytes::from_static(&[0; 100]);
    for queues in [10, 1_000, 100_000] {
        let names: Vec<String> = (0..queues).map(queue_name).collect();
        group.bench_with_input(BenchmarkId::new("bare", queues), &names, |b, names| {
            let mut bare = Bare::new(names.len());
            let mut turn = names.iter().cycle();
            b.iter(|| turn.by_ref().take(MESSAGES).for_each(|name| bare.round(name, &body)));
        });
        group.bench_with_input(BenchmarkId::new("broker", queues), &names, |b, names| {
            let mut broker = with_queues(names.len());
            for name in &names[1..] {
                let options = ConsumeOptions::default();
                broker.basic_consume(NOW, CHANNEL, name, options).expect("it exists");
            }
            let mut turn = names.iter().cycle();
            b.iter(|| {
                for name in turn.by_ref().take(MESSAGES) {
                    round(&mut broker, "", name, &body);
                }
            });
        });
    }
    group.finish();
}

/// Publish to and get from a queue that holds this many messages.
fn depth(c: &mut Criterion) {
    let mut group = c.benchmark_group("depth");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    let body = Bytes::from_static(&[0; 100]);
    for depth in [1_000, 10_000, 100_000, 1_000_000] {
        group.bench_with_input(BenchmarkId::new("publish-get", depth), &depth, |b, &depth| {
            let mut broker = broker();
            broker.queue_declare(NOW, CHANNEL, "deep", QueueOptions::default()).expect("a new one");
            let publish = || Publish::new("", "deep", body.clone());
            for _ in 0..depth {
                broker.basic_publish(NOW, CHANNEL, publish()).expect("it exists");
            }
            b.iter(|| {
                for _ in 0..MESSAGES {
                    broker.basic_publish(NOW, CHANNEL, publish()).expect("it exists");
                    black_box(broker.basic_get(NOW, CHANNEL, "deep", true).expect("it exists"));
                }
            });
        });
    }
    group.finish();
}

/// A round through a topic exchange with this many bindings that do not match.
fn topic(c: &mut Criterion) {
    let mut group = c.benchmark_group("topic");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    let body = Bytes::from_static(&[0; 100]);
    for bindings in [10, 1_000, 100_000] {
        group.bench_with_input(
            BenchmarkId::new("bindings", bindings),
            &bindings,
            |b, &bindings| {
                let mut broker = with_queues(1);
                let options = ExchangeOptions { kind: "topic".into(), ..Default::default() };
                broker.exchange_declare(NOW, CHANNEL, "logs", options).expect("a new one");
                for i in 0..bindings {
                    let key = format!("host-{i}.*.critical");
                    let binding = BindOptions::new("queue-0", "logs", key);
                    broker.queue_bind(NOW, CHANNEL, binding).expect("both exist");
                }
                let binding = BindOptions::new("queue-0", "logs", "*.kern.#");
                broker.queue_bind(NOW, CHANNEL, binding).expect("both exist");
                b.iter(|| rounds_of(&mut broker, "logs", "host.kern.info", &body));
            },
        );
    }
    group.finish();
}

/// The death of a consumer's connection with this many unacknowledged messages.
fn death(c: &mut Criterion) {
    let mut group = c.benchmark_group("consumer-death");
    group.sample_size(20);
    for unacked in [1_000, 10_000, 100_000_u64] {
        group.throughput(Throughput::Elements(unacked));
        group.bench_with_input(BenchmarkId::new("unacked", unacked), &unacked, |b, &unacked| {
            let holding = || {
                let mut broker = with_queues(1);
                for _ in 0..unacked {
                    let publish = Publish::new("", "queue-0", Bytes::from_static(b"held"));
                    broker.basic_publish(NOW, CHANNEL, publish).expect("it exists");
                    black_box(broker.poll_output());
                }
                broker
            };
            let die = |mut broker: Broker| {
                broker.connection_lost(NOW, CHANNEL.connection);
                broker
            };
            b.iter_batched(holding, die, BatchSize::PerIteration);
        });
    }
    group.finish();
}

async fn publisher(node: Node, rabbit: RabbitMq, messages: usize) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    let body = Bytes::from_static(&[0; 100]);
    for i in 0..messages {
        channel.basic_publish("", "work", Properties::default(), body.clone())?;
        if i % 100 == 99 {
            node.yield_now().await;
        }
    }
    channel.close().await
}

async fn consumer(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    channel.basic_qos(200, false).await?;
    let mut consumer = channel.basic_consume("work", ConsumeOptions::default()).await?;
    while let Some(delivery) = consumer.next().await {
        delivery?.ack()?;
    }
    Ok(())
}

/// A world in which a node publishes and another consumes.
fn world(messages: usize) -> Outcome {
    let config = Config::new(1).with_retention(Retention::Digest);
    let mut sim = Sim::with_config(config);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.daemon_with("consumer", rabbit.clone(), consumer);
    sim.node_with("publisher", rabbit, move |node, rabbit| publisher(node, rabbit, messages));
    sim.run()
}

fn through_the_world(c: &mut Criterion) {
    const MANY: usize = 100_000;
    let mut group = c.benchmark_group("world");
    group.sample_size(20);
    group.throughput(Throughput::Elements(MANY as u64));
    group
        .bench_function("publish-deliver-ack", |b| b.iter(|| world(black_box(MANY)).expect_done()));
    group.finish();
}

async fn idle_client(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("quiet", QueueOptions::default()).await?;
    let mut consumer = channel.basic_consume("quiet", ConsumeOptions::default()).await?;
    // The consumer reads the clock each second, as a client's background timer does.
    while node.timeout(Duration::from_secs(1), consumer.next()).await.is_err() {}
    Ok(())
}

/// A hundred connected clients with nothing to do: virtual seconds simulated.
fn idle(c: &mut Criterion) {
    const SECONDS: u64 = 1_000;
    let mut group = c.benchmark_group("idle-clients");
    group.sample_size(20);
    group.throughput(Throughput::Elements(SECONDS));
    group.bench_function("100", |b| {
        let config = Config::new(1).with_retention(Retention::Digest).with_max_steps(u64::MAX);
        let mut sim = Sim::with_config(config);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        for i in 0..100 {
            sim.daemon_with(&format!("client-{i}"), rabbit.clone(), idle_client);
        }
        b.iter(|| sim.run_for(Duration::from_secs(SECONDS)).expect_reached());
    });
    group.finish();
}

fn tags(c: &mut Criterion) {
    let mut group = c.benchmark_group("unacked");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    // The oldest delivery is never acknowledged; all the later ones are.
    group.bench_function("one-tag-held-for-ever", |b| {
        let mut broker = with_queues(1);
        let body = Bytes::from_static(&[0; 100]);
        broker
            .basic_publish(NOW, CHANNEL, Publish::new("", "queue-0", body.clone()))
            .expect("it exists");
        let held = broker.poll_output();
        assert!(matches!(
            held.map(|o| o.event),
            Some(Event::Deliver { delivery_tag: DeliveryTag(1), .. })
        ));
        b.iter(|| rounds_of(&mut broker, "", "queue-0", &body));
    });
    group.finish();
}

criterion_group!(benches, rounds, in_turn, depth, topic, death, through_the_world, idle, tags);
criterion_main!(benches);
