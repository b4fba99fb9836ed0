//! A cache stampede: a popular key expires, and every client that misses it computes it again. Then
//! the same with a lock: one client computes, and the others wait for the result.
//!
//! `cargo run --release --example stampede -- --seed 1`

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use stunt_double::Site;
use stunt_double::redis::{self, Client, Error, Redis, ServerOptions};
use stunt_double::sim::{Node, Sim};

/// The site that decides when each client asks.
const ASK: Site = Site::new("stampede.ask");

const CLIENTS: u64 = 50;
const ASKS: u64 = 20;

/// How often the page was computed. Each time takes the database a second.
type Computed = Arc<AtomicU64>;

async fn compute(node: &Node, computed: &Computed) -> String {
    computed.fetch_add(1, Relaxed);
    node.sleep(Duration::from_secs(1)).await;
    "a page".to_owned()
}

/// Returns the page from the cache, or computes it and caches it for ten seconds.
async fn page(node: &Node, client: &Client, computed: &Computed) -> Result<(), Error> {
    if client.call(["GET", "page"]).await?.is_nil() {
        let page = compute(node, computed).await;
        client.call(["SET", "page", &page, "EX", "10"]).await?;
    }
    Ok(())
}

/// Does the same, but a client that misses takes a lock first. A client that does not get the lock
/// waits.
async fn page_with_lock(node: &Node, client: &Client, computed: &Computed) -> Result<(), Error> {
    while client.call(["GET", "page"]).await?.is_nil() {
        let lock = client.call(["SET", "page:lock", node.name(), "NX", "PX", "3000"]).await?;
        if lock.is_nil() {
            node.sleep(Duration::from_millis(50)).await;
            continue;
        }
        // Another client may have computed the page between the GET and the lock.
        if client.call(["GET", "page"]).await?.is_nil() {
            let page = compute(node, computed).await;
            client.call(["SET", "page", &page, "EX", "10"]).await?;
        }
        client.call(["DEL", "page:lock"]).await?;
    }
    Ok(())
}

async fn client(node: Node, with: With) -> Result<(), Error> {
    let client = Client::connect(&node, &with.redis).await?;
    for pause in with.pauses {
        node.sleep(pause).await;
        if with.locked {
            page_with_lock(&node, &client, &with.computed).await?;
        } else {
            page(&node, &client, &with.computed).await?;
        }
    }
    Ok(())
}

/// The arguments of each client process.
#[derive(Clone)]
struct With {
    redis: Redis,
    computed: Computed,
    /// How long the client waits before each request.
    pauses: Vec<Duration>,
    locked: bool,
}

/// Runs clients that ask repeatedly for a hundred seconds. Returns how often the page was computed.
fn run(locked: bool) -> u64 {
    let mut sim = Sim::new(common::seed());
    let redis = redis::start(&mut sim, ServerOptions::default());
    let computed = Computed::default();
    for i in 0..CLIENTS {
        let pauses = (0..ASKS).map(|_| Duration::from_millis(sim.choose(ASK, i, 10_000))).collect();
        let (redis, computed) = (redis.clone(), Arc::clone(&computed));
        let with = With { redis, computed, pauses, locked };
        sim.node_with(&format!("client-{i}"), with, client);
    }
    sim.run().expect_done();
    let (asked, times) = (CLIENTS * ASKS, computed.load(Relaxed));
    println!("asked {asked} times by {}, computed {times} times", sim.now());
    times
}

fn main() {
    common::heading("everybody who misses computes");
    let stampede = run(false);
    common::heading("who misses takes a lock");
    let locked = run(true);
    assert!(locked * 2 < stampede, "{locked} is not much less than {stampede}");
    assert!(locked <= 15, "about once in ten seconds: {locked}");
}
