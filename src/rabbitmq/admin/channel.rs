//! `list_channels`.

use super::cell::Column;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::channel::Channel;
use crate::rabbitmq::channel::confirm::Confirms;
use crate::rabbitmq::protocol::id::ChannelId;
use crate::sort::sort_by_key;
use smol_str::SmolStr;

/// An open channel, as `list_channels` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelRow {
    /// Its connection and number.
    pub id: ChannelId,
    /// The user of its connection.
    pub user: SmolStr,
    /// The vhost of its connection.
    pub vhost: SmolStr,
    /// Whether it is transactional (`tx.select`).
    pub transactional: bool,
    /// Whether its publishes are confirmed (`confirm.select`).
    pub confirm: bool,
    /// Number of its consumers, including that of direct replies.
    pub consumer_count: usize,
    /// Number of deliveries and fetches that it has not settled.
    pub messages_unacknowledged: usize,
    /// Number of publishes that wait for a commit.
    pub messages_uncommitted: usize,
    /// Number of acknowledgements and rejections that wait for a commit.
    pub acks_uncommitted: usize,
    /// Number of publishes that were not confirmed yet.
    pub messages_unconfirmed: usize,
    /// The prefetch count of consumers that begin later; 0 means no limit.
    pub prefetch_count: u16,
    /// The limit of all its consumers together; 0 means no limit.
    pub global_prefetch_count: u16,
}

impl Broker {
    /// Returns the open channels, sorted by connection and number.
    #[must_use]
    pub fn list_channels(&self) -> Vec<ChannelRow> {
        let mut rows: Vec<ChannelRow> =
            self.channels.iter().filter_map(|(_, channel)| self.channel_row(channel)).collect();
        sort_by_key(&mut rows, |row| row.id);
        rows
    }

    fn channel_row(&self, channel: &Channel) -> Option<ChannelRow> {
        let options = &self.connections.get(&channel.id.connection)?.options;
        let transaction = channel.transaction.as_ref();
        let settled = transaction.into_iter().flat_map(|transaction| &transaction.settled);
        Some(ChannelRow {
            id: channel.id,
            user: options.user.clone(),
            vhost: options.virtual_host.clone(),
            transactional: transaction.is_some(),
            confirm: channel.confirms.is_some(),
            consumer_count: channel.consumers.len() + usize::from(channel.reply_consumer.is_some()),
            messages_unacknowledged: channel.unacked.len(),
            messages_uncommitted: transaction.map_or(0, |t| t.publishes.len()),
            acks_uncommitted: settled.map(|settled| settled.taken.len()).sum(),
            messages_unconfirmed: channel.confirms.as_deref().map_or(0, Confirms::unconfirmed),
            prefetch_count: channel.prefetch,
            global_prefetch_count: channel.limiter.limit(),
        })
    }
}

pub(super) const COLUMNS: &[Column<ChannelRow>] = &[
    ("pid", |row| row.id.into()),
    ("name", |row| row.id.into()),
    ("connection", |row| row.id.connection.into()),
    ("number", |row| row.id.number.0.into()),
    ("user", |row| (&row.user).into()),
    ("vhost", |row| (&row.vhost).into()),
    ("transactional", |row| row.transactional.into()),
    ("confirm", |row| row.confirm.into()),
    ("consumer_count", |row| row.consumer_count.into()),
    ("messages_unacknowledged", |row| row.messages_unacknowledged.into()),
    ("messages_uncommitted", |row| row.messages_uncommitted.into()),
    ("acks_uncommitted", |row| row.acks_uncommitted.into()),
    ("messages_unconfirmed", |row| row.messages_unconfirmed.into()),
    ("prefetch_count", |row| row.prefetch_count.into()),
    ("global_prefetch_count", |row| row.global_prefetch_count.into()),
];
