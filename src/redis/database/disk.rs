//! Reading a database from disk, when its process starts or on request.
//!
//! Source: `rdb.c`, `aof.c`, `debug.c`.

use super::keyspace::Keyspace;
use super::{Database, Removed, Usage};
use crate::time::Instant;
use std::ops::AddAssign;

/// Number of keys that a load has read, and that it skipped because they had expired.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) kept: u64,
    pub(crate) expired: u64,
}

impl AddAssign for Loaded {
    fn add_assign(&mut self, other: Loaded) {
        self.kept += other.kept;
        self.expired += other.expired;
    }
}

impl Database {
    /// Reads the keys in a new process. Expired keys are missing, without an event, unless the
    /// server is a replica.
    pub(crate) fn restart(&mut self, now: Instant, follows: bool) -> Loaded {
        self.usage = Usage { changes: self.usage.changes, ..Usage::default() };
        self.active_expire = true;
        self.cron = true;
        (self.expiry_held, self.follows) = (false, follows);
        let keyspace = std::mem::take(&mut self.keyspace);
        self.load(keyspace, now)
    }

    /// Replaces all keys with those from disk. Expired keys are missing, unless the server is a
    /// replica, and the others count as unused.
    pub(crate) fn load(&mut self, keyspace: Keyspace, now: Instant) -> Loaded {
        self.tell(now);
        self.replace_all(keyspace);
        let mut loaded = Loaded::default();
        while let Some((at, slot)) = self.keyspace.next_expiry()
            && self.is_past(at)
        {
            let entry = self.keyspace.remove(slot);
            if self.observers.feeds {
                self.observers.removed.push(Removed::Expired(entry.key));
            }
            loaded.expired += 1;
        }
        loaded.kept = self.keyspace.len() as u64;
        loaded
    }

    /// Replaces all keys with those of a file, as [`load`](Database::load) does. If expiry is
    /// suspended, expired keys stay.
    pub(crate) fn adopt(&mut self, keyspace: Keyspace, now: Instant) -> Loaded {
        let loaded = if self.expired_by > i64::MIN {
            self.load(keyspace, now)
        } else {
            self.replace_all(keyspace);
            Loaded { kept: self.keyspace.len() as u64, expired: 0 }
        };
        self.settle_all_embeddings(true);
        loaded
    }

    /// Removes all keys from memory, but not from disk.
    pub(crate) fn drop_all(&mut self) {
        for entry in self.keyspace.iter() {
            self.undo.remember(entry);
        }
        self.replace_all(Keyspace::default());
    }

    /// Replaces all keys; the new ones count as unused.
    pub(crate) fn replace_all(&mut self, keyspace: Keyspace) {
        let before = std::mem::replace(&mut self.keyspace, keyspace);
        for entry in before.iter() {
            self.touch_flushed(entry);
        }
        let clock = self.clock_of_new();
        self.keyspace.entries_mut().for_each(|entry| entry.clock = clock);
    }

    /// Adds keys from disk, which replace existing ones of the same name without an event.
    pub(crate) fn merge(&mut self, keyspace: &Keyspace) -> Loaded {
        let mut loaded = Loaded::default();
        for entry in keyspace.iter() {
            if self.is_past(entry.expires_at()) {
                loaded.expired += 1;
                continue;
            }
            loaded.kept += 1;
            match self.keyspace.find(&entry.key) {
                Some(slot) => {
                    self.undo.remember(self.keyspace.entry(slot));
                    self.keyspace.remove(slot);
                }
                None => self.undo.remember_absent(&entry.key),
            }
            let slot = self.keyspace.insert(&entry.key, entry.value.clone(), self.clock_of_new());
            self.set_expiry(slot, entry.expires_at());
            self.settle_embedding(slot, false);
        }
        loaded
    }

    /// Re-encodes all values as if they were read from a snapshot.
    pub(crate) fn reencode(&mut self) {
        for value in self.keyspace.values_mut() {
            value.reencode(&self.limits, self.profile.encodings);
        }
        self.settle_all_embeddings(true);
    }

    /// Re-encodes all values as if the commands of an append-only file had been run.
    pub(crate) fn replay(&mut self) {
        let most = self.longest_embedded();
        self.keyspace.values_mut().for_each(|value| value.replay(most));
        self.settle_all_embeddings(false);
    }
}
