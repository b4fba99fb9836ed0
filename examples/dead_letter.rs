//! Retries with back-off, and a parking queue for poison messages. A task that fails waits in a
//! queue whose messages expire, longer each time, and comes back as a dead letter. A message that
//! has failed too often is rejected for good and lands in the parking queue with its whole history.
//!
//! ```text
//!  orders ──▶ worker ──fails──▶ retry ──▶ wait.1s · wait.5s · wait.25s ──expired──▶ orders
//!                └──fails too often──▶ rejected ──▶ parked
//! ```
//!
//! `cargo run --example dead_letter -- --seed 1`

mod common;

use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Connection, ConsumeOptions, Error};
use stunt_double::rabbitmq::{Delivery, ExchangeOptions, FieldTable, FieldValue};
use stunt_double::rabbitmq::{Properties, Publish, QueueOptions, RabbitMq};
use stunt_double::sim::{Node, Sim};

/// How long a message waits before its second, third and fourth attempt, in milliseconds.
const WAITS: [i32; 3] = [1_000, 5_000, 25_000];

fn durable(arguments: FieldTable) -> QueueOptions {
    QueueOptions { durable: true, arguments, ..Default::default() }
}

async fn declare(channel: &Channel) -> Result<(), Error> {
    channel.exchange_declare("retry", ExchangeOptions::default()).await?;
    for (tries, wait) in WAITS.iter().enumerate() {
        let queue = format!("wait.{}s", wait / 1_000);
        let arguments = FieldTable::new()
            .with("x-message-ttl", *wait)
            .with("x-dead-letter-exchange", "")
            .with("x-dead-letter-routing-key", "orders");
        channel.queue_declare(&queue, durable(arguments)).await?;
        channel.queue_bind(&queue, "retry", &tries.to_string()).await?;
    }
    let arguments = FieldTable::new()
        .with("x-dead-letter-exchange", "")
        .with("x-dead-letter-routing-key", "parked");
    channel.queue_declare("orders", durable(arguments)).await?;
    channel.queue_declare("parked", durable(FieldTable::new())).await.map(drop)
}

/// Returns the entries of the header `x-death`, the most recent first; the others are in the order
/// in which RabbitMQ 3.10 groups them.
fn deaths(properties: &Properties) -> Vec<&FieldTable> {
    let history = properties.headers().and_then(|headers| headers.get("x-death"));
    let entries = history.and_then(FieldValue::as_array).unwrap_or_default();
    entries.iter().filter_map(FieldValue::as_table).collect()
}

fn text<'a>(death: &'a FieldTable, name: &str) -> &'a str {
    death.get(name).and_then(FieldValue::as_str).unwrap_or_default()
}

/// Returns how often a message has waited, which is how often it has failed.
fn failures(delivery: &Delivery) -> usize {
    let expired = deaths(delivery.properties());
    expired.iter().filter(|death| text(death, "reason") == "expired").count()
}

/// Publishes an order to the queue where it waits for its next attempt, and only then acknowledges
/// the original.
async fn wait(channel: &Channel, order: &Delivery, failures: usize) -> Result<(), Error> {
    let publish = Publish {
        properties: order.properties().clone(),
        ..Publish::new("retry", failures.to_string(), order.body().clone())
    };
    match channel.publish(publish)?.await?.is_ack() {
        true => order.ack(),
        false => order.nack(true),
    }
}

async fn worker(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    declare(&channel).await?;
    channel.confirm_select().await?;
    channel.basic_qos(1, false).await?;
    let mut orders = channel.basic_consume("orders", ConsumeOptions::default()).await?;
    while let Some(order) = orders.next().await {
        let order = order?;
        let failures = failures(&order);
        let works = match order.text().as_str() {
            "fine" => true,
            "flaky" => failures == 2,
            _ => false,
        };
        if works {
            node.note(format!("{} is done after {failures} failures", order.text()));
            order.ack()?;
        } else if failures < WAITS.len() {
            node.note(format!("{} fails and waits {} ms", order.text(), WAITS[failures]));
            wait(&channel, &order, failures).await?;
        } else {
            node.note(format!("{} fails for good", order.text()));
            order.reject(false)?;
        }
    }
    Ok(())
}

async fn shop(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    declare(&channel).await?;
    for order in ["fine", "flaky", "poison"] {
        channel.basic_publish("", "orders", Properties::default().persistent(), order)?;
    }
    channel.close().await
}

/// Prints what was parked, and its history.
async fn operator(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    node.sleep(Duration::from_secs(60)).await;
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    let parked = channel.basic_get("parked", true).await?.expect("one order was parked");
    node.note(format!("parked: {}", parked.text()));
    assert_eq!(parked.text(), "poison");
    let history = deaths(parked.properties());
    for death in &history {
        let (queue, reason) = (text(death, "queue"), text(death, "reason"));
        let count = death.get("count").and_then(FieldValue::as_integer).unwrap_or(0);
        node.note(format!("  died in {queue}: {reason}, {count} time"));
    }
    let queues: Vec<&str> = history.iter().map(|death| text(death, "queue")).collect();
    assert_eq!(queues.len(), 4, "each wait, and the rejection");
    assert_eq!(queues[0], "orders", "the most recent comes first");
    let headers = parked.properties().headers().expect("a dead letter has headers");
    assert_eq!(headers.get("x-first-death-queue"), Some(&FieldValue::from("wait.1s")));
    assert!(channel.basic_get("parked", true).await?.is_none(), "and nothing else");
    Ok(())
}

fn main() {
    common::heading("retries with back-off, and a poison message");
    let mut sim = Sim::new(common::seed());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.daemon_with("worker", rabbit.clone(), worker);
    sim.node_with("shop", rabbit.clone(), shop);
    sim.node_with("operator", rabbit.clone(), operator);
    sim.run().expect_done();
    print!("{}", sim.trace().notes());
    assert_eq!(rabbit.messages_ready("orders"), Some(0));
    println!("a minute of waits, in no time");
}
