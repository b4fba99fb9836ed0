//! The queues: orders to charge, orders to charge later, how a declined one moves between them, and
//! where messages end that no worker can handle.

use crate::Error;
use lapin::options::{
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

/// The orders to charge now.
pub(crate) const ORDERS: &str = "orders";
/// Declined orders wait here. When their time is up, they are dead-lettered back.
const LATER: &str = "orders.later";
/// Messages that somebody has to look at.
pub(crate) const PARKED: &str = "orders.parked";
/// The dead-letter exchange of the first two.
const DECLINED: &str = "declined";
/// How long a declined order waits, in milliseconds.
const WAIT: i32 = 5_000;
/// A message that was returned more often, since its worker died or lost a connection, is
/// dead-lettered.
const RETURNS: i32 = 20;

/// Declares the queues and the exchange, and turns on confirms.
///
/// # Errors
///
/// Whatever RabbitMQ answers.
pub async fn declare(channel: &Channel) -> Result<(), Error> {
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let mut orders = safe(DECLINED);
    orders.insert("x-delivery-limit".into(), AMQPValue::LongInt(RETURNS));
    channel.queue_declare(ORDERS.into(), durable, orders).await?;
    let mut later = safe("");
    later.insert("x-message-ttl".into(), AMQPValue::LongInt(WAIT));
    later.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(ORDERS.into()));
    channel.queue_declare(LATER.into(), durable, later).await?;
    let mut parked = FieldTable::default();
    parked.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare(PARKED.into(), durable, parked).await?;
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let kind = ExchangeKind::Fanout;
    channel.exchange_declare(DECLINED.into(), kind, options, FieldTable::default()).await?;
    let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(LATER.into(), DECLINED.into(), "".into(), options, arguments).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(())
}

/// The arguments of a queue that loses no dead letter, even if RabbitMQ loses power between the two
/// queues: a classic queue would.
fn safe(dead_letter_exchange: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    for (name, value) in [
        ("x-queue-type", "quorum"),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-overflow", "reject-publish"),
        ("x-dead-letter-exchange", dead_letter_exchange),
    ] {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    arguments
}
