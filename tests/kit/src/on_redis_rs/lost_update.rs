//! Two clients read a number, add one and write it back. If the second reads before the first has
//! written, one update is lost. The fix lets the server add (`INCR`).

use super::connected;
use crate::{Bug, Planted};
use redis_1::{AsyncCommands, RedisResult};
use std::time::Duration;
use stunt_double::redis::{self, Redis, ServerOptions};
use stunt_double::sim::{Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "GET/SET lost update, on redis-rs",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::LATE,
};

async fn add(node: Node, redis: Redis, start: u64, fixed: bool) -> RedisResult<()> {
    let mut client = connected(&node, &redis).await;
    node.sleep(Duration::from_millis(start)).await;
    if fixed {
        return client.incr("stock", 1).await;
    }
    let stock: Option<i64> = client.get("stock").await?;
    client.set("stock", stock.unwrap_or_default() + 1).await
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
