//! A queue: its ready messages, and the ring of consumers that take turns.
//!
//! A message is *ready*, in the backlog, or *unacknowledged*, in the table of
//! the channel it was handed to; the queue only counts those. While a message
//! is ready, no consumer in the ring could take it: the broker hands out
//! messages as soon as that changes.
//!
//! The head of the ring is asked first and goes to its tail when served. One
//! that cannot take a message when asked leaves the ring, and is *blocked*
//! until its channel can take more; it then joins at the tail. One that reached
//! its limit but was not asked keeps its place.
//!
//! Source: the server's behaviour; <https://www.rabbitmq.com/docs/queues>.

use super::arena::Key;
use super::backlog::Backlog;
use super::consumer::ConsumerKey;
use super::error::{Fault, ReplyCode, queue_in_vhost};
use super::exchange::Binding;
use super::expiry::Expiries;
use super::id::ConnectionId;
use super::journal::Journal;
use super::message::{Entry, Position};
use super::method::QueueOptions;
use super::table::{FieldTable, FieldValue, check_same_argument};
use super::unmodelled::{self, Place};
use crate::Instant;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;
use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) type QueueKey = Key<Queue>;

/// The arguments of a classic queue, which a redeclaration must repeat; in the
/// order in which the server compares them.
const ARGUMENTS: &[&str] = &[
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-queue-type",
    "x-queue-master-locator",
];

/// The arguments of other queue types, which a classic queue refuses.
const FOREIGN_ARGUMENTS: &[&str] = &[
    "x-delivery-limit",
    "x-dead-letter-strategy",
    "x-initial-cluster-size",
    "x-max-age",
    "x-max-in-memory-bytes",
    "x-max-in-memory-length",
    "x-queue-leader-locator",
    "x-quorum-initial-group-size",
    "x-stream-max-segment-size-bytes",
];

/// What every message touches comes first, in two cache lines with its slot;
/// the rest is kept apart, so that many queues stay quick to go through.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) ready: Backlog,
    pub(crate) ring: Ring,
    pub(crate) next_position: Position,
    /// Messages handed out and not settled.
    pub(crate) unacked: usize,
    /// Set if the queue is durable.
    pub(crate) journal: Option<Box<Journal>>,
    pub(crate) more: Box<More>,
}

/// What a queue is asked about less often than for every message.
#[derive(Debug)]
pub(crate) struct More {
    pub(crate) name: SmolStr,
    pub(crate) auto_delete: bool,
    /// Set if the queue is exclusive.
    pub(crate) owner: Option<ConnectionId>,
    pub(crate) arguments: FieldTable,
    /// Its bindings, with the names of their exchanges.
    pub(crate) bindings: IndexSet<(Arc<SmolStr>, Binding), FxBuildHasher>,
    /// Consumers that left the ring, in that order.
    pub(crate) blocked: Vec<ConsumerKey>,
    pub(crate) exclusive_consumer: Option<ConsumerKey>,
    /// Of messages that expire, whether ready or not.
    pub(crate) expiries: Expiries,
}

/// The consumers that take turns.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    head: Option<ConsumerKey>,
    tail: VecDeque<ConsumerKey>,
}

impl Ring {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.head.is_some()) + self.tail.len()
    }

    pub(crate) fn head(&self) -> Option<ConsumerKey> {
        self.head
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ConsumerKey> {
        self.head.iter().chain(&self.tail).copied()
    }

    /// Adds a consumer at the tail.
    pub(crate) fn push(&mut self, consumer: ConsumerKey) {
        match self.head {
            Some(_) => self.tail.push_back(consumer),
            None => self.head = Some(consumer),
        }
    }

    /// Takes the head out.
    pub(crate) fn pop(&mut self) -> Option<ConsumerKey> {
        std::mem::replace(&mut self.head, self.tail.pop_front())
    }

    /// Moves the head to the tail.
    pub(crate) fn rotate(&mut self) {
        if !self.tail.is_empty() {
            self.tail.extend(self.head);
            self.head = self.tail.pop_front();
        }
    }

    /// Takes out all that do not pass.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(ConsumerKey) -> bool) {
        self.tail.retain(|&consumer| stays(consumer));
        if self.head.is_some_and(|head| !stays(head)) {
            self.pop();
        }
    }
}

