//! Watched keys: every change of one is counted, so that `EXEC` can tell whether its locks hold.
//!
//! A key has an entry here only while a client watches it. `server/transaction.rs` compares the
//! counts when `EXEC` runs.
//!
//! Source: `multi.c` (`touchWatchedKey`).

use super::Database;
use crate::redis::value::Sds;

/// The changes of a watched key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watched {
    /// Number of changes.
    pub(crate) version: u64,
    /// Number of expiries. An expiry is not a change for a client that began to watch after it was
    /// due.
    pub(crate) expiries: u64,
    /// `SWAPDB` brought an expired value to where nothing was. For the watchers there is still
    /// nothing.
    pub(crate) brought_expired: bool,
    /// Number of clients that watch it.
    pub(crate) watchers: usize,
}

/// A change that clients which track keys are told of.
#[derive(Clone, Debug)]
pub(crate) enum Modified {
    Key(Sds),
    /// All keys of a database are gone.
    All,
}

impl Database {
    /// Notes a change of a key, for `WATCH` and for tracking.
    #[inline]
    pub(crate) fn touch(&mut self, key: &[u8]) {
        if self.observers.tracked {
            self.observers.modified.push(Modified::Key(Sds::new(key)));
        }
        if !self.observers.watched.is_empty()
            && let Some(watched) = self.observers.watched.get_mut(key)
        {
            watched.version += 1;
        }
    }
}
