//! Counters for `INFO`.

use crate::redis::reply::ErrorReply;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;

/// Counters for `INFO`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) connections: u64,
    pub(crate) commands: u64,
    /// Connections beyond `maxclients`.
    pub(crate) rejected_connections: u64,
    /// Clients beyond `maxmemory-clients`.
    pub(crate) evicted_clients: u64,
    /// Error replies by their first word.
    pub(crate) errors: IndexMap<SmolStr, u64, FxBuildHasher>,
    /// Error replies to a master, or to an append-only file.
    pub(crate) unexpected_errors: u64,
    /// Counters of each command, by name.
    pub(crate) by_command: IndexMap<&'static str, CommandStats, FxBuildHasher>,
}

/// Counters of a command, for `INFO commandstats`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CommandStats {
    pub(crate) calls: u64,
    /// Calls that were refused before they ran.
    pub(crate) rejected: u64,
    /// Calls that were answered with an error.
    pub(crate) failed: u64,
}

impl Stats {
    /// Returns the counters of the command with this name.
    pub(crate) fn of(&mut self, name: &'static str) -> &mut CommandStats {
        self.by_command.entry(name).or_default()
    }

    /// Counts an error reply.
    pub(crate) fn failed(&mut self, error: &ErrorReply) {
        *self.errors.entry(error.code().into()).or_default() += 1;
    }
}
