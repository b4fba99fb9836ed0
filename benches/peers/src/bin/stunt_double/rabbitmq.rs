//! RabbitMQ: publish, deliver, acknowledge. On the bare broker, a value; and through a world with
//! connections, channels and async clients.

use bytes::Bytes;
use std::cell::Cell;
use std::rc::Rc;
use stunt_double::rabbitmq::broker::{Broker, ChannelId, Event};
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, Properties, Publish, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Config, Node, Retention, Sim};
use stunt_double::{Instant, Site, Stream};
use stunt_double_peers::{Batch, Case};

pub(crate) const CASES: &[Case] = &[
    ("rounds", rounds),
    ("world-rounds", || world_rounds(Config::new(1))),
    ("world-rounds-digest", || world_rounds(Config::new(1).with_retention(Retention::Digest))),
];

const NOW: Instant = Instant::ZERO;
const CHANNEL: ChannelId = ChannelId::new(1, 1);
const MESSAGES: u64 = 20_000;

fn rounds() -> Batch {
    let names = Stream::calm(Site::new("peers.names"), 0);
    let mut broker = Broker::new(BrokerOptions::default(), names);
    let works = "the broker takes it";
    broker.connection_open(NOW, CHANNEL.connection, Default::default()).expect(works);
    broker.channel_open(NOW, CHANNEL).expect(works);
    broker.queue_declare(NOW, CHANNEL, "q", QueueOptions::default()).expect(works);
    broker.basic_consume(NOW, CHANNEL, "q", ConsumeOptions::default()).expect(works);
    while broker.poll_output().is_some() {}
    let body = Bytes::from_static(&[0; 100]);
    Box::new(move || {
        for _ in 0..MESSAGES {
            broker.basic_publish(NOW, CHANNEL, Publish::new("", "q", body.clone())).expect(works);
            while let Some(output) = broker.poll_output() {
                if let Event::Deliver { delivery_tag, .. } = output.event {
                    broker.basic_ack(NOW, CHANNEL, delivery_tag, false).expect(works);
                }
            }
        }
        MESSAGES
    })
}

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

async fn consumer(
    node: Node,
    (rabbit, acked): (RabbitMq, Rc<Cell<u64>>),
) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    channel.basic_qos(200, false).await?;
    let mut consumer = channel.basic_consume("work", ConsumeOptions::default()).await?;
    while let Some(delivery) = consumer.next().await {
        delivery?.ack()?;
        acked.set(acked.get() + 1);
    }
    Ok(())
}

/// A world for each batch: it is made, used and dropped.
fn world_rounds(config: Config) -> Batch {
    Box::new(move || {
        let mut sim = Sim::with_config(config.clone());
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        let acked = Rc::<Cell<u64>>::default();
        sim.daemon_with("consumer", (rabbit.clone(), Rc::clone(&acked)), consumer);
        sim.node_with("publisher", rabbit, publisher);
        sim.run().expect_done();
        acked.get()
    })
}
