//! The client library lapin on hosts of turmoil and of turmoil-net, through the public API.

#![allow(clippy::unwrap_used)]

use futures_core::Stream;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Result};
use std::cell::RefCell;
use std::fmt::Display;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use stunt_double::adapter::turmoil::{Host, lapin, lapin_net};
use stunt_double::rabbitmq::BrokerOptions;
use tokio::time::sleep;
use turmoil::Sim;

const SECOND: Duration = Duration::from_secs(1);

/// What a client saw, with the time.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn add(&self, what: impl Display) {
        let at = turmoil::sim_elapsed().unwrap().as_millis();
        self.0.borrow_mut().push(format!("{at} ms: {what}"));
    }

    /// Takes the lines, without their times.
    fn take(&self) -> Vec<String> {
        let lines = self.0.take();
        lines.iter().map(|line| line.split_once(": ").unwrap().1.to_owned()).collect()
    }
}

/// A simulation with a RabbitMQ, as the host `rabbit`.
fn simulation(seed: u64) -> Sim<'static> {
    let mut builder = turmoil::Builder::new();
    builder.rng_seed(seed).simulation_duration(Duration::from_secs(600));
    let mut sim = builder.build();
    let server = Host::rabbitmq(BrokerOptions::default(), 1);
    sim.host("rabbit", move || server.clone().serve());
    sim
}

async fn connect() -> Result<Connection> {
    lapin("rabbit:5672", None, ConnectionProperties::default()).await
}

// Production code: it knows nothing of a simulation.

async fn channel(connection: &Connection) -> Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("jobs".into(), options, FieldTable::default()).await?;
    Ok(channel)
}

async fn publish(channel: &Channel, body: &[u8]) -> Result<bool> {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let published = channel.basic_publish("".into(), "jobs".into(), options, body, properties);
    Ok(published.await?.await?.is_ack())
}

async fn consume(channel: &Channel) -> Result<Consumer> {
    let options = BasicConsumeOptions::default();
    channel.basic_consume("jobs".into(), "me".into(), options, FieldTable::default()).await
}

/// Takes the next delivery and acknowledges it.
async fn take(consumer: &mut Consumer) -> Result<String> {
    let next = poll_fn(|cx| Pin::new(&mut *consumer).poll_next(cx)).await;
    let delivery = next.expect("the consumer goes on")?;
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(String::from_utf8_lossy(&delivery.data).into_owned())
}

/// One client publishes, another one consumes; the network is slow, and holds messages for a while.
fn traffic(seed: u64) -> Log {
    let mut sim = simulation(seed);
    let log = Log::default();
    let lines = log.clone();
    sim.client("publisher", async move {
        let connection = connect().await?;
        let channel = channel(&connection).await?;
        for number in 0..5 {
            let is_confirmed = publish(&channel, format!("job {number}").as_bytes()).await?;
            lines.add(format!("{number} is confirmed: {is_confirmed}"));
        }
        connection.close(200, "bye".into()).await?;
        Ok(())
    });
    let lines = log.clone();
    sim.client("worker", async move {
        let connection = connect().await?;
        let channel = channel(&connection).await?;
        let mut consumer = consume(&channel).await?;
        for _ in 0..5 {
            lines.add(take(&mut consumer).await?);
        }
        connection.close(200, "bye".into()).await?;
        Ok(())
    });
    sim.run().unwrap();
    log
}

#[test]
fn lapin_publishes_with_confirms_and_consumes_and_acknowledges() {
    let mut lines = traffic(7).take();
    lines.sort();
    let mut expected: Vec<_> =
        (0..5).map(|number| format!("{number} is confirmed: true")).collect();
    expected.extend((0..5).map(|number| format!("job {number}")));
    assert_eq!(lines, expected);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let first = traffic(7).0.take();
    for _ in 0..20 {
        assert_eq!(traffic(7).0.take(), first);
    }
    assert_ne!(traffic(8).0.take(), first, "another seed, other latencies");
}

