//! A worker acknowledges a job when it receives it, and then does the work. If it dies in between,
//! nobody has the job any more. The fix acknowledges the job when it is done.

use super::{Done, channel, consume, durable, expect_done, finish, ms, produce};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "ack before work",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("worker killed"),
};

const JOBS: u32 = 4;

async fn serve(node: &Node, channel: &Channel, done: &Done, fixed: bool) -> Result<(), Error> {
    let mut jobs = consume(channel, "jobs", durable(), 1).await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        if !fixed {
            job.ack()?;
        }
        node.sleep(ms(5)).await;
        finish(node, done, job.text());
        if fixed {
            job.ack()?;
        }
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

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let done = Done::default();
    let handles = (rabbit.clone(), done.clone());
    let node = sim.daemon_with("worker", handles, move |node, with| worker(node, with, fixed));
    sim.node_with("producer", (rabbit, "jobs", JOBS), produce);
    Chaos::new().kill(&node).run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let count = done.lock().len();
    expect_done(count, JOBS)
}
