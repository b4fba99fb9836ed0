//! What goes in and what comes out: [`Method`], [`Output`] and their parts.
//!
//! A [`Method`] is one method of AMQP 0-9-1 as a client sends it; an [`Event`]
//! is one as the server does. Both are moved through queues a lot and are kept
//! below 128 bytes. The option structs are shared with the typed methods of the
//! broker and have AMQP's defaults.

mod number;

use super::error::{AmqpError, ReplyCode};
use super::id::{ChannelNumber, ConnectionId, DeliveryTag};
use super::message::Message;
use super::properties::Properties;
use super::table::FieldTable;
use bytes::Bytes;
pub(crate) use number::ids;
use smol_str::SmolStr;
use std::sync::Arc;
use std::time::Duration;

/// How to open a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// The vhost.
    pub virtual_host: SmolStr,
    /// The user, whose permissions apply and against whom a message's
    /// `user-id` is checked.
    pub user: SmolStr,
    /// The user's password.
    pub password: SmolStr,
    /// The client's capability `consumer_cancel_notify`: it wants to be told
    /// when a queue it consumes from is deleted. Most clients do.
    pub consumer_cancel_notify: bool,
    /// The client's capability `connection.blocked`: it wants to be told when
    /// the broker stops reading from it because of an alarm. Most clients do.
    pub connection_blocked: bool,
    /// How many channels there may be; 0 leaves it to the server, whose limit
    /// is 2,047.
    pub channel_max: u16,
    /// The heartbeat timeout; zero, the default here, turns heartbeats off. AMQP carries whole
    /// seconds, so a fraction is rounded up. Either end considers the other dead after two
    /// heartbeat intervals without traffic. A client in a world answers heartbeats by itself unless
    /// its node is paused; when it misses the broker's, its connection ends as
    /// [`Disconnected::TimedOut`](crate::sim::Disconnected::TimedOut).
    pub heartbeat: Duration,
}

/// Vhost `/`, user `guest` with password `guest`, both notifications, no
/// heartbeats.
impl Default for ConnectionOptions {
    fn default() -> ConnectionOptions {
        ConnectionOptions {
            virtual_host: SmolStr::new_static("/"),
            user: SmolStr::new_static("guest"),
            password: SmolStr::new_static("guest"),
            consumer_cancel_notify: true,
            connection_blocked: true,
            channel_max: 0,
            heartbeat: Duration::ZERO,
        }
    }
}

impl ConnectionOptions {
    /// The heartbeat timeout as AMQP carries it.
    pub(crate) fn heartbeat_seconds(&self) -> u16 {
        let fraction = u64::from(self.heartbeat.subsec_nanos() > 0);
        let seconds = self.heartbeat.as_secs().saturating_add(fraction);
        u16::try_from(seconds).unwrap_or(u16::MAX)
    }
}

/// How to declare an exchange (`exchange.declare`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeOptions {
    /// Its type: `direct`, `fanout`, `topic`, `headers`; or `x-consistent-hash`,
    /// `x-random`, `x-delayed-message` (with the argument `x-delayed-type`).
    pub kind: SmolStr,
    /// Only ask whether it exists; everything else is ignored.
    pub passive: bool,
    /// It survives a restart of the broker.
    pub durable: bool,
    /// It is deleted when its last binding as a source is removed.
    pub auto_delete: bool,
    /// Clients may not publish to it.
    pub internal: bool,
    /// Further arguments: `alternate-exchange`; and those of the types named
    /// above, `hash-header`, `hash-property`, `x-delayed-type`.
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

