//! The broker as a whole, as the management API's `/api/overview` summarizes it.

use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::queue::delays::Delays;
use crate::rabbitmq::stats::MessageStats;

/// Number of objects of each kind (`object_totals`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectTotals {
    /// Number of queues, of all types and vhosts.
    pub queues: usize,
    /// Number of exchanges, including the predeclared ones of every vhost.
    pub exchanges: usize,
    /// Number of open connections.
    pub connections: usize,
    /// Number of open channels.
    pub channels: usize,
    /// Number of consumers of queues.
    pub consumers: usize,
}

/// The messages in all queues together (`queue_totals`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueTotals {
    /// Number of all messages.
    pub messages: usize,
    /// Number of messages that are ready.
    pub messages_ready: usize,
    /// Number of messages that were delivered and not acknowledged.
    pub messages_unacknowledged: usize,
}

/// The broker as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overview {
    /// Number of objects of each kind.
    pub object_totals: ObjectTotals,
    /// The messages in all queues.
    pub queue_totals: QueueTotals,
    /// Counters since the broker started, including queues and exchanges that are gone.
    pub message_stats: MessageStats,
}

impl Broker {
    /// Returns an overview of the broker. Takes time in proportion to the number of queues and
    /// exchanges, not of messages.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let mut queue_totals = QueueTotals::default();
        let mut message_stats = self.tally;
        for (_, queue) in self.queues.iter() {
            queue_totals.messages_ready += queue.ready_count() as usize;
            queue_totals.messages_unacknowledged += queue.unacked as usize;
            queue_totals.messages += queue.cold.kind.delays().map_or(0, Delays::len);
            // A message in a queue was counted when it was published to an exchange.
            message_stats += MessageStats { publish: 0, ..queue.stats() };
        }
        queue_totals.messages += queue_totals.messages_ready + queue_totals.messages_unacknowledged;
        let exchanges = self.exchanges.iter().map(|(_, exchange)| exchange.published);
        let defaults = self.vhosts.iter().map(|(_, vhost)| vhost.published);
        exchanges.chain(defaults).for_each(|published| message_stats += published.stats());
        message_stats.publish = message_stats.publish_in;
        let object_totals = ObjectTotals {
            queues: self.queues.iter().count(),
            exchanges: self.exchanges.iter().count(),
            connections: self.connections.len(),
            channels: self.channels.iter().count(),
            consumers: self.consumers.iter().count(),
        };
        Overview { object_totals, queue_totals, message_stats }
    }
}
