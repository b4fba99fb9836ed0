//! A transfer watches an account, reads it, and writes in a transaction. `EXEC` answers nil if the
//! account has changed meanwhile; the program takes that for success, and the transfer is lost. The
//! fix tries again.

use super::{connected, ms};
use crate::{Bug, Planted};
use stunt_double::redis::{self, Error, Pipeline, Redis, ServerOptions};
use stunt_double::sim::{Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "WATCH missed retry",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::LATE,
};

async fn deposit(node: Node, redis: Redis, start: u64, fixed: bool) -> Result<(), Error> {
    let client = connected(&node, &redis).await;
    node.sleep(ms(start)).await;
    loop {
        client.call(["WATCH", "account"]).await?;
        let read = client.call(["GET", "account"]).await?;
        let balance: i64 = read.as_text().and_then(|text| text.parse().ok()).unwrap_or_default();
        let write = Pipeline::new().command(["SET", "account", &(balance + 10).to_string()]);
        if client.transaction(&write).await?.is_some() || !fixed {
            return Ok(());
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    for (name, start) in [("alice", 0), ("bob", 3)] {
        sim.node_with(name, redis.clone(), move |node, redis| deposit(node, redis, start, fixed));
    }
    sim.run().expect_done();
    match redis.command(["GET", "account"]).as_text() {
        Some("20") => Ok(()),
        other => Err(format!("a balance of {} after two deposits", other.unwrap_or("nothing"))),
    }
}
