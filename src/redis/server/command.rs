//! The commands that need the server: its clients, its configuration, its disk.
//!
//! Their rows and those of the module `command`, whose commands need only databases, make up the
//! server's [`Table`]. Start in `command.rs`, which defines a row.

#![allow(clippy::wildcard_imports, reason = "the rows name many flags, all of two modules")]

mod acl;
mod added;
mod admin;
mod blocking;
mod client;
mod cluster;
mod config;
mod connection;
mod debug;
pub(super) mod hotkeys;
mod info;
mod latency;
mod memory;
mod node;
mod pubsub;
mod replication;
mod script;
mod sentinel;
mod slow;
mod sort;
mod streams;
mod tracking;
mod transaction;

use super::Server;
use crate::redis::command::{Command, Rows, Table};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::version::Version;
use std::sync::OnceLock;

/// A row of the server's table.
pub(crate) type Row = Command<Server>;

/// The reply of a command that may answer later, or answers by itself: `None`.
type Flow = Result<Option<Reply>, CommandError>;

/// Returns the table of a Sentinel.
pub(crate) fn sentinel_table() -> &'static Table<Server> {
    static TABLE: OnceLock<Table<Server>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut groups = GROUPS.to_vec();
        groups.push(sentinel::COMMANDS);
        Table::new(&groups, Version::default(), sentinel::has)
    })
}

/// Returns the table of all commands of a version.
pub(crate) fn table(version: Version) -> &'static Table<Server> {
    static TABLES: [OnceLock<Table<Server>>; Version::ALL.len()] =
        [const { OnceLock::new() }; Version::ALL.len()];
    TABLES[version as usize].get_or_init(|| Table::new(GROUPS, version, |_| true))
}

const GROUPS: &[&[Row]] = &[
    Rows::STRING,
    Rows::STRING_COMPARE,
    Rows::LCS,
    Rows::BITMAP,
    Rows::HASH,
    Rows::HASH_FIELD,
    blocking::LISTS,
    Rows::LIST,
    Rows::SET,
    blocking::SORTED_SETS,
    Rows::SORTED_SET,
    Rows::SORTED_SET_RANGE,
    Rows::SORTED_SET_ALGEBRA,
    Rows::GEO,
    Rows::HYPERLOGLOG,
    Rows::STREAM,
    Rows::STREAM_DELETE,
    Rows::STREAM_PRODUCERS,
    streams::COMMANDS,
    Rows::STREAM_GROUPS,
    Rows::STREAM_INFO,
    Rows::KEY,
    Rows::DUMP,
    Rows::EXPIRY,
    Rows::SCAN,
    sort::COMMANDS,
    transaction::COMMANDS,
    script::COMMANDS,
    slow::COMMANDS,
    hotkeys::COMMANDS,
    replication::COMMANDS,
    node::COMMANDS,
    cluster::COMMANDS,
    pubsub::COMMANDS,
    acl::COMMANDS,
    connection::COMMANDS,
    admin::COMMANDS,
    memory::COMMANDS,
    info::COMMANDS,
    debug::COMMANDS,
    config::COMMANDS,
    Rows::DESCRIBE,
];

/// Returns a client's line of `CLIENT LIST`, without its end.
pub(super) fn client_line(server: &Server, client: super::ClientId) -> String {
    let session = server.sessions.get(&client);
    let line =
        session.map_or_else(String::new, |session| client::line(server, client, session, &[]));
    line.trim_end().to_owned()
}
