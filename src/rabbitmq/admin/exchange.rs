//! `list_exchanges`.

use super::cell::{Cell, Column};
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::exchange::Exchange;
use crate::rabbitmq::key::ExchangeKey;
use crate::rabbitmq::protocol::table::FieldTable;
use crate::rabbitmq::stats::MessageStats;
use crate::sort::sort_by;
use smol_str::SmolStr;

/// An exchange, as `list_exchanges` and the management API's `/api/exchanges` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExchangeRow {
    /// The vhost it is in.
    pub vhost: SmolStr,
    /// Its name; empty for the default exchange.
    pub name: SmolStr,
    /// Its type.
    pub kind: &'static str,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it is deleted with its last binding.
    pub auto_delete: bool,
    /// Whether clients may not publish to it.
    pub internal: bool,
    /// Its arguments.
    pub arguments: FieldTable,
    /// Name of the policy that applies to it.
    pub policy: Option<SmolStr>,
    /// Number of messages that wait at it, if it is a delayed exchange.
    pub messages_delayed: usize,
    /// Counters of the messages published to it: `publish_in` and `publish_out`.
    pub message_stats: MessageStats,
}

impl Broker {
    /// Returns the exchanges of all vhosts, sorted by vhost and name.
    #[must_use]
    pub fn list_exchanges(&self) -> Vec<ExchangeRow> {
        let mut rows: Vec<ExchangeRow> =
            self.exchanges.iter().map(|(key, exchange)| self.exchange_row(key, exchange)).collect();
        sort_by(&mut rows, |a, b| (&a.vhost, &a.name).cmp(&(&b.vhost, &b.name)));
        rows
    }

    fn exchange_row(&self, key: ExchangeKey, exchange: &Exchange) -> ExchangeRow {
        let published = if exchange.name.is_empty() {
            self.vhost(exchange.vhost).published
        } else {
            exchange.published
        };
        ExchangeRow {
            vhost: exchange.vhost_name.clone(),
            name: SmolStr::clone(&exchange.name),
            kind: exchange.kind.name(),
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            arguments: exchange.arguments.clone(),
            policy: exchange.policy.clone(),
            messages_delayed: if exchange.kind.delays() { self.messages_delayed(key) } else { 0 },
            message_stats: published.stats(),
        }
    }
}

pub(super) const COLUMNS: &[Column<ExchangeRow>] = &[
    ("name", |row| (&row.name).into()),
    ("type", |row| row.kind.into()),
    ("durable", |row| row.durable.into()),
    ("auto_delete", |row| row.auto_delete.into()),
    ("internal", |row| row.internal.into()),
    ("arguments", |row| (&row.arguments).into()),
    ("policy", |row| Cell::of(row.policy.as_ref())),
];
