//! Redis, as a value: databases and a server that open no socket and read no
//! clock.
//!
//! The model is Redis 7.0.15, down to error texts, as far as the README lists it.
//! There are four ways in, each made of the next:
//!
//! - in a [world](crate::sim): [`start`] a server, and [`Client`] calls commands
//!   from a node, with latency, partitions and deaths;
//! - as bytes: [`resp::ByteServer`] speaks RESP2 and RESP3;
//! - as a machine: [`Server`] takes commands and hands out replies, and is told the
//!   time;
//! - directly: [`Database`] has every operation as a typed method, and [`value`]
//!   the data structures behind them.
//!
//! ```
//! use stunt_double::redis::{Database, ZRange, ZRangeOptions};
//!
//! let mut db = Database::new();
//! db.zadd(b"scores", &[(10.0, b"ann"), (20.0, b"bob")], Default::default())?;
//! let best = db.zrange(
//!     b"scores",
//!     &ZRange::Ranks(0, 0),
//!     ZRangeOptions { reverse: true, ..Default::default() },
//! )?;
//! assert_eq!(best, [("bob".into(), 20.0)]);
//! # Ok::<(), stunt_double::redis::Error>(())
//! ```
//!
//! Inside:
//!
//! ```text
//!  bytes ─▶ resp ─▶ Server ─▶ command ─▶ Database ─▶ value
//!           (ByteServer)  │    (table)    (one file a type)
//!                         ├─ sessions, transaction, blocking, pubsub
//!                         └─ persist
//! ```

mod blocking;
mod client;
mod command;
mod config;
mod database;
mod draw;
mod error;
mod glob;
mod id;
mod keyspace;
mod long_double;
mod memory;
mod notify;
mod number;
mod persist;
mod pubsub;
mod reply;
pub mod resp;
mod sds;
mod server;
mod slot_table;
mod transaction;
mod undo;
pub mod value;

pub use client::{
    Client, ClientError, ClientOptions, ClientSession, Message, Pipeline, Redis, Response,
    Subscription, start, start_named,
};
pub use config::{AppendFsync, SavePoint, ServerOptions};
pub use database::{
    Aggregate, BitRange, BitUnit, By, Combination, Database, ExpireCondition, Expiry, FieldAction,
    FieldOperation, FieldType, Inserted, Lcs, LcsMatch, Limits, LposOptions, Overflow, Page,
    SetCondition, SetOptions, SetOutcome, Sort, Ttl, Usage, ZRange, ZRangeOptions, ZSources,
    ZaddComparison, ZaddCondition, ZaddOptions, ZaddOutcome,
};
pub use error::Error;
pub use id::ClientId;
pub use notify::{EventClasses, KeyEvent};
pub use persist::Losses;
pub use reply::{ErrorReply, Protocol, Reply};
pub use sds::Sds;
pub use server::{Output, Server};
