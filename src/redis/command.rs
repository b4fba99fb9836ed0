//! The command table: what each command is called, what it takes, and what
//! runs it.
//!
//! A [`Command`] is a row: name, arity, flags, where its keys are, a summary and
//! a function. Everything that needs to know about commands reads these rows:
//! dispatch, arity errors, `MULTI`, `CLIENT PAUSE`, `COMMAND` and every `HELP`.
//! The rows stand with the functions they name, in one file for each group;
//! [`Table`] finds one by name in any case.
//!
//! A function parses its arguments and calls an operation of the
//! [`Database`](crate::redis::Database), or of the server: it has no logic of its own
//! that a caller of the typed operations would miss. It returns the reply, or
//! the error that is the reply.

#![allow(clippy::wildcard_imports, reason = "the rows name many flags, all of two modules")]

mod bitmap;
mod blocking_list;
mod client;
mod config;
mod connection;
mod debug;
mod describe;
mod expiry;
mod hash;
mod info;
mod key;
mod lcs;
mod list;
mod options;
mod pubsub;
mod scan;
mod server;
mod set;
mod sort;
mod sorted_set;
mod sorted_set_algebra;
mod sorted_set_range;
mod string;
mod transaction;

pub(crate) use key_spec::KeySpec;

use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Call;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;

mod key_spec;

/// A request: the command's name and its arguments.
pub(crate) type Args<'a> = &'a [&'a [u8]];

/// What a command answers.
pub(crate) type Answer = Result<Reply, CommandError>;

/// How a command is run.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// It answers at once, with one reply.
    Now(fn(&mut Call<'_>, Args<'_>) -> Answer),
    /// It may answer later, or has answered by itself: `None`.
    Flow(fn(&mut Call<'_>, Args<'_>) -> Result<Option<Reply>, CommandError>),
    /// Alone it is nothing: only its subcommands are.
    Nothing,
}

/// What a command does, as bits; the names are those of `COMMAND INFO`.
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

    /// In the order in which `COMMAND INFO` lists them.
    pub(crate) const NAMES: [(u32, &str); 16] = [
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_SLOWLOG, "skip_slowlog"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (MOVABLEKEYS, "movablekeys"),
        (ALLOW_BUSY, "allow_busy"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (NO_MULTI, "no_multi"),
    ];
}

/// A row of the table.
pub(crate) struct Command {
    /// In lower case; a subcommand's is `container|subcommand`.
    pub(crate) name: &'static str,
    /// How many words a call has, the name included; negative is a minimum.
    pub(crate) arity: i64,
    /// See [`flag`].
    pub(crate) flags: u32,
    /// The categories of access control that do not follow from the flags.
    pub(crate) categories: &'static [&'static str],
    pub(crate) tips: &'static [&'static str],
    pub(crate) keys: &'static [KeySpec],
    pub(crate) summary: &'static str,
    /// Where its first argument says which of these it is.
    pub(crate) subcommands: &'static [Command],
    pub(crate) run: Run,
}

/// A row that answers at once; one to a line, so that the tables read as such.
pub(crate) const fn now(
    name: &'static str,
    arity: i64,
    flags: u32,
    categories: &'static [&'static str],
    keys: &'static [KeySpec],
    summary: &'static str,
    run: fn(&mut Call<'_>, Args<'_>) -> Answer,
) -> Command {
    row(name, arity, flags, categories, keys, summary, Run::Now(run))
}

/// A row that may answer later.
pub(crate) const fn flow(
    name: &'static str,
    arity: i64,
    flags: u32,
    categories: &'static [&'static str],
    keys: &'static [KeySpec],
    summary: &'static str,
    run: fn(&mut Call<'_>, Args<'_>) -> Result<Option<Reply>, CommandError>,
) -> Command {
    row(name, arity, flags, categories, keys, summary, Run::Flow(run))
}

/// A row with subcommands.
pub(crate) const fn container(
    name: &'static str,
    arity: i64,
    flags: u32,
    categories: &'static [&'static str],
    summary: &'static str,
    subcommands: &'static [Command],
) -> Command {
    row(name, arity, flags, categories, &[], summary, Run::Nothing).with(subcommands)
}

