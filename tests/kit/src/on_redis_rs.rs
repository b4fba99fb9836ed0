//! Bugs of the kit again, in code that uses redis-rs.
//!
//! The programs are those of `redis/`, with their waits left to the node. Nothing else in them
//! knows of a world.

mod immortal_counter;
mod lost_update;

use crate::Bug;
use redis_1::aio::MultiplexedConnection;
use std::time::Duration;
use stunt_double::adapter::redis_rs::Connect;
use stunt_double::redis::Redis;
use stunt_double::sim::Node;

/// Returns the bugs.
#[must_use]
pub fn bugs() -> Vec<Bug> {
    vec![immortal_counter::BUG, lost_update::BUG]
}

/// Connects, again and again if it must.
async fn connected(node: &Node, redis: &Redis) -> MultiplexedConnection {
    loop {
        match redis.multiplexed(node).await {
            Ok(connection) => return connection,
            Err(_) => node.sleep(Duration::from_millis(20)).await,
        }
    }
}
