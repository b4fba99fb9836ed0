//! What a crash would undo: for keys changed since what is on disk, what they
//! were.
//!
//! A key is remembered before its first change, once; nothing is where a crash
//! would lose everything, or nothing. When its keys are on disk, a database gets a
//! new one.

use super::digest;
use super::keyspace::{Entry, Keyspace, NEVER};
use crate::redis::invariant::ensure;
use crate::redis::value::{Sds, Value};
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

/// The changes of the keys of one database since some moment.
#[derive(Clone, Debug, Default)]
struct Layer {
    /// The number of the database that had these keys then: they may have been swapped since.
    home: usize,
    /// Keys changed since then; `None` for one that was not there.
    before: IndexMap<Sds, Option<Before>, FxBuildHasher>,
}

impl Layer {
    fn of(home: usize) -> Layer {
        Layer { home, before: IndexMap::default() }
    }

    /// Takes in what has changed since a later moment.
    fn absorb(&mut self, newer: Layer) {
        for (key, before) in newer.before {
            self.before.entry(key).or_insert(before);
        }
    }
}

/// What a crash would undo of the keys of one database: the changes since what is on disk, in
/// the newest layer those since the last moment that matters (see `slow_disk.rs`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Undo {
    keeping: bool,
    /// Those since earlier moments, the oldest first.
    older: Vec<Layer>,
    newest: Layer,
}

impl Undo {
    /// From here on: the keys of a database of this number are on disk as they are.
    pub(crate) fn new(keeping: bool, home: usize) -> Undo {
        Undo { keeping, older: Vec::new(), newest: Layer::of(home) }
    }

    /// The number of the database that had these keys when they were on disk.
    pub(crate) fn home(&self) -> usize {
        self.older.first().unwrap_or(&self.newest).home
    }

    /// From here on changes are told from those before, also if those are on disk one day. The
    /// keys are those of the database of this number now.
    pub(crate) fn begin_layer(&mut self, home: usize) {
        self.older.push(std::mem::replace(&mut self.newest, Layer::of(home)));
    }

    /// The changes of the oldest of several layers are on disk.
    pub(crate) fn forget_oldest(&mut self) {
        if !self.older.is_empty() {
            self.older.remove(0);
        }
    }

    /// The two newest layers are one from here on, if there are two.
    pub(crate) fn merge_newest(&mut self) {
        if let Some(mut merged) = self.older.pop() {
            merged.absorb(std::mem::take(&mut self.newest));
            self.newest = merged;
        }
    }

    /// The same, if there are three.
    pub(crate) fn merge_newest_but_oldest(&mut self) {
        if self.older.len() > 1 {
            self.merge_newest();
        }
    }

    /// Only the changes of the newest layer would be undone.
    pub(crate) fn keep_newest(&mut self) {
        self.older.clear();
    }

    /// Checks that nothing is remembered where nothing is to be, and that no key that was there
    /// had a value that cannot be. Returns what is wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        for layer in self.older.iter().chain([&self.newest]) {
            ensure(self.keeping || layer.before.is_empty(), || {
                format!("{} changes are remembered for nothing", layer.before.len())
            })?;
            for (key, before) in &layer.before {
                if let Some(before) = before {
                    before
                        .value
                        .check_invariants()
                        .map_err(|why| format!("key {key} was {why}"))?;
                }
            }
        }
        Ok(())
    }

    /// An entry is about to be changed or was just removed.
    pub(crate) fn remember(&mut self, entry: &Entry) {
        if self.keeping && !self.newest.before.contains_key(&entry.key) {
            let before = Before { value: entry.value.clone(), expires_at: entry.expires_at() };
            self.newest.before.insert(entry.key.clone(), Some(before));
        }
    }

    /// A key is about to be added.
    pub(crate) fn remember_absent(&mut self, key: &[u8]) {
        if self.keeping && !self.newest.before.contains_key(key) {
            self.newest.before.insert(Sds::new(key), None);
        }
    }

    /// Makes the keys what they were; which of them were something else, leaving aside
    /// what has expired by `now`, in milliseconds since the Unix epoch.
    pub(crate) fn restore(&mut self, keyspace: &mut Keyspace, now: i64) -> Vec<Sds> {
        while !self.older.is_empty() {
            self.merge_newest();
        }
        let mut changed = Vec::with_capacity(self.newest.before.len());
        for (key, before) in std::mem::take(&mut self.newest.before) {
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
