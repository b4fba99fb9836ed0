//! `list_consumers`.

use super::cell::Column;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::protocol::id::ChannelId;
use crate::rabbitmq::protocol::table::FieldTable;
use crate::sort::sort_by_key;
use smol_str::SmolStr;

/// Whether a consumer gets deliveries (`activity_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ActivityStatus {
    /// `up`: it takes turns with the others.
    Up,
    /// `single_active`: it alone gets deliveries.
    SingleActive,
    /// `waiting`: it stands by while another consumer is the single active one.
    Waiting,
}

impl ActivityStatus {
    /// Its name: `up`, `single_active` or `waiting`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ActivityStatus::Up => "up",
            ActivityStatus::SingleActive => "single_active",
            ActivityStatus::Waiting => "waiting",
        }
    }
}

/// A consumer, as `list_consumers` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerRow {
    /// The vhost.
    pub vhost: SmolStr,
    /// The queue.
    pub queue: SmolStr,
    /// Its channel.
    pub channel: ChannelId,
    /// Its tag.
    pub consumer_tag: SmolStr,
    /// Whether its deliveries have to be acknowledged.
    pub ack_required: bool,
    /// Whether it is the queue's exclusive consumer.
    pub exclusive: bool,
    /// The prefetch count with which it began; 0 means no limit.
    pub prefetch_count: u16,
    /// Whether it gets deliveries.
    pub activity_status: ActivityStatus,
    /// Its arguments.
    pub arguments: FieldTable,
}

impl ConsumerRow {
    /// Returns whether it gets deliveries. Only a consumer that stands by gets none.
    #[must_use]
    pub fn active(&self) -> bool {
        self.activity_status != ActivityStatus::Waiting
    }
}

impl Broker {
    /// Returns the consumers of all vhosts, sorted by vhost, queue, channel and tag. Consumers of
    /// direct replies have no queue and are not listed.
    #[must_use]
    pub fn list_consumers(&self) -> Vec<ConsumerRow> {
        let live = self.consumers.iter().filter_map(|(key, consumer)| {
            let queue = self.queues.get(consumer.queue)?;
            let is_active = queue.single_active() == Some(key);
            let queue = &queue.cold;
            let activity_status = match (queue.single_active, is_active) {
                (false, _) => ActivityStatus::Up,
                (true, true) => ActivityStatus::SingleActive,
                (true, false) => ActivityStatus::Waiting,
            };
            Some(ConsumerRow {
                vhost: queue.vhost_name.clone(),
                queue: queue.name.clone(),
                channel: self.channels.get(consumer.channel)?.id,
                consumer_tag: consumer.tag.clone(),
                ack_required: consumer.ack_required,
                exclusive: queue.exclusive_consumer == Some(key),
                prefetch_count: consumer.prefetch,
                activity_status,
                arguments: consumer.arguments().clone(),
            })
        });
        let mut rows: Vec<ConsumerRow> = live.collect();
        sort_by_key(&mut rows, |row| {
            (row.vhost.clone(), row.queue.clone(), row.channel, row.consumer_tag.clone())
        });
        rows
    }
}

pub(super) const USUAL: &[&str] = &[
    "queue_name",
    "channel_pid",
    "consumer_tag",
    "ack_required",
    "prefetch_count",
    "active",
    "arguments",
];

pub(super) const COLUMNS: &[Column<ConsumerRow>] = &[
    ("queue_name", |row| (&row.queue).into()),
    ("channel_pid", |row| row.channel.into()),
    ("consumer_tag", |row| (&row.consumer_tag).into()),
    ("ack_required", |row| row.ack_required.into()),
    ("prefetch_count", |row| row.prefetch_count.into()),
    ("active", |row| row.active().into()),
    ("activity_status", |row| row.activity_status.name().into()),
    ("arguments", |row| (&row.arguments).into()),
];
