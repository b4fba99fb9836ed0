//! A handler takes long, and its process stalls meanwhile: it sends no heartbeats, the broker takes
//! it for dead and gives the job to another worker. Both finish it, and the customer pays twice.
//! The fix charges by the job's id, once.

use super::{Table, channel, consume, durable, ms, produce};
use crate::{Bug, Planted};
use std::collections::BTreeMap;
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "heartbeat death in a long handler",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("paused for"),
};

const JOBS: u32 = 4;

/// How often each job was charged.
type Charges = Table<BTreeMap<String, u32>>;

async fn serve(
    node: &Node,
    channel: &Channel,
    charges: &Charges,
    fixed: bool,
) -> Result<(), Error> {
    let mut jobs = consume(channel, "jobs", durable(), 1).await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        node.sleep(Duration::from_secs(5)).await;
        let id = job.properties().message_id().unwrap_or_default().to_owned();
        let mut charges = charges.lock();
        let charged = charges.entry(id.clone()).or_default();
        if !fixed || *charged == 0 {
            node.note(format_args!("charges {id}"));
            *charged += 1;
        }
        drop(charges);
        job.ack()?;
    }
    Ok(())
}

async fn worker(node: Node, (rabbit, charges): (RabbitMq, Charges), fixed: bool) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&node, &channel, &charges, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let charges = Charges::default();
    // Ten seconds are the interval of heartbeats.
    let stall = Duration::from_secs(2)..Duration::from_secs(60);
    let mut plan = Chaos::new();
    for name in ["worker-1", "worker-2"] {
        let handles = (rabbit.clone(), charges.clone());
        let node = sim.daemon_with(name, handles, move |node, with| worker(node, with, fixed));
        plan = plan.pause(&node, stall.clone());
    }
    sim.node_with("producer", (rabbit, "jobs", JOBS), produce);
    plan.run_then_heal(sim, Duration::from_secs(120)).expect_done();
    let charges = charges.lock();
    match charges.iter().find(|(_, times)| **times != 1) {
        Some((job, times)) => Err(format!("{job} was charged {times} times")),
        None => super::expect_done(charges.len(), JOBS),
    }
}
