//! The laws of what lives in a machine: a broker's queues and bindings, a database's keys.

use super::nanoseconds;
use bytes::Bytes;
use std::hint::black_box;
use std::time::Instant;
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event};
use stunt_double::rabbitmq::{
    BindOptions, BrokerOptions, ConsumeOptions, ExchangeOptions, Publish, QueueOptions,
};
use stunt_double::redis::database::{Database, SetOptions};
use stunt_double::{Site, Stream};

const NOW: stunt_double::Instant = stunt_double::Instant::ZERO;
const CHANNEL: ChannelId = ChannelId::new(1, 1);
const WORKS: &str = "the broker takes it";

/// How many operations are measured, at least: each of the others has its turn as often.
const COUNT: u32 = 100_000;

fn broker() -> Broker {
    let names = Stream::calm(Site::new("growth.names"), 0);
    let mut broker = Broker::new(BrokerOptions::default(), names);
    broker.connection_open(NOW, CHANNEL.connection, Default::default()).expect(WORKS);
    broker.channel_open(NOW, CHANNEL).expect(WORKS);
    broker
}

fn queue_with_consumer(broker: &mut Broker, name: &str) {
    broker.queue_declare(NOW, CHANNEL, name, QueueOptions::default()).expect(WORKS);
    broker.basic_consume(NOW, CHANNEL, name, ConsumeOptions::default()).expect(WORKS);
    while broker.poll_output().is_some() {}
}

/// Publishes a message, and acknowledges what is delivered.
fn round(broker: &mut Broker, exchange: &str, key: &str, body: &Bytes) {
    broker.basic_publish(NOW, CHANNEL, Publish::new(exchange, key, body.clone())).expect(WORKS);
    while let Some(output) = broker.poll_output() {
        if let Event::Deliver { delivery_tag, .. } = output.event {
            broker.basic_ack(NOW, CHANNEL, delivery_tag, false).expect(WORKS);
        }
    }
}

fn rounds(broker: &mut Broker, exchange: &str, keys: impl Iterator<Item = impl AsRef<str>>) -> f64 {
    let body = Bytes::from_static(&[0; 100]);
    let began = Instant::now();
    let mut count = 0;
    for key in keys {
        round(broker, exchange, key.as_ref(), &body);
        count += 1;
    }
    nanoseconds(began.elapsed(), count)
}

fn queues(n: u32) -> (Broker, Vec<String>) {
    let mut broker = broker();
    let names: Vec<String> = (0..n).map(|i| format!("queue-{i:06}")).collect();
    for name in &names {
        queue_with_consumer(&mut broker, name);
    }
    (broker, names)
}

pub(super) fn one_queue(n: u32) -> f64 {
    let (mut broker, names) = queues(n);
    let it = names[names.len() / 2].as_str();
    rounds(&mut broker, "", (0..COUNT).map(|_| it))
}

pub(super) fn queues_in_turn(n: u32) -> f64 {
    let (mut broker, names) = queues(n);
    rounds(&mut broker, "", names.iter().cycle().take(COUNT as usize))
}

/// A message that matches one of `n` bindings, all of another key.
fn binding(kind: &str, n: u32) -> f64 {
    let mut broker = broker();
    let options = ExchangeOptions { kind: kind.into(), ..Default::default() };
    broker.exchange_declare(NOW, CHANNEL, "events", options).expect(WORKS);
    queue_with_consumer(&mut broker, "it");
    broker.queue_declare(NOW, CHANNEL, "others", QueueOptions::default()).expect(WORKS);
    for i in 1..n {
        let other = BindOptions::new("others", "events", format!("other.{i}.key"));
        broker.queue_bind(NOW, CHANNEL, other).expect(WORKS);
    }
    broker.queue_bind(NOW, CHANNEL, BindOptions::new("it", "events", "it.0.key")).expect(WORKS);
    while broker.poll_output().is_some() {}
    rounds(&mut broker, "events", (0..COUNT).map(|_| "it.0.key"))
}

pub(super) fn direct_binding(n: u32) -> f64 {
    binding("direct", n)
}

pub(super) fn topic_binding(n: u32) -> f64 {
    binding("topic", n)
}

fn keys(n: u32) -> (Database, Vec<Vec<u8>>) {
    let keys: Vec<Vec<u8>> = (0..n).map(|i| format!("key:{i:06}").into_bytes()).collect();
    let mut db = Database::new();
    for key in &keys {
        db.set(key, b"value:00", SetOptions::default()).expect("nothing is there");
    }
    (db, keys)
}

fn get_and_set(db: &mut Database, keys: impl Iterator<Item = impl AsRef<[u8]>>) -> f64 {
    let began = Instant::now();
    let mut count = 0;
    for key in keys {
        let _ = black_box(db.get(key.as_ref()));
        let _ = black_box(db.set(key.as_ref(), b"value:01", SetOptions::default()));
        count += 1;
    }
    nanoseconds(began.elapsed(), count)
}

pub(super) fn one_key(n: u32) -> f64 {
    let (mut db, keys) = keys(n);
    let it = &keys[keys.len() / 2];
    get_and_set(&mut db, (0..COUNT).map(|_| it))
}

/// In an order that no cache foresees.
pub(super) fn keys_in_turn(n: u32) -> f64 {
    let (mut db, keys) = keys(n);
    let step = 618_033_989 % keys.len();
    let scattered = (0..COUNT as usize).map(|i| &keys[i * step % keys.len()]);
    get_and_set(&mut db, scattered)
}
