//! `list_consumers`.

use super::cell::Column;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::protocol::id::ChannelId;
use crate::rabbitmq::protocol::table::FieldTable;
use smol_str::SmolStr;

/// Whether a consumer takes part in the deliveries (`activity_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ActivityStatus {
    /// `up`: it takes turns with the others.
    Up,
    /// `single_active`: it is the one that gets the messages.
    SingleActive,
    /// `waiting`: it stands by for the single active one.
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
    /// Whether its deliveries want to be acknowledged.
    pub ack_required: bool,
    /// Whether it is the queue's exclusive consumer.
    pub exclusive: bool,
    /// The prefetch count it began with; 0 is no limit.
    pub prefetch_count: u16,
    /// Whether it takes part in the deliveries.
    pub activity_status: ActivityStatus,
    /// Its arguments.
    pub arguments: FieldTable,
}

impl ConsumerRow {
    /// Whether it gets messages: all but those that stand by for the single
    /// active one.
    #[must_use]
    pub fn active(&self) -> bool {
        self.activity_status != ActivityStatus::Waiting
    }
}

impl Broker {
    /// The consumers of all vhosts, by vhost, queue, channel and tag. Those of
    /// direct replies have no queue and are not among them.
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
        rows.sort_by_cached_key(|row| {
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
