//! What a crash would undo: for keys changed since what is on disk, what they
//! were.
//!
//! A key is remembered before its first change, once; nothing is where a crash
//! would lose everything, or nothing. When its keys are on disk, a database gets a
//! new one.

use super::digest;
use super::keyspace::{Entry, Keyspace, NEVER};
use super::sds::Sds;
use super::value::Value;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// A key as it was.
#[derive(Clone, Debug)]
struct Before {
    value: Value,
    expires_at: i64,
}

impl Before {
    /// Whether the two are the same to a client.
    fn is(&self, other: &Before) -> bool {
        let digest = |state: &Before| {
            let mut digest = digest::NONE;
            digest::mix_value(&mut digest, &state.value, false);
            digest
        };
        self.expires_at == other.expires_at && digest(self) == digest(other)
    }
}

/// What a crash would undo of the keys of one database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Undo {
    keeping: bool,
    /// The number of the database that had these keys when they were saved: they
    /// may have been swapped since.
    home: usize,
    /// Keys changed since what is on disk; `None` for one that was not there.
    before: IndexMap<Sds, Option<Before>, FxBuildHasher>,
}

impl Undo {
    /// From here on: the keys of a database of this number are on disk as they are.
    pub(crate) fn new(keeping: bool, home: usize) -> Undo {
        Undo { keeping, home, before: IndexMap::default() }
    }

    pub(crate) fn home(&self) -> usize {
        self.home
    }

    /// An entry is about to be changed or was just removed.
    pub(crate) fn remember(&mut self, entry: &Entry) {
        if self.keeping && !self.before.contains_key(&entry.key) {
            let before = Before { value: entry.value.clone(), expires_at: entry.expires_at() };
            self.before.insert(entry.key.clone(), Some(before));
        }
    }

    /// A key is about to be added.
    pub(crate) fn remember_absent(&mut self, key: &[u8]) {
        if self.keeping && !self.before.contains_key(key) {
            self.before.insert(Sds::new(key), None);
        }
    }

    /// Makes the keys what they were; which of them were something else, leaving aside
    /// what has expired by `now`, in milliseconds since the Unix epoch.
    pub(crate) fn restore(&mut self, keyspace: &mut Keyspace, now: i64) -> Vec<Sds> {
        let mut changed = Vec::with_capacity(self.before.len());
        for (key, before) in std::mem::take(&mut self.before) {
            let found = keyspace.find(&key).map(|slot| keyspace.remove(slot));
            let accessed = found.as_ref().map_or(0, |entry| entry.accessed);
            let found = found.map(|e| Before { expires_at: e.expires_at(), value: e.value });
            let live = |state: &&Before| state.expires_at > now;
            let same = match (found.as_ref().filter(live), before.as_ref().filter(live)) {
                (None, None) => true,
                (Some(found), Some(before)) => found.is(before),
                (Some(_), None) | (None, Some(_)) => false,
            };
            if let Some(before) = before {
                let slot = keyspace.insert(&key, before.value, accessed);
                if before.expires_at != NEVER {
                    keyspace.set_expiry(slot, before.expires_at);
                }
            }
            if !same {
                changed.push(key);
            }
        }
        changed
    }
}