impl Queue {
    pub(crate) fn new(name: SmolStr, options: QueueOptions, owner: ConnectionId) -> Queue {
        let durable = options.durable && !options.exclusive;
        let more = More {
            name,
            auto_delete: options.auto_delete,
            owner: options.exclusive.then_some(owner),
            arguments: options.arguments,
            bindings: IndexSet::default(),
            blocked: Vec::new(),
            exclusive_consumer: None,
            expiries: Expiries::default(),
        };
        Queue {
            ready: Backlog::default(),
            ring: Ring::default(),
            next_position: Position(0),
            unacked: 0,
            journal: durable.then(|| Box::new(Journal::new(Position(0)))),
            more: Box::new(more),
        }
    }

    pub(crate) fn durable(&self) -> bool {
        self.journal.is_some()
    }

    pub(crate) fn consumer_count(&self) -> usize {
        self.ring.len() + self.more.blocked.len()
    }

    /// All its consumers, those in the ring first.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = ConsumerKey> {
        self.ring.iter().chain(self.more.blocked.iter().copied())
    }

    /// Whether the next message is one that expires.
    pub(crate) fn head_expires(&self) -> bool {
        self.ready.front().is_some_and(Entry::expires)
    }

    pub(crate) fn take_position(&mut self) -> Position {
        let position = self.next_position;
        self.next_position = Position(position.0 + 1);
        position
    }

    /// Something happened to the queue that is no publish or acknowledgement.
    pub(crate) fn touch(&mut self, now: Instant) {
        if let Some(journal) = &mut self.journal {
            journal.touch(now);
        }
    }

    /// Refuses a connection the queue does not belong to.
    pub(crate) fn check_access(&self, connection: ConnectionId) -> Result<(), Fault> {
        match self.more.owner {
            Some(owner) if owner != connection => Err(self.locked()),
            _ => Ok(()),
        }
    }

    /// Refuses a second declaration that differs from the first.
    pub(crate) fn check_equivalent(
        &self,
        options: &QueueOptions,
        connection: ConnectionId,
    ) -> Result<(), Fault> {
        if self.more.owner != options.exclusive.then_some(connection) {
            return Err(self.locked());
        }
        let what = queue_in_vhost(&self.more.name);
        for (argument, received, current) in [
            ("durable", options.durable && !options.exclusive, self.durable()),
            ("auto_delete", options.auto_delete, self.more.auto_delete),
        ] {
            if received != current {
                return Err(Fault::precondition(format!(
                    "inequivalent arg '{argument}' for {what}: \
                     received '{received}' but current is '{current}'"
                )));
            }
        }
        ARGUMENTS.iter().try_for_each(|key| {
            check_same_argument(key, &what, &options.arguments, &self.more.arguments)
        })
    }

    fn locked(&self) -> Fault {
        let reason = format!(
            "cannot obtain exclusive access to locked {}. It could be originally declared on \
             another connection or the exclusive property value does not match that of the \
             original declaration.",
            queue_in_vhost(&self.more.name)
        );
        Fault::new(ReplyCode::ResourceLocked, reason)
    }
}

