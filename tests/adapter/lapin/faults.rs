//! Faults: kills, losses of power, partitions, and a broker that goes down.

use crate::support::{alone, channel, consume, declare, next, publish, take};
use lapin::message::DeliveryResult;
use lapin::{Connection, ConnectionProperties, Result};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Node, Outcome, Sim};

const SECOND: Duration = Duration::from_secs(1);

async fn connect(node: &Node, rabbit: &RabbitMq) -> Result<Connection> {
    rabbit.lapin(node, ConnectionProperties::default()).await
}

/// Writes a note when it is dropped, as a destructor that would speak.
struct Guard(Node);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.note("a destructor spoke");
    }
}

async fn worker(node: Node, rabbit: RabbitMq) -> Result<()> {
    let _guard = Guard(node.clone());
    let connection = connect(&node, &rabbit).await?;
    let channel = channel(&connection).await?;
    declare(&channel, "jobs").await?;
    for number in 0..3_u8 {
        publish(&channel, "jobs", &[number]).await?;
    }
    let mut consumer = consume(&channel, "jobs", "me").await?;
    for _ in 0..3 {
        node.sleep(SECOND).await;
        take(&mut consumer).await?;
    }
    node.sleep(Duration::MAX).await;
    Ok(())
}

#[test]
fn a_kill_at_any_step_says_nothing_and_gives_back_what_was_unacknowledged() {
    for step in 1.. {
        let mut sim = Sim::new(step);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        let node = sim.daemon_with("worker", rabbit.clone(), worker);
        let began = sim.now();
        (0..step).for_each(|_| drop(sim.step()));
        let has_ended = sim.now() > began + SECOND * 4;
        node.kill();
        sim.run_for(SECOND).expect_reached();
        assert_eq!(sim.trace().notes(), "", "step {step}");
        assert!(rabbit.list_connections().is_empty(), "step {step}");
        let unacknowledged: usize =
            rabbit.list_queues().iter().map(|queue| queue.messages_unacknowledged).sum();
        assert_eq!(unacknowledged, 0, "step {step}");
        node.restart();
        sim.run_for(SECOND * 10).expect_reached();
        assert_eq!(rabbit.list_connections().len(), 1, "step {step}: it works again");
        if has_ended {
            return assert!(step > 50, "the sweep reached {step} steps");
        }
    }
}

#[test]
fn a_client_without_power_is_noticed_by_heartbeats() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.daemon_with("worker", rabbit.clone(), worker);
    sim.run_for(SECOND * 600).expect_reached();
    assert_eq!(rabbit.list_connections().len(), 1, "an idle client beats");
    node.lose_power();
    sim.run_for(SECOND * 100).expect_reached();
    assert_eq!(rabbit.list_connections().len(), 1);
    sim.run_for(SECOND * 100).expect_reached();
    assert!(rabbit.list_connections().is_empty(), "it was silent for more than two minutes");
    assert_eq!(sim.trace().notes(), "");
}

#[test]
fn a_partitioned_client_learns_it_by_heartbeats() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.node_with("reader", rabbit.clone(), async |node: Node, rabbit: RabbitMq| {
        let uri = "amqp://localhost/%2f?heartbeat=10";
        let connection = rabbit.lapin_with(&node, uri, ConnectionProperties::default()).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "jobs").await?;
        let mut consumer = consume(&channel, "jobs", "me").await?;
        let error = next(&mut consumer).await.expect("it ends with an error").unwrap_err();
        node.note(error);
        Result::Ok(())
    });
    let link = node.link(&rabbit);
    sim.after(SECOND * 100, move || link.partition());
    sim.run().expect_done();
    assert_eq!(sim.trace().notes(), "  120.000s  reader       IO error: timed out\n");
}

#[test]
fn heartbeats_alone_keep_no_run_going() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.daemon_with("worker", rabbit, worker);
    sim.run().expect_done();
    assert_eq!(sim.now().to_string(), "3.2s", "when the last confirm was there");
}

#[test]
fn a_broker_that_is_not_running_refuses() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    rabbit.stop(Shutdown::Kill);
    sim.node_with("app", rabbit, async |node: Node, rabbit: RabbitMq| {
        let error = connect(&node, &rabbit).await.unwrap_err();
        assert_eq!(error.to_string(), "IO error: connection refused");
    });
    sim.run().expect_done();
}

async fn publisher(node: Node, rabbit: RabbitMq) -> Result<()> {
    let connection = connect(&node, &rabbit).await?;
    let channel = channel(&connection).await?;
    declare(&channel, "jobs").await?;
    for number in 0..20_u8 {
        publish(&channel, "jobs", &[number]).await?;
        node.note("confirmed");
        node.sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

#[test]
fn a_broker_that_crashes_loses_what_it_did_not_confirm_and_nothing_else() {
    for nanos in (0..40_000_000).step_by(1_000_003) {
        let mut sim = Sim::new(nanos);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        sim.node_with("publisher", rabbit.clone(), async |node: Node, rabbit: RabbitMq| {
            // The crash ends it with an error.
            let _ = publisher(node, rabbit).await;
        });
        let broker = rabbit.clone();
        sim.after(Duration::from_nanos(nanos), move || broker.stop(Shutdown::Kill));
        sim.run().expect_done();
        rabbit.start();
        sim.run().expect_done();
        let confirmed = sim.trace().notes().lines().count();
        let kept = rabbit.list_queues().first().map_or(0, |queue| queue.messages_ready);
        assert!(kept >= confirmed, "crash at {nanos} ns: {kept} of {confirmed}");
    }
}

#[test]
fn a_wait_in_vain_is_found_though_heartbeats_go_on() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("app", rabbit, async |node: Node, rabbit: RabbitMq| {
        let connection = connect(&node, &rabbit).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "jobs").await?;
        take(&mut consume(&channel, "jobs", "me").await?).await.map(drop)
    });
    let Outcome::Stuck(stuck) = sim.run() else { panic!("nobody publishes") };
    assert_eq!(stuck.waiting[0].node.as_ref(), "app");
}

