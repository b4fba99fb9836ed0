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
    /// | `x-consumer-timeout` | milliseconds for which a consumer may hold a delivery | any in 4.0; since 4.3 quorum only, others refuse it |
    /// | `x-delayed-retry-type` | `all`, `failed`, `returned`: the messages that come back later | quorum, since 4.3 |
    /// | `x-delayed-retry-min`, `x-delayed-retry-max` | milliseconds before they do: see below | quorum, since 4.3 |
    /// | `x-max-age` | an age such as `7D` | stream |
    /// | `x-stream-max-segment-size-bytes` | bytes | stream |
    /// | `x-queue-mode`, `x-queue-version`, `x-max-in-memory-length`, … | checked, and without effect here | |
    ///
    /// *Delayed retries.* With `x-delayed-retry-type` and `x-delayed-retry-min`, a message that
    /// comes back waits before it is ready again. `failed` delays messages that come back by
    /// `basic.reject` or because their channel or connection has ended; `returned` delays those
    /// that come back by `basic.nack` or `basic.recover`; `all` delays both. The delay is
    /// `x-delayed-retry-min` times the number of failed deliveries (but at least by 1), up to
    /// `x-delayed-retry-max`. By default there is no type, no minimum and no maximum: nothing is
    /// delayed without the first two, and the delay grows forever without the third. A delayed
    /// message counts for the length limit, but it is not ready.
    ///
    /// *Time-outs.* An `x-consumer-timeout` of the consumer
    /// ([`ConsumeOptions`](crate::rabbitmq::ConsumeOptions)) goes before that of the queue, and
    /// that before [`BrokerOptions`](crate::rabbitmq::BrokerOptions::with_consumer_timeout). The
    /// queue cancels a consumer that is late, and takes its messages back. Since 4.0 a policy can
    /// set `consumer-timeout`. In 4.0 consumers cannot set their own; a time-out closes the
    /// channel, and only its oldest delivery is looked at. 3.10 knows none of these settings.
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
