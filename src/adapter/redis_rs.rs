//! redis-rs 1.x (the crate `redis`) on the stand-in for Redis.
//!
//! In a world, the trait [`Connect`] gives the handle [`Redis`](crate::redis::Redis) methods that
//! open connections from a node:
//!
//! | method | what it opens |
//! |---|---|
//! | [`multiplexed`](Connect::multiplexed) | redis-rs' own `MultiplexedConnection`, RESP2 or RESP3 |
//! | [`pubsub`](Connect::pubsub) | redis-rs' own `PubSub` |
//! | [`connection`](Connect::connection) | a light [`Connection`], for `AsyncCommands` and pipelines |
//!
//! ```
//! use redis_1 as redis; // in your code, the crate is named `redis`
//! use redis::AsyncCommands;
//! use std::time::Duration;
//! use stunt_double::adapter::redis_rs::Connect;
//! use stunt_double::redis::{ServerOptions, start};
//! use stunt_double::sim::Sim;
//!
//! /// Production code: it knows redis-rs only.
//! async fn visit(con: &mut impl AsyncCommands) -> redis::RedisResult<u64> {
//!     let visits = con.incr("visits", 1).await?;
//!     let () = con.expire("visits", 60).await?;
//!     Ok(visits)
//! }
//!
//! let mut sim = Sim::new(1);
//! let server = start(&mut sim, ServerOptions::default());
//! sim.node_with("client", server, async |node, server| {
//!     let mut con = server.multiplexed(&node).await?;
//!     assert_eq!(visit(&mut con).await?, 1);
//!     assert_eq!(visit(&mut con).await?, 2);
//!     node.sleep(Duration::from_secs(61)).await;
//!     assert_eq!(visit(&mut con).await?, 1);
//!     redis::RedisResult::Ok(())
//! });
//! sim.run().expect_done();
//! ```
//!
//! Without a world, a [`StandIn`] is a Redis for unit tests of blocking code:
//!
//! ```
//! # use redis_1 as redis;
//! use redis::Commands;
//! use std::time::Duration;
//! use stunt_double::adapter::redis_rs::StandIn;
//!
//! let stand_in = StandIn::redis();
//! let mut con = stand_in.connection()?;
//! let () = con.set_ex("session", "ann", 10)?;
//! stand_in.advance(Duration::from_secs(10));
//! assert_eq!(con.get::<_, Option<String>>("session")?, None);
//! # redis::RedisResult::Ok(())
//! ```
//!
#![doc = include_str!("redis_rs/differences.md")]
#![allow(clippy::duplicate_mod, reason = "the files are compiled for either major version")]

use redis_1 as redis;

#[cfg(feature = "bb8")]
pub mod bb8;
mod connect;
#[cfg(feature = "deadpool")]
pub mod deadpool;
mod light;
mod replies;
pub mod stand_in;

pub use connect::Connect;
pub use light::Connection;
pub use stand_in::StandIn;
