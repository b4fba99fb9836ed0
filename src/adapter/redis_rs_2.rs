//! redis-rs 2.0 (the crate `redis`, a release candidate) on the stand-in for Redis.
//!
//! The module has the same types and traits as the one for 1.x, made for the other major version of
//! the crate.
//!
//! ```
//! use redis_2 as redis; // in your code, the crate is named `redis`
//! use redis::AsyncCommands;
//! use stunt_double::adapter::redis_rs_2::Connect;
//! use stunt_double::redis::{ServerOptions, start};
//! use stunt_double::sim::Sim;
//!
//! let mut sim = Sim::new(1);
//! let server = start(&mut sim, ServerOptions::default());
//! sim.node_with("client", server, async |node, server| {
//!     let mut con = server.multiplexed(&node).await?;
//!     let () = con.set("greeting", "hello").await?;
//!     assert_eq!(con.get::<_, String>("greeting").await?, "hello");
//!     redis::RedisResult::Ok(())
//! });
//! sim.run().expect_done();
//! ```
//!
#![doc = include_str!("redis_rs/differences.md")]
#![allow(clippy::duplicate_mod, reason = "the files are compiled for either major version")]

use redis_2 as redis;

#[cfg(feature = "bb8")]
#[path = "redis_rs/bb8.rs"]
pub mod bb8;
#[path = "redis_rs/connect.rs"]
mod connect;
#[cfg(feature = "deadpool")]
#[path = "redis_rs/deadpool.rs"]
pub mod deadpool;
#[path = "redis_rs/light.rs"]
mod light;
#[path = "redis_rs/replies.rs"]
mod replies;
#[path = "redis_rs/stand_in.rs"]
pub mod stand_in;

pub use connect::Connect;
pub use light::Connection;
pub use stand_in::StandIn;
