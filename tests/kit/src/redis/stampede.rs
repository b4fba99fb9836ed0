//! A page is not in the cache, so whoever asks for it computes it, which is expensive. If a second
//! client asks before the first has stored the page, it computes it as well. The fix lets one of
//! them compute, by a lock, and the others wait for the page.

use super::{connected, ms};
use crate::{Bug, Planted};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use stunt_double::redis::{self, Client, Error, Redis, ServerOptions};
use stunt_double::sim::{Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "cache stampede",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::LATE,
};

async fn compute(node: &Node, client: &Client, computed: &AtomicU32) -> Result<(), Error> {
    node.note("computes the page");
    computed.fetch_add(1, Relaxed);
    node.sleep(ms(1)).await;
    client.call(["SET", "page", "hello", "EX", "60"]).await.map(drop)
}

type Handles = (Redis, Arc<AtomicU32>);

async fn ask(node: Node, handles: Handles, start: u64, fixed: bool) -> Result<(), Error> {
    let (redis, computed) = handles;
    let client = connected(&node, &redis).await;
    node.sleep(ms(start)).await;
    while client.call(["GET", "page"]).await?.is_nil() {
        if !fixed {
            return compute(&node, &client, &computed).await;
        }
        let lock = client.call(["SET", "page:lock", node.name(), "NX", "PX", "10000"]).await?;
        if lock.is_nil() {
            node.sleep(ms(1)).await;
        } else if client.call(["GET", "page"]).await?.is_nil() {
            // Only who holds the lock asks again and computes.
            return compute(&node, &client, &computed).await;
        }
    }
    Ok(())
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    let computed = Arc::new(AtomicU32::new(0));
    for (name, start) in [("reader-1", 0), ("reader-2", 4)] {
        let handles = (redis.clone(), Arc::clone(&computed));
        sim.node_with(name, handles, move |node, handles| ask(node, handles, start, fixed));
    }
    sim.run().expect_done();
    match computed.load(Relaxed) {
        1 => Ok(()),
        times => Err(format!("the page was computed {times} times")),
    }
}
