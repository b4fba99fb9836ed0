//! Redis, as a value: a server that opens no socket and reads no clock.
//!
//! The model is Redis 7.0.15, down to error texts.

mod blocking;
mod client;
mod command;
mod config;
mod database;
mod draw;
mod error;
mod glob;
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
pub use notify::{EventClasses, KeyEvent};
pub use persist::Losses;
pub use reply::{ErrorReply, Protocol, Reply};
pub use sds::Sds;
pub use server::{ClientId, Output, Server};