#[test]
fn a_paused_node_goes_on_where_it_stopped() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.daemon_with("worker", rabbit.clone(), worker);
    sim.run_for(Duration::from_millis(1500)).expect_reached();
    node.pause();
    sim.run_for(SECOND * 60).expect_reached();
    assert_eq!(rabbit.list_queues()[0].messages(), 2);
    node.resume();
    sim.run_for(SECOND * 10).expect_reached();
    assert_eq!(rabbit.list_queues()[0].messages(), 0);
}

/// Runs a node whose delegate panics at its first delivery after `wait`, and whose connection is
/// closed before that if `closes`. Another node lives on.
fn run_with_a_panicking_delegate(wait: Duration, closes: bool) {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let with = (rabbit, wait, closes);
    sim.node_with("app", with, async |node: Node, (rabbit, wait, closes)| {
        let connection = connect(&node, &rabbit).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "jobs").await?;
        let at = node.clone();
        consume(&channel, "jobs", "me").await?.set_delegate(move |delivery: DeliveryResult| {
            let node = at.clone();
            async move {
                let Ok(Some(delivery)) = delivery else { return };
                node.sleep(wait).await;
                assert_ne!(delivery.data, b"bad", "a delegate panics");
                node.note("handled");
            }
        });
        publish(&channel, "jobs", b"bad").await?;
        publish(&channel, "jobs", b"good").await?;
        if closes {
            connection.close(200, "bye".into()).await?;
        }
        node.sleep(SECOND * 60).await;
        node.note("goes on");
        if closes { Ok(()) } else { connection.close(200, "bye".into()).await }
    });
    sim.node("other", async |node: Node| {
        for _ in 0..100 {
            node.sleep(SECOND).await;
        }
        node.note("done");
    });
    sim.run().expect_done();
    let notes = sim.trace().notes();
    let said: Vec<&str> = notes.lines().map(|line| line[24..].trim()).collect();
    assert_eq!(said, ["handled", "goes on", "done"], "{notes}");
}

#[test]
fn a_panic_of_a_delegate_ends_that_code_alone() {
    run_with_a_panicking_delegate(Duration::ZERO, false);
    run_with_a_panicking_delegate(SECOND, false);
    run_with_a_panicking_delegate(SECOND, true);
}

#[test]
fn a_delegate_that_blocks_ends_the_run_with_a_sentence() {
    if !alone("faults::a_delegate_that_blocks_ends_the_run_with_a_sentence") {
        return;
    }
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("app", rabbit, async |node: Node, rabbit: RabbitMq| {
        let connection = connect(&node, &rabbit).await?;
        let channel = channel(&connection).await?;
        declare(&channel, "jobs").await?;
        consume(&channel, "jobs", "me").await?.set_delegate(async |delivery: DeliveryResult| {
            let Ok(Some(_)) = delivery else { return };
            // It waits for what only its own thread could do.
            std::thread::park();
        });
        publish(&channel, "jobs", b"a").await?;
        node.sleep(SECOND).await;
        Result::Ok(())
    });
    let Outcome::Failed(problem) = sim.run() else { panic!("it blocks") };
    assert!(problem.message.contains("delivery.ack(..).await in place of"), "{problem}");
}

#[test]
fn a_call_that_blocks_the_world_ends_with_a_sentence() {
    if !alone("faults::a_call_that_blocks_the_world_ends_with_a_sentence") {
        return;
    }
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("app", rabbit, async |node: Node, rabbit: RabbitMq| {
        connect(&node, &rabbit).await?.run()
    });
    let Outcome::Failed(problem) = sim.run() else { panic!("it blocks") };
    assert!(
        problem.message.contains("lapin::Connection::run never returns in a world"),
        "{problem}"
    );
}

#[test]
fn a_closed_connection_leaves_nothing_that_waits() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("app", rabbit, async |node: Node, rabbit: RabbitMq| {
        for uri in ["amqp://localhost/%2f", "amqp://guest:wrong@localhost/%2f"] {
            if let Ok(connection) = rabbit.lapin_with(&node, uri, Default::default()).await {
                connection.close(200, "bye".into()).await?;
            }
        }
        node.sleep(Duration::MAX).await;
        Result::Ok(())
    });
    let Outcome::Stuck(stuck) = sim.run() else { panic!("it sleeps forever") };
    let waiting: Vec<String> = stuck.waiting.iter().map(ToString::to_string).collect();
    assert_eq!(waiting, ["app: a time that never comes"]);
}
