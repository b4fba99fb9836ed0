//! Heartbeats in virtual time: either end considers a silent peer dead.

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::broker::{ChannelId, ConnectionId, Method};
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConnectionOptions, ConsumeOptions, Error, Properties,
    QueueOptions, RabbitMq,
};
use stunt_double::sim::{Disconnected, Node, Sim};

const BEATING: ChannelId = ChannelId::new(7, 0);

fn options() -> ConnectionOptions {
    ConnectionOptions { heartbeat: Duration::from_secs(10), ..Default::default() }
}

fn server() -> Server {
    let mut server = Server::new();
    let said = server.send(BEATING, Method::ConnectionOpen(Box::new(options())));
    assert_eq!(said, ["7/0 connection.open-ok"]);
    server
}

#[test]
fn an_idle_broker_beats_every_half_timeout_and_hangs_up_between_two_and_three_timeouts() {
    let mut server = server();
    assert!(server.wait(Duration::from_millis(4_999)).is_empty());
    assert_eq!(server.wait(Duration::from_millis(1)), ["7/0 heartbeat"]);
    let rest = server.wait(Duration::from_secs(25));
    assert!(server.broker.has_connection(ConnectionId(1)), "others are not touched");
    assert!(!server.broker.has_connection(BEATING.connection));
    assert_eq!(rest.last().map(String::as_str), Some("7/0 connection lost: no heartbeat"));
    assert!(rest.len() <= 5, "{rest:?}");
}

#[test]
fn the_first_heartbeat_goes_out_at_half_the_timeout_whatever_was_sent_before() {
    let channel = ChannelId::new(7, 1);
    let mut server = server();
    server.wait(Duration::from_secs(3));
    assert_eq!(server.send(channel, Method::ChannelOpen), ["7/1 channel.open-ok"]);
    assert_eq!(server.wait(Duration::from_secs(2)), ["7/0 heartbeat"]);
    // After the first heartbeat, anything sent since the last check replaces one.
    server.send(channel, Method::ConfirmSelect { no_wait: false });
    assert!(server.wait(Duration::from_secs(5)).is_empty());
    assert_eq!(server.wait(Duration::from_secs(5)), ["7/0 heartbeat"]);
}

#[test]
fn input_after_the_broker_has_given_up_is_ignored() {
    let ch = ChannelId::new(7, 1);
    let takes =
        |server: &Server, method: &Method| server.broker.takes(ch.connection, ch.number, method);
    let mut server = server();
    server.send(ch, Method::ChannelOpen);
    assert!(takes(&server, &Method::TxSelect));
    // The broker closes the channel. From then on only the answer to the close counts as traffic.
    let purge = Method::QueuePurge { queue: "none".into(), no_wait: false };
    assert_eq!(server.send(ch, purge).len(), 1);
    assert!(!takes(&server, &Method::TxSelect));
    assert!(takes(&server, &Method::ChannelCloseOk));
    server.wait(Duration::from_secs(60));
    assert!(!takes(&server, &Method::ChannelCloseOk), "the connection is given up");
    assert!(takes(&server, &Method::ConnectionOpen(Box::default())));
}

#[test]
fn a_client_that_sends_heartbeats_stays_connected() {
    let mut server = server();
    for _ in 0..20 {
        server.wait(Duration::from_secs(10));
        server.send(BEATING, Method::Heartbeat);
    }
    assert!(server.broker.has_connection(BEATING.connection));
}

async fn worker(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let connection = Connection::connect_with(&node, &rabbit, options()).await?;
    let channel = connection.channel().await?;
    channel.queue_declare("tasks", QueueOptions::default()).await?;
    let mut tasks = channel.basic_consume("tasks", ConsumeOptions::default()).await?;
    while let Some(task) = tasks.next().await {
        let task = task?;
        node.sleep(Duration::from_secs(600)).await;
        task.ack()?;
    }
    Ok(())
}

async fn client(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("tasks", QueueOptions::default()).await?;
    channel.basic_publish("", "tasks", Properties::default(), "ten minutes of work")?;
    channel.close().await
}

fn world() -> (Sim, RabbitMq, Node) {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("client", rabbit.clone(), client);
    let worker = sim.daemon_with("worker", rabbit.clone(), worker);
    (sim, rabbit, worker)
}

#[test]
fn a_busy_client_of_the_world_answers_by_itself() {
    let (mut sim, rabbit, _) = world();
    sim.run_for(Duration::from_secs(601)).expect_reached();
    assert_eq!(rabbit.messages_ready("tasks"), Some(0));
    assert_eq!(rabbit.messages_unacknowledged("tasks"), Some(0), "it was acknowledged");
    // Heartbeats continue forever, but do not keep the world running.
    sim.run().expect_done();
}

#[test]
fn a_task_behind_a_partition_goes_to_the_next_when_the_heartbeats_are_missed() {
    let (mut sim, rabbit, worker) = world();
    sim.run_for(Duration::from_secs(60)).expect_reached();
    worker.link(&rabbit).partition();
    sim.run_for(Duration::from_secs(19)).expect_reached();
    assert_eq!(rabbit.messages_unacknowledged("tasks"), Some(1));
    sim.run_for(Duration::from_secs(12)).expect_reached();
    assert_eq!(rabbit.messages_ready("tasks"), Some(1), "the broker has given it up");
}

