//! The memory of a queued message.

use crate::ALLOCATOR;
use bytes::Bytes;
use stats_alloc::Region;
use std::time::Duration;
use stunt_double::rabbitmq::broker::{Broker, ChannelId};
use stunt_double::rabbitmq::{
    BindOptions, BrokerOptions, ConnectionOptions, ExchangeOptions, FieldTable, Properties,
    Publish, QueueOptions,
};
use stunt_double::{Instant, Site, Stream};

/// A long backlog, whose last page is not full.
const MESSAGES: usize = 132_000;
const BODY: usize = 100;
const NOW: Instant = Instant::ZERO;
const CHANNEL: ChannelId = ChannelId::new(1, 1);

/// Bytes in use for each message in a fanout to this many queues.
fn bytes_per_message(queues: usize) -> usize {
    let names = Stream::calm(Site::new("test.names"), 0);
    let mut broker = Broker::new(BrokerOptions::default(), names);
    broker.connection_open(NOW, CHANNEL.connection, ConnectionOptions::default()).unwrap();
    broker.channel_open(NOW, CHANNEL).unwrap();
    let options = ExchangeOptions { kind: "fanout".into(), ..Default::default() };
    broker.exchange_declare(NOW, CHANNEL, "all", options).unwrap();
    for i in 0..queues {
        let queue = format!("q{i}");
        broker.queue_declare(NOW, CHANNEL, &queue, QueueOptions::default()).unwrap();
        broker.queue_bind(NOW, CHANNEL, BindOptions::new(&*queue, "all", "")).unwrap();
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..MESSAGES {
        let properties = Properties::default().persistent();
        let body = Bytes::from(vec![7; BODY]);
        let publish = Publish { properties, ..Publish::new("all", "some.routing.key", body) };
        broker.basic_publish(NOW, CHANNEL, publish).unwrap();
    }
    let used = region.change();
    drop(broker);
    (used.bytes_allocated - used.bytes_deallocated) / MESSAGES
}

/// Bytes in use for each message of a stream.
fn bytes_per_message_of_a_stream() -> usize {
    let names = Stream::calm(Site::new("test.names"), 0);
    let mut broker = Broker::new(BrokerOptions::default(), names);
    broker.connection_open(NOW, CHANNEL.connection, ConnectionOptions::default()).unwrap();
    broker.channel_open(NOW, CHANNEL).unwrap();
    let arguments = FieldTable::new().with("x-queue-type", "stream");
    let options = QueueOptions { durable: true, arguments, ..Default::default() };
    broker.queue_declare(NOW, CHANNEL, "stream", options).unwrap();
    let region = Region::new(ALLOCATOR);
    for i in 0..MESSAGES as u64 {
        let properties = Properties::default().persistent();
        let body = Bytes::from(vec![7; BODY]);
        let publish = Publish { properties, ..Publish::new("", "stream", body) };
        // A thousand messages per second.
        let now = NOW + Duration::from_millis(i);
        broker.basic_publish(now, CHANNEL, publish).unwrap();
    }
    let used = region.change();
    drop(broker);
    (used.bytes_allocated - used.bytes_deallocated) / MESSAGES
}

pub(crate) fn a_queued_message_is_small_and_fanout_shares_it() {
    let one = bytes_per_message(1);
    let (two, eleven) = (bytes_per_message(2), bytes_per_message(11));
    let (beyond_body, shared) = (one - BODY, two - BODY);
    let further_queue = (eleven - two) / 9;
    println!(
        "{beyond_body} bytes beyond the body, or {shared} in two queues; \
         {further_queue} for each further queue"
    );
    assert!(beyond_body <= 56, "{beyond_body} bytes beyond the body");
    assert!(shared <= 136, "{shared} bytes beyond the body in two queues");
    let streamed = bytes_per_message_of_a_stream() - BODY;
    println!("{streamed} bytes beyond the body in a stream");
    assert!(streamed <= 64, "{streamed} bytes beyond the body in a stream");
    assert!(further_queue <= 20, "{further_queue} bytes for each further queue");
}
