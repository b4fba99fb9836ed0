//! RabbitMQ's tutorials three to five: publish/subscribe through a fanout exchange, routing by
//! severity through a direct exchange, and routing by pattern through a topic exchange.
//!
//! `cargo run --example publish_subscribe -- --seed 1`

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use stunt_double::rabbitmq::{self, BrokerOptions, Connection, ConsumeOptions, Error};
use stunt_double::rabbitmq::{ExchangeOptions, Properties, QueueOptions, RabbitMq};
use stunt_double::sim::{Node, Sim};

/// An exchange's name and type.
type Exchange = (&'static str, &'static str);

/// The messages that each receiver has received.
type Received = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Receives with an exclusive queue, which the broker deletes when the receiver's connection
/// closes.
async fn receive(
    node: Node,
    rabbit: RabbitMq,
    (exchange, kind): Exchange,
    keys: &'static [&'static str],
    received: Received,
) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel
        .exchange_declare(exchange, ExchangeOptions { kind: kind.into(), ..Default::default() })
        .await?;
    let options = QueueOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("", options).await?.queue;
    for key in keys {
        channel.queue_bind(&queue, exchange, key).await?;
    }
    let options = ConsumeOptions { no_ack: true, ..Default::default() };
    let mut consumer = channel.basic_consume(&queue, options).await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let verb = if node.name() == "to-disk" { "writes the log" } else { "prints" };
        node.note(format!("{verb}: {}", delivery.text()));
        let mut received = received.lock().expect("a world runs on one thread");
        received.entry(node.name().to_owned()).or_default().push(delivery.text());
    }
    Ok(())
}

async fn emit(
    node: Node,
    rabbit: RabbitMq,
    ((exchange, kind), logs): (Exchange, &'static [(&'static str, &'static str)]),
) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel
        .exchange_declare(exchange, ExchangeOptions { kind: kind.into(), ..Default::default() })
        .await?;
    for (key, text) in logs {
        channel.basic_publish(exchange, key, Properties::default(), *text)?;
    }
    Ok(())
}

/// A world with the given receivers, in which the logs are published once all receivers are
/// subscribed.
fn story(
    exchange: Exchange,
    receivers: &[(&'static str, &'static [&'static str])],
    before: &'static [(&'static str, &'static str)],
    logs: &'static [(&'static str, &'static str)],
) -> BTreeMap<String, Vec<String>> {
    common::heading(&format!("{} exchange {}", exchange.1, exchange.0));
    let mut sim = Sim::new(common::seed());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let received = Received::default();
    let early = (exchange, before);
    sim.node_with("emit_early", rabbit.clone(), move |node, rabbit| emit(node, rabbit, early));
    sim.run().expect_done();
    for (name, keys) in receivers.iter().copied() {
        let handles = (rabbit.clone(), Arc::clone(&received));
        sim.daemon_with(name, handles, move |node, (rabbit, received)| {
            receive(node, rabbit, exchange, keys, received)
        });
    }
    sim.run().expect_done();
    print!("{}", rabbit.rabbitmqctl("list_bindings").expect("this listing exists"));
    let late = (exchange, logs);
    sim.node_with("emit", rabbit.clone(), move |node, rabbit| emit(node, rabbit, late));
    sim.run().expect_done();
    print!("{}", sim.trace().notes());

    let queues = rabbit.list_queues();
    assert_eq!(queues.len(), receivers.len());
    assert!(queues.iter().all(|row| row.exclusive && row.name.starts_with("amq.gen-")));
    received.lock().expect("a world runs on one thread").clone()
}

fn main() {
    let got = story(
        ("logs", "fanout"),
        &[("to-disk", &[""]), ("to-screen", &[""])],
        &[("", "nobody is bound yet: this is gone")],
        &[("", "info: Hello World!"), ("", "info: bye")],
    );
    for receiver in ["to-disk", "to-screen"] {
        assert_eq!(got[receiver], ["info: Hello World!", "info: bye"]);
    }

    let got = story(
        ("direct_logs", "direct"),
        &[("to-disk", &["error"]), ("to-screen", &["info", "warning", "error"])],
        &[],
        &[("info", "info: started"), ("error", "error: Run. Run. Or it will explode.")],
    );
    assert_eq!(got["to-disk"], ["error: Run. Run. Or it will explode."]);
    assert_eq!(got["to-screen"], ["info: started", "error: Run. Run. Or it will explode."]);

    let got = story(
        ("topic_logs", "topic"),
        &[("to-disk", &["#"]), ("kernel", &["kern.*"]), ("critical", &["*.critical"])],
        &[],
        &[
            ("kern.critical", "a critical kernel error"),
            ("cron.info", "a job ran"),
            ("kern", "no dot"),
        ],
    );
    assert_eq!(got["to-disk"].len(), 3);
    assert_eq!(got["kernel"], ["a critical kernel error"]);
    assert_eq!(got["critical"], ["a critical kernel error"]);
}
