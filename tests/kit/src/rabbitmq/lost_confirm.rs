//! A publisher waits for the confirm of each message, and goes on if the connection breaks
//! meanwhile, because it has sent the message. Nobody has confirmed it, and it may be lost. The fix
//! publishes it again.

use super::{Done, channel, consume, durable, expect_done, finish, ms, persistent};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "lost confirm",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("connections of publisher to rabbitmq reset"),
};

const JOBS: u32 = 6;

async fn publish_from(channel: &Channel, next: &mut u32, fixed: bool) -> Result<(), Error> {
    channel.queue_declare("jobs", durable()).await?;
    channel.confirm_select().await?;
    while *next <= JOBS {
        let confirm = channel.publish(persistent("", "jobs", &format!("job {next}")))?;
        if fixed {
            // What is not confirmed is published again.
            if confirm.await?.is_ack() {
                *next += 1;
            }
        } else {
            *next += 1;
            let _ = confirm.await?;
        }
    }
    Ok(())
}

async fn publisher(node: Node, rabbit: RabbitMq, fixed: bool) {
    let mut next = 1;
    while next <= JOBS {
        let channel = channel(&node, &rabbit).await;
        if publish_from(&channel, &mut next, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

async fn serve(node: &Node, channel: &Channel, done: &Done) -> Result<(), Error> {
    let mut jobs = consume(channel, "jobs", durable(), 1).await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        finish(node, done, job.text());
        job.ack()?;
    }
    Ok(())
}

async fn worker(node: Node, (rabbit, done): (RabbitMq, Done)) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&node, &channel, &done).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let done = Done::default();
    sim.daemon_with("worker", (rabbit.clone(), done.clone()), worker);
    let node = sim
        .node_with("publisher", rabbit.clone(), move |node, rabbit| publisher(node, rabbit, fixed));
    let plan = Chaos::new().sever(&node.link(&rabbit));
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let count = done.lock().len();
    expect_done(count, JOBS)
}
