//! What survives. A queue cannot be redeclared with another durability. A restart keeps durable
//! queues with their persistent messages. A killed broker loses what it had not synced, but nothing
//! that it had confirmed.
//!
//! `cargo run --example durability -- --seed 1`

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::Site;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Confirmation, Connection, Error};
use stunt_double::rabbitmq::{Properties, Publish, QueueOptions, RabbitMq};
use stunt_double::sim::{Latency, Node, Sim};

/// When the broker loses power.
const LOSE_POWER: Site = Site::new("durability.lose-power");

/// A set of orders.
type Orders = Arc<Mutex<BTreeSet<String>>>;

fn durable() -> QueueOptions {
    QueueOptions { durable: true, ..Default::default() }
}

async fn open(node: &Node, rabbit: &RabbitMq) -> Result<Channel, Error> {
    Connection::connect(node, rabbit).await?.channel().await
}

/// `hello` was declared transient; redeclaring it as durable is refused.
async fn redeclare(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = open(&node, &rabbit).await?;
    channel.queue_declare("hello", QueueOptions::default()).await?;
    let refused = channel.queue_declare("hello", durable()).await.expect_err("it is transient");
    node.note(&refused);
    let text = &refused.amqp().expect("the broker refused it").text;
    assert!(text.starts_with("PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'hello'"));
    let later = channel.basic_publish("", "hello", Properties::default(), "too late");
    node.note(later.expect_err("the channel is closed"));
    Ok(())
}

/// Publishes one persistent and one transient message to each kind of queue.
async fn matrix(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = open(&node, &rabbit).await?;
    channel.confirm_select().await?;
    for (queue, options) in [("durable", durable()), ("transient", QueueOptions::default())] {
        channel.queue_declare(queue, options).await?;
        channel.basic_publish("", queue, Properties::default().persistent(), "persistent")?;
        channel.basic_publish("", queue, Properties::default(), "transient")?;
    }
    channel.wait_for_confirms().await.map(drop)
}

/// Publishes a thousand persistent messages without confirms.
async fn unconfirmed(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = open(&node, &rabbit).await?;
    channel.queue_declare("orders", durable()).await?;
    for i in 0..1_000 {
        let properties = Properties::default().persistent();
        channel.basic_publish("", "orders", properties, format!("order {i}"))?;
    }
    channel.close().await
}

/// Publishes a persistent message each millisecond, and notes which were confirmed.
async fn publisher(
    node: Node,
    (rabbit, published, confirmed): (RabbitMq, Arc<AtomicUsize>, Orders),
) -> Result<(), Error> {
    let channel = open(&node, &rabbit).await?;
    channel.queue_declare("orders", durable()).await?;
    channel.confirm_select().await?;
    for i in 0.. {
        let order = format!("order {i}");
        let properties = Properties::default().persistent();
        let publish = Publish { properties, ..Publish::new("", "orders", order.clone()) };
        let Ok(confirm) = channel.publish(publish) else { break };
        published.store(i + 1, Relaxed);
        let confirmed = Arc::clone(&confirmed);
        node.spawn(async move {
            if confirm.await.is_ok_and(Confirmation::is_ack) {
                confirmed.lock().expect("a world runs on one thread").insert(order);
            }
        });
        node.sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Collects the messages that are in the queue.
async fn drain(node: Node, (rabbit, found): (RabbitMq, Orders)) -> Result<(), Error> {
    let channel = open(&node, &rabbit).await?;
    while let Some(order) = channel.basic_get("orders", true).await? {
        assert!(order.redelivered(), "after a crash nobody knows what was delivered");
        found.lock().expect("a world runs on one thread").insert(order.text());
    }
    Ok(())
}

fn listing(rabbit: &RabbitMq) -> Vec<(String, usize)> {
    rabbit.list_queues().iter().map(|row| (row.name.to_string(), row.messages_ready)).collect()
}

fn main() {
    common::heading("a queue cannot become durable");
    let mut sim = Sim::new(common::seed());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("declarer", rabbit.clone(), redeclare);
    sim.run().expect_done();
    print!("{}", sim.trace().notes());

    common::heading("a restart keeps durable queue x persistent message");
    sim.node_with("publisher", rabbit.clone(), matrix);
    sim.run().expect_done();
    println!("before: {:?}", listing(&rabbit));
    rabbit.restart();
    println!("after:  {:?}", listing(&rabbit));
    assert_eq!(listing(&rabbit), [("durable".to_owned(), 1)]);

    common::heading(
        "unconfirmed messages are synced after 200 ms of quiet: a kill before loses all",
    );
    for wait in [50, 300] {
        let mut sim = Sim::new(common::seed());
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        sim.node_with("publisher", rabbit.clone(), unconfirmed);
        sim.run_for(Duration::from_millis(wait)).expect_reached();
        rabbit.crash();
        let survivors =
            rabbit.messages_ready("orders").expect("the queue's declaration was synced");
        println!("killed after {wait} ms: {survivors} of 1000 survive");
        assert_eq!(survivors, if wait == 50 { 0 } else { 1_000 });
    }

    common::heading("a power loss at any moment loses what was not synced, but nothing confirmed");
    let mut sim = Sim::new(common::seed());
    let options = BrokerOptions::default().with_sync_time(Duration::from_millis(3));
    let rabbit = rabbitmq::start(&mut sim, options);
    let (published, confirmed) = (Arc::new(AtomicUsize::new(0)), Orders::default());
    let handles = (rabbit.clone(), Arc::clone(&published), Arc::clone(&confirmed));
    let node = sim.node_with("publisher", handles, publisher);
    let (min, max) = (Duration::from_micros(200), Duration::from_millis(2));
    node.link(&rabbit).set_latency(Latency::Uniform { min, max });
    let moment = Duration::from_nanos(sim.choose(LOSE_POWER, 0, 1_000_000_000));
    let server = rabbit.clone();
    sim.after(moment, move || server.stop(Shutdown::PowerLoss));
    sim.run().expect_done();
    rabbit.start();

    let survivors = Orders::default();
    sim.node_with("auditor", (rabbit, Arc::clone(&survivors)), drain);
    sim.run().expect_done();
    let survivors = survivors.lock().expect("a world runs on one thread").clone();
    let confirmed = confirmed.lock().expect("a world runs on one thread").clone();
    println!(
        "power lost at {moment:?}: {} published, {} confirmed, {} survive",
        published.load(Relaxed),
        confirmed.len(),
        survivors.len()
    );
    assert!(confirmed.is_subset(&survivors));
}
