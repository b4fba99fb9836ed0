//! A consumer has a queue that is deleted when its last consumer goes, to leave no litter. When it
//! is restarted, the queue goes too, with everything that was in it or is published meanwhile. The
//! fix keeps the queue, and lets it expire when nobody has used it for long.

use super::{
    Done, channel, consume, durable, expect_ack, expect_done, finish, ms, persistent, with,
};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, Error, FieldTable, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "auto-delete race",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("worker killed"),
};

const JOBS: u32 = 6;

fn queue(fixed: bool) -> QueueOptions {
    match fixed {
        true => with(FieldTable::default().with("x-expires", 600_000)),
        false => QueueOptions { auto_delete: true, ..durable() },
    }
}

async fn serve(node: &Node, channel: &Channel, done: &Done, fixed: bool) -> Result<(), Error> {
    let mut jobs = consume(channel, "jobs", queue(fixed), 1).await?;
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
    channel.queue_declare("jobs", queue(fixed)).await?;
    channel.confirm_select().await?;
    for job in 1..=JOBS {
        let confirm = channel.publish(persistent("", "jobs", &format!("job {job}")))?;
        expect_ack(confirm).await?;
        node.sleep(ms(5)).await;
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
