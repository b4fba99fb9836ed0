//! A worker acknowledges a job when it receives it, and then does the work. If it dies in between,
//! nobody has the job any more. The fix acknowledges the job when it is done.

use super::{Done, channel, consume, expect_done, ms, next, produce, text};
use crate::{Bug, Planted};
use lapin::options::BasicAckOptions;
use lapin::{Channel, Result};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "ack before work, on lapin",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("worker killed"),
};

const JOBS: u32 = 4;

async fn serve(node: &Node, channel: &Channel, done: &Done, fixed: bool) -> Result<()> {
    let mut jobs = consume(channel, "jobs", false).await?;
    while let Some(job) = next(&mut jobs).await {
        let job = job?;
        if !fixed {
            job.ack(BasicAckOptions::default()).await?;
        }
        node.sleep(ms(5)).await;
        node.note(format_args!("has done {}", text(&job)));
        done.lock().expect("one thread").insert(text(&job));
        if fixed {
            job.ack(BasicAckOptions::default()).await?;
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

fn run(sim: &mut Sim, fixed: bool) -> std::result::Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let done = Done::default();
    let handles = (rabbit.clone(), Done::clone(&done));
    let node = sim.daemon_with("worker", handles, move |node, with| worker(node, with, fixed));
    sim.node_with("producer", (rabbit, JOBS), produce);
    Chaos::new().kill(&node).run_then_heal(sim, Duration::from_secs(30)).expect_done();
    expect_done(&done, JOBS)
}
