//! A publisher keeps what it has sent under the number that the confirm will have. On a new channel
//! the numbers begin at 1 again, so a new message takes the place of an old one that was never
//! confirmed. The fix publishes what is left of the old channel first.

use super::{Done, channel, consume, durable, expect_done, finish, ms, persistent};
use crate::{Bug, Planted};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, DeliveryTag, Error, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "confirm misnumbered",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("connections of publisher to rabbitmq reset"),
};

const JOBS: u32 = 9;
/// How many messages are published before the publisher looks at their confirms.
const BATCH: usize = 3;

#[derive(Default)]
struct Outgoing {
    to_send: VecDeque<String>,
    pending: BTreeMap<DeliveryTag, String>,
}

async fn publish(channel: &Channel, outgoing: &mut Outgoing) -> Result<(), Error> {
    channel.queue_declare("jobs", durable()).await?;
    channel.confirm_select().await?;
    while !outgoing.to_send.is_empty() {
        let mut confirms = Vec::new();
        for job in outgoing.to_send.drain(..outgoing.to_send.len().min(BATCH)) {
            let confirm = channel.publish(persistent("", "jobs", &job))?;
            outgoing.pending.insert(confirm.tag(), job);
            confirms.push(confirm);
        }
        for confirm in confirms {
            let tag = confirm.tag();
            if confirm.await?.is_ack() {
                outgoing.pending.remove(&tag);
            }
        }
    }
    Ok(())
}

async fn publisher(node: Node, rabbit: RabbitMq, fixed: bool) {
    let to_send = (1..=JOBS).map(|job| format!("job {job}")).collect();
    let mut outgoing = Outgoing { to_send, ..Outgoing::default() };
    while !outgoing.to_send.is_empty() || !outgoing.pending.is_empty() {
        if fixed || outgoing.to_send.is_empty() {
            let pending = std::mem::take(&mut outgoing.pending);
            pending.into_values().rev().for_each(|job| outgoing.to_send.push_front(job));
        }
        let channel = channel(&node, &rabbit).await;
        if publish(&channel, &mut outgoing).await.is_err() {
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
