//! Two clients read a number, add one and write it back. If the second reads before the first has
//! written, one update is lost. The fix lets the server add (`INCR`).

use super::{connected, ms};
use crate::{Bug, Planted};
use stunt_double::redis::{self, Error, Redis, ServerOptions};
use stunt_double::sim::{Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "GET/SET lost update",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::LATE,
};

async fn add(node: Node, redis: Redis, start: u64, fixed: bool) -> Result<(), Error> {
    let client = connected(&node, &redis).await;
    node.sleep(ms(start)).await;
    if fixed {
        return client.call(["INCR", "stock"]).await.map(drop);
    }
    let read = client.call(["GET", "stock"]).await?;
    let stock: i64 = read.as_text().and_then(|text| text.parse().ok()).unwrap_or_default();
    client.call(["SET", "stock", &(stock + 1).to_string()]).await.map(drop)
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    for (name, start) in [("first", 0), ("second", 2)] {
        sim.node_with(name, redis.clone(), move |node, redis| add(node, redis, start, fixed));
    }
    sim.run().expect_done();
    match redis.command(["GET", "stock"]).as_text() {
        Some("2") => Ok(()),
        other => Err(format!("a stock of {} after two additions", other.unwrap_or("nothing"))),
    }
}
