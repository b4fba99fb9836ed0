//! A leader writes until when it leads, by its own clock, and the others compare that with theirs.
//! If a clock is ahead, its owner believes that the term is over while the leader still leads. The
//! fix leaves the time to Redis (`PX`), and counts its own term on a clock that does not jump.

use super::{connected, ms};
use crate::{Bug, Planted};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::redis::{self, Client, Error, Pipeline, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "clock-skew leader",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("the clock of"),
};

const TERM: u64 = 1_000;

/// Who leads until when at least, and what went wrong.
type Book = Arc<Mutex<(Option<(String, Instant)>, Option<String>)>>;

/// Takes the lead if nobody has it, by the clock of this node.
async fn by_own_clock(node: &Node, client: &Client) -> Result<bool, Error> {
    client.call(["WATCH", "leader:until"]).await?;
    let until = client.call(["GET", "leader:until"]).await?;
    let until: u128 = until.as_text().and_then(|text| text.parse().ok()).unwrap_or_default();
    let now = node.wall_clock().as_millis();
    if now < until {
        client.call(["UNWATCH"]).await?;
        return Ok(false);
    }
    let until = (now + u128::from(TERM)).to_string();
    let write = Pipeline::new().command(["SET", "leader:until", &until]);
    Ok(client.transaction(&write).await?.is_some())
}

async fn by_the_server(node: &Node, client: &Client) -> Result<bool, Error> {
    let term = TERM.to_string();
    let lead = client.call(["SET", "leader", node.name(), "NX", "PX", &term]).await?;
    Ok(!lead.is_nil())
}

/// Writes down that a node leads, and whether another does too.
fn write_down(node: &Node, book: &Book, until: Instant) {
    node.note(format_args!("leads until {until}"));
    let mut book = book.lock().expect("one thread");
    if let Some((leader, until)) = &book.0
        && node.now() < *until
    {
        book.1 = Some(format!("{} leads beside {leader}", node.name()));
    }
    book.0 = Some((node.name().to_owned(), until));
}

async fn candidate(node: Node, (redis, book): (Redis, Book), fixed: bool) -> Result<(), Error> {
    let client = connected(&node, &redis).await;
    let mut led = 0;
    while led < 2 {
        let asked = node.now();
        let leads = match fixed {
            true => by_the_server(&node, &client).await?,
            false => by_own_clock(&node, &client).await?,
        };
        if leads {
            led += 1;
            // It stops a little early, because it does not know when the server began to count.
            let until = asked + ms(TERM - 50);
            write_down(&node, &book, until);
            node.sleep_until(until).await;
        }
        node.sleep(ms(60)).await;
    }
    Ok(())
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    let book = Book::default();
    let mut plan = Chaos::new();
    for name in ["node-1", "node-2"] {
        let handles = (redis.clone(), Arc::clone(&book));
        let node =
            sim.node_with(name, handles, move |node, handles| candidate(node, handles, fixed));
        plan = plan.clock_jump(&node, ms(400));
    }
    plan.run_then_heal(sim, Duration::from_secs(60)).expect_done();
    book.lock().expect("one thread").1.take().map_or(Ok(()), Err)
}
