//! The undo log: the previous states of keys that have changed since the last state on disk. A
//! crash restores them.
//!
//! A key is remembered once, before its first change. Nothing is remembered if a crash would lose
//! everything, or nothing. A new log begins when all keys are on disk.

use super::digest;
use super::keyspace::{Entry, Keyspace, NEVER};
use crate::invariant::ensure;
use crate::redis::value::{Hash, Sds, Value};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// The previous state of a key.
#[derive(Clone, Debug)]
struct Before {
    value: Value,
    expires_at: i64,
}

impl Before {
    /// Returns whether a client finds something of this state at a time.
    fn is_live(&self, now: i64) -> bool {
        let ended = match &self.value {
            Value::Hash(hash) => hash.has_due(now) && hash.live(now).next().is_none(),
            _ => false,
        };
        self.expires_at > now && !ended
    }

    /// Returns whether both states look the same to a client at a time.
    fn is(&self, other: &Before, now: i64) -> bool {
        let digest = |state: &Before| {
            let mut digest = digest::NONE;
            digest::mix_value(&mut digest, &state.value, false, digest::Rules::plain());
            digest
        };
        let same = match (&self.value, &other.value) {
            // A stream's digest ignores its groups.
            (Value::Stream(one), Value::Stream(other)) => one == other,
            (Value::Hash(one), Value::Hash(other))
                if one.deadlines() > 0 || other.deadlines() > 0 =>
            {
                same_live_fields(one, other, now)
            }
            _ => digest(self) == digest(other),
        };
        same && self.expires_at == other.expires_at
    }
}

/// Returns whether two hashes have the same fields with the same deadlines at a time.
fn same_live_fields(one: &Hash, other: &Hash, now: i64) -> bool {
    let is_in_other = |(field, value): (&Sds, &Sds)| {
        other.get_live(field, now) == Some(value) && one.deadline(field) == other.deadline(field)
    };
    one.live(now).count() == other.live(now).count() && one.live(now).all(is_in_other)
}

/// The changes of one database's keys since some point in time.
#[derive(Clone, Debug, Default)]
struct Layer {
    /// Number of the database that had these keys then. Databases may have been swapped since.
    home: usize,
    /// Keys that changed since then; `None` for a key that did not exist.
    before: IndexMap<Sds, Option<Before>, FxBuildHasher>,
}

impl Layer {
    fn of(home: usize) -> Layer {
        Layer { home, before: IndexMap::default() }
    }

    /// Adds the changes since a later point in time.
    fn absorb(&mut self, newer: Layer) {
        for (key, before) in newer.before {
            self.before.entry(key).or_insert(before);
        }
    }
}

/// The changes of one database's keys since the last state on disk, which a crash would undo. The
/// newest layer has the changes since the last relevant point in time (see `slow_disk.rs`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Undo {
    keeping: bool,
    /// The layers before the newest, the oldest first.
    older: Vec<Layer>,
    newest: Layer,
}

impl Undo {
    /// Begins a log: the keys of the database with this number are on disk as they are.
    pub(crate) fn new(keeping: bool, home: usize) -> Undo {
        Undo { keeping, older: Vec::new(), newest: Layer::of(home) }
    }

    /// Number of the database that had these keys when they were on disk.
    pub(crate) fn home(&self) -> usize {
        self.older.first().unwrap_or(&self.newest).home
    }

    /// Begins a layer, to keep further changes apart from earlier ones. The database with this
    /// number has the keys now.
    pub(crate) fn begin_layer(&mut self, home: usize) {
        self.older.push(std::mem::replace(&mut self.newest, Layer::of(home)));
    }

    /// Drops the oldest of several layers, whose changes are on disk.
    pub(crate) fn forget_oldest(&mut self) {
        if !self.older.is_empty() {
            self.older.remove(0);
        }
    }

    /// Merges the two newest layers, if there are two.
    pub(crate) fn merge_newest(&mut self) {
        if let Some(mut merged) = self.older.pop() {
            merged.absorb(std::mem::take(&mut self.newest));
            self.newest = merged;
        }
    }

    /// Merges the two newest layers, if there are three.
    pub(crate) fn merge_newest_but_oldest(&mut self) {
        if self.older.len() > 1 {
            self.merge_newest();
        }
    }

    /// Drops all layers but the newest.
    pub(crate) fn keep_newest(&mut self) {
        self.older.clear();
    }

    /// Checks that nothing is remembered where nothing should be, and that all remembered values
    /// are valid. Returns what is wrong otherwise.
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

    /// Remembers an entry that is about to be changed, or was just removed.
    pub(crate) fn remember(&mut self, entry: &Entry) {
        if self.keeping && !self.newest.before.contains_key(&entry.key) {
            let before = Before { value: entry.value.clone(), expires_at: entry.expires_at() };
            self.newest.before.insert(entry.key.clone(), Some(before));
        }
    }

    /// Remembers that a key did not exist, before it is added.
    pub(crate) fn remember_absent(&mut self, key: &[u8]) {
        if self.keeping && !self.newest.before.contains_key(key) {
            self.newest.before.insert(Sds::new(key), None);
        }
    }

    /// Restores the previous states. Returns the keys whose states differ, ignoring states that
    /// have expired by `now`, in milliseconds since the Unix epoch.
    pub(crate) fn restore(&mut self, keyspace: &mut Keyspace, now: i64) -> Vec<Sds> {
        while !self.older.is_empty() {
            self.merge_newest();
        }
        let mut changed = Vec::with_capacity(self.newest.before.len());
        for (key, before) in std::mem::take(&mut self.newest.before) {
            let found = keyspace.find(&key).map(|slot| keyspace.remove(slot));
            let clock = found.as_ref().map_or(0, |entry| entry.clock);
            let found = found.map(|e| Before { expires_at: e.expires_at(), value: e.value });
            let live = |state: &&Before| state.is_live(now);
            let same = match (found.as_ref().filter(live), before.as_ref().filter(live)) {
                (None, None) => true,
                (Some(found), Some(before)) => found.is(before, now),
                (Some(_), None) | (None, Some(_)) => false,
            };
            if let Some(before) = before {
                let slot = keyspace.insert(&key, before.value, clock);
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