#[test]
fn the_broker_considers_a_paused_process_dead() {
    let (mut sim, rabbit, worker) = world();
    sim.run_for(Duration::from_secs(60)).expect_reached();
    worker.pause();
    sim.run_for(Duration::from_secs(31)).expect_reached();
    assert_eq!(rabbit.messages_ready("tasks"), Some(1));
}

/// Waits for a task, and records when and why the wait ended.
async fn waiter(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let connection = Connection::connect_with(&node, &rabbit, options()).await?;
    let channel = connection.channel().await?;
    channel.queue_declare("tasks", QueueOptions::default()).await?;
    let mut tasks = channel.basic_consume("tasks", ConsumeOptions::default()).await?;
    let error = tasks.next().await.expect("it ends with an error").unwrap_err();
    assert_eq!(error, Error::Disconnected(Disconnected::TimedOut));
    assert_eq!(connection.closed().await, error);
    let publish = channel.basic_publish("", "tasks", Properties::default(), "");
    assert_eq!(publish.unwrap_err(), error, "whoever uses it hears why");
    node.note(format!("given up at {}", node.now()));
    drop((tasks, channel, connection));
    // A robust client reconnects, which waits for the link.
    Connection::connect_with(&node, &rabbit, options()).await?.close().await
}

/// A waiter behind a partition, whose last heartbeat arrived after 60 seconds.
fn partitioned_waiter() -> (Sim, RabbitMq, Node) {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.node_with("waiter", rabbit.clone(), waiter);
    sim.run_for(Duration::from_secs(61)).expect_reached();
    node.link(&rabbit).partition();
    (sim, rabbit, node)
}

#[test]
fn a_client_that_misses_the_brokers_heartbeats_gives_up() {
    let (mut sim, rabbit, node) = partitioned_waiter();
    sim.run_for(Duration::from_secs(18)).expect_reached();
    assert_eq!(rabbit.list_consumers().len(), 1);
    assert!(!sim.trace().notes().contains("given up"));
    sim.run_for(Duration::from_secs(60)).expect_reached();
    assert!(sim.trace().notes().contains("given up at 80"), "{}", sim.trace().notes());
    node.link(&rabbit).heal();
    sim.run().expect_done();
    assert_eq!(rabbit.list_consumers(), []);
}

#[test]
fn a_client_gives_up_on_a_broker_that_dies_behind_a_partition() {
    let (mut sim, rabbit, node) = partitioned_waiter();
    rabbit.crash();
    sim.run_for(Duration::from_secs(60)).expect_reached();
    assert!(sim.trace().notes().contains("given up at 80"), "{}", sim.trace().notes());
    rabbit.start();
    node.link(&rabbit).heal();
    sim.run().expect_done();
}

#[test]
fn a_paused_client_gives_up_when_it_resumes() {
    let (mut sim, rabbit, node) = partitioned_waiter();
    node.pause();
    sim.run_for(Duration::from_secs(120)).expect_reached();
    assert!(!sim.trace().notes().contains("given up"));
    node.resume();
    sim.run_for(Duration::from_secs(2)).expect_reached();
    assert!(sim.trace().notes().contains("given up at 18"), "{}", sim.trace().notes());
    node.link(&rabbit).heal();
    sim.run().expect_done();
}

#[test]
fn a_client_that_receives_anything_does_not_give_up() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.daemon_with("waiter", rabbit.clone(), waiter);
    sim.run_for(Duration::from_secs(3_600)).expect_reached();
    node.link(&rabbit).partition();
    sim.run_for(Duration::from_secs(10)).expect_reached();
    node.link(&rabbit).heal();
    sim.run_for(Duration::from_secs(3_600)).expect_reached();
    assert_eq!(rabbit.list_consumers().len(), 1);
}

#[test]
fn a_node_that_never_acknowledges_hears_of_it_after_half_an_hour() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("forgetful", rabbit.clone(), async |node, rabbit| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("tasks", QueueOptions::default()).await?;
        channel.basic_publish("", "tasks", Properties::default(), "forgotten")?;
        let mut tasks = channel.basic_consume("tasks", ConsumeOptions::default()).await?;
        let _task = tasks.next().await.unwrap()?;
        // It waits for another delivery, which never arrives; nothing else happens.
        let error = tasks.next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("delivery acknowledgement on channel 1 timed out"));
        assert_eq!(node.now().since_start(), Duration::from_secs(30 * 60));
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
    assert_eq!(rabbit.messages_ready("tasks"), Some(1));
}

#[test]
fn a_node_that_waits_in_vain_is_stuck_in_spite_of_heartbeats() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("patient", rabbit, async |node, rabbit| {
        let connection = Connection::connect_with(&node, &rabbit, options()).await?;
        let channel = connection.channel().await?;
        channel.queue_declare("empty", QueueOptions::default()).await?;
        let mut tasks = channel.basic_consume("empty", ConsumeOptions::default()).await?;
        tasks.next().await.transpose().map(drop)
    });
    let outcome = sim.run();
    assert!(outcome.to_string().contains("patient"), "{outcome}");
    assert!(sim.now().since_start() <= Duration::from_secs(86_400));
}
