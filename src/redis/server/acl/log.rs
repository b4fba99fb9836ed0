//! The log of what was denied. Entries that are alike and at most a minute apart are one.
//!
//! Source: `acl.c` (`addACLLogEntry`).

use super::check::Lacks;
use crate::redis::value::Sds;
use std::collections::{BTreeMap, VecDeque};

/// Entries that are further apart are not joined, in milliseconds.
const JOINED_WITHIN: u64 = 60_000;

/// Number of entries that are searched for one that is alike.
const SEARCHED: usize = 10;

/// Why something was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Lacks(Lacks),
    Login,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::Lacks(Lacks::Database) => "database",
            Reason::Lacks(Lacks::Command) => "command",
            Reason::Lacks(Lacks::Key) => "key",
            Reason::Lacks(Lacks::Channel) => "channel",
            Reason::Login => "auth",
        }
    }
}

/// Where it was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    Toplevel,
    Multi,
    #[cfg(feature = "lua")]
    Script,
}

impl Context {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Context::Toplevel => "toplevel",
            Context::Multi => "multi",
            #[cfg(feature = "lua")]
            Context::Script => "lua",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) count: u64,
    pub(crate) reason: Reason,
    pub(crate) context: Context,
    /// The command, the key or the channel.
    pub(crate) object: Sds,
    pub(crate) user: Sds,
    /// Milliseconds since the Unix epoch, of the last event.
    pub(crate) time: i64,
    /// And of the first.
    pub(crate) created: i64,
    /// The number of entries before it.
    pub(crate) id: u64,
    /// The client's line of `CLIENT LIST`.
    pub(crate) client: String,
}

impl Entry {
    fn is_like(&self, other: &Entry) -> bool {
        self.reason == other.reason
            && self.context == other.context
            && self.time.abs_diff(other.time) <= JOINED_WITHIN
            && self.object == other.object
            && self.user == other.user
    }
}

/// The entries; the first is the newest.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) entries: VecDeque<Entry>,
    /// Number of entries that there ever were.
    added: u64,
    /// Number of events for each reason.
    denied: BTreeMap<Reason, u64>,
}

impl Log {
    /// Returns how often something was denied for this reason. Nothing resets it.
    pub(crate) fn denied(&self, reason: Reason) -> u64 {
        self.denied.get(&reason).copied().unwrap_or_default()
    }

    /// Adds an entry, or joins it with one that is alike. At most `most` entries are kept.
    pub(crate) fn add(&mut self, entry: Entry, most: u64) {
        *self.denied.entry(entry.reason).or_default() += 1;
        let alike = self.entries.iter().take(SEARCHED).position(|known| known.is_like(&entry));
        let known = alike.and_then(|at| self.entries.remove(at));
        let is_new = known.is_none();
        let (count, created, id) =
            known.map_or((0, entry.created, self.added), |k| (k.count, k.created, k.id));
        self.entries.push_front(Entry { count: count + entry.count, created, id, ..entry });
        if is_new {
            self.added += 1;
            self.entries.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
    }
}
