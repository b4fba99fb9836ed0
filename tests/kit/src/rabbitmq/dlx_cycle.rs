//! Jobs that wait too long expire into a retry queue, from which they expire back. If the worker is
//! away for longer, the broker sees a message go round without anybody's doing, and drops it. The
//! fix lets jobs wait, and uses the retry queue for rejected ones only.

use super::{Done, channel, consume, expect_ack, expect_done, finish, ms, persistent, with};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, Error, FieldTable, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "DLX cycle",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("worker killed"),
};

const JOBS: u32 = 3;

/// A queue whose dead letters go to another.
fn dead_letters_to(other: &str) -> FieldTable {
    let table = FieldTable::default().with("x-dead-letter-exchange", "");
    table.with("x-dead-letter-routing-key", other)
}

async fn declare(channel: &Channel, fixed: bool) -> Result<QueueOptions, Error> {
    let jobs = dead_letters_to("retry");
    let jobs = with(if fixed { jobs } else { jobs.with("x-message-ttl", 200) });
    channel.queue_declare("jobs", jobs.clone()).await?;
    let retry = with(dead_letters_to("jobs").with("x-message-ttl", 100));
    channel.queue_declare("retry", retry).await?;
    Ok(jobs)
}

async fn serve(node: &Node, channel: &Channel, done: &Done, fixed: bool) -> Result<(), Error> {
    let options = declare(channel, fixed).await?;
    let mut jobs = consume(channel, "jobs", options, 1).await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        finish(node, done, job.text());
        job.ack()?;
    }
    Ok(())
}

async fn worker(node: Node, (rabbit, done): (RabbitMq, Done), fixed: bool) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&node, &channel, &done, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

async fn publish(node: Node, rabbit: RabbitMq, fixed: bool) -> Result<(), Error> {
    let channel = channel(&node, &rabbit).await;
    declare(&channel, fixed).await?;
    channel.confirm_select().await?;
    for job in 1..=JOBS {
        let confirm = channel.publish(persistent("", "jobs", &format!("job {job}")))?;
        expect_ack(confirm).await?;
        node.sleep(ms(10)).await;
    }
    channel.close().await
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let done = Done::default();
    let handles = (rabbit.clone(), done.clone());
    let node = sim.daemon_with("worker", handles, move |node, with| worker(node, with, fixed));
    sim.node_with("producer", rabbit, move |node, rabbit| publish(node, rabbit, fixed));
    Chaos::new().kill(&node).run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let count = done.lock().len();
    expect_done(count, JOBS)
}
