//! A queue: its ready messages, and the consumers that take turns.
//!
//! A message is *ready*, in the backlog, or *unacknowledged*, in the table of the channel that it
//! was delivered on; the queue only counts unacknowledged ones. While a message is ready, no
//! consumer in the ring could take it: the broker delivers as soon as that changes.
//!
//! A consumer that cannot take a message when it is asked leaves the ring (`ring.rs`) and is
//! *blocked* until its channel can take more; then it joins at the tail. A consumer that reached
//! its limit but was not asked keeps its place, except in a quorum queue (`quorum.rs`), which
//! checks limits before it asks. With a *single active consumer* the others stand by.
//!
//! Start with [`Queue`]. In this module: `kind` (what classic queues, quorum queues and streams do
//! differently), `quorum` and `stream` (their state), `backlog` (ready messages), `pages` (its far
//! end), `delays` (messages that wait before they are ready again), `ring` (consumers that take
//! turns), `lineup` (consumers in an order), `journal` (what a crash leaves), `expiry` (times to
//! live), `settings` (arguments and policies), `dead_letter`.
//!
//! Source: the server's behaviour; <https://www.rabbitmq.com/docs/queues>.

pub(crate) mod backlog;
pub(crate) mod dead_letter;
pub(crate) mod delays;
pub(crate) mod expiry;
pub(crate) mod journal;
pub(crate) mod kind;
pub(crate) mod lineup;
mod pages;
pub(crate) mod quorum;
pub(crate) mod ring;
pub(crate) mod settings;
pub(crate) mod stream;

use crate::Instant;
use crate::rabbitmq::exchange::Binding;
use crate::rabbitmq::key::{ConsumerKey, ExchangeKey, Stored, VHostKey, marker};
use crate::rabbitmq::protocol::error::{Fault, ReplyCode, queue_in_vhost};
use crate::rabbitmq::protocol::id::ConnectionId;
use crate::rabbitmq::protocol::message::{Entry, Message, Position};
use crate::rabbitmq::protocol::method::QueueOptions;
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue, check_same_argument};
use crate::rabbitmq::queue::backlog::Backlog;
use crate::rabbitmq::queue::delays::Delays;
use crate::rabbitmq::queue::expiry::Expiries;
use crate::rabbitmq::queue::journal::Journal;
use crate::rabbitmq::queue::kind::Kind;
use crate::rabbitmq::queue::lineup::Lineup;
use crate::rabbitmq::queue::ring::Ring;
use crate::rabbitmq::queue::settings::{Effective, Settings};
use crate::rabbitmq::queue::stream::Stream;
use crate::rabbitmq::stats::MessageStats;
use crate::rabbitmq::version::Profile;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;
use std::sync::Arc;

/// The fields of the per-message hot path come first, in two cache lines with the slot. The cold
/// fields are separate, so that iterating over many queues stays fast.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) ready: Backlog,
    pub(crate) ring: Ring,
    pub(crate) next_position: Position,
    /// Number of messages that were delivered and not settled.
    pub(crate) unacked: u32,
    /// Whether the queue is a classic queue without settings and without a single active consumer,
    /// as most queues are. This is checked first and saves all other checks.
    pub(crate) is_plain: bool,
    pub(crate) counts: Counts,
    /// Set for a durable queue.
    pub(crate) journal: Option<Box<Journal>>,
    pub(crate) cold: Box<Cold>,
}

/// Fields not touched on the per-message hot path of a plain queue.
#[derive(Debug)]
pub(crate) struct Cold {
    pub(crate) name: SmolStr,
    pub(crate) vhost: VHostKey,
    /// The vhost's name, for texts.
    pub(crate) vhost_name: SmolStr,
    pub(crate) kind: Kind,
    pub(crate) auto_delete: bool,
    /// Set for an exclusive queue.
    pub(crate) owner: Option<ConnectionId>,
    pub(crate) arguments: FieldTable,
    /// The effective settings: the arguments and the matching policies.
    pub(crate) settings: Effective,
    /// Names of the policy and the operator policy that apply.
    pub(crate) policies: [Option<SmolStr>; 2],
    /// The queue's bindings, each with its exchange.
    pub(crate) bindings: IndexSet<(ExchangeKey, Binding), FxBuildHasher>,
    /// Consumers that cannot take a message, in the order in which they left the ring or arrived.
    pub(crate) blocked: Lineup,
    pub(crate) exclusive_consumer: Option<ConsumerKey>,
    /// Whether only one consumer at a time gets messages.
    pub(crate) single_active: bool,
    /// The consumer that gets them.
    pub(crate) active: Option<ConsumerKey>,
    /// Since when the queue has been unused: without a consumer, a fetch or a declaration.
    pub(crate) unused_since: Instant,
    /// When the broker's timer for the queue's own expiry fires next.
    pub(crate) unused_armed: Option<Instant>,
    pub(crate) counts: RareCounts,
    /// Expiry times of messages, ready or not.
    pub(crate) expiries: Expiries,
}

