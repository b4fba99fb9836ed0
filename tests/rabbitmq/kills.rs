//! Clients that die. What their destructors would send is not sent, and what they held returns, at
//! once or when the broker notices.

use std::time::Duration;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, Connection, ConnectionOptions, ConsumeOptions, Delivery, Error,
    FieldTable, Properties, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Chaos, Disconnected, Latency, Node, Outcome, Sim, seeds};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Acknowledges its task and closes the connection when it is dropped, as code does that relies on
/// its destructors.
struct Guard {
    task: Option<Delivery>,
    channel: Channel,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            let _ = task.ack();
        }
        let _ = self.channel.basic_publish("", "tasks", Properties::default(), "goodbye");
    }
}

async fn guarded(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("tasks", QueueOptions::default()).await?;
    channel.basic_publish("", "tasks", Properties::default(), "work")?;
    let mut tasks = channel.basic_consume("tasks", ConsumeOptions::default()).await?;
    let task = tasks.next().await.expect("the consumer is not cancelled")?;
    let _guard = Guard { task: Some(task), channel };
    node.sleep(Duration::from_secs(60)).await;
    Ok(())
}

#[test]
fn a_guard_that_acknowledges_when_it_is_dropped_loses_no_task_of_a_killed_worker() {
    for pause in [false, true] {
        let mut sim = Sim::new(1);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        let node = sim.node_with("worker", rabbit.clone(), guarded);
        sim.run_for(Duration::from_secs(1)).expect_reached();
        if pause {
            node.pause();
        }
        node.kill();
        sim.run().expect_done();
        assert_eq!(rabbit.messages_ready("tasks"), Some(1));
        let transcript = sim.trace().transcript();
        let after = transcript.split("killed").nth(1).expect("it was killed");
        assert!(after.contains("disconnected from worker"), "{after}");
        for word in ["basic.ack", "basic.publish", "basic.cancel", "channel.close", "goodbye"] {
            assert!(!after.contains(word), "{word} after the kill: {after}");
        }
    }
}

#[test]
fn a_guard_of_an_exiting_worker_acknowledges() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("worker", rabbit.clone(), guarded);
    sim.run().expect_done();
    assert_eq!(rabbit.messages_ready("tasks"), Some(1), "the goodbye");
    assert_eq!(rabbit.peek("/", "tasks", 1).unwrap()[0].message.body(), "goodbye");
}

/// Consumes with a prefetch count of five and records deliveries; settles nothing if `holds`.
async fn consumer(
    node: Node,
    (rabbit, arguments, holds): (RabbitMq, FieldTable, bool),
) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    let options = QueueOptions { durable: true, arguments, ..Default::default() };
    channel.queue_declare("q", options).await?;
    channel.basic_qos(5, false).await?;
    let mut tasks = channel.basic_consume("q", ConsumeOptions::default()).await?;
    let mut held = Vec::new();
    while let Some(task) = tasks.next().await {
        let task = task?;
        let mark = if task.redelivered() { "r" } else { "" };
        node.note(format_args!("{}{mark}", task.text()));
        if holds { held.push(task) } else { task.ack()? }
    }
    Ok(())
}

#[test]
fn a_killed_single_active_consumer_hands_over_its_backlog_in_order() {
    for kind in ["classic", "quorum"] {
        let arguments =
            FieldTable::new().with("x-queue-type", kind).with("x-single-active-consumer", true);
        let mut sim = Sim::new(1);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        let first = (rabbit.clone(), arguments.clone(), true);
        let first = sim.daemon_with("first", first, consumer);
        sim.run_for(ms(10)).expect_reached();
        sim.daemon_with("second", (rabbit.clone(), arguments, false), consumer);
        sim.node_with("publisher", rabbit.clone(), async |node, rabbit| {
            let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
            for n in 0..8 {
                channel.basic_publish("", "q", Properties::default(), n.to_string())?;
            }
            channel.close().await
        });
        sim.run_for(ms(10)).expect_reached();
        first.kill();
        sim.run().expect_done();
        let trace = sim.trace();
        let second = trace.note_events().filter(|event| &*event.who == "second");
        let heard: Vec<String> = second.map(|event| event.kind.to_string()).collect();
        assert_eq!(heard.join(" "), "0r 1r 2r 3r 4r 5 6 7", "{kind}");
    }
}

