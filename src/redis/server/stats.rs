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
    /// Where commands that ran lately are among these, by a few bits of their names: to look a name
    /// up takes longer than some commands do.
    places: [u16; PLACES],
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
        let slot = slot(name);
        let mut place = usize::from(self.places[slot]);
        if self.by_command.get_index(place).is_none_or(|(known, _)| *known != name) {
            let entry = self.by_command.entry(name);
            place = entry.index();
            entry.or_default();
            self.places[slot] = u16::try_from(place).expect("there are some hundreds of commands");
        }
        &mut self.by_command[place]
    }

    /// Counts an error reply.
    pub(crate) fn failed(&mut self, error: &ErrorReply) {
        *self.errors.entry(counted_as(error).into()).or_default() += 1;
    }
}

/// Returns the name under which an error counts: its first word, if other words follow and it has
/// no more than 30 bytes. Only scripts can return other errors.
///
/// Source: `networking.c` (`afterErrorReply`).
fn counted_as(error: &ErrorReply) -> &str {
    match error.0.split_once(' ') {
        Some((code, _)) if code.len() <= 30 => code,
        _ => "ERR",
    }
}

/// Number of places that are remembered.
const PLACES: usize = 32;

/// A number below [`PLACES`] that common names share with no other.
fn slot(name: &str) -> usize {
    let name = name.as_bytes();
    let letter = |at: usize| name.get(at).map_or(0, |byte| usize::from(*byte));
    (name.len() * 7 + letter(0) + letter(name.len().wrapping_sub(1)) * 3) % PLACES
}
