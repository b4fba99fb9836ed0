//! A lock in Redis (`SET lock me NX PX 1000`) and a worker that is paused for longer than its
//! lease: two workers hold the lock at once, and an update is lost. The seeds find the bug; then a
//! fencing token fixes it.
//!
//! `cargo run --release --example lock -- --seed 1`

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Site;
use stunt_double::redis::{self, Client, Error, Pipeline, Redis, ServerOptions};
use stunt_double::sim::{Node, Seeds, Sim};

/// The site that decides when the worker is paused.
const PAUSE: Site = Site::new("lock.pause");

const LEASE: &str = "1000";
const INCREMENTS: u64 = 5;

/// The protected value: a balance that is read, changed and written.
#[derive(Default)]
struct Account {
    balance: u64,
    highest_token: u64,
}

impl Account {
    /// Accepts a token unless a higher one was seen before. A worker with a lower token has lost
    /// the lock.
    fn admits(&mut self, token: u64) -> bool {
        self.highest_token = self.highest_token.max(token);
        token == self.highest_token
    }
}

type Shared = Arc<Mutex<Account>>;

async fn acquire(node: &Node, client: &Client) -> Result<u64, Error> {
    while client.call(["SET", "lock", node.name(), "NX", "PX", LEASE]).await?.is_nil() {
        node.sleep(Duration::from_millis(50)).await;
    }
    let token = client.call(["INCR", "lock:token"]).await?;
    Ok(token.as_integer().unwrap_or_default() as u64)
}

/// Deletes the lock, unless the lease ran out and the lock belongs to the other worker.
async fn release(node: &Node, client: &Client) -> Result<(), Error> {
    client.call(["WATCH", "lock"]).await?;
    if client.call(["GET", "lock"]).await?.as_text() == Some(node.name()) {
        client.transaction(&Pipeline::new().command(["DEL", "lock"])).await?;
    }
    client.call(["UNWATCH"]).await?;
    Ok(())
}

async fn worker(node: Node, redis: Redis, account: Shared, fenced: bool) -> Result<(), Error> {
    let client = Client::connect(&node, &redis).await?;
    let mut done = 0;
    while done < INCREMENTS {
        let token = acquire(&node, &client).await?;
        let (admitted, balance) = {
            let mut account = account.lock().expect("one thread");
            (!fenced || account.admits(token), account.balance)
        };
        node.sleep(Duration::from_millis(300)).await; // thinking; here it may be paused
        {
            let mut account = account.lock().expect("one thread");
            if admitted && (!fenced || account.admits(token)) {
                account.balance = balance + 1;
                done += 1;
                node.note(format!("token {token}: {balance} + 1"));
            } else {
                node.note(format!("token {token}: refused"));
            }
        }
        release(&node, &client).await?;
    }
    Ok(())
}

/// Two workers add 5 each. One is paused for two seconds at a drawn moment.
fn scenario(sim: &mut Sim, fenced: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    let account = Shared::default();
    let mut workers = Vec::new();
    for name in ["worker-1", "worker-2"] {
        let handles = (redis.clone(), Arc::clone(&account));
        workers.push(sim.node_with(name, handles, move |node, (redis, account)| {
            worker(node, redis, account, fenced)
        }));
    }
    let moment = Duration::from_millis(sim.choose(PAUSE, 0, 4_000));
    let (paused, resumed) = (workers[0].clone(), workers[0].clone());
    sim.after(moment, move || paused.pause());
    sim.after(moment + Duration::from_secs(2), move || resumed.resume());
    sim.run().expect_done();
    match account.lock().expect("one thread").balance {
        10 => Ok(()),
        balance => Err(format!("a balance of {balance} after 10 increments")),
    }
}

fn main() {
    let first = common::seed();
    common::heading("a lock alone, 500 seeds");
    let sweep = Seeds::new(first..first + 500).with_all_failures().run(|sim| scenario(sim, false));
    let Some(failure) = sweep.failures.first() else {
        // When one seed is replayed, nothing may go wrong with it.
        return println!("none of {} seeds loses an update", sweep.ran);
    };
    println!("{} of {} seeds lose an update", sweep.failures.len(), sweep.ran);
    println!("seed {}: {}", failure.seed, failure.message);
    let mut sim = Sim::new(failure.seed);
    assert!(scenario(&mut sim, false).is_err(), "the same seed fails again");
    print!("{}", sim.trace().notes());

    common::heading("the same seed with a fencing token");
    let mut sim = Sim::new(failure.seed);
    assert_eq!(scenario(&mut sim, true), Ok(()));
    print!("{}", sim.trace().notes());

    common::heading("and all 500 of them");
    let sweep = Seeds::new(first..first + 500).with_all_failures().run(|sim| scenario(sim, true));
    assert!(sweep.failures.is_empty(), "a stale write was admitted: {:?}", sweep.failures);
    println!("{} of {} seeds lose an update", sweep.failures.len(), sweep.ran);
}
