//! Options of the class exchange.

use crate::rabbitmq::protocol::table::FieldTable;
use smol_str::SmolStr;

/// How to declare an exchange (`exchange.declare`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeOptions {
    /// The type: `direct`, `fanout`, `topic`, `headers`; or `x-consistent-hash`, `x-random`,
    /// `x-delayed-message` (with the argument `x-delayed-type`).
    pub kind: SmolStr,
    /// Whether the declaration only asks if the exchange exists; everything else is ignored then.
    pub passive: bool,
    /// Whether the exchange survives a restart of the broker.
    pub durable: bool,
    /// Whether the exchange is deleted when its last binding as a source is removed.
    pub auto_delete: bool,
    /// Whether clients may not publish to the exchange.
    pub internal: bool,
    /// Further arguments: `alternate-exchange`, and those of the types above: `hash-header`,
    /// `hash-property`, `x-delayed-type`.
    pub arguments: FieldTable,
}

/// A transient direct exchange.
impl Default for ExchangeOptions {
    fn default() -> ExchangeOptions {
        ExchangeOptions {
            kind: SmolStr::new_static("direct"),
            passive: false,
            durable: false,
            auto_delete: false,
            internal: false,
            arguments: FieldTable::new(),
        }
    }
}

/// The two ends of a binding between exchanges (`exchange.bind`, an extension of RabbitMQ).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeBindOptions {
    /// The exchange messages go to.
    pub destination: SmolStr,
    /// The exchange messages come from.
    pub source: SmolStr,
    /// The routing key or pattern.
    pub routing_key: SmolStr,
    /// The headers that a headers exchange matches. The arguments are part of the binding's
    /// identity.
    pub arguments: FieldTable,
}

impl ExchangeBindOptions {
    /// A binding without arguments.
    #[must_use]
    pub fn new(
        destination: impl Into<SmolStr>,
        source: impl Into<SmolStr>,
        routing_key: impl Into<SmolStr>,
    ) -> ExchangeBindOptions {
        ExchangeBindOptions {
            destination: destination.into(),
            source: source.into(),
            routing_key: routing_key.into(),
            arguments: FieldTable::new(),
        }
    }
}
