//! The messages of a quorum queue that wait before they are delivered again, in the order in which
//! they are due.
//!
//! They are not ready, but the limits of the queue's length count them.

use crate::Instant;
use crate::rabbitmq::protocol::message::{Entry, Position};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Delays {
    waiting: BTreeMap<(Instant, Position), Delayed>,
    /// Bytes of all messages together.
    bytes: u64,
}

#[derive(Debug)]
struct Delayed {
    entry: Entry,
    bytes: u64,
}

impl Delays {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of all messages together.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a message of this size.
    pub(crate) fn insert(&mut self, due: Instant, entry: Entry, bytes: u64) {
        self.bytes += bytes;
        self.waiting.insert((due, entry.position()), Delayed { entry, bytes });
    }

    /// Takes the first message that is due by `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Entry> {
        let first = self.waiting.first_entry().filter(|first| first.key().0 <= now)?;
        let Delayed { entry, bytes } = first.remove();
        self.bytes -= bytes;
        Some(entry)
    }

    /// Takes all messages.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Entry> + use<> {
        std::mem::take(self).waiting.into_values().map(|delayed| delayed.entry)
    }

    /// Keeps only the messages that pass.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&Entry) -> bool) {
        self.waiting.retain(|_, delayed| stays(&delayed.entry));
        self.bytes = self.waiting.values().map(|delayed| delayed.bytes).sum();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.waiting.values().map(|delayed| &delayed.entry)
    }

    /// Returns when messages are due, each moment once.
    pub(crate) fn moments(&self) -> Vec<Instant> {
        let mut moments: Vec<Instant> = self.waiting.keys().map(|(due, _)| *due).collect();
        moments.dedup();
        moments
    }
}
