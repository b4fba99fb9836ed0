//! A worker holds a lock with a lease, is paused for longer than that, and then writes, although
//! the lock is another's by now: an update is lost. The fix gives each holder a token that rises,
//! and the storage refuses a token that is lower than one it has seen.

use super::{connected, ms};
use crate::{Bug, Planted};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::redis::{self, Error, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "lock expiry without fencing",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("paused for"),
};

/// The storage, which both workers write: a number, and the highest token that it has seen.
type Storage = Arc<Mutex<(i64, i64)>>;

/// Reads with a token. Returns the number, or `None` if the token is too old.
fn read(storage: &Storage, token: i64, fixed: bool) -> Option<i64> {
    let mut storage = storage.lock().expect("one thread");
    if fixed && token < storage.1 {
        return None;
    }
    storage.1 = storage.1.max(token);
    Some(storage.0)
}

/// Writes with a token. Returns whether the storage took it.
fn write(storage: &Storage, token: i64, number: i64, fixed: bool) -> bool {
    let is_stale = read(storage, token, fixed).is_none();
    if !is_stale {
        storage.lock().expect("one thread").0 = number;
    }
    !is_stale
}

async fn worker(node: Node, (redis, storage): (Redis, Storage), fixed: bool) -> Result<(), Error> {
    let client = connected(&node, &redis).await;
    let mut done = 0;
    while done < 2 {
        while client.call(["SET", "lock", node.name(), "NX", "PX", "200"]).await?.is_nil() {
            node.sleep(ms(10)).await;
        }
        let token = client.call(["INCR", "token"]).await?.as_integer().unwrap_or_default();
        if let Some(number) = read(&storage, token, fixed) {
            node.note(format_args!("has read {number}"));
            client.call(["SET", "progress", node.name()]).await?;
            node.sleep(ms(2)).await;
            node.note(format_args!("writes {}", number + 1));
            done += i64::from(write(&storage, token, number + 1, fixed));
        }
        if client.call(["GET", "lock"]).await?.as_text() == Some(node.name()) {
            client.call(["DEL", "lock"]).await?;
        }
    }
    Ok(())
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    let storage = Storage::default();
    let mut plan = Chaos::new();
    for name in ["worker-1", "worker-2"] {
        let handles = (redis.clone(), Arc::clone(&storage));
        let node = sim.node_with(name, handles, move |node, handles| worker(node, handles, fixed));
        plan = plan.pause(&node, ms(500)..ms(2_000));
    }
    plan.run_then_heal(sim, Duration::from_secs(60)).expect_done();
    match storage.lock().expect("one thread").0 {
        4 => Ok(()),
        number => Err(format!("{number} after four increments")),
    }
}
