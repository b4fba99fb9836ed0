//! Automatic recovery, in virtual time.

use crate::support::{channel, consume, declare, next, publish};
use lapin::options::BasicAckOptions;
use lapin::{ConnectionProperties, Result};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Config, Node, Sim, Strategy};

const SECOND: Duration = Duration::from_secs(1);

fn recovering() -> ConnectionProperties {
    ConnectionProperties::default().enable_auto_recover()
}

async fn consumer(node: Node, rabbit: RabbitMq) -> Result<()> {
    let connection = rabbit.lapin(&node, recovering()).await?;
    let channel = channel(&connection).await?;
    declare(&channel, "jobs").await?;
    let mut consumer = consume(&channel, "jobs", "me").await?;
    loop {
        match next(&mut consumer).await.expect("it recovers") {
            Ok(delivery) => {
                node.note(String::from_utf8_lossy(&delivery.data));
                let _ = delivery.ack(BasicAckOptions::default()).await;
            }
            // Recovery needs no help of the consumer.
            Err(error) => return Err(error),
        }
    }
}

async fn producer(node: Node, rabbit: RabbitMq) -> Result<()> {
    node.sleep(SECOND * 20).await;
    let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
    let channel = channel(&connection).await?;
    publish(&channel, "jobs", b"after").await?;
    node.sleep(SECOND).await;
    Ok(())
}

fn run(config: Config) -> Sim {
    let mut sim = Sim::with_config(config);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.daemon_with("consumer", rabbit.clone(), consumer);
    sim.node_with("producer", rabbit.clone(), producer);
    let broker = rabbit.clone();
    sim.after(SECOND * 5, move || broker.stop(Shutdown::Kill));
    sim.after(SECOND * 11, move || rabbit.start());
    sim.run().expect_done();
    sim
}

#[test]
fn a_consumer_recovers_when_the_broker_is_back() {
    let sim = run(Config::new(1));
    assert_eq!(sim.trace().notes(), "   20.000s  consumer     after\n");
}

#[test]
fn recovery_is_the_same_in_each_run() {
    for strategy in [Strategy::Fifo, Strategy::Random] {
        let config = || Config::new(7).with_strategy(strategy);
        let first = run(config());
        for _ in 0..20 {
            let again = run(config());
            let difference = first.trace().first_difference(&again.trace());
            assert!(difference.is_none(), "{strategy:?}: {}", difference.expect("there is one"));
        }
    }
}

#[test]
fn attempts_to_connect_wait_in_virtual_time_and_end() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    rabbit.stop(Shutdown::Kill);
    sim.node_with("app", rabbit, async |node: Node, rabbit: RabbitMq| {
        let properties = ConnectionProperties::default().configure_backoff(|backoff| {
            backoff.with_min_delay(SECOND).with_max_delay(SECOND * 10).with_max_times(6)
        });
        let error = rabbit.lapin(&node, properties).await.unwrap_err();
        node.note(error);
    });
    sim.run().expect_done();
    // 1 + 2 + 4 + 8 + 10 + 10 seconds.
    assert_eq!(sim.trace().notes(), "   35.000s  app          IO error: connection refused\n");
}

#[test]
fn jitter_comes_from_the_seed() {
    let ends = |seed| {
        let mut sim = Sim::with_config(Config::new(seed).with_strategy(Strategy::Random));
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        rabbit.stop(Shutdown::Kill);
        sim.node_with("app", rabbit, async |node: Node, rabbit: RabbitMq| {
            let properties = ConnectionProperties::default()
                .configure_backoff(|backoff| backoff.with_jitter().with_max_times(4));
            rabbit.lapin(&node, properties).await.unwrap_err();
        });
        sim.run().expect_done();
        sim.now()
    };
    assert_eq!(ends(1), ends(1));
    assert_ne!(ends(1), ends(2));
}
