//! A transactional outbox. The service keeps each message until the broker has confirmed it, and
//! the broker loses power at random. No confirmed message is lost. An unconfirmed message is
//! published again, so it may arrive twice: the consumer recognises duplicates by their ids.
//!
//! `cargo run --example outbox -- --seed 1`

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::Site;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Confirmation, Connection};
use stunt_double::rabbitmq::{ConsumeOptions, Error, Properties, Publish, QueueOptions, RabbitMq};
use stunt_double::sim::{Latency, Node, Sim};

/// When the broker loses power.
const LOSE_POWER: Site = Site::new("outbox.lose-power");

const ORDERS: usize = 200;

/// The outbox table in the service's own database. It survives everything in this story.
#[derive(Debug, Default)]
struct Outbox {
    waiting: BTreeSet<usize>,
    /// How often each message was published.
    published: BTreeMap<usize, u32>,
}

type Shared<T> = Arc<Mutex<T>>;

/// The orders that the consumer received, and how often.
type Received = BTreeMap<String, u32>;

fn durable() -> QueueOptions {
    QueueOptions { durable: true, ..Default::default() }
}

/// Opens a channel as soon as the broker is reachable.
async fn connect(node: &Node, rabbit: &RabbitMq) -> Channel {
    loop {
        if let Ok(connection) = Connection::connect(node, rabbit).await
            && let Ok(channel) = connection.channel().await
            && channel.queue_declare("orders", durable()).await.is_ok()
        {
            return channel;
        }
        node.sleep(Duration::from_millis(50)).await;
    }
}

/// Publishes what waits in the outbox, and removes what was confirmed.
async fn relay(node: Node, (rabbit, outbox): (RabbitMq, Shared<Outbox>)) {
    while !outbox.lock().expect("a world runs on one thread").waiting.is_empty() {
        let channel = connect(&node, &rabbit).await;
        if let Err(error) = publish_all(&node, &channel, &outbox).await {
            node.note(format!("publishing again what waits: {error}"));
        }
    }
    node.note("the outbox is empty");
}

async fn publish_all(node: &Node, channel: &Channel, outbox: &Shared<Outbox>) -> Result<(), Error> {
    channel.confirm_select().await?;
    let waiting = outbox.lock().expect("a world runs on one thread").waiting.clone();
    for id in waiting {
        let properties = Properties::default().persistent().with_message_id(id.to_string());
        let publish = Publish { properties, ..Publish::new("", "orders", format!("order {id}")) };
        *outbox.lock().expect("a world runs on one thread").published.entry(id).or_default() += 1;
        if channel.publish(publish)?.await.is_ok_and(Confirmation::is_ack) {
            outbox.lock().expect("a world runs on one thread").waiting.remove(&id);
        } else {
            // It may or may not have arrived, so it stays in the outbox.
            return channel.confirm_select().await;
        }
        node.sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn consumer(node: Node, (rabbit, received): (RabbitMq, Shared<Received>)) {
    loop {
        let channel = connect(&node, &rabbit).await;
        let Ok(mut orders) = channel.basic_consume("orders", ConsumeOptions::default()).await
        else {
            continue;
        };
        while let Some(Ok(order)) = orders.next().await {
            let id = order.properties().message_id().unwrap_or_default().to_owned();
            *received.lock().expect("a world runs on one thread").entry(id).or_default() += 1;
            if order.ack().is_err() {
                break;
            }
        }
    }
}

fn main() {
    common::heading("an outbox, and a broker that loses power three times");
    let mut sim = Sim::new(common::seed());
    let options = BrokerOptions::default().with_sync_time(Duration::from_millis(2));
    let rabbit = rabbitmq::start(&mut sim, options);
    let outbox = Arc::new(Mutex::new(Outbox::default()));
    outbox.lock().expect("a world runs on one thread").waiting.extend(0..ORDERS);
    let received = Shared::<Received>::default();

    let relay = sim.node_with("relay", (rabbit.clone(), Arc::clone(&outbox)), relay);
    let consumer = sim.daemon_with("consumer", (rabbit.clone(), Arc::clone(&received)), consumer);
    for node in [&relay, &consumer] {
        node.link(&rabbit).set_latency(Latency::Constant(Duration::from_millis(1)));
    }
    for outage in 0..3 {
        let at = Duration::from_millis(200 * outage + sim.choose(LOSE_POWER, outage, 200));
        let (stops, starts) = (rabbit.clone(), rabbit.clone());
        sim.after(at, move || stops.stop(Shutdown::PowerLoss));
        sim.after(at + Duration::from_millis(80), move || starts.start());
    }
    sim.run().expect_done();
    print!("{}", sim.trace().notes());

    let (outbox, received) = (
        outbox.lock().expect("a world runs on one thread"),
        received.lock().expect("a world runs on one thread"),
    );
    let again = outbox.published.values().filter(|times| **times > 1).count();
    let twice = received.values().filter(|times| **times > 1).count();
    println!("{ORDERS} orders, {again} published again, {twice} received more than once");
    println!("(an acknowledgement that was not synced is undone by a power loss, too)");
    assert!(outbox.waiting.is_empty());
    assert_eq!(received.len(), ORDERS, "nothing confirmed is lost");
    assert!(received.values().all(|times| *times <= 4), "each outage can double but once");
}
