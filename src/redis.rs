//! Redis, as a value: databases and a server that open no socket and read no clock.
//!
//! The model is Redis 7.0.15 (see [`Version`] for others), down to error texts; `docs/model.md` in
//! the repository lists what is modelled. There are four ways to use it, each built on the next:
//!
//! - in a [world](crate::sim): [`start`] puts a server into it, and a [`Client`] calls commands
//!   from a node, with latency, partitions and crashes;
//! - as bytes: [`resp::ByteServer`] speaks RESP2 and RESP3;
//! - as a machine: [`Server`](server::Server) takes commands and returns replies, and is given the
//!   time with every call;
//! - directly: [`Database`](database::Database) has every operation as a typed method, and
//!   [`value`] has the data structures behind them.
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
//! # Restart, crash, power loss
//!
//! [`ServerOptions`] say what a server keeps: save points, as Redis has them by default, or
//! [`with_append_only`](ServerOptions::with_append_only). In a world:
//!
//! | call | what the server keeps |
//! |---|---|
//! | [`restart`](crate::sim::ServiceHandle::restart) | everything, if it has save points or an append-only file |
//! | [`crash`](crate::sim::ServiceHandle::crash) | the last save, or what was written to the append-only file |
//! | [`lose_power`](crate::sim::ServiceHandle::lose_power) | the last save, or what was synced |
//!
//! All three start the server again at once. For a longer outage,
//! [`stop`](crate::sim::ServiceHandle::stop) it and [`start`](crate::sim::ServiceHandle::start) it
//! later. [`Redis::losses`] and the trace list what was lost.
//!
//! With `appendfsync everysec` on a slow disk, a crash alone loses writes that were answered,
//! because the server postpones its writes while a sync runs.
//! [`with_fsync_time`](ServerOptions::with_fsync_time) sets how long a sync takes.
//! [`with_loading_time`](ServerOptions::with_loading_time) sets how long a server that starts with
//! data answers `LOADING`. A [`Refusal`] makes a running server answer with errors.
//!
//! # Replicas, failovers, Sentinels
//!
//! [`start_replicas`] adds replicas to a server of a world, and [`start_sentinels`] what replaces a
//! dead master. They talk over links of their own ([`Redis::link_to`]), which a test may slow down
//! or partition, and faults act on them by themselves. The three classic surprises:
//!
//! - a read from a replica is stale for as long as its link takes;
//! - a failover loses acknowledged writes that the new master had not received, unless the client
//!   called `WAIT`, and even then if the replica that had them was not the one promoted;
//! - a client that stays connected to the old master gets `READONLY`, or writes to it in vain while
//!   it is cut off. [`Redis::discarded`] and the trace list the lost writes.
//!
//! # Where it differs from the real server
//!
//! - *Time*: a key expires in exactly its millisecond, and so does a field of a hash, whether
//!   anything looks it up or not. The real server may keep it for one millisecond more, or until
//!   something looks it up, and a field for some seconds. A blocked
//!   client times out exactly at its deadline. A save, a rewrite and `BGSAVE` take no time. A key
//!   that should expire in the last representable millisecond expires one millisecond earlier.
//! - *Order*: where Redis leaves the order unspecified (hash tables, `SCAN` cursors, equal weights
//!   in `SORT`, members of different scores in `ZRANGEBYLEX`), the order here is deterministic.
//!   `SPOP` and similar commands draw from the seed.
//! - *Transactions*: a transaction that calls `HELLO` is answered in the protocol that it ends
//!   with. The real server writes each reply in the protocol of that moment. A queued request does
//!   not hold a reference that `OBJECT REFCOUNT` would count. A crash during a transaction that
//!   sleeps (`DEBUG SLEEP`) keeps what the transaction has done so far, if there is an append-only
//!   file.
//! - *Numbers in `INFO`*: it has the real server's fields. Numbers that a client can check are
//!   true (connections, commands, errors, hits, keys, saves). The others report that nothing
//!   happened: commands take no time, and bytes on the network are not counted. `avg_ttl` is
//!   the exact average, once a tenth of a second has passed. `CLIENT LIST` shows buffers as
//!   they are after some idle seconds. `MEMORY USAGE` is exact for strings and streams, and
//!   close for other collections. `OBJECT IDLETIME` and `FREQ` count small integers one by one,
//!   where Redis shares the objects unless a limit and its policy forbid that.
//! - *Memory*: what counts against `maxmemory` (`used_memory`) is what an empty server uses,
//!   the `MEMORY USAGE` of all keys, extrapolated for collections of more than 128 elements,
//!   and the tables of keys. The real figure also has clients, buffers and scripts, and what
//!   its allocator wastes, so limits of a few megabytes are reached earlier there. Eviction
//!   takes no time and is never cut short (`maxmemory-eviction-tenacity`). The keys to choose
//!   from are drawn from the seed, and so are increments of LFU counters. The calm choices are
//!   all keys in turn, and to increment. After a restart all keys count as just used.
//! - *Limits on clients*: `timeout` closes a client at the exact second, where the real server
//!   takes up to one more. `maxmemory-clients` does not count replies, which leave at once, nor
//!   buffers that were just used: the real server counts 37 KB for a client that has just sent
//!   a request. `maxclients` may be any number, whatever the operating system allows.
//! - *Texts*: errors are text, so bytes that are not UTF-8 appear in them as U+FFFD.
//! - *Configuration*: all parameters of 7.0.15 exist, with its defaults, and values are checked
//!   and read back in the same way. Parameters that tune what is not modelled (threads,
//!   defragmentation, clusters, TLS, the log) have no effect. Parameters that would
//!   matter can only be set to the value that they have: `bind`, `port`, `tls-port`. There is no
//!   configuration file: a restart undoes `CONFIG SET`, and drops an append-only file that
//!   `CONFIG SET` switched on.
//! - *Scripts* (feature `lua`): a script takes no time unless it is slow: a thousand instructions
//!   count as a millisecond (`TIME` shows them to the script alone), and a script that exceeds
//!   `busy-reply-threshold` makes the server busy for as long as it runs. It is followed for a
//!   minute beyond that; one that still runs never ends. Its memory is bounded by 512 MB.
//!   `tostring` numbers tables and functions instead of showing addresses, and iterating over keys
//!   that are tables is refused, since their order would depend on addresses. A reply is nested at
//!   most 128 levels. `unpack` returns at most 7,700 results, and that of the real server nearly
//!   8,000. The place in the message of a wrong argument is missing where `tostring`, `pairs`,
//!   `unpack`, `setmetatable` or a function of `table` is called in a tail call. `os.clock`, where
//!   it exists, shows the virtual seconds that the script has run, so that two calls in a row show
//!   the same. `getfenv`, `setfenv` and `newproxy` do not exist in any version. There is no
//!   debugger (`SCRIPT DEBUG`). `redis.set_repl` decides what replicas are told, and not what an
//!   append-only file keeps. Errors within an array that a script returns do not count as failures
//!   of its command.
//! - *Caching*: changes are broadcast after each command, where the real server does once for each
//!   round of its event loop, which may hold several commands of a pipeline.
//! - *Latency*: commands take no time, so they count in the lowest bucket of `LATENCY HISTOGRAM`,
//!   and no event but those of commands is ever seen. `HOTKEYS` finds no key. `LOLWUT` draws
//!   nothing.
//! - *Streams*: a restart with an append-only file keeps what consumers read again, when they were
//!   last seen, and how many entries a group has read. The real server's file has none of these.
//!   Messages of an idempotent producer are forgotten in exactly their millisecond, where the real
//!   server takes up to a second more. A reader that waits to claim is woken in the millisecond.
//!   Where `ms-*` has no sequence number left, the error is the one about large elements; that of
//!   the real server depends on what failed before.
//! - *Replication* ([`start_replicas`]): a data set is sent at one moment and takes only the
//!   latency of its link, and a replica loads it at once. The master waits
//!   [`with_sync_delay`](ServerOptions::with_sync_delay) before it sends one to a replica that
//!   takes it without a file (`REPLCONF capa eof`), as those of [`start_replicas`] do, and
//!   `repl-diskless-sync-max-replicas` has no effect. Memory reports count nothing for the backlog
//!   and for replicas. A restart in good order
//!   remembers its history if there are save points; after a crash, a replica always receives the
//!   whole data set. The connection to the master is not in a replica's `CLIENT LIST`. A replica
//!   that may be written (`replica-read-only no`) keeps what it was given until its master removes
//!   it. What a test changes directly in a [`Database`](database::Database) is not sent to
//!   replicas. `SHUTDOWN` does not wait for replicas that lag.
//! - *Sentinel* ([`start_sentinels`]): its clock beats ten times a second, exactly. Scripts, TILT
//!   and `SENTINEL CONFIG`, `DEBUG`, `INFO-CACHE` and `SIMULATE-FAILURE` are not modelled. Its id
//!   is made from its name. A restart keeps what it knew.
//! - *Scans*: a call walks exactly `COUNT` places. The real server walks about that many, few or
//!   none. [`with_uneven_pages`](ServerOptions::with_uneven_pages) draws the number.
//! - `SORT`, up to Redis 7.4 and Valkey 8.0, refuses a list of numbers if something before it has
//!   met a number out of range, because the real server does not clear C's `errno`. Here it sorts.
//! - *Modules* are not modelled: vector sets, JSON, search, time series, Bloom filters.
//! - Distances that `STOREDIST` stores have the last of their 17 digits from the `libm` of this
//!   library, so that they are the same on every machine. A real server has its C library's.
//! - `CLIENT REPLY` inside a transaction leaves a well-formed reply, unlike in Redis. `DEBUG
//!   DIGEST` returns the real server's digest; what `DEBUG LISTPACK` prints, nobody sees. Where
//!   `DEBUG RELOAD NOFLUSH` finds a key twice, or `DEBUG LOADAOF` has no file, the real process
//!   exits; here both are errors, and so is `DEBUG RELOAD NOSAVE` beside an append-only file.
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
mod persist;
pub mod rdb;
mod reply;
pub mod resp;
#[cfg(feature = "lua")]
mod script;
pub mod server;
pub mod value;
mod version;

pub use crate::unknown_version::UnknownVersion;
pub use client::{
    Client, ClientOptions, ConvertError, Error, FromReply, Invalidated, Message, Monitor, Pipeline,
    Redis, Subscription, start, start_named, start_replicas, start_sentinels,
};
pub use database::EventClasses;
pub use error::CommandError;
pub use persist::{AppendFsync, Losses, SavePoint};
pub use reply::{ErrorReply, Protocol, Reply};
pub use server::{Discarded, EvictionPolicy, LostWrite, Refusal, SentinelOptions, ServerOptions};
pub use value::{Limits, Sds};
pub use version::Version;
