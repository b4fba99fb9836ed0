//! The acknowledged write that a failover loses. A client writes to a Redis whose network fails,
//! and then its machine, so Sentinels promote the replica. Without `WAIT`, an order that was
//! answered `OK` may be gone afterwards; with it, none is.
//!
//! `cargo run --release --example failover -- --seed 1`

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Site;
use stunt_double::redis::{self, Client, Error, Redis, SentinelOptions, ServerOptions};
use stunt_double::sim::{Latency, Node, Seeds, Sim};

/// The site that decides when the master's network fails.
const DEATH: Site = Site::new("failover.death");

/// When an order counts as accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepted {
    /// When the master has answered.
    AtOnce,
    /// When a replica has it, too.
    AfterWait,
}

type Orders = Arc<Mutex<Vec<String>>>;

/// Places orders until the server is gone.
async fn shop(
    node: Node,
    (redis, orders, accepted): (Redis, Orders, Accepted),
) -> Result<(), Error> {
    let client = Client::connect(&node, &redis).await?;
    for number in 1.. {
        let order = format!("order:{number}");
        if client.call(["SET", &order, "placed"]).await.is_err() {
            break;
        }
        if accepted == Accepted::AfterWait {
            let replicas = client.call(["WAIT", "1", "1000"]).await;
            if replicas.is_ok_and(|replicas| replicas.as_integer() == Some(0)) {
                continue;
            }
        }
        orders.lock().expect("nobody panics").push(order);
        node.sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Returns an error that names the orders that were accepted and are lost.
fn scenario(sim: &mut Sim, accepted: Accepted) -> Result<(), String> {
    let options = ServerOptions::default().with_sync_delay(Duration::ZERO);
    let master = redis::start_named(sim, "redis-a", options.clone());
    let replica = redis::start_replicas(sim, &master, ["redis-b"], options).remove(0);
    let watch = SentinelOptions::new("shop", 2).with_down_after(Duration::from_secs(2));
    let sentinels = redis::start_sentinels(sim, &master, ["s1", "s2", "s3"], watch);
    replica.link_to(&master).set_latency(Latency::Uniform {
        min: Duration::from_millis(1),
        max: Duration::from_millis(20),
    });
    sim.run_for(Duration::from_secs(15)).expect_reached();

    let orders = Orders::default();
    sim.node_with("shop", (master.clone(), Arc::clone(&orders), accepted), shop);
    let after = sim.choose_told(DEATH, 0, 200, |ms| format!("the network fails after {ms} ms"));
    let link = replica.link_to(&master);
    sim.after(Duration::from_millis(after), move || link.partition());
    sim.after(Duration::from_millis(after + 20), move || master.vanish());
    sim.run_for(Duration::from_secs(20)).expect_reached();

    let found = sentinels[0].command(["SENTINEL", "get-master-addr-by-name", "shop"]);
    assert!(found.to_string().contains("redis-b"), "the Sentinels have promoted the replica");
    let orders = orders.lock().expect("nobody panics");
    let is_lost = |order: &&String| replica.command(["GET", order]).is_nil();
    let lost: Vec<&str> = orders.iter().filter(is_lost).map(String::as_str).collect();
    if lost.is_empty() { Ok(()) } else { Err(format!("lost: {}", lost.join(" "))) }
}

fn main() {
    for accepted in [Accepted::AtOnce, Accepted::AfterWait] {
        common::heading(&format!("orders are accepted {accepted:?}"));
        let first = common::seed();
        let seeds = Seeds::new(first..first + 50).without_files();
        let sweep = seeds.run(|sim| scenario(sim, accepted));
        match sweep.failures.first() {
            Some(failure) => println!("a failover has {}", failure.message),
            None => println!("{} failovers, and no accepted order is lost", sweep.ran),
        }
        assert_eq!(sweep.failures.is_empty(), accepted == Accepted::AfterWait);
    }
}
