//! A worker holds several entries of a log, and returns one to the queue when the store does not
//! answer. It goes on with the next one, so the log is written in another order. The fix holds only
//! one entry, so the one that returns is the next again.

use super::{channel, consume, durable, ms, produce};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, RabbitMq};
use stunt_double::redis::{self, Client, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "out-of-order after requeue",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("connections of worker to redis reset"),
};

const ENTRIES: u32 = 6;

async fn serve(node: &Node, channel: &Channel, redis: &Redis, fixed: bool) -> Result<(), Error> {
    let mut client: Option<Client> = None;
    let mut entries = consume(channel, "log", durable(), if fixed { 1 } else { 4 }).await?;
    while let Some(entry) = entries.next().await {
        let entry = entry?;
        if client.is_none() {
            client = Client::connect(node, redis).await.ok();
        }
        let text = entry.text();
        let written = match &client {
            Some(client) => client.call(["RPUSH", "log", &text]).await.is_ok(),
            None => false,
        };
        if written {
            entry.ack()?;
        } else {
            client = None;
            entry.nack(true)?;
        }
    }
    Ok(())
}

async fn worker(node: Node, (rabbit, redis): (RabbitMq, Redis), fixed: bool) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&node, &channel, &redis, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let redis = redis::start(sim, ServerOptions::default());
    let handles = (rabbit.clone(), redis.clone());
    sim.node_with("producer", (rabbit, "log", ENTRIES), produce);
    let node = sim.daemon_with("worker", handles, move |node, with| async move {
        node.sleep(ms(20)).await;
        worker(node, with, fixed).await;
    });
    let plan = Chaos::new().sever(&node.link(&redis));
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    let log = redis.command(["LRANGE", "log", "0", "-1"]);
    let mut log: Vec<&str> =
        log.as_array().unwrap_or_default().iter().flat_map(|e| e.as_text()).collect();
    // An entry may be there twice, but no older one may follow a newer one.
    log.dedup();
    let is_whole = log.len() == ENTRIES as usize;
    if log.is_sorted() && is_whole { Ok(()) } else { Err(format!("the log is {log:?}")) }
}
