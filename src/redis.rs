//! Redis, as a value: databases and a server that open no socket and read no
//! clock.
//!
//! The model is Redis 7.0.15, down to error texts, as far as the README lists it.
//! There are four ways in, each made of the next:
//!
//! - in a [world](crate::sim): [`start`] a server, and [`Client`] calls commands
//!   from a node, with latency, partitions and deaths;
//! - as bytes: [`resp::ByteServer`] speaks RESP2 and RESP3;
//! - as a machine: [`Server`](server::Server) takes commands and hands out replies, and is told the
//!   time;
//! - directly: [`Database`](database::Database) has every operation as a typed method, and [`value`]
//!   the data structures behind them.
//!
//! ```
//! use stunt_double::redis::database::{Database, ZRange, ZRangeOptions};
//!
//! let mut db = Database::new();
//! db.zadd(b"scores", &[(10.0, b"ann"), (20.0, b"bob")], Default::default())?;
//! let best = db.zrange(
//!     b"scores",
//!     &ZRange::Ranks(0, 0),
//!     ZRangeOptions { reverse: true, ..Default::default() },
//! )?;
//! assert_eq!(best, [("bob".into(), 20.0)]);
//! # Ok::<(), stunt_double::redis::CommandError>(())
//! ```
//!
//! # Restart, kill, loss of power
//!
//! What a server keeps is in its [`ServerOptions`]: save points, as Redis has them by
//! default, or [`with_append_only`](ServerOptions::with_append_only). In a world,
//! [`restart`](crate::sim::ServiceHandle::restart) stops it in good order,
//! [`crash`](crate::sim::ServiceHandle::crash) kills its process and
//! [`lose_power`](crate::sim::ServiceHandle::lose_power) takes what was not synced, too; all
//! three start it again at once. For an outage that lasts,
//! [`stop`](crate::sim::ServiceHandle::stop) it and [`start`](crate::sim::ServiceHandle::start) it
//! later. What was lost is in `losses()` and in the trace.
//!
//! With `appendfsync everysec` the death of the process alone loses writes that were answered,
//! if the disk is slow: the server postpones its writes while a sync runs.
//! [`with_fsync_time`](ServerOptions::with_fsync_time) sets how long one takes.
//! [`with_loading_time`](ServerOptions::with_loading_time) sets for how long a server that starts
//! with data answers `LOADING`, and a [`Refusal`] makes one that is up answer with errors.
//!
//! # Where it differs from the real server
//!
//! - *Time*: a key is gone at the very millisecond at which it expires, looked at or
//!   not; the real server may keep it for one more, and until it looks. A blocked client
//!   gives up at its deadline exactly. A save, a rewrite and `BGSAVE` take no time. A key
//!   that is to expire in the very last millisecond of time does so in the one before.
//! - *Order*: what Redis leaves open (hash tables, `SCAN`'s cursors, equal weights in
//!   `SORT`, members of different scores in `ZRANGEBYLEX`) has one deterministic
//!   answer; `SPOP` and its like draw from the seed.
//! - *Transactions*: one that says `HELLO` is answered in the protocol it ends with,
//!   where the real server writes each reply in the one it has by then; and a queued
//!   request does not hold a value of its own that `OBJECT REFCOUNT` would count. A kill
//!   while one sleeps (`DEBUG SLEEP`) keeps what it has done so far where there is an
//!   append-only file.
//! - *Figures*: `INFO` has the real server's fields; what a client can check is true in them
//!   (connections, commands, errors, hits, keys, saves), and what is not modelled has the
//!   value of a server that has not needed it: commands and processors take no time, bytes
//!   are not counted. `avg_ttl` is the exact average, once a tenth of a second has passed.
//!   `CLIENT LIST` has zeros for sizes of buffers, `MEMORY USAGE` the real number for strings
//!   and one near it for collections. `OBJECT IDLETIME` of small integers is their own, where
//!   Redis shares the objects.
//! - *Texts*: errors are text, so that bytes which are no UTF-8 are shown in them as
//!   U+FFFD. `HELP` is made from the table of commands.
//! - *Configuration*: all parameters of 7.0.15 are known, with its defaults, and values are
//!   checked and read back as there. Those that tune what is not modelled (threads, memory,
//!   replicas, clusters, TLS, the log) do nothing. Those that would matter may only be set to
//!   their defaults: `maxmemory`, `maxmemory-policy`, `maxmemory-clients`, `maxclients`,
//!   `timeout`, `min-replicas-to-write`, `bind`, `port`, `tls-port`. There is no file:
//!   `CONFIG SET` is forgotten when the server starts again, and with it an append-only file
//!   that it switched on.
//! - *Scans*: a page has as many places as `COUNT` says, where the real one's has about so
//!   many, few or none; [`with_uneven_pages`](ServerOptions::with_uneven_pages) draws them.
//! - `CLIENT REPLY` inside a transaction leaves a well-formed answer, which Redis's is
//!   not; `DEBUG` knows what tests use, and `DEBUG DIGEST` is the real server's. Where `DEBUG
//!   RELOAD NOFLUSH` finds a key twice, and where `DEBUG LOADAOF` has no file, the real
//!   process ends; here it is an error, as is `DEBUG RELOAD NOSAVE` beside an append-only file.
//!
//! # Inside
//!
//! ```text
//!  bytes ─▶ resp ─▶ Server ─▶ command ─▶ Database ─▶ value
//!           (ByteServer)  │    (table)    (one file a type)
//!                         ├─ sessions, transaction, blocking, pubsub
//!                         └─ persist
//! ```

pub mod client;
mod command;
pub mod database;
mod error;
mod id;
mod invariant;
mod persist;
mod reply;
pub mod resp;
pub mod server;
pub mod value;
mod version;

pub use client::{
    Client, ClientOptions, ConvertError, Error, FromReply, Message, Pipeline, Redis, Subscription,
    start, start_named,
};
pub use database::EventClasses;
pub use error::CommandError;
pub use persist::{AppendFsync, Losses, SavePoint};
pub use reply::{ErrorReply, Protocol, Reply};
pub use server::{Refusal, ServerOptions};
pub use value::{Limits, Sds};
