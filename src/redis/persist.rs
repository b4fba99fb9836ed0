//! Durability: what a crash leaves.
//!
//! A server has its keys in memory and, depending on how it is set up, on disk:
//! as of the last save point (RDB), or up to what of the append-only file has
//! reached it. The disk itself is not modelled, only what would be lost: an
//! [`Undo`] of each database holds, for every key that was changed since what is on
//! disk, what it was before. A crash puts that back.
//!
//! - Without save points and without the append-only file, and until the first
//!   save, everything would be lost: nothing is kept for that.
//! - `appendfsync always` loses nothing that was answered.
//! - The file is *written* before a command is answered, and *synced* when
//!   `appendfsync` says: the death of the process loses what is not written,
//!   which is nothing that was answered; the loss of power what is not synced.
//!
//! Source: <https://redis.io/docs/management/persistence/>, and killing the
//! server.

use super::keyspace::Entry;
use super::sds::Sds;
use super::value::Value;
use crate::time::Instant;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// A key as it was.
#[derive(Clone, Debug)]
struct Before {
    value: Value,
    expires_at: i64,
}

/// What a crash would undo in one database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Undo {
    keeping: bool,
    /// Keys changed since what is on disk; `None` for one that was not there.
    before: IndexMap<Sds, Option<Before>, FxBuildHasher>,
}

impl Undo {
    /// From here on, what is there is on disk: a crash comes back to it.
    pub(crate) fn restart(&mut self, keeping: bool) {
        self.keeping = keeping;
        self.before = IndexMap::default();
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
}

/// What is on disk, and when more of it will be.
#[derive(Debug, Default)]
pub(crate) struct Persistence {}

impl Persistence {
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        None
    }
}
