//! A broker that is low on memory. It tells publishers that it has stopped reading, and what they
//! send waits. A publisher that listens to `connection.blocked` stops producing. One that does not
//! listen piles up messages, and waits for confirms that cannot come.
//!
//! `cargo run --example blocked -- --seed 1`

mod common;

use std::time::Duration;
use stunt_double::rabbitmq::admin::Alarm;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Connection, ConsumeOptions};
use stunt_double::rabbitmq::{Error, Properties, Publish, QueueOptions, RabbitMq};
use stunt_double::sim::{Node, Sim};

async fn open(node: &Node, rabbit: &RabbitMq) -> Result<(Connection, Channel), Error> {
    let connection = Connection::connect(node, rabbit).await?;
    let channel = connection.channel().await?;
    channel.queue_declare("readings", QueueOptions::default()).await?;
    channel.confirm_select().await?;
    Ok((connection, channel))
}

/// Takes a reading each second, unless the broker has blocked the connection.
async fn polite(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let (connection, channel) = open(&node, &rabbit).await?;
    for reading in 0..60 {
        if let Some(reason) = connection.blocked_reason() {
            node.note(format!("blocked ({reason}): takes no more readings"));
            connection.unblocked().await?;
            node.note("unblocked: goes on");
        }
        channel.basic_publish("", "readings", Properties::default(), reading.to_string())?;
        node.sleep(Duration::from_secs(1)).await;
    }
    channel.wait_for_confirms().await?;
    node.note("all its readings are confirmed");
    Ok(())
}

/// Publishes each second, ignores `connection.blocked`, and stops waiting for a confirm after ten
/// seconds.
async fn deaf(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let (_connection, channel) = open(&node, &rabbit).await?;
    let mut worst = 0;
    let mut complained = false;
    for reading in 0..60 {
        let publish = Publish::new("", "readings", reading.to_string());
        let confirm = channel.publish(publish)?;
        if node.timeout(Duration::from_secs(1), confirm).await.is_ok() {
            node.sleep(Duration::from_secs(1)).await;
        } else if !std::mem::replace(&mut complained, true) {
            node.note("no confirm within a second, and nobody has told it why");
        }
        worst = worst.max(channel.unconfirmed());
    }
    channel.wait_for_confirms().await?;
    node.note(format!("all confirmed in the end; at worst {worst} were on the way"));
    assert!(worst > 10, "they piled up");
    Ok(())
}

/// Keeps consuming while publishers are blocked: consuming is how a broker frees memory.
async fn reader(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let (_connection, channel) = open(&node, &rabbit).await?;
    let options = ConsumeOptions { no_ack: true, ..Default::default() };
    let mut readings = channel.basic_consume("readings", options).await?;
    while let Some(reading) = readings.next().await {
        reading?;
    }
    Ok(())
}

fn main() {
    common::heading("low on memory from 0:20 to 0:50");
    let mut sim = Sim::new(common::seed());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("polite", rabbit.clone(), polite);
    sim.node_with("deaf", rabbit.clone(), deaf);
    sim.daemon_with("reader", rabbit.clone(), reader);
    let (on, off) = (rabbit.clone(), rabbit.clone());
    sim.after(Duration::from_millis(20_500), move || {
        on.set_alarm(Alarm::Memory, true);
    });
    sim.after(Duration::from_millis(50_500), move || {
        off.set_alarm(Alarm::Memory, false);
    });
    sim.run().expect_done();
    print!("{}", sim.trace().notes());
    assert_eq!(rabbit.messages_ready("readings"), Some(0));
}
