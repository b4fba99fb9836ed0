//! A lock is held by whoever has it on two of three servers. One of them crashes and comes back
//! without its keys; now another client can get two as well. The fix lets the servers write to disk
//! before they answer (`appendfsync always`).

use super::{connected, ms};
use crate::{Bug, Planted};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::redis::{self, AppendFsync, Client, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "redlock with an amnesiac node",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("crashed for"),
};

const LEASE: u64 = 10_000;

/// Who holds the lock until when at least, and what went wrong.
type Book = Arc<Mutex<(Option<(String, Instant)>, Option<String>)>>;

/// Asks one server for the lock. Returns whether it was given, or `None` if there was no answer.
async fn lock_at(node: &Node, client: &mut Client, redis: &Redis) -> Option<bool> {
    let lease = LEASE.to_string();
    let asked = client.call(["SET", "lock", node.name(), "NX", "PX", &lease]).await;
    match asked {
        Ok(reply) => Some(!reply.is_nil() && !reply.is_error()),
        Err(_) => {
            *client = connected(node, redis).await;
            None
        }
    }
}

async fn client(node: Node, (servers, book): (Vec<Redis>, Book), start: u64) {
    node.sleep(ms(start)).await;
    let mut clients = Vec::new();
    for server in &servers {
        clients.push(connected(&node, server).await);
    }
    let asked = node.now();
    let (mut votes, mut answers) = (0, 0);
    for (client, server) in clients.iter_mut().zip(&servers) {
        let answer = lock_at(&node, client, server).await;
        answers += usize::from(answer.is_some());
        votes += u32::from(answer == Some(true));
        if votes == 2 {
            break;
        }
    }
    // Nobody asks before the first.
    if start == 0 && answers == servers.len() && votes == 0 {
        book.lock().expect("one thread").1 = Some("a free lock is given to nobody".to_owned());
    }
    if votes < 2 || node.now() >= asked + ms(LEASE) {
        return;
    }
    node.note("holds the lock");
    let mut book = book.lock().expect("one thread");
    if let Some((holder, until)) = &book.0
        && node.now() < *until
    {
        book.1 = Some(format!("{} and {holder} both hold the lock", node.name()));
    }
    book.0 = Some((node.name().to_owned(), asked + ms(LEASE)));
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let mut plan = Chaos::new().with_downtime(ms(1)..ms(5));
    let mut servers = Vec::new();
    for name in ["redis-1", "redis-2", "redis-3"] {
        let options = ServerOptions::default();
        let always = AppendFsync::Always;
        let options = if fixed { options.with_append_only(always) } else { options };
        let redis = redis::start_named(sim, name, options);
        plan = plan.crash(&redis);
        servers.push(redis);
    }
    let book = Book::default();
    for (name, start, backwards) in [("client-1", 0, false), ("client-2", 200, true)] {
        let mut servers = servers.clone();
        if backwards {
            servers.reverse();
        }
        let handles = (servers, Arc::clone(&book));
        sim.node_with(name, handles, move |node, handles| client(node, handles, start));
    }
    plan.run_then_heal(sim, Duration::from_secs(60)).expect_done();
    book.lock().expect("one thread").1.take().map_or(Ok(()), Err)
}
