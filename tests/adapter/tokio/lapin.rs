//! Lapin on a tokio node: code of the caller that lapin runs has the node's runtime.

use futures_core::Stream;
use lapin::message::DeliveryResult;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Result};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Config, Node, Sim, Strategy, check_determinism};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep};

/// Connects, and consumes from the queue `jobs`.
async fn consume(node: &Node, rabbit: &RabbitMq) -> Result<(Connection, Channel, Consumer)> {
    let connection = rabbit.lapin(node, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let (options, arguments) = (QueueDeclareOptions::default(), FieldTable::default());
    channel.queue_declare("jobs".into(), options, arguments.clone()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume("jobs".into(), "".into(), options, arguments).await?;
    Ok((connection, channel, consumer))
}

fn scenario(sim: &mut Sim) {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    sim.tokio_node_with("consumer", rabbit, async |node, rabbit| {
        let (connection, channel, consumer) = consume(&node, &rabbit).await?;
        let (sender, mut done) = unbounded_channel();
        consumer.set_delegate(move |delivery: DeliveryResult| {
            let sender = sender.clone();
            async move {
                let Ok(Some(delivery)) = delivery else { return };
                // The work takes a while, and then another task finishes it.
                sleep(Duration::from_secs(60)).await;
                tokio::spawn(async move {
                    delivery.ack(BasicAckOptions::default()).await.unwrap();
                    sender.send(delivery.data).unwrap();
                });
            }
        });
        let start = Instant::now();
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        channel.basic_publish("".into(), "jobs".into(), options, b"one", properties).await?;
        assert_eq!(done.recv().await.unwrap(), b"one");
        assert!(start.elapsed() >= Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(61));
        connection.close(200, "done".into()).await
    });
    sim.run().expect_done();
}

#[test]
fn a_delegate_sleeps_and_spawns_on_the_nodes_runtime() {
    for strategy in [Strategy::Fifo, Strategy::Random] {
        for seed in 0..10 {
            check_determinism(Config::new(seed).with_strategy(strategy), scenario)
                .unwrap_or_else(|divergence| panic!("{divergence}"));
        }
    }
}

/// The delegate panics while the connection is open, or after it was closed.
fn panics(sim: &mut Sim, closes: bool) {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    sim.tokio_node_with("consumer", (rabbit, closes), async |node, (rabbit, closes)| {
        let (connection, channel, consumer) = consume(&node, &rabbit).await?;
        let (sender, mut done) = unbounded_channel();
        consumer.set_delegate(move |delivery: DeliveryResult| {
            let sender = sender.clone();
            async move {
                let Ok(Some(delivery)) = delivery else { return };
                sleep(Duration::from_secs(1)).await;
                assert_ne!(delivery.data, b"bad", "a delegate panics");
                sender.send(delivery.data).unwrap();
            }
        });
        for body in ["bad", "good"] {
            let (options, properties) = Default::default();
            let body = body.as_bytes();
            channel.basic_publish("".into(), "jobs".into(), options, body, properties).await?;
        }
        sleep(Duration::from_millis(100)).await;
        if closes {
            connection.close(200, "done".into()).await?;
        }
        assert_eq!(done.recv().await.unwrap(), b"good");
        if closes { Ok(()) } else { connection.close(200, "done".into()).await }
    });
    sim.node("other", async |node| node.sleep(Duration::from_secs(100)).await);
    sim.run().expect_done();
    assert_eq!(sim.now().to_string(), "100s");
}

#[test]
fn a_panic_of_a_delegate_ends_that_code_alone() {
    for closes in [false, true] {
        panics(&mut Sim::new(1), closes);
    }
}

/// Eight channels whose connection is severed, each with one task that waits for its consumer.
fn severed(sim: &mut Sim, with_tokio: bool) -> Vec<String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let with = (rabbit.clone(), with_tokio);
    let node = sim.tokio_node_with("consumer", with, async |node, (rabbit, with_tokio)| {
        let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
        let (sender, mut done) = unbounded_channel();
        for number in 0..8 {
            let channel = connection.create_channel().await?;
            let (options, arguments) = (QueueDeclareOptions::default(), FieldTable::default());
            let queue = channel.queue_declare("".into(), options, arguments.clone()).await?;
            let (name, options) = (queue.name().clone(), BasicConsumeOptions::default());
            let mut consumer = channel.basic_consume(name, "".into(), options, arguments).await?;
            let (at, sender) = (node.clone(), sender.clone());
            let waits = async move {
                let next = poll_fn(|cx| Pin::new(&mut consumer).poll_next(cx)).await;
                assert!(next.unwrap().is_err());
                at.note(number);
                sender.send(number).unwrap();
            };
            if with_tokio {
                tokio::spawn(waits);
            } else {
                drop(node.spawn(waits));
            }
        }
        drop(sender);
        while done.recv().await.is_some() {}
        Result::Ok(())
    });
    let link = node.link(&rabbit);
    sim.after(Duration::from_secs(10), move || link.sever());
    sim.run().expect_done();
    sim.trace().notes().lines().map(str::to_owned).collect()
}

/// The order in which lapin tells its channels differs between runs. Tasks of the world do not see
/// it. Those of tokio do, but all of them are told, at the same moment.
#[test]
fn tasks_of_the_world_fail_in_order_and_those_of_tokio_at_once() {
    let mut expected = Vec::new();
    for _ in 0..10 {
        let in_order = severed(&mut Sim::new(1), false);
        let numbers: Vec<&str> =
            in_order.iter().filter_map(|line| line.split_whitespace().last()).collect();
        assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "7"]);
        let mut at_once = severed(&mut Sim::new(1), true);
        at_once.sort_unstable();
        let first = at_once[0].split_whitespace().next().map(str::to_owned);
        assert!(at_once.iter().all(|line| line.split_whitespace().next() == first.as_deref()));
        if expected.is_empty() {
            expected.clone_from(&at_once);
        }
        assert_eq!(at_once, expected);
        assert_eq!(at_once.len(), 8);
    }
}

#[tokio::test(start_paused = true)]
async fn code_beside_a_world_is_told_to_use_a_tokio_node() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.daemon("test", async |_| std::future::pending::<()>().await);
    let refused = sim
        .run_beside(async move { rabbit.lapin(&node, ConnectionProperties::default()).await })
        .await
        .unwrap();
    assert!(refused.unwrap_err().to_string().contains("tokio node"));
}
