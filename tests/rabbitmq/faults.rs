//! The client and the broker in a world with faults.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, Connection, ConsumeOptions, Delivery, Error, Properties, Publish,
    QueueOptions, RabbitMq,
};
use stunt_double::sim::{
    Config, Disconnected, Latency, Node, Seeds, Sim, Strategy, check_determinism,
};
use stunt_double::{Instant, Site};

const WHEN: Site = Site::new("test.when");

async fn open(node: &Node, rabbit: &RabbitMq) -> Result<Channel, Error> {
    let channel = Connection::connect(node, rabbit).await?.channel().await?;
    let durable = QueueOptions { durable: true, ..Default::default() };
    channel.queue_declare("tasks", durable).await?;
    Ok(channel)
}

/// Takes tasks that last a second each, and records them when they are done.
async fn worker(node: Node, rabbit: RabbitMq, done: Arc<Mutex<Vec<String>>>) -> Result<(), Error> {
    let channel = open(&node, &rabbit).await?;
    channel.basic_qos(1, false).await?;
    let mut tasks = channel.basic_consume("tasks", ConsumeOptions::default()).await?;
    while let Some(Ok(task)) = tasks.next().await {
        node.sleep(Duration::from_secs(1)).await;
        done.lock().unwrap().push(task.text());
        let _ = task.ack();
    }
    Ok(())
}

async fn publish(node: Node, rabbit: RabbitMq, count: usize) -> Result<(), Error> {
    let channel = open(&node, &rabbit).await?;
    channel.confirm_select().await?;
    for i in 0..count {
        let properties = Properties::default().persistent();
        channel.basic_publish_with(Publish {
            properties,
            ..Publish::new("", "tasks", i.to_string())
        })?;
    }
    channel.wait_for_confirms().await?;
    channel.close().await
}

struct Shop {
    rabbit: RabbitMq,
    workers: Vec<Node>,
    done: Arc<Mutex<Vec<String>>>,
}

/// A broker, five tasks, and workers on slow links.
fn shop(sim: &mut Sim, workers: &[&str]) -> Shop {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let done = Arc::new(Mutex::new(Vec::new()));
    let server = rabbit.clone();
    sim.node("publisher", move |node| publish(node, server.clone(), 5));
    let workers = workers.iter().map(|name| {
        let (server, log) = (rabbit.clone(), Arc::clone(&done));
        let node = sim.daemon(name, move |node| worker(node, server.clone(), Arc::clone(&log)));
        let (min, mean) = (Duration::from_micros(100), Duration::from_millis(1));
        node.link(&rabbit).set_latency(Latency::Exponential { min, mean });
        node
    });
    Shop { workers: workers.collect(), rabbit, done }
}

#[test]
fn no_task_is_lost_whenever_workers_die() {
    let sweep = Seeds::new(0..200).with_strategy(Strategy::Random).run(|sim| {
        let shop = shop(sim, &["worker-1", "worker-2"]);
        for (i, worker) in shop.workers.iter().enumerate() {
            let moment = Duration::from_nanos(sim.choose(WHEN, i as u64, 6_000_000_000));
            let (victim, heir) = (worker.clone(), worker.clone());
            sim.after(moment, move || victim.kill());
            sim.after(moment + Duration::from_millis(700), move || heir.restart());
        }
        sim.run().expect_done();
        let done: BTreeSet<String> = shop.done.lock().unwrap().iter().cloned().collect();
        assert_eq!(done.len(), 5, "done: {done:?}");
        assert_eq!(shop.rabbit.messages_ready("tasks"), Some(0));
    });
    assert_eq!(sweep.ran, 200);
    sweep.expect_none();
}

