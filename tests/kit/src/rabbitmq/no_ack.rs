//! A worker consumes with automatic acknowledgements, because that is faster. A job counts as done
//! when the broker has sent it, so what is on the way or in the worker's hands dies with the
//! worker. The fix acknowledges each job itself.

use super::{Done, channel, durable, expect_done, finish, ms, produce};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, ConsumeOptions, Error, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "no ack",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("connections of worker"),
};

const JOBS: u32 = 4;

async fn serve(node: &Node, channel: &Channel, done: &Done, fixed: bool) -> Result<(), Error> {
    channel.queue_declare("jobs", durable()).await?;
    let options = ConsumeOptions { no_ack: !fixed, ..Default::default() };
    let mut jobs = channel.basic_consume("jobs", options).await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        node.sleep(ms(3)).await;
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
    sim.node_with("producer", (rabbit.clone(), "jobs", JOBS), produce);
    let plan = Chaos::new().sever(&node.link(&rabbit));
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let count = done.lock().len();
    expect_done(count, JOBS)
}
