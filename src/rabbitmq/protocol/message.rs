//! A message, shared by every queue it was routed to.
//!
//! The broker holds each message once, behind an `Arc`: queues, unacknowledged tables, the journal
//! and deliveries all point at it. An [`Entry`] is one queue's record of a message: the pointer,
//! the message's *position* in that queue, whether it was delivered before, and whether it expires.
//! Positions rise with every message that a queue accepts and are never used twice, so a requeued
//! message finds its original place. Far back in a long backlog, messages are packed (`pages.rs`).

use super::properties::{History, Properties};
use super::table::FieldValue;
use bytes::Bytes;
use smol_str::SmolStr;
use std::fmt;
use std::sync::Arc;

/// The name of an exchange, as its messages share it; `None` is the default exchange, so that most
/// messages count no reference to it.
pub(crate) type ExchangeName = Option<Arc<SmolStr>>;

/// The name of the default exchange.
static NAMELESS: SmolStr = SmolStr::new_static("");

/// A published message. It is immutable and shared through an `Arc`.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    envelope: Envelope,
    body: Bytes,
}

/// What a message has beside its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    exchange: ExchangeName,
    routing_key: SmolStr,
    properties: Properties,
}

impl Message {
    pub(crate) fn new(
        exchange: ExchangeName,
        routing_key: SmolStr,
        properties: Properties,
        body: Bytes,
    ) -> Message {
        Message::from_parts(Envelope { exchange, routing_key, properties }, body)
    }

    pub(crate) fn from_parts(envelope: Envelope, body: Bytes) -> Message {
        Message { envelope, body }
    }

    pub(crate) fn into_parts(self) -> (Envelope, Bytes) {
        (self.envelope, self.body)
    }

    /// The exchange it was published to; the empty name is the default exchange.
    #[must_use]
    pub fn exchange(&self) -> &SmolStr {
        self.envelope.exchange.as_deref().unwrap_or(&NAMELESS)
    }

    pub(crate) fn exchange_name(&self) -> &ExchangeName {
        &self.envelope.exchange
    }

    /// The routing key it was published with.
    #[must_use]
    pub fn routing_key(&self) -> &SmolStr {
        &self.envelope.routing_key
    }

    /// Its properties.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        &self.envelope.properties
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the routing keys in its header `CC` or `BCC`.
    pub(crate) fn carbon_copies(&self, header: &str) -> impl Iterator<Item = &str> {
        let properties = &self.envelope.properties;
        let copies = properties.headers().and_then(|headers| headers.get(header));
        let copies = copies.filter(|_| !properties.history().has_new_key);
        let keys: &[FieldValue] = match copies {
            Some(FieldValue::Array(keys)) => keys,
            _ => &[],
        };
        keys.iter().filter_map(FieldValue::as_str)
    }

    /// Returns the same message with other properties.
    pub(crate) fn with_properties(&self, properties: Properties) -> Message {
        let Envelope { exchange, routing_key, .. } = self.envelope.clone();
        Message::new(exchange, routing_key, properties, self.body.clone())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &self.exchange().as_str())
            .field("routing_key", &self.routing_key().as_str())
            .field("properties", self.properties())
            .field("body", &self.body)
            .finish()
    }
}

/// A message's place in one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(pub(crate) u64);

/// A message as one queue holds it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    mark: Mark,
}

/// What a queue knows of a message: the position times four, plus the two flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

/// Flag: the message was delivered before.
const REDELIVERED: u64 = 1;

/// Flag: the queue knows when the message expires.
const EXPIRES: u64 = 2;

impl Entry {
    pub(crate) fn new(message: Arc<Message>, position: Position) -> Entry {
        Entry { message, mark: Mark(position.0 << 2) }
    }

    pub(crate) fn from_parts(message: Arc<Message>, mark: Mark) -> Entry {
        Entry { message, mark }
    }

    pub(crate) fn into_parts(self) -> (Arc<Message>, Mark) {
        (self.message, self.mark)
    }

    /// Returns whether somebody else points at its message.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.message) > 1
    }

    pub(crate) fn position(&self) -> Position {
        Position(self.mark.0 >> 2)
    }

    pub(crate) fn redelivered(&self) -> bool {
        self.mark.0 & REDELIVERED != 0
    }

    pub(crate) fn expires(&self) -> bool {
        self.mark.0 & EXPIRES != 0
    }

    /// The priority of its message, 0 by default.
    pub(crate) fn priority(&self) -> u8 {
        self.message.properties().priority().unwrap_or(0)
    }

    /// Returns the entry at another position.
    pub(crate) fn moved(mut self, position: Position) -> Entry {
        self.mark.0 = self.mark.0 & (REDELIVERED | EXPIRES) | position.0 << 2;
        self
    }

    /// Returns the entry, marked as delivered before.
    pub(crate) fn again(mut self) -> Entry {
        self.mark.0 |= REDELIVERED;
        self
    }

    /// Returns the entry of the same message with one more failed delivery.
    pub(crate) fn failed(mut self) -> Entry {
        let properties = self.message.properties();
        let history = properties.history();
        let history = History { failures: history.failures.saturating_add(1), ..history };
        let properties = properties.clone().with_history(history);
        self.message = Arc::new(self.message.with_properties(properties));
        self
    }

    /// Returns the entry, marked as one that expires.
    pub(crate) fn expiring(mut self) -> Entry {
        self.mark.0 |= EXPIRES;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_to_the_memory_target() {
        // With the two counts of the `Arc`: 96 bytes for each message, 16 for each queue it is in.
        assert_eq!(size_of::<Message>() + 16, 96);
        assert_eq!((size_of::<Entry>(), size_of::<Option<Entry>>()), (16, 16));
    }
}