const fn row(
    name: &'static str,
    arity: i64,
    flags: u32,
    categories: &'static [&'static str],
    keys: &'static [KeySpec],
    summary: &'static str,
    run: Run,
) -> Command {
    let (tips, subcommands): (_, &[Command]) = (&[], &[]);
    Command { name, arity, flags, categories, tips, keys, summary, subcommands, run }
}

impl Command {
    pub(crate) const fn tips(self, tips: &'static [&'static str]) -> Command {
        Command { tips, ..self }
    }

    pub(crate) const fn with(self, subcommands: &'static [Command]) -> Command {
        Command { subcommands, ..self }
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Its name without its container's.
    pub(crate) fn short_name(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, name)| name)
    }

    /// Its subcommand of this name, in any case.
    pub(crate) fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        let same = |row: &&Command| row.short_name().as_bytes().eq_ignore_ascii_case(name);
        self.subcommands.iter().find(same)
    }

    /// Whether so many words are a call.
    pub(crate) fn accepts(&self, words: usize) -> bool {
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        if self.arity < 0 { words >= -self.arity } else { words == self.arity }
    }

    pub(crate) fn arity_error(&self) -> CommandError {
        CommandError::Arity(SmolStr::new_static(self.name))
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every group's rows.
const GROUPS: [&[Command]; 16] = [
    string::COMMANDS,
    bitmap::COMMANDS,
    hash::COMMANDS,
    list::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    key::COMMANDS,
    expiry::COMMANDS,
    scan::COMMANDS,
    sort::COMMANDS,
    transaction::COMMANDS,
    pubsub::COMMANDS,
    connection::COMMANDS,
    server::COMMANDS,
    config::COMMANDS,
    describe::COMMANDS,
];

/// Every command by its name.
#[derive(Debug)]
pub(crate) struct Table(IndexMap<&'static [u8], &'static Command, FxBuildHasher>);

/// No command's name is longer.
const LONGEST: usize = 32;

impl Table {
    pub(crate) fn new() -> Table {
        let rows = GROUPS.iter().copied().flatten();
        Table(rows.map(|command| (command.name.as_bytes(), command)).collect())
    }

    /// The command of this name, in any case.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&'static Command> {
        let mut lower = [0; LONGEST];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.0.get(&*lower).copied()
    }

    /// The command or subcommand that a request is a call of; the error that
    /// Redis answers if it is of none.
    pub(crate) fn resolve(&self, args: Args<'_>) -> Result<&'static Command, CommandError> {
        let Some(command) = self.get(args[0]) else { return Err(unknown_command(args)) };
        let found = match args.get(1) {
            Some(name) if !command.subcommands.is_empty() => {
                command.subcommand(name).ok_or_else(|| unknown_subcommand(args))?
            }
            Some(_) | None => command,
        };
        if !found.accepts(args.len()) {
            return Err(found.arity_error());
        }
        Ok(found)
    }

    /// The command or subcommand that a request names, whatever its arguments.
    pub(crate) fn named(&self, args: Args<'_>) -> Option<&'static Command> {
        let command = self.get(args[0])?;
        match args.get(1).filter(|_| !command.subcommands.is_empty()) {
            Some(name) => command.subcommand(name),
            None => Some(command),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Command> {
        self.0.values().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The first bytes of a word, as text for an error, where a NUL ends it.
fn preview(word: &[u8], most: usize) -> String {
    let word = word.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(&word[..word.len().min(most)]).into_owned()
}

/// Redis shows the arguments until 128 characters of them are shown.
fn unknown_command(args: Args<'_>) -> CommandError {
    let mut shown = String::new();
    for arg in &args[1..] {
        if shown.len() >= 128 {
            break;
        }
        let room = 128 - shown.len();
        shown.push_str(&format!("'{}' ", preview(arg, room)));
    }
    let name = preview(args[0], 128);
    CommandError::format(format!("ERR unknown command '{name}', with args beginning with: {shown}"))
}

fn unknown_subcommand(args: Args<'_>) -> CommandError {
    let name = preview(args[1], 128);
    let container = preview(args[0], 128).to_uppercase();
    CommandError::format(format!("ERR unknown subcommand '{name}'. Try {container} HELP."))
}
