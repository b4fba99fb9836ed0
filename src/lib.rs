//! Deterministic, in-process stand-ins for servers: RabbitMQ and Redis.
//!
//! *RabbitMQ and Redis take the fall, so production doesn't have to.*
//!
//! A test starts a [broker](rabbitmq) or a [Redis](redis) inside a [world](sim): nodes run the
//! code under test as async tasks, links between them have latency and fail,
//! time is virtual, and everything that may differ between two runs is drawn
//! from one seed. There is no socket, no clock, no thread inside a world and no container; an
//! hour of waiting takes microseconds, and a failure found once can be had
//! again from its seed.
//!
//! ```
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
//! # Where things are
//!
//! - [`sim`]: the world. Nodes, links, services, faults, traces, exploration.
//! - [`rabbitmq`]: the broker as a value ([`rabbitmq::broker::Broker`]) that needs no
//!   world, and its async client, which does.
//! - [`redis`]: the databases and the server as values, RESP as bytes, and the
//!   async client; the data structures by themselves in [`redis::value`].
//! - [`choice`] and [`time`]: what all share.
//!
//! The models are RabbitMQ 3.10.8 and Redis 7.0.15, down to reply codes and texts.

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod choice;
pub mod rabbitmq;
pub mod redis;
pub mod sim;
pub mod time;

pub use choice::{Choice, Choices, ParseTapeError, Site, Stream, Tape};
pub use time::{Instant, WORLD_EPOCH};

/// The README's code is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
