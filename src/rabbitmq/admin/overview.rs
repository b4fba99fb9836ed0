//! The broker as a whole, as the management API's `/api/overview` sums it up.

use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::stats::MessageStats;

/// How many of each there are (`object_totals`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectTotals {
    /// Queues, of all types and vhosts.
    pub queues: usize,
    /// Exchanges, those that every vhost has included.
    pub exchanges: usize,
    /// Connections that are open.
    pub connections: usize,
    /// Channels that are open.
    pub channels: usize,
    /// Consumers of queues.
    pub consumers: usize,
}

/// The messages in all queues together (`queue_totals`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueTotals {
    /// All messages.
    pub messages: usize,
    /// Those ready for delivery.
    pub messages_ready: usize,
    /// Those delivered and not acknowledged.
    pub messages_unacknowledged: usize,
}

/// The broker as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overview {
    /// How many of each there are.
    pub object_totals: ObjectTotals,
    /// The messages in all queues.
    pub queue_totals: QueueTotals,
    /// What happened to messages since the broker started, in queues and
    /// exchanges that are gone too.
    pub message_stats: MessageStats,
}

impl Broker {
    /// The broker as a whole. Takes time in the number of queues and exchanges,
    /// not of messages.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let mut queue_totals = QueueTotals::default();
        let mut message_stats = self.tally;
        for (_, queue) in self.queues.iter() {
            queue_totals.messages_ready += queue.ready_count() as usize;
            queue_totals.messages_unacknowledged += queue.unacked as usize;
            // What a queue takes in was published once, to an exchange.
            message_stats += MessageStats { publish: 0, ..queue.cold.counters.stats() };
        }
        queue_totals.messages = queue_totals.messages_ready + queue_totals.messages_unacknowledged;
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