#[test]
fn messages_that_the_network_holds_arrive_when_it_lets_them_go() {
    let mut sim = simulation(7);
    let log = Log::default();
    let lines = log.clone();
    sim.client("app", async move {
        let connection = connect().await?;
        let channel = channel(&connection).await?;
        let mut consumer = consume(&channel).await?;
        turmoil::hold("app", "rabbit");
        let began = turmoil::sim_elapsed().unwrap();
        tokio::spawn(async {
            sleep(SECOND * 20).await;
            turmoil::release("app", "rabbit");
        });
        lines.add(publish(&channel, b"late").await?);
        lines.add(take(&mut consumer).await?);
        let took = turmoil::sim_elapsed().unwrap() - began;
        assert!(took > SECOND * 20 && took < SECOND * 21, "{took:?}");
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(log.take(), ["true", "late"]);
}

#[test]
fn heartbeats_keep_an_idle_connection_and_notice_a_partition() {
    let mut sim = simulation(7);
    let log = Log::default();
    let lines = log.clone();
    sim.client("app", async move {
        let uri = Some("amqp://localhost/%2f?heartbeat=2");
        let connection = lapin("rabbit:5672", uri, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        let mut consumer = consume(&channel).await?;
        sleep(SECOND * 20).await;
        lines.add(publish(&channel, b"still there").await?);
        lines.add(take(&mut consumer).await?);
        turmoil::partition("app", "rabbit");
        let began = turmoil::sim_elapsed().unwrap();
        lines.add(take(&mut consumer).await.unwrap_err());
        let took = turmoil::sim_elapsed().unwrap() - began;
        assert!(took > SECOND * 3 && took < SECOND * 6, "{took:?}");
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(log.take(), ["true", "still there", "IO error: timed out"]);
}

#[test]
fn a_durable_queue_outlives_a_crash_of_its_host() {
    let mut sim = simulation(7);
    let log = Log::default();
    let lines = log.clone();
    sim.client("before", async move {
        let connection = connect().await?;
        let channel = channel(&connection).await?;
        lines.add(publish(&channel, b"kept").await?);
        Ok(())
    });
    sim.run().unwrap();
    sim.crash("rabbit");
    sim.bounce("rabbit");
    let lines = log.clone();
    sim.client("after", async move {
        let connection = connect().await?;
        let channel = channel(&connection).await?;
        lines.add(take(&mut consume(&channel).await?).await?);
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(log.take(), ["true", "kept"]);
}

#[test]
fn a_client_whose_broker_crashes_gets_an_error_and_connects_again() {
    let mut sim = simulation(7);
    let log = Log::default();
    let lines = log.clone();
    sim.client("app", async move {
        let connection = connect().await?;
        let channel = channel(&connection).await?;
        lines.add(publish(&channel, b"kept").await?);
        let mut consumer = consume(&channel).await?;
        lines.add(take(&mut consumer).await?);
        lines.add("ready");
        lines.add(take(&mut consumer).await.is_err());
        let connection = loop {
            match connect().await {
                Ok(connection) => break connection,
                Err(_) => sleep(SECOND).await,
            }
        };
        let channel = self::channel(&connection).await?;
        lines.add(publish(&channel, b"again").await?);
        Ok(())
    });
    while log.0.borrow().len() < 3 {
        assert!(!sim.step().unwrap());
    }
    sim.crash("rabbit");
    (0..5000).for_each(|_| drop(sim.step()));
    sim.bounce("rabbit");
    sim.run().unwrap();
    assert_eq!(log.take(), ["true", "kept", "ready", "true", "true"]);
}

#[test]
fn a_host_that_crashes_ends_its_lapin_without_a_word() {
    for steps in (1..1500).step_by(147) {
        let mut sim = simulation(7);
        let log = Log::default();
        let lines = log.clone();
        sim.host("app", move || {
            let lines = lines.clone();
            async move {
                let connection = connect().await?;
                let channel = channel(&connection).await?;
                let mut consumer = consume(&channel).await?;
                lines.add(publish(&channel, b"hello").await?);
                lines.add(take(&mut consumer).await?);
                std::future::pending().await
            }
        });
        (0..steps).for_each(|_| drop(sim.step()));
        sim.crash("app");
        log.take();
        (0..300).for_each(|_| drop(sim.step()));
        assert!(log.take().is_empty(), "{steps} steps: a crashed host says nothing");
        sim.bounce("app");
        (0..2000).for_each(|_| drop(sim.step()));
        let lines = log.take();
        assert!(lines.contains(&"hello".to_owned()), "{steps} steps: {lines:?}");
    }
}

#[test]
fn a_wrong_password_a_wrong_host_and_tls_are_errors() {
    let mut sim = simulation(7);
    let log = Log::default();
    let lines = log.clone();
    sim.client("app", async move {
        for (address, uri) in [
            ("rabbit:5672", Some("amqp://guest:wrong@localhost/%2f")),
            ("rabbit:5671", None),
            ("nobody:5672", None),
            ("rabbit:5672", Some("amqps://localhost/%2f")),
        ] {
            let properties = ConnectionProperties::default();
            lines.add(lapin(address, uri, properties).await.unwrap_err());
        }
        Ok(())
    });
    sim.run().unwrap();
    let lines = log.take();
    assert!(lines[0].contains("ACCESS_REFUSED"), "{}", lines[0]);
    assert_eq!(lines[1], "IO error: connection refused");
    assert_eq!(lines[2], "IO error: entity not found");
    assert!(lines[3].contains("no TLS"), "{}", lines[3]);
}

#[test]
fn a_blocking_call_ends_the_run_with_a_sentence() {
    const CHILD: &str = "STUNT_DOUBLE_TEST_CHILD";
    if std::env::var_os(CHILD).is_none() {
        // In a process of its own, which has little patience.
        let this = std::env::current_exe().unwrap();
        let status = std::process::Command::new(this)
            .args(["--exact", "a_blocking_call_ends_the_run_with_a_sentence", "--nocapture"])
            .env(CHILD, "1")
            .env("STUNT_DOUBLE_LAPIN_PATIENCE", "1")
            .status()
            .unwrap();
        return assert!(status.success());
    }
    let mut sim = simulation(7);
    sim.client("app", async {
        connect().await?.run()?;
        Ok(())
    });
    let error = sim.run().unwrap_err().to_string();
    assert!(error.contains("lapin::Connection::run never returns"), "{error}");
}

#[test]
fn lapin_runs_over_the_shim_of_turmoil_net() {
    use turmoil_net::fixture::ClientServer;

    let server = Host::rabbitmq(BrokerOptions::default(), 1);
    let software = async move { server.serve_net().await.unwrap() };
    let taken = ClientServer::new().server("rabbit", software).run("app", async {
        let properties = ConnectionProperties::default();
        let (connecting, driver) = lapin_net("rabbit:5672", None, properties).unwrap();
        let work = async {
            let connection = connecting.await?;
            let channel = channel(&connection).await?;
            assert!(publish(&channel, b"hello").await?);
            let taken = take(&mut consume(&channel).await?).await?;
            connection.close(200, "bye".into()).await?;
            Result::Ok(taken)
        };
        tokio::select! {
            biased;
            taken = work => taken.unwrap(),
            never = driver => match never {},
        }
    });
    assert_eq!(taken, "hello");
}
