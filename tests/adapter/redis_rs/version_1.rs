//! The tests for redis-rs 1.

use redis_1 as redis;
use stunt_double::adapter::redis_rs as adapter;

#[path = "commands.rs"]
mod commands;
#[path = "determinism.rs"]
mod determinism;
#[path = "errors.rs"]
mod errors;
#[path = "light.rs"]
mod light;
#[path = "messages.rs"]
mod messages;
#[cfg(any(feature = "bb8", feature = "deadpool"))]
#[path = "pools.rs"]
mod pools;
#[path = "requests.rs"]
mod requests;
#[path = "stand_in.rs"]
mod stand_in;
#[path = "support.rs"]
mod support;
#[path = "timeouts.rs"]
mod timeouts;
