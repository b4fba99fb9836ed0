//! Redis, through its public interface.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod connection;
mod durability;
mod expiry;
mod pubsub;
mod scan;
mod support;
mod transactions;
mod world;
