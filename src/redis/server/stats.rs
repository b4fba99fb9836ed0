//! What a server counts for `INFO`.

use crate::redis::reply::ErrorReply;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;

/// What `INFO` counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) connections: u64,
    pub(crate) commands: u64,
    /// Error replies by their first word.
    pub(crate) errors: IndexMap<SmolStr, u64, FxBuildHasher>,
    /// By the name of the command.
    pub(crate) by_command: IndexMap<&'static str, CommandStats, FxBuildHasher>,
}

/// What `INFO commandstats` counts of a command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CommandStats {
    pub(crate) calls: u64,
    /// Calls that were refused before they ran.
    pub(crate) rejected: u64,
    /// Calls that were answered with an error.
    pub(crate) failed: u64,
}

impl Stats {
    /// What is counted of the command of this name.
    pub(crate) fn of(&mut self, name: &'static str) -> &mut CommandStats {
        self.by_command.entry(name).or_default()
    }

    /// An error is answered.
    pub(crate) fn failed(&mut self, error: &ErrorReply) {
        *self.errors.entry(error.code().into()).or_default() += 1;
    }
}
