//! RabbitMQ's second tutorial, work queues, in virtual time: round-robin dispatch,
//! acknowledgements, fair dispatch, a worker that dies, and one that forgets to acknowledge.
//!
//! `cargo run --example work_queue -- --seed 1`
//!
//! A task takes one virtual second for each dot in it.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::rabbitmq::{self, BrokerOptions, Connection, ConsumeOptions, Error};
use stunt_double::rabbitmq::{Properties, QueueOptions, RabbitMq};
use stunt_double::sim::{Node, Sim};

/// The listing that shows forgotten messages.
const LISTING: &str = "list_queues name messages_ready messages_unacknowledged";

/// The work done so far: the worker's name, the task, and whether it was redelivered.
type Log = Arc<Mutex<Vec<(String, String, bool)>>>;

/// How a worker works.
#[derive(Clone, Copy, Default)]
struct Habits {
    prefetch: u16,
    no_ack: bool,
    forgets_to_ack: bool,
}

async fn worker(node: Node, rabbit: RabbitMq, habits: Habits, log: Log) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel
        .queue_declare("task_queue", QueueOptions { durable: true, ..Default::default() })
        .await?;
    channel.basic_qos(habits.prefetch, false).await?;
    let options = ConsumeOptions { no_ack: habits.no_ack, ..Default::default() };
    let mut consumer = channel.basic_consume("task_queue", options).await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let task = delivery.text();
        let again = if delivery.redelivered() { " (redelivered)" } else { "" };
        node.note(format!("received {task}{again}"));
        node.sleep(Duration::from_secs(task.matches('.').count() as u64)).await;
        node.note(format!("done     {task}"));
        log.lock().expect("a world runs on one thread").push((
            node.name().into(),
            task,
            delivery.redelivered(),
        ));
        if !habits.no_ack && !habits.forgets_to_ack {
            delivery.ack()?;
        }
    }
    Ok(())
}

async fn publish(node: Node, (rabbit, tasks): (RabbitMq, Vec<String>)) -> Result<(), Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    for task in tasks {
        channel.basic_publish("", "task_queue", Properties::default().persistent(), task)?;
    }
    Ok(())
}

/// A world with two workers that wait for tasks, and a publisher of the tasks.
struct Story {
    sim: Sim,
    rabbit: RabbitMq,
    workers: Vec<Node>,
    log: Log,
}

impl Story {
    fn new(title: &str, habits: Habits, tasks: &[String]) -> Story {
        common::heading(title);
        let mut sim = Sim::new(common::seed());
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        let log = Log::default();
        let workers = ["worker-1", "worker-2"].map(|name| {
            let handles = (rabbit.clone(), Arc::clone(&log));
            sim.daemon_with(name, handles, move |node, (rabbit, log)| {
                worker(node, rabbit, habits, log)
            })
        });
        let server = rabbit.clone();
        sim.run_until(move || server.list_consumers().len() == 2).expect_reached();
        sim.node_with("new_task", (rabbit.clone(), tasks.to_vec()), publish);
        Story { sim, rabbit, workers: workers.to_vec(), log }
    }

    /// Runs to the end. Returns who did what, and when the last task was done.
    fn end(mut self) -> (Vec<(String, String, bool)>, Instant) {
        self.sim.run().expect_done();
        print!("{}", self.sim.trace().notes());
        let last = self
            .sim
            .trace()
            .events()
            .rev()
            .find_map(|event| event.kind.to_string().starts_with("done").then_some(event.at));
        let done = self.log.lock().expect("a world runs on one thread").clone();
        (done, last.unwrap_or_default())
    }
}

fn by(worker: &str, done: &[(String, String, bool)]) -> Vec<String> {
    done.iter().filter(|(name, ..)| name == worker).map(|(_, task, _)| task.clone()).collect()
}

fn seconds(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn main() {
    let five: Vec<String> = ["First", "Second", "Third", "Fourth", "Fifth"]
        .iter()
        .zip(1..)
        .map(|(name, dots)| format!("{name} message{}", ".".repeat(dots)))
        .collect();
    let ten: Vec<String> =
        (0..10).map(|i| format!("task {i} {}", if i % 2 == 0 { "....." } else { "." })).collect();

    let story =
        Story::new("round-robin: each worker gets every second task", Habits::default(), &five);
    let (done, end) = story.end();
    assert_eq!(by("worker-1", &done), [&*five[0], &five[2], &five[4]]);
    assert_eq!(by("worker-2", &done), [&*five[1], &five[3]]);
    assert_eq!(end, seconds(9));

    let (_, end) = Story::new("ten tasks, hard and easy in turn", Habits::default(), &ten).end();
    assert_eq!(end, seconds(25), "worker-1 has all the hard ones");
    let fair = Habits { prefetch: 1, ..Habits::default() };
    let (_, end) = Story::new("the same with prefetch_count=1: fair dispatch", fair, &ten).end();
    assert_eq!(end, seconds(17));

    for no_ack in [false, true] {
        let title =
            if no_ack { "the same without acknowledgement" } else { "worker-1 dies at 0.5 s" };
        let habits = Habits { no_ack, ..Habits::default() };
        let mut story = Story::new(title, habits, &five);
        let victim = story.workers[0].clone();
        story.sim.after(Duration::from_millis(500), move || victim.kill());
        let (done, end) = story.end();
        assert!(by("worker-1", &done).is_empty());
        if no_ack {
            assert_eq!(by("worker-2", &done), [&*five[1], &five[3]]);
            println!("lost: {}, {}, {}", five[0], five[2], five[4]);
        } else {
            let again: Vec<_> =
                done.iter().filter(|(.., again)| *again).map(|(_, t, _)| t).collect();
            assert_eq!(again, [&five[0], &five[2], &five[4]]);
            assert_eq!((done.len(), end), (5, seconds(15)));
        }
    }

    let forgetful = Habits { forgets_to_ack: true, ..Habits::default() };
    let mut story = Story::new("workers that forget to acknowledge", forgetful, &five);
    let mut unacknowledged = 0;
    for round in 2..4 {
        story.sim.run_for(Duration::from_secs(9)).expect_reached();
        let listing = story.rabbit.rabbitmqctl(LISTING).expect("these columns exist");
        print!("at {}:\n{listing}", story.sim.now());
        let now = story.rabbit.list_queues()[0].messages_unacknowledged;
        assert!(now > unacknowledged, "it grows");
        unacknowledged = now;
        let name = format!("new_task-{round}");
        story.sim.node_with(&name, (story.rabbit.clone(), five.clone()), publish);
    }
}
