//! Options and answers of the class basic.

use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::properties::Properties;
use crate::rabbitmq::protocol::table::FieldTable;
use bytes::Bytes;
use smol_str::SmolStr;
use std::sync::Arc;

/// How to consume (`basic.consume`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumeOptions {
    /// The consumer's tag, unique on its channel. If it is empty, the server makes one.
    pub consumer_tag: SmolStr,
    /// Whether messages count as acknowledged when they are sent.
    pub no_ack: bool,
    /// Whether there must be no other consumer.
    pub exclusive: bool,
    /// Further arguments. `x-priority`: consumers with the highest priority are served first.
    /// `x-stream-offset`, for a stream, where the consumer begins: `first`, `last`, `next`, a
    /// number, a timestamp, or an age such as `1h`. `x-consumer-timeout`, for a quorum queue since
    /// 4.3, where other queues refuse it: the milliseconds for which this consumer may hold a
    /// delivery.
    pub arguments: FieldTable,
}

/// A message to publish (`basic.publish` and its content).
///
/// ```
/// use stunt_double::rabbitmq::{Properties, Publish};
/// let publish = Publish {
///     mandatory: true,
///     properties: Properties::default().persistent(),
///     ..Publish::new("", "task_queue", "work")
/// };
/// assert_eq!(publish.routing_key, "task_queue");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    /// The exchange. The empty name is the default exchange, which routes to the queue named by the
    /// routing key.
    pub exchange: SmolStr,
    /// The routing key.
    pub routing_key: SmolStr,
    /// Whether the message is returned if it reaches no queue.
    pub mandatory: bool,
    /// Not implemented by RabbitMQ; must be false.
    pub immediate: bool,
    /// The message's properties.
    pub properties: Properties,
    /// The message's body.
    pub body: Bytes,
}

impl Publish {
    /// A message without properties, not mandatory.
    #[must_use]
    pub fn new(
        exchange: impl Into<SmolStr>,
        routing_key: impl Into<SmolStr>,
        body: impl Into<Bytes>,
    ) -> Publish {
        Publish {
            exchange: exchange.into(),
            routing_key: routing_key.into(),
            body: body.into(),
            ..Publish::default()
        }
    }
}

/// A message fetched by `basic.get`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetOk {
    /// The tag to acknowledge it by.
    pub delivery_tag: DeliveryTag,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// Number of messages still ready in the queue, without this one.
    pub message_count: u32,
    /// The message.
    pub message: Arc<Message>,
}