/// How to declare a queue (`queue.declare`). The default is a transient one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueOptions {
    /// Only ask for its counts; everything else is ignored.
    pub passive: bool,
    /// It survives a restart of the broker, with its persistent messages.
    pub durable: bool,
    /// Only this connection may use it, and it goes when the connection does.
    /// An exclusive queue is never durable.
    pub exclusive: bool,
    /// It is deleted when the last of its consumers goes.
    pub auto_delete: bool,
    /// Further arguments. Unknown ones are ignored; a [`Policy`](crate::rabbitmq::admin::Policy)
    /// sets most of these too, by the same names without `x-`.
    ///
    /// | argument | value | for |
    /// |---|---|---|
    /// | `x-queue-type` | `classic`, `quorum`, `stream` | |
    /// | `x-message-ttl` | milliseconds from publish to expiry | classic, quorum |
    /// | `x-expires` | milliseconds without use after which the queue goes | classic, quorum |
    /// | `x-max-length`, `x-max-length-bytes` | messages, bytes that are ready | classic, quorum; bytes for streams |
    /// | `x-overflow` | `drop-head`, `reject-publish`, `reject-publish-dlx` | classic, quorum |
    /// | `x-dead-letter-exchange`, `x-dead-letter-routing-key` | where dead letters go | classic, quorum |
    /// | `x-dead-letter-strategy` | `at-most-once`, `at-least-once` | quorum |
    /// | `x-max-priority` | levels above 0, at most 255 | classic |
    /// | `x-single-active-consumer` | a truth value | classic, quorum |
    /// | `x-delivery-limit` | how often a message may come back | quorum |
    /// | `x-max-age` | an age such as `7D` | stream |
    /// | `x-stream-max-segment-size-bytes` | bytes | stream |
    /// | `x-queue-mode`, `x-queue-version`, `x-max-in-memory-length`, … | checked, and mean nothing here | |
    ///
    /// Source: <https://www.rabbitmq.com/docs/queues#optional-arguments>.
    pub arguments: FieldTable,
}

/// How to consume (`basic.consume`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumeOptions {
    /// The consumer's tag, unique on its channel. Empty: the server makes one.
    pub consumer_tag: SmolStr,
    /// Messages count as acknowledged when they are sent.
    pub no_ack: bool,
    /// There must be no other consumer.
    pub exclusive: bool,
    /// Further arguments: `x-priority`, of which the highest is served first; for
    /// a stream `x-stream-offset`, where it begins: `first`, `last`, `next`, a
    /// number, a timestamp, or an age such as `1h`.
    pub arguments: FieldTable,
}

/// What to publish (`basic.publish` and its content).
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
    /// The exchange; empty is the default exchange, which routes to the queue
    /// named by the routing key.
    pub exchange: SmolStr,
    /// The routing key.
    pub routing_key: SmolStr,
    /// Return the message if it reaches no queue.
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

/// The two ends of a binding and what it matches (`queue.bind`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindOptions {
    /// The queue; empty is the channel's last declared queue.
    pub queue: SmolStr,
    /// The exchange messages come from.
    pub exchange: SmolStr,
    /// The routing key or pattern.
    pub routing_key: SmolStr,
    /// What a headers exchange matches. Part of the binding's identity.
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

/// The two ends of a binding between exchanges (`exchange.bind`, an extension
/// of RabbitMQ's).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeBindOptions {
    /// The exchange messages go to.
    pub destination: SmolStr,
    /// The exchange messages come from.
    pub source: SmolStr,
    /// The routing key or pattern.
    pub routing_key: SmolStr,
    /// What a headers exchange matches. Part of the binding's identity.
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

/// The answer to `queue.declare`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDeclareOk {
    /// The queue's name, made by the server if none was given.
    pub queue: SmolStr,
    /// Messages ready for delivery; unacknowledged ones do not count.
    pub message_count: u32,
    /// Its consumers, on all channels of all connections.
    pub consumer_count: u32,
}

/// A message fetched by `basic.get`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetOk {
    /// What to acknowledge it by.
    pub delivery_tag: DeliveryTag,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// Messages still ready in the queue, this one excluded.
    pub message_count: u32,
    /// The message.
    pub message: Arc<Message>,
}

