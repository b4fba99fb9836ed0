//! RabbitMQ through the public API: each test is named after a behaviour that fakes usually get
//! wrong. The expectations were observed on a real RabbitMQ 3.10.8.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod played;

mod admin;
mod arguments;
mod client;
mod confirms;
mod counters;
#[cfg(feature = "definitions")]
mod definitions;
#[cfg(feature = "definitions")]
mod definitions_by_version;
mod dispatch;
mod durability;
mod errors;
mod exchanges;
mod expiration;
mod faults;
mod heartbeats;
mod kills;
mod kinds;
mod lifecycle;
mod listings;
mod long_backlogs;
mod peek;
mod policies;
mod qos;
mod recorded;
mod redelivery;
mod refusals;
mod short_strings;
mod storm;
mod support;
mod timeouts;
mod version;
