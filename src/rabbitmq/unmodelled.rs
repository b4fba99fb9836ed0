//! What RabbitMQ can do and this broker cannot yet, in one table.
//!
//! A feature that was silently ignored would make a test pass for the wrong
//! reason, so asking for one closes the connection with 540
//! `NOT_IMPLEMENTED`, naming it.

use super::error::{Fault, ReplyCode};
use super::table::FieldTable;

/// Where a feature is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    QueueArgument,
    QueueType,
    ExchangeArgument,
    ExchangeType,
    ConsumerArgument,
    Header,
    Method,
    ReplyTo,
}

const UNMODELLED: &[(Place, &str)] = &[
    (Place::QueueArgument, "x-expires"),
    (Place::QueueArgument, "x-message-ttl"),
    (Place::QueueArgument, "x-dead-letter-exchange"),
    (Place::QueueArgument, "x-dead-letter-routing-key"),
    (Place::QueueArgument, "x-max-length"),
    (Place::QueueArgument, "x-max-length-bytes"),
    (Place::QueueArgument, "x-max-priority"),
    (Place::QueueArgument, "x-overflow"),
    (Place::QueueArgument, "x-single-active-consumer"),
    (Place::QueueType, "quorum"),
    (Place::QueueType, "stream"),
    (Place::ExchangeArgument, "alternate-exchange"),
    (Place::ExchangeType, "x-consistent-hash"),
    (Place::ExchangeType, "x-delayed-message"),
    (Place::ExchangeType, "x-modulus-hash"),
    (Place::ExchangeType, "x-random"),
    (Place::ExchangeType, "x-recent-history"),
    (Place::ConsumerArgument, "x-priority"),
    (Place::ConsumerArgument, "x-credit"),
    (Place::Header, "CC"),
    (Place::Header, "BCC"),
    (Place::Method, "tx.select"),
    (Place::Method, "exchange.bind"),
    (Place::Method, "exchange.unbind"),
    (Place::ReplyTo, "amq.rabbitmq.reply-to"),
];

/// Refuses a feature that is in the table.
pub(crate) fn check(place: Place, name: &str) -> Result<(), Fault> {
    if !UNMODELLED.contains(&(place, name)) {
        return Ok(());
    }
    let what = match place {
        Place::QueueArgument => "the queue argument",
        Place::QueueType => "the queue type",
        Place::ExchangeArgument => "the exchange argument",
        Place::ExchangeType => "the exchange type",
        Place::ConsumerArgument => "the consumer argument",
        Place::Header => "the message header",
        Place::Method => "the method",
        Place::ReplyTo => "the pseudo-queue",
    };
    let reason = format!("{what} '{name}' is not modelled by stunt-double yet");
    Err(Fault::new(ReplyCode::NotImplemented, reason))
}

/// Refuses a table that asks for a feature of the list.
pub(crate) fn check_table(place: Place, table: &FieldTable) -> Result<(), Fault> {
    table.iter().try_for_each(|(name, _)| check(place, name))
}
