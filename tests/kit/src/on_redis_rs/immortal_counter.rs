//! A rate limiter increments a counter and then gives it an expiry. If the process dies in between,
//! the counter never expires. The fix does both in one transaction.

use super::connected;
use crate::{Bug, Planted};
use redis_1::{AsyncCommands, RedisResult, pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use stunt_double::redis::{self, Redis, ServerOptions};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "INCR/EXPIRE immortal counter, on redis-rs",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("limiter killed"),
};

async fn visit(node: Node, redis: Redis, fixed: bool) -> RedisResult<()> {
    let mut client = connected(&node, &redis).await;
    if fixed {
        let mut both = pipe();
        both.atomic().incr("visits", 1).ignore().expire("visits", 60).ignore();
        return both.query_async(&mut client).await;
    }
    let visits: i64 = client.incr("visits", 1).await?;
    if visits == 1 {
        let _: bool = client.expire("visits", 60).await?;
    }
    Ok(())
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let redis = redis::start(sim, ServerOptions::default());
    let visits = Arc::new(AtomicU32::new(0));
    let handles = (redis.clone(), Arc::clone(&visits));
    let node = sim.node_with("limiter", handles, move |node, (redis, visits)| async move {
        visit(node, redis, fixed).await?;
        visits.fetch_add(1, Relaxed);
        Ok::<(), redis_1::RedisError>(())
    });
    let plan = Chaos::new().kill(&node);
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    match (redis.command(["TTL", "visits"]).as_integer(), visits.load(Relaxed)) {
        (Some(-1), _) => Err("a counter that never expires".to_owned()),
        (_, 0) => Err("nobody has visited".to_owned()),
        _ => Ok(()),
    }
}