#[test]
fn nothing_confirmed_is_lost_whenever_the_broker_loses_power() {
    let sweep = Seeds::new(0..200).run(|sim| {
        let options = BrokerOptions::default().with_sync_time(Duration::from_millis(2));
        let rabbit = rabbitmq::start(sim, options);
        let confirmed = Arc::new(Mutex::new(BTreeSet::new()));
        let (server, log) = (rabbit.clone(), Arc::clone(&confirmed));
        let publisher = sim.node("publisher", move |node| {
            let (server, log) = (server.clone(), Arc::clone(&log));
            async move {
                let channel = open(&node, &server).await?;
                channel.confirm_select().await?;
                for i in 0..100 {
                    let properties = Properties::default().persistent();
                    let publish =
                        Publish { properties, ..Publish::new("", "tasks", i.to_string()) };
                    let Ok(confirm) = channel.publish(publish) else { break };
                    let log = Arc::clone(&log);
                    node.spawn(async move {
                        if confirm.await.is_ok() {
                            log.lock().unwrap().insert(i.to_string());
                        }
                    });
                    node.sleep(Duration::from_micros(500)).await;
                }
                node.sleep(Duration::from_millis(10)).await;
                Ok::<(), Error>(())
            }
        });
        let max = Duration::from_millis(1);
        publisher.link(&rabbit).set_latency(Latency::Uniform { min: Duration::ZERO, max });
        let moment = Duration::from_nanos(20_000_000 + sim.choose(WHEN, 0, 60_000_000));
        let server = rabbit.clone();
        sim.after(moment, move || server.stop(Shutdown::PowerLoss));
        sim.run().expect_done();
        rabbit.start();

        let survivors = Arc::new(Mutex::new(BTreeSet::new()));
        let log = Arc::clone(&survivors);
        sim.node("auditor", move |node| {
            let (server, log) = (rabbit.clone(), Arc::clone(&log));
            async move {
                let channel = open(&node, &server).await?;
                while let Some(task) = channel.basic_get("tasks", true).await? {
                    log.lock().unwrap().insert(task.text());
                }
                Ok::<(), Error>(())
            }
        });
        sim.run().expect_done();
        let (confirmed, survivors) = (confirmed.lock().unwrap(), survivors.lock().unwrap());
        assert!(confirmed.is_subset(&survivors), "{:?}", confirmed.difference(&survivors));
    });
    sweep.expect_none();
}

#[test]
fn a_partitioned_worker_keeps_its_task_and_acks_when_it_heals() {
    let mut sim = Sim::new(1);
    let shop = shop(&mut sim, &["worker"]);
    let link = shop.workers[0].link(&shop.rabbit);
    link.set_latency(Latency::Constant(Duration::ZERO));
    let healer = link.clone();
    sim.after(Duration::from_millis(500), move || link.partition());
    sim.after(Duration::from_secs(60), move || healer.heal());
    sim.run_for(Duration::from_secs(59)).expect_reached();
    let row = shop.rabbit.list_queues().remove(0);
    assert_eq!((row.messages_ready, row.messages_unacknowledged), (4, 1));
    sim.run().expect_done();
    assert_eq!(shop.done.lock().unwrap().len(), 5);
    assert_eq!(sim.now(), Instant::ZERO + Duration::from_secs(64) + Duration::from_millis(200));
}

#[test]
fn a_severed_worker_sees_a_reset_and_its_task_goes_back() {
    let mut sim = Sim::new(1);
    let shop = shop(&mut sim, &["worker"]);
    let link = shop.workers[0].link(&shop.rabbit);
    sim.after(Duration::from_millis(500), move || link.sever());
    sim.run().expect_done();
    assert_eq!(shop.rabbit.messages_ready("tasks"), Some(5));
    assert!(!shop.workers[0].is_alive(), "its consumer failed, and it ended");
}

#[test]
fn clients_get_a_close_in_a_clean_stop_and_only_a_reset_in_a_kill() {
    for how in [Shutdown::Clean, Shutdown::Kill] {
        let mut sim = Sim::new(1);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        let server = rabbit.clone();
        let heard = Arc::new(Mutex::new(None));
        let log = Arc::clone(&heard);
        sim.node("client", move |node| {
            let (server, log) = (server.clone(), Arc::clone(&log));
            async move {
                let connection = Connection::connect(&node, &server).await?;
                *log.lock().unwrap() = Some(connection.closed().await);
                Ok::<(), Error>(())
            }
        });
        sim.after(Duration::from_secs(1), move || rabbit.stop(how));
        sim.run().expect_done();
        let heard = heard.lock().unwrap().take().expect("it ended");
        match how {
            Shutdown::Clean => assert_eq!(heard.amqp().unwrap().code.number(), 320),
            _ => assert_eq!(heard, Error::Disconnected(Disconnected::Reset)),
        }
    }
}