/// A method as a client sends it.
///
/// `no_wait` asks for no answer; errors come all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of AMQP 0-9-1, under the same names")]
pub enum Method {
    /// `connection.open`; channel 0, as all of this class.
    ConnectionOpen(Box<ConnectionOptions>),
    /// `connection.close`.
    ConnectionClose,
    /// `connection.close-ok`, the answer to the broker's close.
    ConnectionCloseOk,
    /// `connection.update-secret`, an extension of RabbitMQ's: a new password
    /// or token, which is taken without a look.
    ConnectionUpdateSecret { new_secret: Bytes, reason: SmolStr },
    /// A heartbeat frame; channel 0.
    Heartbeat,
    /// `channel.open`.
    ChannelOpen,
    /// `channel.flow`.
    ChannelFlow { active: bool },
    /// `channel.flow-ok`: ignored, for the broker never asks.
    ChannelFlowOk { active: bool },
    /// `access.request`, of AMQP 0-8: granted, and ignored.
    AccessRequest,
    /// `channel.close`.
    ChannelClose,
    /// `channel.close-ok`, the answer to the broker's close: the number can be
    /// opened again.
    ChannelCloseOk,
    /// `exchange.declare`.
    ExchangeDeclare { exchange: SmolStr, options: Box<ExchangeOptions>, no_wait: bool },
    /// `exchange.delete`.
    ExchangeDelete { exchange: SmolStr, if_unused: bool, no_wait: bool },
    /// `exchange.bind`, an extension of RabbitMQ's.
    ExchangeBind { binding: Box<ExchangeBindOptions>, no_wait: bool },
    /// `exchange.unbind`, an extension of RabbitMQ's.
    ExchangeUnbind { binding: Box<ExchangeBindOptions>, no_wait: bool },
    /// `queue.declare`.
    QueueDeclare { queue: SmolStr, options: QueueOptions, no_wait: bool },
    /// `queue.bind`.
    QueueBind { binding: Box<BindOptions>, no_wait: bool },
    /// `queue.unbind`.
    QueueUnbind { binding: Box<BindOptions> },
    /// `queue.purge`.
    QueuePurge { queue: SmolStr, no_wait: bool },
    /// `queue.delete`.
    QueueDelete { queue: SmolStr, if_unused: bool, if_empty: bool, no_wait: bool },
    /// `basic.qos`.
    BasicQos { prefetch_size: u32, prefetch_count: u16, global: bool },
    /// `basic.consume`.
    BasicConsume { queue: SmolStr, options: Box<ConsumeOptions>, no_wait: bool },
    /// `basic.cancel`.
    BasicCancel { consumer_tag: SmolStr, no_wait: bool },
    /// `basic.publish`.
    BasicPublish(Publish),
    /// `basic.get`.
    BasicGet { queue: SmolStr, no_ack: bool },
    /// `basic.ack`.
    BasicAck { delivery_tag: DeliveryTag, multiple: bool },
    /// `basic.nack`, an extension of RabbitMQ's.
    BasicNack { delivery_tag: DeliveryTag, multiple: bool, requeue: bool },
    /// `basic.reject`.
    BasicReject { delivery_tag: DeliveryTag, requeue: bool },
    /// `basic.recover`.
    BasicRecover { requeue: bool },
    /// `basic.recover-async`, deprecated: as recover, without an answer.
    BasicRecoverAsync { requeue: bool },
    /// `confirm.select`, an extension of RabbitMQ's.
    ConfirmSelect { no_wait: bool },
    /// `tx.select`.
    TxSelect,
    /// `tx.commit`.
    TxCommit,
    /// `tx.rollback`.
    TxRollback,
}

/// Something the broker sends to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The connection it goes to. If that was lost since, drop it.
    pub connection: ConnectionId,
    /// The channel; 0 for what concerns the whole connection.
    pub channel: ChannelNumber,
    /// What is sent.
    pub event: Event,
}

