//! The servers as hosts of the simulator `turmoil` 0.7, and on the network of `turmoil-net` 0.1.
//!
//! A [`Host`] is a Redis or a RabbitMQ that serves bytes over a simulated TCP listener. Its data
//! outlive a crash of its host as the real server's would: with `turmoil`, [`Host::serve`] is the
//! host's software, and when turmoil drops it (a crash, a bounce) the server is killed, or loses
//! power, and keeps what it had on disk. Partitions, latencies and lost packets are the
//! simulator's.
//!
#![cfg_attr(feature = "redis-rs", doc = "```")]
#![cfg_attr(not(feature = "redis-rs"), doc = "```ignore")]
//! # use redis_1 as redis;
//! use redis::AsyncCommands;
//! use redis::aio::MultiplexedConnection;
//! use std::sync::LazyLock;
//! use std::time::Duration;
//! use stunt_double::adapter::turmoil::Host;
//! use stunt_double::redis::ServerOptions;
//! use turmoil::net::TcpStream;
//!
//! let mut sim = turmoil::Builder::new().rng_seed(7).build();
//! let server = Host::redis(ServerOptions::default(), 1);
//! let software = server.clone();
//! sim.host("redis", move || software.clone().serve());
//! sim.client("app", async {
//!     let socket = TcpStream::connect("redis:6379").await?;
//!     let config = redis::AsyncConnectionConfig::new();
//!     static INFO: LazyLock<redis::RedisConnectionInfo> = LazyLock::new(Default::default);
//!     let (mut connection, driver) =
//!         MultiplexedConnection::new_with_config(&INFO, socket, config).await?;
//!     tokio::spawn(driver);
//!     let _: () = connection.set_ex("key", 41, 60).await?;
//!     let number: i64 = connection.incr("key", 1).await?;
//!     assert_eq!(number, 42);
//!     tokio::time::sleep(Duration::from_secs(1)).await;
//!     Ok(())
//! });
//! sim.run().unwrap();
//! ```
//!
//! With the feature `lapin`, `lapin` and `lapin_net` connect the client library lapin from a host,
//! in lock step as in a world.
//!
//! # What differs from a world of this crate
//!
//! - Turmoil moves time in ticks, so its hosts' clocks agree only at their ends.
//! - Its seed replays a run only as far as turmoil itself does.
//! - A server that resets a connection (RabbitMQ does) closes it in good order here, because
//!   turmoil's streams cannot be told to reset.
//! - A partition of turmoil drops messages, and its TCP never sends them again. So a stream that
//!   lost something stays silent until heartbeats or a time-out end it. `turmoil::hold` delays
//!   instead.
//! - lapin's thread runs when bytes arrive and at each millisecond. So what a caller of lapin sends
//!   leaves its host up to a millisecond later.
//! - Tasks that lapin wakes at once run in the order in which it wakes them, which comes from its
//!   hash maps in places, such as the channels of a connection that ends. A world sorts them.
//! - `lapin::Connection::run` blocks the whole simulation. After five minutes it ends with a
//!   sentence if what the task awaited before was lapin's; after a wait of another kind, such as a
//!   sleep, it blocks for ever, because turmoil does not tell whether it is at rest.

#[cfg(feature = "lapin")]
mod amqp;
mod connection;
mod host;

#[cfg(feature = "lapin")]
pub use amqp::{lapin, lapin_net};
pub use host::Host;