impl Cold {
    /// Returns whether the priorities of its consumers apply. In a quorum queue with a single
    /// active consumer, the others stand by in the order in which they arrived.
    pub(crate) fn has_priorities(&self) -> bool {
        !(self.single_active && self.kind.ranks_standby_by_arrival())
    }
}

/// What happens to nearly every message of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) publish: u64,
    pub(crate) deliver: u64,
    pub(crate) ack: u64,
}

/// What happens to some messages of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RareCounts {
    pub(crate) deliver_no_ack: u64,
    pub(crate) get: u64,
    pub(crate) get_no_ack: u64,
    pub(crate) get_empty: u64,
    pub(crate) redeliver: u64,
}

impl Stored for Queue {
    type Marker = marker::Queue;
}

impl Queue {
    /// A queue without messages. Its arguments were checked.
    pub(crate) fn new(
        now: Instant,
        (vhost, vhost_name): (VHostKey, SmolStr),
        name: SmolStr,
        options: QueueOptions,
        owner: ConnectionId,
        profile: &'static Profile,
    ) -> Queue {
        let durable = options.durable && !options.exclusive;
        let kind = Kind::new(QueueType::of(&options.arguments), profile);
        let first = kind.first_position();
        let single_active = options.arguments.get("x-single-active-consumer");
        let levels = options.arguments.get("x-max-priority").and_then(FieldValue::as_integer);
        let levels = levels.and_then(|levels| u8::try_from(levels).ok()).unwrap_or(0);
        let ready = match &kind {
            Kind::Classic => Backlog::with_levels(levels),
            Kind::Quorum(quorum) => Backlog::of_quorum(quorum.rules),
            Kind::Stream(_) => Backlog::default(),
        };
        let cold = Cold {
            name,
            vhost,
            vhost_name,
            kind,
            auto_delete: options.auto_delete,
            owner: options.exclusive.then_some(owner),
            single_active: single_active == Some(&FieldValue::Bool(true)),
            arguments: options.arguments,
            settings: Effective::default(),
            policies: [None, None],
            bindings: IndexSet::default(),
            blocked: Lineup::default(),
            exclusive_consumer: None,
            active: None,
            unused_since: now,
            unused_armed: None,
            expiries: Expiries::default(),
            counts: RareCounts::default(),
        };
        let mut queue = Queue {
            ready,
            ring: Ring::default(),
            next_position: first,
            unacked: 0,
            is_plain: false,
            counts: Counts::default(),
            journal: durable.then(|| Box::new(Journal::new(first))),
            cold: Box::new(cold),
        };
        queue.set(Settings::new(&queue.cold.arguments, None, None, &profile.settings));
        queue
    }

    /// Replaces the settings.
    pub(crate) fn set(&mut self, settings: Settings) {
        self.cold.settings = settings.into();
        self.is_plain = self.can_be_plain();
    }

    /// Returns whether the queue has nothing that most queues do not have.
    pub(crate) fn can_be_plain(&self) -> bool {
        let cold = &self.cold;
        cold.kind.can_be_plain() && cold.settings.is_plain() && !cold.single_active
    }

    pub(crate) fn stats(&self) -> MessageStats {
        let Counts { publish, deliver, ack } = self.counts;
        let RareCounts { deliver_no_ack, get, get_no_ack, get_empty, redeliver } = self.cold.counts;
        MessageStats {
            publish,
            deliver,
            deliver_no_ack,
            get,
            get_no_ack,
            get_empty,
            redeliver,
            ack,
            ..MessageStats::default()
        }
    }

    pub(crate) fn forget_counts(&mut self) {
        self.counts = Counts::default();
        self.cold.counts = RareCounts::default();
    }

    /// Returns the queue as the server's texts name it.
    pub(crate) fn what(&self) -> String {
        queue_in_vhost(&self.cold.vhost_name, &self.cold.name)
    }

    /// Returns whether a restart would keep this message.
    pub(crate) fn keeps(&self, message: &Message) -> bool {
        message.properties().is_persistent() || self.cold.kind.keeps_transient_messages()
    }

    /// Returns the message as a consumer is handed it: a quorum queue adds the count of a message
    /// that was returned.
    pub(crate) fn shown(&self, entry: &Entry) -> Arc<Message> {
        match &self.cold.kind {
            Kind::Quorum(quorum) => quorum.shown(entry),
            Kind::Classic | Kind::Stream(_) => Arc::clone(&entry.message),
        }
    }

    /// Returns whether requeued messages come back one by one. In a quorum queue without a delivery
    /// limit, each is treated like a new message.
    pub(crate) fn requeues_singly(&self) -> bool {
        self.cold.kind.moves_rejected_to_end(&self.cold.settings)
    }

