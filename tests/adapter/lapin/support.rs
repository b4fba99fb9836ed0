//! What the tests share: code under test that knows nothing of a world, but for its waits.

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, Consumer, Result};
use std::future::poll_fn;
use std::pin::Pin;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Node, Sim};

/// Runs code on one node beside a broker.
pub(crate) fn app<F>(code: impl FnMut(Node, RabbitMq) -> F + 'static) -> (Sim, RabbitMq)
where
    F: Future<Output = Result<()>> + 'static,
{
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("app", rabbit.clone(), code);
    sim.run().expect_done();
    (sim, rabbit)
}

/// Runs a test in a process of its own, with little patience. Returns whether this is that process.
pub(crate) fn alone(test: &str) -> bool {
    const CHILD: &str = "STUNT_DOUBLE_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let this = std::env::current_exe().expect("a test knows its own binary");
    let status = std::process::Command::new(this)
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .env("STUNT_DOUBLE_LAPIN_PATIENCE", "1")
        .status()
        .expect("a test can run itself");
    assert!(status.success());
    false
}

/// Opens a channel with confirms.
pub(crate) async fn channel(connection: &Connection) -> Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

pub(crate) async fn declare(channel: &Channel, queue: &str) -> Result<()> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
    Ok(())
}

/// Publishes a persistent message, and waits until the broker confirms it.
pub(crate) async fn publish(channel: &Channel, queue: &str, body: &[u8]) -> Result<Confirmation> {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel.basic_publish("".into(), queue.into(), options, body, properties).await?.await
}

pub(crate) async fn consume(channel: &Channel, queue: &str, tag: &str) -> Result<Consumer> {
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.into(), tag.into(), options, FieldTable::default()).await
}

/// Waits for the next delivery: `None` once the consumer is cancelled.
pub(crate) async fn next(consumer: &mut Consumer) -> Option<Result<Delivery>> {
    poll_fn(|cx| Pin::new(&mut *consumer).poll_next(cx)).await
}

/// Waits for the next delivery, and acknowledges it.
pub(crate) async fn take(consumer: &mut Consumer) -> Result<Vec<u8>> {
    let delivery = next(consumer).await.expect("the consumer goes on")?;
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(delivery.data)
}