/// Refuses arguments a new classic queue cannot have.
pub(crate) fn check_arguments(name: &str, arguments: &FieldTable) -> Result<(), Fault> {
    let invalid = |argument: &str, why: &str| {
        let what = queue_in_vhost(name);
        Fault::precondition(format!("invalid arg '{argument}' for {what}{why}"))
    };
    let unacceptable = |argument: &str, value: &FieldValue| {
        invalid(argument, &format!(": {{unacceptable_type,{}}}", value.type_name()))
    };
    if let Some(value) = arguments.get("x-queue-type") {
        match (value, value.as_str()) {
            (FieldValue::String(_), Some("classic")) => {}
            (FieldValue::String(_), kind) => {
                unmodelled::check(Place::QueueType, kind.unwrap_or_default())?;
                let why = format!(": \"unsupported queue type '{value}'\"");
                return Err(invalid("x-queue-type", &why));
            }
            _ => return Err(unacceptable("x-queue-type", value)),
        }
    }
    unmodelled::check_table(Place::QueueArgument, arguments)?;
    if let Some(value) = arguments.get("x-queue-mode") {
        match (value, value.as_str()) {
            (FieldValue::String(_), Some("default" | "lazy")) => {}
            (FieldValue::String(_), _) => {
                let why = format!(": \"unsupported queue mode '{value}'\"");
                return Err(invalid("x-queue-mode", &why));
            }
            _ => return Err(unacceptable("x-queue-mode", value)),
        }
    }
    if let Some(value) = arguments.get("x-queue-version") {
        let why = match value.as_integer() {
            Some(1 | 2) => None,
            Some(v) if v < 0 => Some(format!(": {{value_negative,{v}}}")),
            Some(v) => Some(format!(": \"unsupported queue version '{v}'\"")),
            None => Some(format!(": \"expected integer, got {}\"", value.type_name())),
        };
        if let Some(why) = why {
            return Err(invalid("x-queue-version", &why));
        }
    }
    match arguments.iter().find(|(argument, _)| FOREIGN_ARGUMENTS.contains(argument)) {
        Some((argument, _)) => Err(invalid(argument, " of queue type rabbit_classic_queue")),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::rabbitmq::consumer::Consumer;

    /// A queue for the tests of what only needs its key.
    pub(crate) fn any_queue() -> Queue {
        Queue::new(SmolStr::default(), QueueOptions::default(), ConnectionId(0))
    }

    #[test]
    fn what_every_message_touches_is_small() {
        assert!(size_of::<Queue>() <= 120, "{}", size_of::<Queue>());
    }

    #[test]
    fn the_ring_takes_turns() {
        let mut arena = crate::rabbitmq::arena::Arena::default();
        let queue = arena.insert(any_queue());
        let mut consumers = crate::rabbitmq::arena::Arena::default();
        let channel = crate::rabbitmq::arena::Arena::default()
            .insert(crate::rabbitmq::channel::Channel::new(crate::rabbitmq::ChannelId::new(1, 1)));
        let mut consumer = || {
            let tag = SmolStr::default();
            consumers.insert(Consumer::new(tag, queue, channel, true, 0, FieldTable::new()))
        };
        let (a, b, c) = (consumer(), consumer(), consumer());
        let mut ring = Ring::default();
        for consumer in [a, b, c] {
            ring.push(consumer);
        }
        ring.rotate();
        assert_eq!(ring.iter().collect::<Vec<_>>(), [b, c, a]);
        ring.retain(|consumer| consumer != b);
        assert_eq!(ring.iter().collect::<Vec<_>>(), [c, a]);
        assert_eq!((ring.pop(), ring.pop(), ring.pop()), (Some(c), Some(a), None));
        ring.push(b);
        ring.rotate();
        assert_eq!((ring.head(), ring.len()), (Some(b), 1));
    }

    fn check(argument: &str, value: impl Into<FieldValue>) -> String {
        let arguments = FieldTable::new().with(argument, value);
        check_arguments("bad", &arguments).map_or_else(|fault| fault.reason, |()| "ok".into())
    }

    #[test]
    fn arguments_are_checked_as_the_server_does() {
        let invalid = |what: &str| format!("invalid arg '{what}");
        assert_eq!(check("x-queue-mode", "lazy"), "ok");
        assert_eq!(check("x-queue-type", "classic"), "ok");
        assert_eq!(check("x-queue-version", 2), "ok");
        assert_eq!(check("x-whatever", 2), "ok");
        assert_eq!(
            check("x-queue-type", "foo"),
            invalid("x-queue-type' for queue 'bad' in vhost '/': \"unsupported queue type 'foo'\"")
        );
        assert_eq!(
            check("x-queue-mode", 5),
            invalid("x-queue-mode' for queue 'bad' in vhost '/': {unacceptable_type,signedint}")
        );
        assert_eq!(
            check("x-queue-version", 3),
            invalid(
                "x-queue-version' for queue 'bad' in vhost '/': \"unsupported queue version '3'\""
            )
        );
        assert_eq!(
            check("x-delivery-limit", 3),
            invalid(
                "x-delivery-limit' for queue 'bad' in vhost '/' of queue type rabbit_classic_queue"
            )
        );
        assert!(check("x-queue-type", "quorum").contains("not modelled"));
        assert!(check("x-expires", 1).contains("not modelled"));
    }
}
