//! The plain work of a broker and of a Redis server, bare and in a world, for the fixed scenarios
//! and for their runs on each version.

use bytes::Bytes;
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event};
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, Properties, Publish, QueueOptions, RabbitMq,
};
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::service::ByteService as _;
use stunt_double::sim::{Node, Sim};
use stunt_double::{Instant, Site, Stream};

const NOW: Instant = Instant::ZERO;
const CHANNEL: ChannelId = ChannelId::new(1, 1);

/// A message is published, delivered and acknowledged, this often.
pub(crate) const BROKER_ROUNDS: u32 = 20_000;

pub(crate) fn broker_rounds(options: BrokerOptions) {
    let names = Stream::calm(Site::new("scenarios.names"), 0);
    let mut broker = Broker::new(options, names);
    let works = "the broker takes it";
    broker.connection_open(NOW, CHANNEL.connection, Default::default()).expect(works);
    broker.channel_open(NOW, CHANNEL).expect(works);
    broker.queue_declare(NOW, CHANNEL, "q", QueueOptions::default()).expect(works);
    broker.basic_consume(NOW, CHANNEL, "q", ConsumeOptions::default()).expect(works);
    while broker.poll_output().is_some() {}
    let body = Bytes::from_static(&[0; 100]);
    for _ in 0..BROKER_ROUNDS {
        broker.basic_publish(NOW, CHANNEL, Publish::new("", "q", body.clone())).expect(works);
        while let Some(output) = broker.poll_output() {
            if let Event::Deliver { delivery_tag, .. } = output.event {
                broker.basic_ack(NOW, CHANNEL, delivery_tag, false).expect(works);
            }
        }
    }
}

/// How many messages go through a world.
pub(crate) const MESSAGES: u32 = 5_000;

async fn publisher(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    let body = Bytes::from_static(&[0; 100]);
    for i in 0..MESSAGES {
        channel.basic_publish("", "work", Properties::default(), body.clone())?;
        if i % 100 == 99 {
            node.yield_now().await;
        }
    }
    channel.close().await
}

async fn consumer(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    channel.basic_qos(200, false).await?;
    let mut consumer = channel.basic_consume("work", ConsumeOptions::default()).await?;
    while let Some(delivery) = consumer.next().await {
        delivery?.ack()?;
    }
    Ok(())
}

pub(crate) fn world_rounds(sim: &mut Sim, options: BrokerOptions) {
    let rabbit = rabbitmq::start(sim, options);
    sim.daemon_with("consumer", rabbit.clone(), consumer);
    sim.node_with("publisher", rabbit, publisher);
    sim.run().expect_done();
}

/// How many commands go through a world.
pub(crate) const CALLS: u32 = 5_000;

async fn caller(node: Node, redis: Redis) -> Result<(), redis::Error> {
    let client = Client::connect(&node, &redis).await?;
    for _ in 0..CALLS {
        client.call(["SET", "key", "value"]).await?;
    }
    Ok(())
}

pub(crate) fn redis_calls(sim: &mut Sim, options: ServerOptions) {
    let redis = redis::start(sim, options);
    sim.node_with("caller", redis, caller);
    sim.run().expect_done();
}

/// How many commands `redis_texts` sends.
pub(crate) const TEXTS: u32 = 12_800;

/// Sets and reads short texts, as bytes, in pipelines.
pub(crate) fn redis_texts(options: ServerOptions) {
    let pair = |i: u32| {
        let key = format!("k{i:03}");
        format!("*3\r\n$3\r\nSET\r\n$4\r\n{key}\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$4\r\n{key}\r\n")
    };
    send(options, TEXTS / 128, &(0..64).map(pair).collect::<String>());
}

/// Sends a pipeline so many times.
pub(crate) fn send(options: ServerOptions, times: u32, requests: &str) {
    let random = Stream::calm(Site::new("scenarios.redis"), 0);
    let machine = redis::server::Server::new(options, random);
    let mut server = redis::resp::ByteServer::new(machine);
    server.connected(NOW, 1, "caller");
    let mut replies = Vec::new();
    for _ in 0..times {
        server.receive(NOW, 1, requests.as_bytes());
        replies.clear();
        let _ = server.drain_output(1, &mut replies);
    }
}
