//! `list_queues`.
//!
//! Facts that cost nothing are in a [`QueueRow`]. Facts that take a walk over all messages of the
//! queue, and over those that clients hold, are in [`QueueContents`], which is computed only on
//! demand.

use super::AdminError;
use super::cell::{Cell, Column};
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::key::QueueKey;
use crate::rabbitmq::protocol::id::{ChannelId, ConnectionId};
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::FieldTable;
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::delays::Delays;
use crate::rabbitmq::stats::MessageStats;
use crate::rabbitmq::vhost::policy::merged;
use crate::sort::sort_by;
use smol_str::SmolStr;
use std::cell::OnceCell;

/// A queue, as `list_queues` and the management API's `/api/queues` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueRow {
    /// The vhost it is in.
    pub vhost: SmolStr,
    /// Its name.
    pub name: SmolStr,
    /// Its type.
    pub queue_type: QueueType,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it is deleted with its last consumer.
    pub auto_delete: bool,
    /// Whether it is exclusive to one connection.
    pub exclusive: bool,
    /// The connection that it is exclusive to, if it is.
    pub owner: Option<ConnectionId>,
    /// Its arguments.
    pub arguments: FieldTable,
    /// Name of the policy that applies to it.
    pub policy: Option<SmolStr>,
    /// Name of the operator policy that applies to it.
    pub operator_policy: Option<SmolStr>,
    /// The settings of the two policies together, without the queue's arguments.
    pub effective_policy_definition: FieldTable,
    /// The channel and the tag of its exclusive consumer.
    pub exclusive_consumer: Option<(ChannelId, SmolStr)>,
    /// The channel and the tag of the consumer that gets deliveries, if the queue has a single
    /// active consumer.
    pub single_active_consumer: Option<(ChannelId, SmolStr)>,
    /// Number of messages that are ready.
    pub messages_ready: usize,
    /// Number of messages that were delivered and not acknowledged.
    pub messages_unacknowledged: usize,
    /// Number of messages of a quorum queue whose next delivery is delayed.
    pub messages_delayed: usize,
    /// Bytes of the bodies of ready messages; for a stream, of its records.
    pub message_bytes_ready: u64,
    /// Number of its consumers.
    pub consumers: usize,
    /// Counters of its messages.
    pub message_stats: MessageStats,
}

impl QueueRow {
    /// Number of all its messages, ready or not.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages_ready + self.messages_unacknowledged + self.messages_delayed
    }
}

/// The contents of a queue, including messages that clients hold. For a stream, which keeps its
/// messages, those that clients hold do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueContents {
    /// Number of messages that would survive a restart: persistent ones in a durable queue.
    pub messages_persistent: usize,
    /// Bytes of all bodies.
    pub message_bytes: u64,
    /// Bytes of the bodies of ready messages.
    pub message_bytes_ready: u64,
    /// Bytes of the bodies of unacknowledged messages.
    pub message_bytes_unacknowledged: u64,
    /// Bytes of the bodies of messages that would survive a restart.
    pub message_bytes_persistent: u64,
    /// The `timestamp` of its oldest message, ready or not, in seconds since the Unix epoch, if
    /// that message has one.
    pub head_message_timestamp: Option<u64>,
}

impl Broker {
    /// Returns the queues of all vhosts, sorted by vhost and name.
    #[must_use]
    pub fn list_queues(&self) -> Vec<QueueRow> {
        let mut rows: Vec<QueueRow> =
            self.queues.iter().map(|(_, queue)| self.queue_row(queue)).collect();
        sort_by(&mut rows, |a, b| (&a.vhost, &a.name).cmp(&(&b.vhost, &b.name)));
        rows
    }

    fn queue_row(&self, queue: &Queue) -> QueueRow {
        let cold = &queue.cold;
        let [policy, operator_policy] = cold.policies.clone();
        let consumer = |key: Option<_>| {
            let consumer = self.consumers.get(key?)?;
            Some((self.channels.get(consumer.channel)?.id, consumer.tag.clone()))
        };
        let vhost = self.vhost(cold.vhost);
        let defined = |name: &Option<SmolStr>, operator: bool| {
            let of = if operator { &vhost.operator_policies } else { &vhost.policies };
            of.get(name.as_ref()?)
        };
        let streamed = cold.kind.stream().map_or(0, |stream| stream.log.bytes());
        QueueRow {
            vhost: cold.vhost_name.clone(),
            name: cold.name.clone(),
            queue_type: cold.kind.queue_type(),
            durable: queue.durable(),
            auto_delete: cold.auto_delete,
            exclusive: cold.owner.is_some(),
            owner: cold.owner,
            arguments: self.shown_arguments(queue),
            effective_policy_definition: merged(
                defined(&policy, false),
                defined(&operator_policy, true),
            ),
            policy,
            operator_policy,
            exclusive_consumer: consumer(cold.exclusive_consumer),
            single_active_consumer: consumer(queue.single_active()),
            messages_ready: queue.ready_count() as usize,
            messages_unacknowledged: queue.unacked as usize,
            messages_delayed: cold.kind.delays().map_or(0, Delays::len),
            message_bytes_ready: queue.ready.bytes() + streamed,
            consumers: queue.consumer_count(),
            message_stats: queue.stats(),
        }
    }

    /// Returns a queue's arguments, with its type if the version adds it.
    fn shown_arguments(&self, queue: &Queue) -> FieldTable {
        let mut arguments = queue.cold.arguments.clone();
        if self.profile().names_queue_types && arguments.get(QueueType::ARGUMENT).is_none() {
            arguments.insert(QueueType::ARGUMENT, queue.cold.kind.queue_type().name());
            return arguments.sorted();
        }
        arguments
    }

