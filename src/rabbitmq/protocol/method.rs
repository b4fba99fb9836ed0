//! What goes in and what comes out: [`Method`], [`Output`] and their parts.
//!
//! A [`Method`] is one method of AMQP 0-9-1 as a client sends it; an [`Event`]
//! is one as the server does. Both are moved through queues a lot and are kept
//! below 128 bytes. The option structs are shared with the typed methods of the
//! broker and have AMQP's defaults.

mod basic;
mod connection;
mod exchange;
mod number;
mod queue;

pub use basic::{ConsumeOptions, GetOk, Publish};
pub use connection::ConnectionOptions;
pub use exchange::{ExchangeBindOptions, ExchangeOptions};
pub use queue::{BindOptions, QueueDeclareOk, QueueOptions};

use super::error::{AmqpError, ReplyCode};
use super::id::{ChannelNumber, ConnectionId, DeliveryTag};
use super::message::Message;
use bytes::Bytes;
pub(crate) use number::ids;
use smol_str::SmolStr;
use std::sync::Arc;

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
