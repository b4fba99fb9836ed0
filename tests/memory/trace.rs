//! The memory of a trace that keeps everything.

use super::ALLOCATOR;
use bytes::Bytes;
use stats_alloc::Region;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, Properties, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Config, Node, Retention, Sim};

const MESSAGES: usize = 20_000;

async fn publisher(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("work", QueueOptions::default()).await?;
    let body = Bytes::from_static(&[b'x'; 100]);
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

/// Returns the bytes that a world of the same messages has in the end.
fn held(retention: Retention) -> usize {
    let region = Region::new(ALLOCATOR);
    let config = Config::new(1).with_retention(retention).with_max_steps(u64::MAX);
    let mut sim = Sim::with_config(config);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.daemon_with("consumer", rabbit.clone(), consumer);
    sim.node_with("publisher", rabbit, publisher);
    sim.run().expect_done();
    let change = region.change();
    change.bytes_allocated.saturating_sub(change.bytes_deallocated)
}

pub(crate) fn a_trace_of_everything_is_small() {
    let bytes = (held(Retention::All) - held(Retention::Digest)) / MESSAGES;
    println!("{bytes} bytes of trace for a message that is published, delivered and acknowledged");
    // The buffer grows by a quarter when it is full, and much of that may be spare.
    assert!(bytes <= 165, "{bytes} bytes");
}
