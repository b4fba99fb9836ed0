//! A cache in a process, kept right by Redis (`CLIENT TRACKING`): the server tells the web server
//! which of its copies are out of date. When the connection is lost, so are the invalidations of
//! that time. A web server that keeps its copies across the reconnection serves a stale price for
//! as long as it lives; one that empties its cache does not.
//!
//! `cargo run --release --example cache_invalidation -- --seed 1`

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Site;
use stunt_double::redis::{self, Client, Error, Invalidated, Redis, ServerOptions, Subscription};
use stunt_double::sim::{Node, Seeds, Sim};

/// The site that decides when the connection is lost.
const LOSS: Site = Site::new("cache.loss");

/// Copies of values by their keys.
type Cache = Arc<Mutex<BTreeMap<String, String>>>;

/// Removes the copies that the server says are out of date, until the connection is lost.
async fn listen(mut invalidations: Subscription, cache: Cache) {
    while let Some(Ok(message)) = invalidations.next().await {
        let mut cache = cache.lock().expect("one thread");
        match message.invalidated {
            Some(Invalidated::Keys(keys)) => {
                for key in keys {
                    cache.remove(&*String::from_utf8_lossy(&key));
                }
            }
            Some(Invalidated::All) => cache.clear(),
            None => {}
        }
    }
}

/// Connects for reads, and for the invalidations of what is read.
async fn connect(node: &Node, redis: &Redis, cache: &Cache) -> Result<Client, Error> {
    let listener = Client::connect(node, redis).await?;
    let id: i64 = listener.call_as(["CLIENT", "ID"]).await?;
    let invalidations = Subscription::on(listener);
    invalidations.subscribe(["__redis__:invalidate"]).await?;
    node.spawn(listen(invalidations, Arc::clone(cache)));
    let client = Client::connect(node, redis).await?;
    client.call(["CLIENT", "TRACKING", "ON", "REDIRECT", &id.to_string()]).await?;
    Ok(client)
}

/// Returns the value of a key, from the cache if it is there.
async fn read(client: &Client, cache: &Cache, key: &str) -> Result<String, Error> {
    if let Some(copy) = cache.lock().expect("one thread").get(key) {
        return Ok(copy.clone());
    }
    let value: String = client.call_as(["GET", key]).await?;
    cache.lock().expect("one thread").insert(key.to_owned(), value.clone());
    Ok(value)
}

/// Serves the price every 50 ms. Returns the last one that it served.
async fn web_server(node: Node, redis: Redis, empties: bool) -> String {
    let cache = Cache::default();
    let mut served = String::new();
    let mut client = None;
    for _ in 0..60 {
        node.sleep(Duration::from_millis(50)).await;
        if client.is_none() {
            if empties {
                cache.lock().expect("one thread").clear();
            }
            client = connect(&node, &redis, &cache).await.ok();
        }
        let Some(connection) = &client else { continue };
        match read(connection, &cache, "price").await {
            Ok(price) => served = price,
            Err(_) => client = None,
        }
        // A read from the cache does not notice that the connection is gone.
        if connection_is_lost(&client).await {
            client = None;
        }
    }
    served
}

async fn connection_is_lost(client: &Option<Client>) -> bool {
    match client {
        Some(client) => client.call(["PING"]).await.is_err(),
        None => false,
    }
}

/// The price changes every 500 ms, and the connections are lost once.
fn scenario(sim: &mut Sim, empties: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    redis.command(["SET", "price", "0"]);
    let served = Arc::new(Mutex::new(String::new()));
    let handles = (redis.clone(), Arc::clone(&served));
    let web = sim.node_with("web", handles, move |node, (redis, served)| async move {
        let last = web_server(node, redis, empties).await;
        *served.lock().expect("one thread") = last;
        Ok::<(), Error>(())
    });
    sim.node_with("shop", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await?;
        for price in 1..=4 {
            node.sleep(Duration::from_millis(500)).await;
            client.call(["SET", "price", &price.to_string()]).await?;
        }
        Ok::<(), Error>(())
    });
    let link = web.link(&redis);
    let at = Duration::from_millis(sim.choose(LOSS, 0, 2_500));
    sim.after(at, move || link.sever());
    sim.run().expect_done();
    match served.lock().expect("one thread").as_str() {
        "4" => Ok(()),
        stale => Err(format!("the price is 4, and {stale} is served for ever")),
    }
}

fn main() {
    let first = common::seed();
    for (title, empties) in [("copies are kept", false), ("the cache is emptied", true)] {
        common::heading(&format!("{title} when the connection is made again, 300 seeds"));
        let seeds = Seeds::new(first..first + 300).with_all_failures();
        let sweep = seeds.run(|sim| scenario(sim, empties));
        println!("{} of {} seeds serve a stale price", sweep.failures.len(), sweep.ran);
        if let Some(failure) = sweep.failures.first() {
            println!("seed {}: {}", failure.seed, failure.message);
        }
        assert!(!empties || sweep.failures.is_empty(), "an empty cache has nothing stale");
    }
}
