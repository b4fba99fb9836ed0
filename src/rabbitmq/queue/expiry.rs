//! When the messages of a queue expire.
//!
//! A message expires at a fixed time, which neither a delivery nor a restart
//! changes; but expiry acts only at the head of the queue, so one that is past
//! its time stays behind a head that is not. The times are kept apart from the
//! messages, by position, for few messages have one; an entry says whether it
//! does.
//!
//! Source: <https://www.rabbitmq.com/docs/ttl>, and the server's behaviour.

use crate::Instant;
use crate::rabbitmq::protocol::message::{Entry, Position};
use std::collections::BTreeMap;

/// Times of messages, those not ready included.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    times: BTreeMap<Position, Instant>,
    /// When the broker's timer for the head fires next.
    pub(crate) armed: Option<Instant>,
}

impl Expiries {
    pub(crate) fn insert(&mut self, position: Position, at: Instant) {
        self.times.insert(position, at);
    }

    /// The time of a message, if it has one.
    pub(crate) fn of(&self, entry: &Entry) -> Option<Instant> {
        if entry.expires() { self.times.get(&entry.position()).copied() } else { None }
    }

    /// Forgets the time of a message, and gives it.
    pub(crate) fn remove(&mut self, entry: &Entry) -> Option<Instant> {
        if entry.expires() { self.times.remove(&entry.position()) } else { None }
    }

    /// Adds times that were kept elsewhere.
    pub(crate) fn append(&mut self, mut other: Expiries) {
        self.times.append(&mut other.times);
    }

    /// Forgets the times of all but these messages, and any timer.
    pub(crate) fn keep_only(&mut self, entries: &[Entry]) {
        let kept = entries.iter().filter_map(|entry| Some((entry.position(), self.of(entry)?)));
        *self = Expiries { times: kept.collect(), armed: None };
    }
}
