//! The command table: what each command is called, what it takes, and what runs it.
//!
//! A [`Command`] is a row: name, arity, flags, where its keys are, a summary and a function.
//! Everything that needs to know about commands reads these rows: dispatch, arity errors, `MULTI`,
//! `CLIENT PAUSE`, `COMMAND` and every `HELP`. A row stands beside the function that it names, in
//! one file for each group. [`Table`] finds a row by its name, ignoring case.
//!
//! A row also states what its command needs ([`Run`]). Most commands need one database and nothing
//! else: their functions are in this module, which does not know the server. Commands that need the
//! server (its clients, its configuration, its disk) are in `server/command/`. That is why a row is
//! generic over `S`, the server. A scripting engine may call every command that does not need the
//! server.
//!
//! A function parses its arguments and calls an operation of the
//! [`Database`](super::database::Database), or of the server. It has no logic that a caller of the
//! typed operations would miss. It returns the reply, or the error that is the reply.

#![allow(clippy::wildcard_imports, reason = "the rows name many flags, all of two modules")]

mod amendments;
pub(crate) mod arguments;
pub(crate) mod attempt;
mod bitmap;
pub(crate) mod describe;
mod docs;
mod dump;
mod expiry;
mod geo;
mod hash;
mod hash_field;
mod hyperloglog;
pub(crate) mod key;
pub(crate) mod key_spec;
mod lcs;
pub(crate) mod list;
mod scan;
mod set;
mod sheet;
pub(crate) mod sort;
pub(crate) mod sorted_set;
mod sorted_set_algebra;
mod sorted_set_range;
pub(crate) mod stream;
mod stream_delete;
mod stream_group;
mod stream_info;
mod stream_producers;
pub(crate) mod stream_reply;
mod string;
mod string_compare;
mod table;

use crate::choice::Stream;
use crate::redis::database::Database;
use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::reply::Reply;
use crate::redis::version::Versions;
use key_spec::KeySpec;
use smol_str::SmolStr;
pub(crate) use table::{Table, wrong_subcommand};

/// A request: the command's name and its arguments.
pub(crate) type Args<'a> = &'a [&'a [u8]];

/// The result of a command.
pub(crate) type Answer = Result<Reply, CommandError>;

/// Where a call comes from, which decides what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client sent it.
    Client,
    /// `EXEC` runs it.
    Exec,
    /// A script calls it.
    Script,
    /// A test calls it at the server itself.
    Operator,
}

impl Origin {
    /// Returns whether a command may block its client, or put the server to sleep.
    pub(crate) fn may_wait(self) -> bool {
        match self {
            Origin::Client => true,
            Origin::Exec | Origin::Script | Origin::Operator => false,
        }
    }
}

/// The client of a call, its database, and where the call comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) client: ClientId,
    /// Number of the selected database.
    pub(crate) database: usize,
    pub(crate) origin: Origin,
}