#[test]
fn two_runs_are_identical() {
    for strategy in
        [Strategy::Fifo, Strategy::Random, Strategy::Pct { depth: 3, moments: Some(500) }]
    {
        let config = Config::new(7).with_strategy(strategy);
        let ran = check_determinism(config, |sim| {
            let shop = shop(sim, &["worker-1", "worker-2"]);
            let victim = shop.workers[0].clone();
            sim.after(Duration::from_millis(1_500), move || victim.kill());
            sim.run().expect_done();
        });
        let digest = ran.unwrap_or_else(|difference| panic!("{strategy:?}: {difference}"));
        assert!(digest.count > 50);
    }
}

#[test]
fn the_digest_distinguishes_messages_that_differ_in_one_property() {
    let digest = |id: &'static str| {
        let mut sim = Sim::new(1);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        sim.node_with("a", (rabbit, id), async |node, (rabbit, id)| {
            let channel = open(&node, &rabbit).await?;
            channel.basic_publish("", "tasks", Properties::default().with_message_id(id), "m")?;
            channel.close().await
        });
        sim.run().expect_done();
        sim.digest()
    };
    assert_eq!(digest("one"), digest("one"));
    assert_ne!(digest("one"), digest("two"));
}

#[test]
fn another_seed_is_another_schedule_under_the_random_strategy_only() {
    let digest = |seed, strategy| {
        let mut sim = Sim::with_config(Config::new(seed).with_strategy(strategy));
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        for name in ["a", "b", "c"] {
            let server = rabbit.clone();
            sim.node(name, move |node| publish(node, server.clone(), 5));
        }
        sim.run().expect_done();
        sim.digest()
    };
    assert_eq!(digest(1, Strategy::Fifo), digest(2, Strategy::Fifo));
    assert_ne!(digest(1, Strategy::Random), digest(2, Strategy::Random));
}

#[test]
fn a_recorded_run_replays_from_its_tape() {
    let run = |config: Config| {
        let mut sim = Sim::with_config(config);
        let shop = shop(&mut sim, &["worker-1", "worker-2"]);
        let victim = shop.workers[0].clone();
        let moment = Duration::from_nanos(sim.choose(WHEN, 0, 4_000_000_000));
        sim.after(moment, move || victim.kill());
        sim.run().expect_done();
        (sim.digest(), sim.tape())
    };
    let (digest, tape) = run(Config::new(5).with_strategy(Strategy::Random).with_recording());
    assert!(tape.len() > 20);
    let (again, _) = run(Config::new(99).with_strategy(Strategy::Random).with_tape(tape));
    assert_eq!(digest, again, "the tape decides, not the seed");
}

/// A durable quorum queue that publishes its dead letters at least once, to this queue.
fn at_least_once(dead_letter_queue: &str) -> QueueOptions {
    let mut options = QueueOptions { durable: true, ..QueueOptions::default() };
    for (name, value) in [
        ("x-queue-type", "quorum"),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-overflow", "reject-publish"),
        ("x-dead-letter-exchange", ""),
        ("x-dead-letter-routing-key", dead_letter_queue),
    ] {
        options.arguments.insert(name, value);
    }
    options
}

fn persistent(queue: &'static str, body: &'static str) -> Publish {
    Publish { properties: Properties::default().persistent(), ..Publish::new("", queue, body) }
}

/// A dead letter that is published at least once is in one of the two queues at any moment, even if
/// other confirms have put its own queue on disk.
#[test]
fn a_power_loss_finds_an_at_least_once_dead_letter_in_either_queue() {
    for wait in [0_u64, 1, 10, 100, 300] {
        let mut sim = Sim::new(1);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        sim.node_with("client", (rabbit.clone(), wait), async |node, (rabbit, wait)| {
            let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
            let queue = at_least_once;
            channel.queue_declare("orders", queue("later")).await?;
            channel.queue_declare("later", queue("orders")).await?;
            channel.confirm_select().await?;
            assert!(channel.publish(persistent("orders", "first"))?.await?.is_ack());
            let first = channel.basic_get("orders", false).await?.expect("it is there");
            first.nack(false)?;
            assert!(channel.publish(persistent("orders", "second"))?.await?.is_ack());
            node.sleep(Duration::from_millis(wait)).await;
            rabbit.lose_power();
            rabbit.start();
            let left = rabbit.messages_ready("orders").zip(rabbit.messages_ready("later"));
            assert!(left == Some((1, 1)) || left == Some((2, 1)), "after {wait} ms: {left:?}");
            Ok::<(), Error>(())
        });
        sim.run().expect_done();
    }
}

