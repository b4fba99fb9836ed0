//! The lives of messages and keys, told by their services.

use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, FieldTable, Properties, Publish, QueueOptions,
    RabbitMq,
};
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::trace::Story;
use stunt_double::sim::{Config, Latency, Node, Sim};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn story(sim: &Sim, subject: &str) -> Vec<String> {
    let stories = sim.trace().stories();
    let wanted = |story: &&Story| story.subject.contains(subject);
    let story = stories.iter().find(wanted).unwrap_or_else(|| panic!("no {subject}: {stories:?}"));
    story.steps.iter().map(|step| format!("{} {}", step.at, step.text)).collect()
}

fn world(config: Config) -> Sim {
    Sim::with_config(config.with_latency(Latency::Constant(ms(1))))
}

async fn publisher(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-dead-letter-exchange", "");
    arguments.insert("x-dead-letter-routing-key", "dead");
    channel.queue_declare("tasks", QueueOptions { arguments, ..Default::default() }).await?;
    channel.queue_declare("dead", QueueOptions::default()).await?;
    channel.confirm_select().await?;
    let _ = channel.publish(Publish::new("", "tasks", "one"))?.await?;
    let expiring = Properties::default().with_expiration("30");
    let two = Publish { properties: expiring, ..Publish::new("", "tasks", "two") };
    let _ = channel.publish(two)?.await?;
    let _ = channel.publish(Publish::new("", "nowhere", "three"))?.await?;
    node.sleep(ms(500)).await;
    Ok(())
}

async fn worker(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    node.sleep(ms(100)).await;
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    let mut tasks = channel.basic_consume("tasks", ConsumeOptions::default()).await?;
    while let Some(task) = tasks.next().await {
        let task = task?;
        match task.redelivered() {
            false => task.nack(true)?,
            true => task.ack()?,
        }
    }
    Ok(())
}

fn messages(config: Config) -> Sim {
    let mut sim = world(config);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("publisher", rabbit.clone(), publisher);
    sim.daemon_with("worker", rabbit, worker);
    sim.run().expect_done();
    sim
}

#[test]
fn a_message_is_followed_from_its_publisher_to_its_end() {
    let sim = messages(Config::new(1).with_stories());
    assert_eq!(
        story(&sim, "\"one\""),
        [
            "0.013s published by publisher (channel 1) to the default exchange as \"tasks\", to be \
             confirmed as 1",
            "0.013s put into queue tasks",
            "0.013s confirmed to publisher (channel 1) as 1",
            "0.107s delivered from queue tasks to worker (channel 1) as 1",
            "0.109s returned to queue tasks: its consumer requeued it",
            "0.109s delivered again from queue tasks to worker (channel 1) as 2",
            "0.111s acknowledged: it has left queue tasks",
        ]
    );
}

#[test]
fn a_dead_letter_is_the_same_message() {
    let sim = messages(Config::new(1).with_stories());
    let told = story(&sim, "\"two\"").join("\n");
    let expected = [
        "put into queue tasks, behind 1",
        "died in queue tasks (expired)",
        "published again as a dead letter, to the default exchange as \"dead\"",
        "put into queue dead",
    ];
    let mut rest = &*told;
    for step in expected {
        let at = rest.find(step).unwrap_or_else(|| panic!("no {step:?} in\n{told}"));
        rest = &rest[at + step.len()..];
    }
    let third = story(&sim, "\"three\"");
    assert!(third[1].ends_with("routed to no queue"), "{third:?}");
}

#[test]
fn what_a_broker_loses_is_told() {
    let mut sim = world(Config::new(1).with_stories());
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    sim.node_with("publisher", rabbit.clone(), async |node, rabbit: RabbitMq| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("kept", QueueOptions { durable: true, ..Default::default() }).await?;
        channel.queue_declare("gone", QueueOptions::default()).await?;
        for queue in ["kept", "gone"] {
            channel.basic_publish("", queue, Properties::default(), format!("for {queue}"))?;
        }
        channel.close().await
    });
    sim.run().expect_done();
    rabbit.stop(Shutdown::Kill);
    let last = |subject: &str| story(&sim, subject).pop().unwrap();
    assert!(last("for kept").ends_with("lost from queue kept, as the broker went down"));
    assert!(last("for gone").contains("lost with queue gone, which is not durable"));
}

async fn locker(node: Node, redis: Redis) -> Result<(), redis::Error> {
    let client = Client::connect(&node, &redis).await?;
    client.call(["SET", "lock", "me", "NX", "PX", "50"]).await?;
    client.call(["SET", "lock", "me", "NX"]).await?;
    node.sleep(ms(100)).await;
    client.call(["GET", "lock"]).await?;
    client.call(["RPUSH", "jobs", "a", "b"]).await?;
    client.call(["FLUSHALL"]).await?;
    Ok(())
}

#[test]
fn a_key_is_followed_through_its_commands_its_expiry_and_its_end() {
    let mut sim = world(Config::new(1).with_stories());
    let redis = redis::start(&mut sim, ServerOptions::default());
    sim.daemon_with("waiter", redis.clone(), async |node, redis: Redis| {
        let client = Client::connect(&node, &redis).await?;
        client.call(["BLPOP", "jobs", "0"]).await.map(drop)
    });
    sim.node_with("locker", redis, locker);
    sim.run().expect_done();
    assert_eq!(
        story(&sim, "lock"),
        [
            "0.003s locker: SET lock me NX PX 50 → OK",
            "0.005s locker: SET lock me NX → (nil)",
            "0.053s expired; it is gone, after 50ms",
            "0.107s locker: GET lock → (nil)",
        ]
    );
    let jobs = story(&sim, "jobs");
    assert!(jobs[0].ends_with("waiter: BLPOP jobs 0 → waits"), "{jobs:?}");
    assert!(jobs[1].ends_with("locker: RPUSH jobs a b → (integer) 2"), "{jobs:?}");
    assert!(jobs[2].contains("waiter, which waited → "), "{jobs:?}");
    assert!(jobs[3].contains("flushed; it is gone, after "), "{jobs:?}");
}

#[test]
fn a_run_is_the_same_whether_its_story_is_told_or_not() {
    let plain = messages(Config::new(1));
    let told = messages(Config::new(1).with_stories());
    assert_eq!(plain.digest(), told.digest());
    assert!(plain.trace().stories().is_empty());
    assert!(!told.trace().stories().is_empty());
}