/// The needs of a command, and the function that runs it.
pub(crate) enum Run<S: 'static> {
    /// The selected database.
    Database(fn(&mut Database, Args<'_>) -> Answer),
    /// The selected database, and a stream of random draws.
    Drawing(fn(&mut Database, &mut Stream, Args<'_>) -> Answer),
    /// All databases, and the number of the selected one.
    Databases(fn(&mut [Database], usize, Args<'_>) -> Answer),
    /// The table itself: the command describes commands.
    Table(fn(&Table<S>, Args<'_>) -> Answer),
    /// The server.
    Server(fn(&mut S, Caller, Args<'_>) -> Answer),
    /// The server. The command may answer later, or answers by itself: `None`.
    Flow(fn(&mut S, Caller, Args<'_>) -> Result<Option<Reply>, CommandError>),
    /// Nothing. Only its subcommands can be called.
    Container,
}

impl<S> Clone for Run<S> {
    fn clone(&self) -> Run<S> {
        *self
    }
}

impl<S> Copy for Run<S> {}

/// Properties of commands, as bits. The names are those of `COMMAND INFO`.
pub(crate) mod flag {
    pub(crate) const WRITE: u32 = 1;
    pub(crate) const READONLY: u32 = 1 << 1;
    pub(crate) const DENYOOM: u32 = 1 << 2;
    pub(crate) const ADMIN: u32 = 1 << 3;
    pub(crate) const PUBSUB: u32 = 1 << 4;
    pub(crate) const NOSCRIPT: u32 = 1 << 5;
    pub(crate) const BLOCKING: u32 = 1 << 6;
    pub(crate) const LOADING: u32 = 1 << 7;
    pub(crate) const STALE: u32 = 1 << 8;
    pub(crate) const SKIP_SLOWLOG: u32 = 1 << 9;
    pub(crate) const FAST: u32 = 1 << 10;
    pub(crate) const NO_AUTH: u32 = 1 << 11;
    pub(crate) const MOVABLEKEYS: u32 = 1 << 12;
    pub(crate) const ALLOW_BUSY: u32 = 1 << 13;
    pub(crate) const NO_ASYNC_LOADING: u32 = 1 << 14;
    pub(crate) const NO_MULTI: u32 = 1 << 15;
    pub(crate) const SKIP_MONITOR: u32 = 1 << 16;
    pub(crate) const NO_MANDATORY_KEYS: u32 = 1 << 17;
    /// It may write although it is no write command. `COMMAND INFO` does not show it.
    pub(crate) const MAY_REPLICATE: u32 = 1 << 18;
    pub(crate) const ASKING: u32 = 1 << 19;
    /// The name of [`SKIP_SLOWLOG`] where the slow log is part of the command log.
    pub(crate) const SKIP_COMMANDLOG: u32 = 1 << 20;

    /// The names, in the order in which `COMMAND INFO` lists them.
    pub(crate) const NAMES: [(u32, &str); 20] = [
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_MONITOR, "skip_monitor"),
        (SKIP_SLOWLOG, "skip_slowlog"),
        (SKIP_COMMANDLOG, "skip_commandlog"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (NO_MULTI, "no_multi"),
        (MOVABLEKEYS, "movablekeys"),
        (ALLOW_BUSY, "allow_busy"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (ASKING, "asking"),
    ];
}

/// A row of the table.
pub(crate) struct Command<S: 'static> {
    /// The name in lower case; a subcommand's is `container|subcommand`.
    pub(crate) name: &'static str,
    /// Number of words of a call, including the name. A negative number is a minimum.
    pub(crate) arity: i64,
    /// See [`flag`].
    pub(crate) flags: u32,
    /// The ACL categories that do not follow from the flags.
    pub(crate) categories: &'static [&'static str],
    pub(crate) tips: &'static [&'static str],
    pub(crate) keys: &'static [KeySpec],
    pub(crate) summary: &'static str,
    /// The commands among which the first argument chooses.
    pub(crate) subcommands: &'static [Command<S>],
    /// The versions that have it.
    pub(crate) versions: Versions,
    pub(crate) run: Run<S>,
}

impl<S> Clone for Command<S> {
    fn clone(&self) -> Command<S> {
        *self
    }
}

impl<S> Copy for Command<S> {}

/// The groups of rows, one constant for each, beside the functions that they name. (Of constants,
/// only an associated one can be generic.)
pub(crate) struct Rows<S>(std::marker::PhantomData<S>);

/// Defines a constructor of rows for one kind of [`Run`]. Each row stands on one line, so that a
/// group reads as a table.
macro_rules! constructor {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $run:ty) => {
        $(#[$doc])*
        pub(crate) const fn $name<S>(
            name: &'static str,
            arity: i64,
            flags: u32,
            categories: &'static [&'static str],
            keys: &'static [KeySpec],
            summary: &'static str,
            run: $run,
        ) -> Command<S> {
            row(name, arity, flags, categories, keys, summary, Run::$kind(run))
        }
    };
}

constructor!(
    /// Returns the row of a command that needs the selected database.
    database, Database, fn(&mut Database, Args<'_>) -> Answer
);
constructor!(
    /// Returns the row of a command that draws at random.
    drawing, Drawing, fn(&mut Database, &mut Stream, Args<'_>) -> Answer
);
constructor!(
    /// Returns the row of a command that needs several databases.
    databases, Databases, fn(&mut [Database], usize, Args<'_>) -> Answer
);
constructor!(
    /// Returns the row of a command that describes commands.
    table, Table, fn(&Table<S>, Args<'_>) -> Answer
);
constructor!(
    /// Returns the row of a command that needs the server.
    server, Server, fn(&mut S, Caller, Args<'_>) -> Answer
);
constructor!(
    /// Returns the row of a command that may answer later, or answers by itself.
    flow, Flow, fn(&mut S, Caller, Args<'_>) -> Result<Option<Reply>, CommandError>
);

/// Returns the row of a container's `HELP`.
pub(crate) const fn help<S>(
    name: &'static str,
    arity: i64,
    flags: u32,
    categories: &'static [&'static str],
    keys: &'static [KeySpec],
    summary: &'static str,
) -> Command<S> {
    row(name, arity, flags, categories, keys, summary, Run::Table(describe::help))
}

/// Returns the row of a container, with its subcommands.
pub(crate) const fn container<S>(
    name: &'static str,
    arity: i64,
    flags: u32,
    categories: &'static [&'static str],
    summary: &'static str,
    subcommands: &'static [Command<S>],
) -> Command<S> {
    row(name, arity, flags, categories, &[], summary, Run::Container).with(subcommands)
}

const fn row<S>(
    name: &'static str,
    arity: i64,
    flags: u32,
    categories: &'static [&'static str],
    keys: &'static [KeySpec],
    summary: &'static str,
    run: Run<S>,
) -> Command<S> {
    let (tips, subcommands): (_, &[Command<S>]) = (&[], &[]);
    let versions = Versions::ALL;
    Command { name, arity, flags, categories, tips, keys, summary, subcommands, versions, run }
}

impl<S> Command<S> {
    pub(crate) const fn tips(self, tips: &'static [&'static str]) -> Command<S> {
        Command { tips, ..self }
    }

    /// Only these versions have it.
    pub(crate) const fn in_versions(self, versions: Versions) -> Command<S> {
        Command { versions, ..self }
    }

    pub(crate) const fn with(self, subcommands: &'static [Command<S>]) -> Command<S> {
        Command { subcommands, ..self }
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Returns the name without its container's.
    pub(crate) fn short_name(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, name)| name)
    }

    /// Returns the subcommand of this name, ignoring case.
    pub(crate) fn subcommand(&self, name: &[u8]) -> Option<&'static Command<S>> {
        let same = |row: &&Command<S>| row.short_name().as_bytes().eq_ignore_ascii_case(name);
        self.subcommands.iter().find(same)
    }

    /// Returns whether a call may have this number of words.
    pub(crate) fn accepts(&self, words: usize) -> bool {
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        if self.arity < 0 { words >= -self.arity } else { words == self.arity }
    }

    pub(crate) fn arity_error(&self) -> CommandError {
        CommandError::Arity(SmolStr::new_static(self.name))
    }
}

impl<S> std::fmt::Debug for Command<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
