//! Two workers consume without a prefetch limit, so each is sent half of the backlog at once. If
//! one of them stalls, half of the jobs wait for it while the other has nothing to do. The fix
//! limits the prefetch to one.

use super::{Table, channel, consume, durable, ms, produce};
use crate::{Bug, Planted};
use std::collections::BTreeMap;
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "prefetch hoarding",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("paused for 8s"),
};

const JOBS: u32 = 8;

/// When each job was done first.
type Times = Table<BTreeMap<String, Instant>>;

async fn serve(node: &Node, channel: &Channel, done: &Times, fixed: bool) -> Result<(), Error> {
    let prefetch = if fixed { 1 } else { 0 };
    let mut jobs = consume(channel, "jobs", durable(), prefetch).await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        node.sleep(ms(20)).await;
        node.note(format_args!("has done {}", job.text()));
        done.lock().entry(job.text()).or_insert(node.now());
        job.ack()?;
    }
    Ok(())
}

async fn worker(node: Node, (rabbit, done): (RabbitMq, Times), fixed: bool) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&node, &channel, &done, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let done = Times::default();
    let stall = Duration::from_secs(8)..Duration::from_secs(8);
    let mut plan = Chaos::new().with_faults(1);
    for name in ["worker-1", "worker-2"] {
        let handles = (rabbit.clone(), done.clone());
        let node = sim.daemon_with(name, handles, move |node, with| worker(node, with, fixed));
        plan = plan.pause(&node, stall.clone());
    }
    sim.node_with("producer", (rabbit, "jobs", JOBS), produce);
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let done = done.lock();
    let late = done.values().filter(|at| at.since_start() > Duration::from_secs(4)).count();
    match (done.len() as u32, late) {
        (JOBS, 0..=1) => Ok(()),
        (count, late) => Err(format!("{late} of {JOBS} jobs were late, {count} done")),
    }
}
