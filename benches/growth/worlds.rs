//! The laws of what lives in a world: nodes, connections, consumers, timers, kept events.

use super::nanoseconds;
use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, Instant};
use stunt_double::rabbitmq::{self, BrokerOptions, Connection, ConsumeOptions, QueueOptions};
use stunt_double::redis::{self, Client, ServerOptions};
use stunt_double::sim::{Config, Node, Retention, Sim};

fn sim() -> Sim {
    Sim::with_config(
        Config::new(1)
            .with_retention(Retention::Digest)
            .with_max_steps(u64::MAX)
            .with_patience(u64::MAX),
    )
}

/// Runs what the world has still to do, and returns the nanoseconds of one of `count` operations.
fn run(mut sim: Sim, count: u32) -> f64 {
    let began = Instant::now();
    sim.run_for(Duration::from_secs(1)).expect_reached();
    nanoseconds(began.elapsed(), count)
}

/// How many operations are measured.
const COUNT: u32 = 2_000;

/// Restarts one of the nodes again and again.
fn restart_it_again(sim: &mut Sim, node: &Node) {
    for i in 0..u64::from(COUNT) {
        let node = node.clone();
        sim.after(Duration::from_micros(10 * i), move || node.restart());
    }
}

pub(super) fn node_restarts(n: u32) -> f64 {
    let mut sim = sim();
    for i in 0..n {
        sim.daemon(&format!("idle{i}"), async |_| pending::<()>().await);
    }
    let node = sim.daemon("restarted", async |_| pending::<()>().await);
    sim.run_for(Duration::ZERO).expect_reached();
    restart_it_again(&mut sim, &node);
    run(sim, COUNT)
}

pub(super) fn redis_client_restarts(n: u32) -> f64 {
    let mut sim = sim();
    let server = redis::start(&mut sim, ServerOptions::default());
    let client = async |node, server| {
        let _client = Client::connect(&node, &server).await.expect("it runs");
        pending::<()>().await;
    };
    server.command(["CONFIG", "SET", "maxclients", "1000000"]);
    for i in 0..n {
        sim.daemon_with(&format!("idle{i}"), server.clone(), client);
    }
    let node = sim.daemon_with("restarted", server, client);
    sim.run_for(Duration::ZERO).expect_reached();
    restart_it_again(&mut sim, &node);
    run(sim, COUNT)
}

async fn consumer(node: Node, rabbit: rabbitmq::RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    let _consumer = channel.basic_consume("jobs", ConsumeOptions::default()).await?;
    pending::<()>().await;
    Ok(())
}

/// A world with a broker and a queue.
fn with_queue() -> (Sim, rabbitmq::RabbitMq) {
    let mut sim = sim();
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("declares", rabbit.clone(), async |node: Node, rabbit| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("jobs", QueueOptions::default()).await.map(drop)
    });
    sim.run().expect_done();
    (sim, rabbit)
}

pub(super) fn amqp_consumer_restarts(n: u32) -> f64 {
    let (mut sim, rabbit) = with_queue();
    for i in 0..n {
        sim.daemon_with(&format!("idle{i}"), rabbit.clone(), consumer);
    }
    sim.run_for(Duration::ZERO).expect_reached();
    let node = sim.daemon_with("restarted", rabbit, consumer);
    sim.run_for(Duration::ZERO).expect_reached();
    restart_it_again(&mut sim, &node);
    run(sim, COUNT)
}

/// How long `n` nodes take to connect, to open a channel, to declare a queue and to consume from
/// it, each.
pub(super) fn amqp_client_begins(n: u32) -> f64 {
    let mut sim = sim();
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    for i in 0..n {
        sim.daemon_with(&format!("client{i}"), (rabbit.clone(), i), async |node, (rabbit, i)| {
            let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
            let queue = format!("q{i}");
            channel.queue_declare(&queue, QueueOptions::default()).await?;
            let _consumer = channel.basic_consume(&queue, ConsumeOptions::default()).await?;
            pending::<()>().await;
            Ok::<_, rabbitmq::Error>(())
        });
    }
    run(sim, n)
}

/// A message goes to each of `n` consumers in turn.
pub(super) fn round_robin(n: u32) -> f64 {
    let (mut sim, rabbit) = with_queue();
    let acked = Rc::<Cell<u32>>::default();
    for i in 0..n {
        let with = (rabbit.clone(), Rc::clone(&acked));
        sim.daemon_with(&format!("worker{i}"), with, async |node, (rabbit, acked)| {
            let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
            let mut consumer = channel.basic_consume("jobs", ConsumeOptions::default()).await?;
            while let Some(delivery) = consumer.next().await {
                delivery?.ack()?;
                acked.set(acked.get() + 1);
            }
            Ok::<_, rabbitmq::Error>(())
        });
    }
    sim.run_for(Duration::ZERO).expect_reached();
    let count = 20 * COUNT;
    sim.node_with("publishes", rabbit, async move |node: Node, rabbit| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        for _ in 0..20 * COUNT {
            channel.basic_publish("", "jobs", rabbitmq::Properties::default(), "hello")?;
            node.yield_now().await;
        }
        channel.close().await
    });
    let took = run(sim, count);
    assert_eq!(acked.get(), count, "each message is acknowledged");
    took
}

pub(super) fn timers(n: u32) -> f64 {
    let mut sim = sim();
    for i in 0..n {
        sim.daemon_with(&format!("sleeper{i}"), u64::from(i), async |node: Node, i| {
            loop {
                node.sleep(Duration::from_micros(1_000_000 + i % 1_000)).await;
            }
        });
    }
    sim.run_for(Duration::from_millis(500)).expect_reached();
    run(sim, n)
}

/// A note is written while the trace keeps `n` events and more, up to twice as many: the copies
/// that a growing trace makes are part of it.
pub(super) fn kept_event(n: u32) -> f64 {
    let mut sim =
        Sim::with_config(Config::new(1).with_retention(Retention::All).with_max_steps(u64::MAX));
    // A thousand notes cost more than the clock itself.
    let count = n.max(1_000);
    sim.daemon("writer", move |node| async move {
        for i in 0..n {
            node.note(i);
        }
        node.sleep(Duration::from_millis(1)).await;
        for i in 0..count {
            node.note(i);
        }
        pending::<()>().await;
    });
    sim.run_for(Duration::ZERO).expect_reached();
    run(sim, count)
}