const SYNC: Duration = Duration::from_millis(50);

/// Declares `orders`, whose dead letters go to `later`, and leaves one delivered message in it.
async fn one_delivered(node: &Node, rabbit: &RabbitMq) -> Result<(Channel, Delivery), Error> {
    let channel = Connection::connect(node, rabbit).await?.channel().await?;
    channel.queue_declare("orders", at_least_once("later")).await?;
    let later = QueueOptions { durable: true, ..QueueOptions::default() };
    channel.queue_declare("later", later).await?;
    channel.confirm_select().await?;
    assert!(channel.publish(persistent("orders", "first"))?.await?.is_ack());
    let first = channel.basic_get("orders", false).await?.expect("it is there");
    Ok((channel, first))
}

fn slow_disk(sim: &mut Sim) -> RabbitMq {
    rabbitmq::start(sim, BrokerOptions::default().with_sync_time(SYNC))
}

/// A dead letter takes part in the syncs of the queue it goes to; it does not hasten them.
#[test]
fn a_dead_letter_confirms_no_other_publish_early() {
    let mut sim = Sim::new(1);
    let rabbit = slow_disk(&mut sim);
    sim.node_with("client", rabbit, async |node, rabbit| {
        let (channel, first) = one_delivered(&node, &rabbit).await?;
        let began = node.now();
        let unrelated = channel.publish(persistent("later", "unrelated"))?;
        node.sleep(SYNC / 5).await;
        first.nack(false)?;
        assert!(unrelated.await?.is_ack());
        assert_eq!(node.now().saturating_duration_since(began), SYNC);
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
}

/// On a slow disk a dead letter passes from one queue to the other by way of both.
#[test]
fn a_power_loss_finds_an_at_least_once_dead_letter_where_its_journal_is() {
    for (milliseconds, expected) in [(10, (1, 0)), (100, (1, 1)), (1_000, (0, 1))] {
        let mut sim = Sim::new(1);
        let rabbit = slow_disk(&mut sim);
        sim.node_with("client", (rabbit, milliseconds), async |node, (rabbit, milliseconds)| {
            let (_channel, first) = one_delivered(&node, &rabbit).await?;
            first.nack(false)?;
            node.sleep(Duration::from_millis(milliseconds)).await;
            rabbit.lose_power();
            rabbit.start();
            let left = rabbit.messages_ready("orders").zip(rabbit.messages_ready("later"));
            node.note(format!("{left:?}"));
            Ok::<(), Error>(())
        });
        sim.run().expect_done();
        let notes = sim.trace().notes();
        assert!(notes.contains(&format!("{:?}", Some(expected))), "{milliseconds} ms: {notes}");
    }
}

/// The disk knows that the message has left its queue, but not yet that it is in the other one.
#[test]
fn a_power_loss_between_the_two_syncs_publishes_the_dead_letter_again() {
    let mut sim = Sim::new(1);
    let rabbit = slow_disk(&mut sim);
    sim.node_with("client", rabbit, async |node, rabbit| {
        let (channel, first) = one_delivered(&node, &rabbit).await?;
        // This sync delays that of the dead letter.
        let unrelated = channel.publish(persistent("later", "unrelated"))?;
        node.sleep(SYNC / 2).await;
        first.nack(false)?;
        assert!(channel.publish(persistent("orders", "second"))?.await?.is_ack());
        drop(unrelated);
        rabbit.lose_power();
        rabbit.start();
        assert_eq!(rabbit.messages_ready("orders"), Some(1), "the first has left");
        assert_eq!(rabbit.messages_ready("later"), Some(2), "and is published again");
        Ok::<(), Error>(())
    });
    sim.run().expect_done();
}