fn heartbeats() -> ConnectionOptions {
    ConnectionOptions { heartbeat: Duration::from_secs(10), ..Default::default() }
}

async fn owner(node: Node, (rabbit, options): (RabbitMq, ConnectionOptions)) -> Result<(), Error> {
    let channel = Connection::connect_with(&node, &rabbit, options).await?.channel().await?;
    let exclusive = QueueOptions { exclusive: true, ..Default::default() };
    match channel.queue_declare("mine", exclusive).await {
        Ok(_) => node.note("declared"),
        Err(error) => node.note(format_args!("{}", error.amqp().expect("the broker's").code)),
    }
    node.sleep(Duration::MAX).await;
    Ok(())
}

#[test]
fn an_exclusive_queue_of_a_machine_without_power_stays_locked_until_heartbeats_are_missed() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let dead = sim.daemon_with("dead", (rabbit.clone(), heartbeats()), owner);
    let next = sim.daemon_with("next", (rabbit, heartbeats()), owner);
    next.kill();
    sim.run_for(Duration::from_secs(60)).expect_reached();
    dead.lose_power();
    next.restart();
    sim.run_for(Duration::from_secs(15)).expect_reached();
    assert!(
        sim.trace().notes().ends_with("next         405 RESOURCE_LOCKED\n"),
        "{}",
        sim.trace().notes()
    );
    // Between two and three intervals after the last traffic.
    sim.run_for(Duration::from_secs(16)).expect_reached();
    next.restart();
    sim.run_for(Duration::from_secs(1)).expect_reached();
    assert!(sim.trace().notes().ends_with("next         declared\n"), "{}", sim.trace().notes());
}

#[test]
fn without_heartbeats_the_broker_holds_a_vanished_clients_deliveries_forever() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let none = ConnectionOptions { heartbeat: Duration::ZERO, ..Default::default() };
    let dead = sim.daemon_with("dead", (rabbit.clone(), none), owner);
    sim.run_for(Duration::from_secs(60)).expect_reached();
    dead.lose_power();
    sim.run_for(Duration::from_secs(86_400)).expect_reached();
    assert_eq!(rabbit.list_connections().len(), 1);
    assert_eq!(rabbit.list_queues().len(), 1);
}

#[test]
fn a_rebooted_client_is_reset_at_the_brokers_next_heartbeat() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.daemon_with("node", (rabbit.clone(), heartbeats()), owner);
    sim.run_for(Duration::from_secs(60)).expect_reached();
    node.lose_power();
    node.restart();
    sim.run_for(ms(100)).expect_reached();
    assert!(
        sim.trace().notes().ends_with("node         405 RESOURCE_LOCKED\n"),
        "by its earlier self"
    );
    assert_eq!(rabbit.list_connections().len(), 2);
    sim.run_for(Duration::from_secs(6)).expect_reached();
    assert_eq!(
        rabbit.list_connections().len(),
        1,
        "the broker's heartbeat was answered by a reset"
    );
}

#[test]
fn a_consumer_behind_a_black_hole_gives_up_by_its_heartbeats_and_the_broker_by_its_own() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let with = rabbit.clone();
    let node = sim.node_with("waiter", with, async |node, rabbit| {
        let channel =
            Connection::connect_with(&node, &rabbit, heartbeats()).await?.channel().await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        let mut tasks = channel.basic_consume("q", ConsumeOptions::default()).await?;
        let ended = tasks.next().await.expect("it ends with an error").unwrap_err();
        assert_eq!(ended, Error::Disconnected(Disconnected::TimedOut));
        Ok::<(), Error>(())
    });
    sim.run_for(Duration::from_secs(60)).expect_reached();
    node.link(&rabbit).blackhole();
    sim.run_for(Duration::from_secs(31)).expect_reached();
    assert!(!node.is_alive());
    assert_eq!(rabbit.list_consumers(), []);
}

