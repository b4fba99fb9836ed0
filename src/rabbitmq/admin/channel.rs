//! `list_channels`.

use super::cell::Cell;
use super::ctl::Column;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::channel::Channel;
use crate::rabbitmq::confirm::Confirms;
use crate::rabbitmq::id::ChannelId;
use smol_str::SmolStr;

/// A channel that is open, as `list_channels` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelRow {
    /// Which it is.
    pub id: ChannelId,
    /// The user of its connection.
    pub user: SmolStr,
    /// The vhost of its connection.
    pub vhost: SmolStr,
    /// Whether it is transactional (`tx.select`).
    pub transactional: bool,
    /// Whether its publishes are confirmed (`confirm.select`).
    pub confirm: bool,
    /// Its consumers, one of direct replies included.
    pub consumer_count: usize,
    /// Deliveries and fetches that it has not settled.
    pub messages_unacknowledged: usize,
    /// Publishes that wait for a commit.
    pub messages_uncommitted: usize,
    /// Acknowledgements and rejections that wait for a commit.
    pub acks_uncommitted: usize,
    /// Publishes that were not confirmed yet.
    pub messages_unconfirmed: usize,
    /// The prefetch count of consumers to come; 0 is no limit.
    pub prefetch_count: u16,
    /// The limit of all its consumers together; 0 is no limit.
    pub global_prefetch_count: u16,
}

impl Broker {
    /// The channels that are open, by connection and number.
    #[must_use]
    pub fn list_channels(&self) -> Vec<ChannelRow> {
        let mut rows: Vec<ChannelRow> =
            self.channels.iter().filter_map(|(_, channel)| self.channel_row(channel)).collect();
        rows.sort_unstable_by_key(|row| row.id);
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
            messages_unconfirmed: channel.confirms.as_ref().map_or(0, Confirms::unconfirmed),
            prefetch_count: channel.prefetch,
            global_prefetch_count: channel.limiter.limit(),
        })
    }
}

pub(super) const COLUMNS: &[Column<ChannelRow>] = &[
    ("pid", |row| Cell::text(row.id)),
    ("name", |row| Cell::text(row.id)),
    ("connection", |row| Cell::text(row.id.connection)),
    ("number", |row| Cell::number(row.id.number.0)),
    ("user", |row| Cell::text(&row.user)),
    ("vhost", |row| Cell::text(&row.vhost)),
    ("transactional", |row| Cell::Bool(row.transactional)),
    ("confirm", |row| Cell::Bool(row.confirm)),
    ("consumer_count", |row| Cell::number(row.consumer_count)),
    ("messages_unacknowledged", |row| Cell::number(row.messages_unacknowledged)),
    ("messages_uncommitted", |row| Cell::number(row.messages_uncommitted)),
    ("acks_uncommitted", |row| Cell::number(row.acks_uncommitted)),
    ("messages_unconfirmed", |row| Cell::number(row.messages_unconfirmed)),
    ("prefetch_count", |row| Cell::number(row.prefetch_count)),
    ("global_prefetch_count", |row| Cell::number(row.global_prefetch_count)),
];
