//! Deterministic, in-process stand-ins for RabbitMQ and Redis.
//!
//! *RabbitMQ and Redis take the fall, so production doesn't have to.*
//!
//! A test runs the code under test inside a simulated world, against a broker and a Redis that
//! behave like the real ones down to their error texts. Nodes run async tasks. Links between them
//! have latency and fail. Time is virtual. Everything that may differ between two runs is drawn
//! from one seed. A world has no sockets, no clock, no threads and no containers: hours pass
//! in milliseconds, and a failure found once can be replayed from its seed.
//!
#![cfg_attr(feature = "rabbitmq", doc = "```")]
#![cfg_attr(not(feature = "rabbitmq"), doc = "```ignore")]
//! use std::time::Duration;
//! use stunt_double::rabbitmq::{self, BrokerOptions, Connection, ConsumeOptions, Properties};
//! use stunt_double::rabbitmq::{Error, QueueOptions, RabbitMq};
//! use stunt_double::sim::{Node, Sim};
//!
//! async fn worker(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
//!     let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
//!     channel.queue_declare("tasks", QueueOptions::default()).await?;
//!     let mut tasks = channel.basic_consume("tasks", ConsumeOptions::default()).await?;
//!     while let Some(task) = tasks.next().await {
//!         let task = task?;
//!         node.sleep(Duration::from_secs(60)).await; // the work
//!         task.ack()?;
//!     }
//!     Ok(())
//! }
//!
//! let mut sim = Sim::new(42);
//! let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
//! let worker = sim.daemon_with("worker", rabbit.clone(), worker);
//! sim.node_with("client", rabbit.clone(), async |node, rabbit| {
//!     let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
//!     channel.basic_publish("", "tasks", Properties::default(), "a minute of work")?;
//!     channel.close().await
//! });
//! // The worker dies half-way: its task returns to the queue.
//! sim.after(Duration::from_secs(30), move || worker.kill());
//! sim.run().expect_done();
//! assert_eq!(rabbit.messages_ready("tasks"), Some(1));
//! ```
//!
//! # Modules
//!
//! - [`sim`]: the world. Nodes, links, services, faults, traces, exploration.
#![cfg_attr(
    feature = "rabbitmq",
    doc = "- [`rabbitmq`]: RabbitMQ 3.10.8 as a service of a world, as a machine, and as bytes \
           (AMQP 0-9-1)."
)]
#![cfg_attr(
    feature = "redis",
    doc = "- [`redis`]: Redis 7.0.15 as a service of a world, as a machine, as bytes (RESP), and its \
           data structures alone."
)]
#![cfg_attr(
    any(
        feature = "lapin",
        feature = "loopback",
        feature = "redis-rs",
        feature = "redis-rs-2",
        feature = "tokio",
        feature = "tracing",
        feature = "turmoil"
    ),
    doc = "- [`adapter`]: real client libraries and runtimes, each a feature."
)]
//! - [`choice`] and [`time`]: randomness and time, which everything shares.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `rabbitmq` | yes | the module `rabbitmq` |
//! | `redis` | yes | the module `redis` |
//! | `definitions` | no | import and export of RabbitMQ's definitions files |
//! | `redis-rs`, `redis-rs-2` | no | the client library redis-rs, 1.x and 2.0, on the stand-in |
//! | `lapin` | no | the client library lapin, 4.x, in a world |
//! | `tokio` | no | code that needs tokio, on nodes of a world; a world beside a tokio test |
//! | `tracing` | no | events of `tracing` as notes of the trace |
//! | `turmoil` | no | both servers as hosts of turmoil and on turmoil-net |
//! | `deadpool`, `bb8` | no | managers for pools of redis-rs' connections |
//! | `loopback` | no | both servers on loopback sockets |

#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(any(
    feature = "lapin",
    feature = "loopback",
    feature = "redis-rs",
    feature = "redis-rs-2",
    feature = "tokio",
    feature = "tracing",
    feature = "turmoil"
))]
pub mod adapter;
pub mod choice;
mod invariant;
mod json;
#[cfg(all(test, any(feature = "rabbitmq", feature = "redis")))]
mod profile_facts;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
#[cfg(feature = "redis")]
pub mod redis;
mod shutdown;
pub mod sim;
mod sort;
pub mod time;
#[cfg(any(feature = "rabbitmq", feature = "redis"))]
mod unknown_version;
#[cfg(any(feature = "rabbitmq", feature = "redis"))]
mod version_changes;

pub use choice::{Choice, Choices, ParseTapeError, Site, Stream, Tape};
pub use shutdown::Shutdown;
pub use time::{Instant, WORLD_EPOCH};

/// The README's code is compiled with the documentation's.
#[cfg(all(doctest, feature = "rabbitmq", feature = "redis"))]
#[doc = include_str!("../README.md")]
struct Readme;