    /// Returns the contents of a queue. Looks at every message.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`], [`AdminError::NoSuchQueue`].
    pub fn queue_contents(&self, vhost: &str, queue: &str) -> Result<QueueContents, AdminError> {
        let key = self.existing_queue(vhost, queue)?;
        Ok(self.contents(key))
    }

    /// Returns the queue of this name.
    pub(super) fn existing_queue(&self, vhost: &str, queue: &str) -> Result<QueueKey, AdminError> {
        let found = self.vhost(self.vhost_key(vhost)?).queues.get(queue).copied();
        let (vhost, queue) = (vhost.to_owned(), queue.to_owned());
        found.ok_or(AdminError::NoSuchQueue { vhost, queue })
    }

    /// Returns the number of ready and of unacknowledged messages of the queue of this name, in the
    /// oldest vhost that has one.
    pub(crate) fn message_counts(&self, queue: &str) -> Option<(usize, usize)> {
        let named = |key: &_| self.vhost(*key).queues.get(queue);
        let queue = self.queues.get(*self.vhost_names.values().find_map(named)?)?;
        Some((queue.ready_count() as usize, queue.unacked as usize))
    }

    fn contents(&self, key: QueueKey) -> QueueContents {
        let mut contents = QueueContents::default();
        let Some(queue) = self.queues.get(key) else { return contents };
        let mut oldest = None;
        let mut look = |message: &Message, position| {
            let bytes = message.body().len() as u64;
            contents.message_bytes += bytes;
            if queue.durable() && queue.keeps(message) {
                contents.messages_persistent += 1;
                contents.message_bytes_persistent += bytes;
            }
            if oldest.is_none_or(|oldest| position < oldest) {
                oldest = Some(position);
                contents.head_message_timestamp = message.properties().timestamp();
            }
            bytes
        };
        let (mut ready, mut unacknowledged) = (0, 0);
        for entry in queue.ready.iter() {
            ready += look(&entry.message, entry.position().0);
        }
        match queue.cold.kind.stream() {
            Some(stream) => {
                let offsets = stream.log.first_offset()..stream.log.next_offset();
                for (offset, message) in offsets.filter_map(|o| Some((o, stream.log.read(o)?))) {
                    ready += look(&message, offset);
                }
            }
            None => {
                for unacked in self.held_by_clients().filter(|unacked| unacked.queue == key) {
                    unacknowledged += look(&unacked.entry.message, unacked.entry.position().0);
                }
            }
        }
        contents.message_bytes_ready = ready;
        contents.message_bytes_unacknowledged = unacknowledged;
        contents
    }
}

/// A queue, as its cells are made.
pub(super) struct View<'a> {
    broker: &'a Broker,
    row: QueueRow,
    contents: OnceCell<QueueContents>,
}

impl<'a> View<'a> {
    pub(super) fn new(broker: &'a Broker, row: QueueRow) -> View<'a> {
        View { broker, row, contents: OnceCell::new() }
    }

    fn contents(&self) -> &QueueContents {
        let QueueRow { vhost, name, .. } = &self.row;
        self.contents.get_or_init(|| {
            self.broker.queue_contents(vhost, name).expect("a row belongs to a queue that exists")
        })
    }

    /// A cell that is filled for classic queues only.
    fn of_contents(&self, part: impl FnOnce(&QueueContents) -> u64) -> Cell {
        match self.row.queue_type {
            QueueType::Classic => part(self.contents()).into(),
            QueueType::Quorum | QueueType::Stream => Cell::Missing,
        }
    }
}

pub(super) fn columns<'a>() -> [Column<View<'a>>; 21] {
    [
        ("name", |v| (&v.row.name).into()),
        ("durable", |v| v.row.durable.into()),
        ("auto_delete", |v| v.row.auto_delete.into()),
        ("arguments", |v| (&v.row.arguments).into()),
        ("policy", |v| Cell::of(v.row.policy.as_ref())),
        ("exclusive", |v| match v.row.queue_type {
            QueueType::Classic => v.row.exclusive.into(),
            QueueType::Quorum | QueueType::Stream => Cell::Missing,
        }),
        ("owner_pid", |v| Cell::of(v.row.owner)),
        ("exclusive_consumer_pid", |v| Cell::of(v.row.exclusive_consumer.as_ref().map(|c| c.0))),
        ("exclusive_consumer_tag", |v| Cell::of(v.row.exclusive_consumer.as_ref().map(|c| &c.1))),
        ("messages_ready", |v| v.row.messages_ready.into()),
        ("messages_unacknowledged", |v| v.row.messages_unacknowledged.into()),
        ("messages", |v| v.row.messages().into()),
        ("messages_persistent", |v| v.of_contents(|c| c.messages_persistent as u64)),
        ("message_bytes", |v| v.of_contents(|c| c.message_bytes)),
        ("message_bytes_ready", |v| v.of_contents(|c| c.message_bytes_ready)),
        ("message_bytes_unacknowledged", |v| v.of_contents(|c| c.message_bytes_unacknowledged)),
        ("message_bytes_persistent", |v| v.of_contents(|c| c.message_bytes_persistent)),
        ("head_message_timestamp", |v| match v.row.queue_type {
            QueueType::Classic => Cell::of(v.contents().head_message_timestamp),
            QueueType::Quorum | QueueType::Stream => Cell::Missing,
        }),
        ("consumers", |v| v.row.consumers.into()),
        ("state", |_| "running".into()),
        ("type", |v| v.row.queue_type.name().into()),
    ]
}
