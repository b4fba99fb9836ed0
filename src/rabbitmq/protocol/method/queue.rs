//! Options and answers of the class queue.

use crate::rabbitmq::protocol::table::FieldTable;
use smol_str::SmolStr;

/// How to declare a queue (`queue.declare`). The default is a transient queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueOptions {
    /// Whether the declaration only asks for the queue's counts; everything else is ignored then.
    pub passive: bool,
    /// Whether the queue survives a restart of the broker, with its persistent messages.
    pub durable: bool,
    /// Whether only this connection may use the queue, which is deleted with the connection. An
    /// exclusive queue is never durable.
    pub exclusive: bool,
    /// Whether the queue is deleted when its last consumer goes.
    pub auto_delete: bool,
    /// Further arguments. Unknown ones are ignored. A [`Policy`](crate::rabbitmq::admin::Policy)
    /// sets most of these too, by the same names without `x-`.
    ///
    /// | argument | value | for |
    /// |---|---|---|
    /// | `x-queue-type` | `classic`, `quorum`, `stream` | |
    /// | `x-message-ttl` | milliseconds from publish to expiry | classic, quorum |
    /// | `x-expires` | milliseconds without use after which the queue is deleted | classic, quorum |
    /// | `x-max-length`, `x-max-length-bytes` | messages, bytes that are ready | classic, quorum; bytes for streams |
    /// | `x-overflow` | `drop-head`, `reject-publish`, `reject-publish-dlx` | classic, quorum |
    /// | `x-dead-letter-exchange`, `x-dead-letter-routing-key` | where dead letters go | classic, quorum |
    /// | `x-dead-letter-strategy` | `at-most-once`, `at-least-once` | quorum |
    /// | `x-max-priority` | levels above 0, at most 255 | classic |
    /// | `x-single-active-consumer` | a boolean | classic, quorum |
    /// | `x-delivery-limit` | how often a message may be returned | quorum |
    /// | `x-max-age` | an age such as `7D` | stream |
    /// | `x-stream-max-segment-size-bytes` | bytes | stream |
    /// | `x-queue-mode`, `x-queue-version`, `x-max-in-memory-length`, … | checked, and without effect here | |
    ///
    /// Source: <https://www.rabbitmq.com/docs/queues#optional-arguments>.
    pub arguments: FieldTable,
}

/// The two ends of a binding and what it matches (`queue.bind`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindOptions {
    /// The queue; the empty name is the queue last declared on the channel.
    pub queue: SmolStr,
    /// The exchange messages come from.
    pub exchange: SmolStr,
    /// The routing key or pattern.
    pub routing_key: SmolStr,
    /// The headers that a headers exchange matches. The arguments are part of the binding's
    /// identity.
    pub arguments: FieldTable,
}

impl BindOptions {
    /// A binding without arguments.
    #[must_use]
    pub fn new(
        queue: impl Into<SmolStr>,
        exchange: impl Into<SmolStr>,
        routing_key: impl Into<SmolStr>,
    ) -> BindOptions {
        BindOptions {
            queue: queue.into(),
            exchange: exchange.into(),
            routing_key: routing_key.into(),
            arguments: FieldTable::new(),
        }
    }
}

/// The answer to `queue.declare`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDeclareOk {
    /// The queue's name, made by the server if none was given.
    pub queue: SmolStr,
    /// Number of messages that are ready, without unacknowledged ones.
    pub message_count: u32,
    /// Number of its consumers, on all channels of all connections.
    pub consumer_count: u32,
}
