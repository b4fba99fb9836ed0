//! Both servers in one world, with typed clients, clients that speak bytes, and operators.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/amqp/mod.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod amqp;
mod endings;
mod key_stories;
mod message_stories;
mod shared;
mod stories;
