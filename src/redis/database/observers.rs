//! Everything that depends on changes of a database: events, stories, watched keys, clients that
//! wait, clients that track, replicas.
//!
//! Invariant: an operation that changes a key tells it here exactly once ([`Database::changed`]).

use super::watch::{Modified, Watched};
use super::{Database, EventClasses, KeyEvent};
use crate::redis::id::ClientId;
use crate::redis::value::{Sds, StreamId, Value};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;

/// A key, or fields of a hash, that were removed without a command.
#[derive(Clone, Debug)]
pub(crate) enum Removed {
    /// A key that has expired.
    Expired(Sds),
    /// A key that was evicted.
    Evicted(Sds),
    /// Fields of a hash that have ended, and the hash if it had no others.
    Fields { key: Sds, fields: Vec<Sds>, emptied: bool },
}

/// A value that took the place of another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    changes_type: bool,
}

impl Replaced {
    pub(crate) fn new(before: &Value, after: &Value) -> Replaced {
        Replaced { changes_type: before.type_name() != after.type_name() }
    }
}

/// Everything else that depends on changes of a database. It is empty, and free, while nobody has
/// asked for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observers {
    /// The events to collect.
    pub(crate) classes: EventClasses,
    /// The collected events, in order.
    pub(crate) events: Vec<KeyEvent>,
    /// Whether every event is collected for the story, and those that were.
    pub(crate) tells: bool,
    pub(crate) told: Vec<KeyEvent>,
    /// Whether changed keys are collected for clients that track them, and those that were.
    pub(crate) tracked: bool,
    pub(crate) modified: Vec<Modified>,
    /// Whether keys that expire or are evicted are collected for replicas, and those that were.
    pub(crate) feeds: bool,
    pub(crate) removed: Vec<Removed>,
    /// The fields whose deadlines the last such operation has changed, for replicas too.
    pub(crate) fields: Vec<Sds>,
    /// The last `XADD` of a producer has found the entry that it was to add.
    pub(crate) found_again: bool,
    /// The entries that each read of a group has claimed since the current command began, for
    /// replicas too.
    pub(crate) claimed: Vec<Vec<StreamId>>,
    /// Keys under `WATCH`.
    pub(crate) watched: IndexMap<Sds, Watched, FxBuildHasher>,
    /// Keys that blocked clients wait for, with the clients in order.
    pub(crate) awaited: IndexMap<Sds, VecDeque<ClientId>, FxBuildHasher>,
    /// Awaited keys that were fed, in order, each once.
    pub(crate) ready: Vec<Sds>,
}

impl Observers {
    /// Returns whether somebody is told of values that replace others.
    #[inline]
    pub(crate) fn hears_replacements(&self) -> bool {
        self.classes.intersects(EventClasses::OVERWRITTEN | EventClasses::TYPE_CHANGED)
    }
}

impl Database {
    /// Notes changes of a key that `WATCH` does not see: those of a stream's groups.
    pub(crate) fn changed_unwatched(
        &mut self,
        key: &[u8],
        class: EventClasses,
        event: &'static str,
        changes: u64,
    ) {
        self.notify(class, event, key);
        self.usage.changes += changes;
    }

    /// Notes changes of a key, for `WATCH`, save points and listeners of the event.
    pub(crate) fn changed(
        &mut self,
        key: &[u8],
        class: EventClasses,
        event: &'static str,
        changes: u64,
    ) {
        self.touch(key);
        self.notify(class, event, key);
        self.usage.changes += changes;
    }

    /// Raises an event.
    pub(crate) fn notify(&mut self, class: EventClasses, event: &'static str, key: &[u8]) {
        if self.observers.classes.intersects(class) {
            let database = self.index;
            self.observers.events.push(KeyEvent { event, key: Sds::new(key), database });
        }
        if self.observers.tells {
            let database = self.index;
            self.observers.told.push(KeyEvent { event, key: Sds::new(key), database });
        }
    }

    /// Raises the events of a value that replaced another.
    #[cold]
    pub(crate) fn notify_replaced(&mut self, key: &[u8], replaced: Replaced) {
        self.notify(EventClasses::OVERWRITTEN, "overwritten", key);
        if replaced.changes_type {
            self.notify(EventClasses::TYPE_CHANGED, "type_changed", key);
        }
    }

    /// Notes that a write has given a key something that blocked clients may be waiting for. They
    /// are served when the command, or the transaction, ends. Every operation that creates a list,
    /// a sorted set or a stream calls this, and so does one that adds to a stream. Readers of a
    /// group also wait for the end of their stream or group, so an operation that removes or
    /// replaces either calls this too.
    pub(crate) fn fed(&mut self, key: &[u8]) {
        if !self.observers.awaited.is_empty()
            && self.observers.awaited.contains_key(key)
            && !self.observers.ready.iter().any(|ready| ready.as_slice() == key)
        {
            self.observers.ready.push(Sds::new(key));
        }
    }
}
