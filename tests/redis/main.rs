//! Redis, through its public interface.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod acl;
mod bitmaps;
mod blocking;
mod bytes;
mod client;
mod connection;
mod debug;
mod dumps;
mod durability;
mod eviction;
mod expiry;
mod faults;
mod geo;
mod hash_fields;
mod hyperloglogs;
mod later;
mod lists;
mod node;
mod producers;
mod pubsub;
mod readme;
#[cfg(feature = "lua")]
mod recorded;
mod replica_role;
mod replicas_model;
mod replication;
mod replication_stream;
mod scan;
#[cfg(feature = "lua")]
mod scripts;
#[cfg(feature = "lua")]
mod scripts_versions;
mod sentinel;
mod sets;
mod shared;
mod slow_disk;
mod streams;
mod streams_model;
mod strings;
mod support;
mod tracking;
mod transactions;
mod traps;
mod versions;
mod watchers;
mod world;