#[test]
fn a_publisher_that_a_memory_alarm_blocks_is_stuck_and_told_why() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    rabbit.set_alarm(rabbitmq::admin::Alarm::Memory, true);
    let node = sim.node_with("publisher", rabbit.clone(), async |node, rabbit| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("q", QueueOptions::default()).await?;
        channel.confirm_select().await?;
        channel.basic_publish("", "q", Properties::default(), "x")?;
        channel.wait_for_confirms().await.map(drop)
    });
    node.link(&rabbit).set_latency(Latency::Constant(ms(1)));
    let Outcome::Stuck(stuck) = sim.run() else { panic!("no confirm comes") };
    assert_eq!(
        stuck.waiting[0].to_string(),
        "publisher: publisher confirms (the broker has blocked it: low on memory)"
    );
}

#[test]
fn an_answer_that_nobody_awaits_is_marked_in_the_trace() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.node_with("hasty", rabbit.clone(), async |node, rabbit| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        let declared = channel.queue_declare("q", QueueOptions::default());
        assert!(node.timeout(ms(5), declared).await.is_err());
        node.sleep(ms(100)).await;
        Ok::<(), Error>(())
    });
    node.link(&rabbit).set_latency(Latency::Constant(ms(10)));
    sim.run().expect_done();
    let transcript = sim.trace().transcript();
    let line = "hasty        nobody waited for that answer of rabbitmq";
    assert_eq!(transcript.matches(line).count(), 1, "{transcript}");
}

/// Works on one task: acknowledges it and publishes its result, or the other way round. It waits
/// nowhere in between.
async fn work(node: Node, rabbit: RabbitMq, ack_first: bool) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("results", QueueOptions::default()).await?;
    let mut tasks = channel.basic_consume("tasks", ConsumeOptions::default()).await?;
    let task = tasks.next().await.expect("the consumer is not cancelled")?;
    let publish = || channel.basic_publish("", "results", Properties::default(), "done");
    if ack_first {
        task.ack()?;
        publish()?;
    } else {
        publish()?;
        task.ack()?;
    }
    node.sleep(ms(1)).await;
    Ok(())
}

#[test]
fn a_worker_may_die_between_its_acknowledgement_and_its_publish() {
    let sweep = |ack_first: bool| {
        seeds(0..1_000, move |sim: &mut Sim| {
            let rabbit = rabbitmq::start(sim, BrokerOptions::default());
            sim.node_with("shop", rabbit.clone(), async |node, rabbit| {
                let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
                channel.queue_declare("tasks", QueueOptions::default()).await?;
                channel.basic_publish("", "tasks", Properties::default(), "work")?;
                Ok::<_, Error>(())
            });
            sim.run().expect_done();
            let node = sim.node_with("worker", rabbit.clone(), move |node, rabbit| {
                work(node, rabbit, ack_first)
            });
            let plan = Chaos::new().kill_for_good(&node);
            plan.run_then_heal(sim, Duration::from_secs(10)).expect_done();
            let left = ["tasks", "results"].map(|queue| rabbit.messages_ready(queue).unwrap_or(0));
            assert_ne!(left, [0, 0], "the task is gone, and there is no result");
        })
    };
    let found = sweep(true);
    let account = found.account.as_deref().unwrap_or_else(|| panic!("{found}"));
    let words = account.decisive().map(|decision| decision.choice.told()).unwrap_or_default();
    assert!(
        words.starts_with("worker killed for good, as worker sent rabbitmq basic.ack"),
        "{words}"
    );
    sweep(false).expect_none();
}
