//! A worker whose lease ran out deletes the lock when it is done, although it is another's by now,
//! and a third gets in beside that one. The fix deletes the lock only if it is still the worker's
//! own, in a transaction that watches it.

use super::{connected, ms};
use crate::{Bug, Planted};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::redis::{self, Client, Error, Pipeline, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "unlock of another's lock",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("paused for"),
};

const LEASE: u64 = 300;

/// Who holds the lock until when at least, and what went wrong.
#[derive(Default)]
struct Book {
    holder: Option<(String, Instant)>,
    problem: Option<String>,
}

type Shared = Arc<Mutex<Book>>;

impl Book {
    /// A worker has the lock. Its lease began when it asked.
    fn acquired(&mut self, who: &str, asked: Instant, now: Instant) {
        if now >= asked + ms(LEASE) {
            return; // It is over already.
        }
        if let Some((holder, until)) = &self.holder
            && now < *until
        {
            self.problem = Some(format!("{who} got the lock, which {holder} holds until {until}"));
        }
        self.holder = Some((who.to_owned(), asked + ms(LEASE)));
    }

    /// A worker is about to give back its lock, if it still has it.
    fn releases(&mut self, who: &str) {
        if self.holder.as_ref().is_some_and(|(holder, _)| holder == who) {
            self.holder = None;
        }
    }
}

async fn release(node: &Node, client: &Client, fixed: bool) -> Result<(), Error> {
    if !fixed {
        return client.call(["DEL", "lock"]).await.map(drop);
    }
    client.call(["WATCH", "lock"]).await?;
    if client.call(["GET", "lock"]).await?.as_text() == Some(node.name()) {
        client.transaction(&Pipeline::new().command(["DEL", "lock"])).await?;
    }
    client.call(["UNWATCH"]).await.map(drop)
}

async fn worker(node: Node, (redis, book): (Redis, Shared), fixed: bool) -> Result<(), Error> {
    let client = connected(&node, &redis).await;
    for _ in 0..2 {
        let asked = loop {
            let asked = node.now();
            let lease = LEASE.to_string();
            let lock = client.call(["SET", "lock", node.name(), "NX", "PX", &lease]).await?;
            if !lock.is_nil() {
                break asked;
            }
            node.sleep(ms(20)).await;
        };
        node.note("holds the lock");
        book.lock().expect("one thread").acquired(node.name(), asked, node.now());
        node.sleep(ms(20)).await;
        client.call(["INCR", "work"]).await?;
        node.note("gives back the lock");
        book.lock().expect("one thread").releases(node.name());
        release(&node, &client, fixed).await?;
    }
    Ok(())
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    let book = Shared::default();
    let mut plan = Chaos::new();
    for name in ["worker-1", "worker-2", "worker-3"] {
        let handles = (redis.clone(), Arc::clone(&book));
        let node = sim.node_with(name, handles, move |node, handles| worker(node, handles, fixed));
        plan = plan.pause(&node, ms(305)..ms(330));
    }
    plan.run_then_heal(sim, Duration::from_secs(60)).expect_done();
    book.lock().expect("one thread").problem.take().map_or(Ok(()), Err)
}
