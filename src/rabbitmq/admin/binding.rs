//! `list_bindings`: from exchanges to queues and to other exchanges.

use super::cell::Column;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::key::ExchangeKey;
use crate::rabbitmq::protocol::table::FieldTable;
use crate::sort::sort_by_key;
use smol_str::SmolStr;

/// The kind of a binding's destination. Queues sort before exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DestinationKind {
    /// A queue.
    Queue,
    /// Another exchange, which routes on.
    Exchange,
}

impl DestinationKind {
    /// Its name: `queue` or `exchange`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DestinationKind::Queue => "queue",
            DestinationKind::Exchange => "exchange",
        }
    }
}

/// A binding, as `list_bindings` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BindingRow {
    /// The vhost of both ends.
    pub vhost: SmolStr,
    /// The exchange that messages come from; empty for the default exchange.
    pub source: SmolStr,
    /// The queue or exchange that messages go to.
    pub destination: SmolStr,
    /// Whether the destination is a queue or an exchange.
    pub destination_kind: DestinationKind,
    /// The routing key or pattern.
    pub routing_key: SmolStr,
    /// The arguments, sorted by name.
    pub arguments: FieldTable,
}

impl Broker {
    /// Returns the bindings of all vhosts. Those of each vhost begin with the bindings of every
    /// queue to the default exchange; the others are sorted by source, routing key, destination and
    /// arguments.
    #[must_use]
    pub fn list_bindings(&self) -> Vec<BindingRow> {
        let name_of = |source: ExchangeKey| {
            let exchange =
                self.exchanges.get(source).expect("a binding is removed with its source");
            SmolStr::clone(&exchange.name)
        };
        let mut rows = Vec::new();
        for (_, queue) in self.queues.iter() {
            let cold = &queue.cold;
            let row = |source, routing_key: &SmolStr, arguments: &FieldTable| BindingRow {
                vhost: cold.vhost_name.clone(),
                source,
                destination: cold.name.clone(),
                destination_kind: DestinationKind::Queue,
                routing_key: routing_key.clone(),
                arguments: arguments.clone(),
            };
            rows.push(row(SmolStr::default(), &cold.name, &FieldTable::new()));
            rows.extend(cold.bindings.iter().map(|(source, binding)| {
                row(name_of(*source), &binding.routing_key, &binding.arguments)
            }));
        }
        for (_, exchange) in self.exchanges.iter() {
            rows.extend(exchange.incoming.iter().map(|(source, binding)| BindingRow {
                vhost: exchange.vhost_name.clone(),
                source: name_of(*source),
                destination: SmolStr::clone(&exchange.name),
                destination_kind: DestinationKind::Exchange,
                routing_key: binding.routing_key.clone(),
                arguments: binding.arguments.clone(),
            }));
        }
        sort_by_key(&mut rows, |row| {
            let BindingRow { vhost, source, destination, destination_kind, .. } = row.clone();
            let arguments = row.arguments.to_string();
            (vhost, source, row.routing_key.clone(), destination, destination_kind, arguments)
        });
        rows
    }
}

pub(super) const USUAL: &[&str] = &[
    "source_name",
    "source_kind",
    "destination_name",
    "destination_kind",
    "routing_key",
    "arguments",
];

pub(super) const COLUMNS: &[Column<BindingRow>] = &[
    ("source_name", |row| (&row.source).into()),
    ("source_kind", |_| "exchange".into()),
    ("destination_name", |row| (&row.destination).into()),
    ("destination_kind", |row| row.destination_kind.name().into()),
    ("routing_key", |row| (&row.routing_key).into()),
    ("arguments", |row| (&row.arguments).into()),
];