    /// Returns whether a settled delivery may let another consumer become the single active one.
    pub(crate) fn frees_place(&self) -> bool {
        self.cold.single_active && self.cold.kind.prefers_higher_standby()
    }

    pub(crate) fn durable(&self) -> bool {
        self.journal.is_some()
    }

    pub(crate) fn consumer_count(&self) -> usize {
        let readers = self.cold.kind.stream().map_or(0, Stream::readers);
        self.ring.len() + self.cold.blocked.len() + readers
    }

    /// Returns all its consumers, those in the ring first.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = ConsumerKey> {
        let readers = self.cold.kind.stream().into_iter().flat_map(Stream::consumers);
        self.ring.iter().chain(self.cold.blocked.iter()).chain(readers)
    }

    /// Returns the consumer that gets the next message, if the queue has a single active consumer.
    pub(crate) fn single_active(&self) -> Option<ConsumerKey> {
        let next = || self.ring.head();
        if self.cold.single_active { self.cold.active.or_else(next) } else { None }
    }

    /// Returns whether the next message has a time to live.
    pub(crate) fn head_expires(&self) -> bool {
        self.ready.front().is_some_and(Entry::expires)
    }

    /// Number of ready messages, as AMQP counts them.
    pub(crate) fn ready_count(&self) -> u32 {
        let streamed = self.cold.kind.stream().map_or(0, |stream| stream.log.len());
        u32::try_from(self.ready.len() as u64 + streamed).unwrap_or(u32::MAX)
    }

    /// Number of messages that its length limits count: those that are ready or delayed.
    pub(crate) fn limited_length(&self) -> u64 {
        (self.ready.len() + self.cold.kind.delays().map_or(0, Delays::len)) as u64
    }

    /// Bytes of the messages that its length limits count.
    pub(crate) fn limited_bytes(&self) -> u64 {
        self.ready.bytes() + self.cold.kind.delays().map_or(0, Delays::bytes)
    }

    pub(crate) fn take_position(&mut self) -> Position {
        let position = self.next_position;
        self.next_position = Position(position.0 + 1);
        position
    }

    /// Notes that the queue is in use for something other than a publish or an acknowledgement.
    pub(crate) fn touch(&mut self, now: Instant) {
        if let Some(journal) = &mut self.journal {
            journal.touch(now);
        }
    }

    /// Refuses a connection that the queue does not belong to.
    pub(crate) fn check_access(&self, connection: ConnectionId) -> Result<(), Fault> {
        match self.cold.owner {
            Some(owner) if owner != connection => Err(self.locked()),
            _ => Ok(()),
        }
    }

    /// Refuses a second declaration that differs from the first.
    pub(crate) fn check_equivalent(
        &self,
        options: &QueueOptions,
        connection: ConnectionId,
        profile: &Profile,
    ) -> Result<(), Fault> {
        if self.cold.owner != options.exclusive.then_some(connection) {
            return Err(self.locked());
        }
        let what = self.what();
        for (argument, received, current) in [
            ("durable", options.durable && !options.exclusive, self.durable()),
            ("auto_delete", options.auto_delete, self.cold.auto_delete),
        ] {
            if received != current {
                return Err(Fault::precondition(format!(
                    "inequivalent arg '{argument}' for {what}: \
                     received '{received}' but current is '{current}'"
                )));
            }
        }
        settings::compared(self.cold.kind.queue_type(), &profile.settings).try_for_each(|key| {
            let (mut received, mut current) = (&options.arguments, &self.cold.arguments);
            let in_millis;
            if key == "x-max-age" && profile.texts.show_terms {
                in_millis = [received, current].map(settings::ages_in_milliseconds);
                [received, current] = in_millis.each_ref();
            }
            check_same_argument(key, &what, received, current, profile.names_queue_types)
        })
    }

    fn locked(&self) -> Fault {
        let reason = format!(
            "cannot obtain exclusive access to locked {}. It could be originally declared on \
             another connection or the exclusive property value does not match that of the \
             original declaration.",
            self.what()
        );
        Fault::new(ReplyCode::ResourceLocked, reason)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A queue for tests that only need its key.
    pub(crate) fn any_queue() -> Queue {
        let vhost = crate::rabbitmq::vhost::VHost::new(SmolStr::default());
        let vhost = crate::rabbitmq::key::Arena::default().insert(vhost);
        let options = QueueOptions::default();
        let (name, owner) = (SmolStr::default(), ConnectionId(0));
        let profile = crate::rabbitmq::version::Version::V3_10.profile();
        Queue::new(Instant::ZERO, (vhost, SmolStr::default()), name, options, owner, profile)
    }

    #[test]
    fn the_hot_fields_of_a_queue_fit_into_two_cache_lines() {
        assert!(size_of::<Queue>() <= 124, "{}", size_of::<Queue>());
    }
}
