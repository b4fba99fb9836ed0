//! Bugs of code that uses Redis.

mod brpop_loss;
mod clock_skew_leader;
mod fencing;
mod immortal_counter;
mod lost_update;
mod missed_retry;
mod pubsub_gap;
mod redlock_amnesia;
mod short_page;
mod stampede;
mod unlock_of_another;

use crate::Bug;
use std::time::Duration;
use stunt_double::redis::{Client, Redis};
use stunt_double::sim::Node;

/// Returns the bugs.
#[must_use]
pub fn bugs() -> Vec<Bug> {
    vec![
        brpop_loss::BUG,
        fencing::BUG,
        unlock_of_another::BUG,
        redlock_amnesia::BUG,
        missed_retry::BUG,
        immortal_counter::BUG,
        lost_update::BUG,
        stampede::BUG,
        pubsub_gap::BUG,
        short_page::BUG,
        clock_skew_leader::BUG,
    ]
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Connects, again and again if it must.
async fn connected(node: &Node, redis: &Redis) -> Client {
    loop {
        match Client::connect(node, redis).await {
            Ok(client) => return client,
            Err(_) => node.sleep(ms(20)).await,
        }
    }
}
