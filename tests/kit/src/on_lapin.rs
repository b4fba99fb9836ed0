//! Bugs of the kit again, in code that uses lapin.
//!
//! The programs are those of `rabbitmq/`, with their waits left to the node. Nothing else in them
//! knows of a world.

mod ack_before_work;
mod no_ack;
mod outbox_double_send;

use crate::Bug;
use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, ConnectionProperties, Consumer, Result};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::rabbitmq::RabbitMq;
use stunt_double::sim::Node;

/// Returns the bugs.
#[must_use]
pub fn bugs() -> Vec<Bug> {
    vec![ack_before_work::BUG, no_ack::BUG, outbox_double_send::BUG]
}

/// What outlives every process: a table in a database that never fails.
type Table<T> = Arc<Mutex<T>>;
/// The jobs that were done.
type Done = Table<BTreeSet<String>>;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Opens a channel, again and again if it must.
async fn channel(node: &Node, rabbit: &RabbitMq) -> Channel {
    loop {
        if let Ok(connection) = rabbit.lapin(node, ConnectionProperties::default()).await
            && let Ok(channel) = connection.create_channel().await
        {
            return channel;
        }
        node.sleep(ms(20)).await;
    }
}

async fn declare(channel: &Channel, queue: &str) -> Result<()> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.map(drop)
}

async fn consume(channel: &Channel, queue: &str, no_ack: bool) -> Result<Consumer> {
    declare(channel, queue).await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions { no_ack, ..BasicConsumeOptions::default() };
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
}

/// Waits for the next delivery: `None` once the consumer is cancelled.
async fn next(consumer: &mut Consumer) -> Option<Result<Delivery>> {
    poll_fn(|cx| Pin::new(&mut *consumer).poll_next(cx)).await
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.data).into_owned()
}

/// Publishes a persistent message, and returns whether the broker confirmed it.
async fn publish(channel: &Channel, queue: &str, body: &str) -> Result<bool> {
    let properties = BasicProperties::default().with_delivery_mode(2).with_message_id(body.into());
    let options = BasicPublishOptions::default();
    let confirm = channel
        .basic_publish("".into(), queue.into(), options, body.as_bytes(), properties)
        .await?
        .await?;
    Ok(matches!(confirm, Confirmation::Ack(_)))
}

async fn confirming(channel: &Channel, queue: &str) -> Result<()> {
    declare(channel, queue).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await
}

/// Publishes jobs 1 to `count`, and waits for their confirms.
async fn produce(node: Node, (rabbit, count): (RabbitMq, u32)) {
    let mut next = 1;
    while next <= count {
        let channel = channel(&node, &rabbit).await;
        if produce_from(&node, &channel, &mut next, count).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

async fn produce_from(node: &Node, channel: &Channel, next: &mut u32, count: u32) -> Result<()> {
    confirming(channel, "jobs").await?;
    while *next <= count {
        if publish(channel, "jobs", &format!("job {next}")).await? {
            *next += 1;
        }
        node.sleep(ms(2)).await;
    }
    Ok(())
}

/// Compares the number of jobs that were done with that of all.
fn expect_done(done: &Done, all: u32) -> std::result::Result<(), String> {
    match done.lock().expect("one thread").len() {
        done if done == all as usize => Ok(()),
        done => Err(format!("{done} of {all} jobs done")),
    }
}