/// A method as the server sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection is open.
    ConnectionOpenOk,
    /// The client's close of the connection is done.
    ConnectionCloseOk,
    /// The broker has closed the connection.
    ConnectionClose(Box<AmqpError>),
    /// The broker reads no more from this connection, until the alarm that is
    /// its reason clears: `low on memory`, `low on disk`.
    ConnectionBlocked {
        /// Which alarms are on.
        reason: SmolStr,
    },
    /// The broker reads from this connection again.
    ConnectionUnblocked,
    /// The new secret was taken.
    ConnectionUpdateSecretOk,
    /// A heartbeat frame.
    Heartbeat,
    /// The connection is dead to the broker, which heard nothing for two
    /// heartbeats: the socket closes, without a word.
    ConnectionLost,
    /// The answer to `access.request`.
    AccessRequestOk,
    /// The channel is open.
    ChannelOpenOk,
    /// The answer to `channel.flow`.
    ChannelFlowOk {
        /// What was asked for.
        active: bool,
    },
    /// The client's close of the channel is done.
    ChannelCloseOk,
    /// The broker has closed the channel.
    ChannelClose(Box<AmqpError>),
    /// The exchange exists as declared.
    ExchangeDeclareOk,
    /// The exchange is gone.
    ExchangeDeleteOk,
    /// The binding between exchanges exists.
    ExchangeBindOk,
    /// The binding between exchanges is gone.
    ExchangeUnbindOk,
    /// The queue exists as declared.
    QueueDeclareOk(QueueDeclareOk),
    /// The binding exists.
    QueueBindOk,
    /// The binding is gone.
    QueueUnbindOk,
    /// The queue's ready messages are gone.
    QueuePurgeOk {
        /// How many there were.
        message_count: u32,
    },
    /// The queue is gone.
    QueueDeleteOk {
        /// How many ready messages went with it.
        message_count: u32,
    },
    /// The prefetch limit holds.
    BasicQosOk,
    /// The consumer exists; comes before its first delivery.
    BasicConsumeOk {
        /// Its tag, made by the server if none was given.
        consumer_tag: SmolStr,
    },
    /// The consumer is gone; no delivery to it comes after this.
    BasicCancelOk {
        /// Its tag.
        consumer_tag: SmolStr,
    },
    /// A message for a consumer.
    Deliver {
        /// Which consumer.
        consumer_tag: SmolStr,
        /// What to acknowledge it by.
        delivery_tag: DeliveryTag,
        /// Whether it may have been delivered before.
        redelivered: bool,
        /// The message.
        message: Arc<Message>,
    },
    /// A message for `basic.get`.
    GetOk(GetOk),
    /// `basic.get` found the queue empty.
    GetEmpty,
    /// Unacknowledged messages were requeued; comes before their redelivery.
    BasicRecoverOk,
    /// A mandatory message reached no queue. Comes before its confirm.
    Return {
        /// Always [`ReplyCode::NoRoute`].
        code: ReplyCode,
        /// The message.
        message: Arc<Message>,
    },
    /// A confirm: the broker has taken responsibility.
    Ack {
        /// The number of the publish, counted from 1 since `confirm.select`.
        delivery_tag: DeliveryTag,
        /// It stands for all unconfirmed publishes up to this one.
        multiple: bool,
    },
    /// A negative confirm: the broker could not take responsibility.
    Nack {
        /// The number of the publish, counted from 1 since `confirm.select`.
        delivery_tag: DeliveryTag,
        /// It stands for all unconfirmed publishes up to this one.
        multiple: bool,
    },
    /// A consumer is gone because its queue is (`basic.cancel` from the
    /// server). Its unacknowledged messages are gone with the queue.
    Cancel {
        /// The consumer.
        consumer_tag: SmolStr,
    },
    /// Publishes on this channel are confirmed from now on.
    ConfirmSelectOk,
    /// The channel is transactional from now on.
    TxSelectOk,
    /// The transaction is done, and the next one begun.
    TxCommitOk,
    /// The transaction is undone, and the next one begun.
    TxRollbackOk,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_moved_through_queues_is_small() {
        assert!(size_of::<Method>() <= 128, "{}", size_of::<Method>());
        assert!(size_of::<Event>() <= 64, "{}", size_of::<Event>());
        assert!(size_of::<Output>() <= 80, "{}", size_of::<Output>());
    }
}
