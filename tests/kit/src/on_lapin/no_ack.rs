//! A worker consumes with automatic acknowledgements, because that is faster. A job counts as done
//! when the broker has sent it, so what is on the way or in the worker's hands dies with the
//! connection. The fix acknowledges each job itself.

use super::{Done, channel, consume, expect_done, ms, next, produce, text};
use crate::{Bug, Planted};
use lapin::options::BasicAckOptions;
use lapin::{Channel, Result};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "no ack, on lapin",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("connections of worker"),
};

const JOBS: u32 = 4;

async fn serve(node: &Node, channel: &Channel, done: &Done, fixed: bool) -> Result<()> {
    let mut jobs = consume(channel, "jobs", !fixed).await?;
    while let Some(job) = next(&mut jobs).await {
        let job = job?;
        node.sleep(ms(3)).await;
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
    sim.node_with("producer", (rabbit.clone(), JOBS), produce);
    let plan = Chaos::new().sever(&node.link(&rabbit));
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    expect_done(&done, JOBS)
}
