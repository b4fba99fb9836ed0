//! The messages between clients and the broker: [`Method`], [`Output`] and their parts.
//!
//! A [`Method`] is a method of AMQP 0-9-1 that a client sends; an [`Event`] is one that the broker
//! sends. Both are moved through queues often, so both are smaller than 128 bytes. The option
//! structs, one file for each class, are shared with the typed methods of the broker and have
//! AMQP's defaults.

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

/// A method that a client sends.
///
/// With `no_wait` the broker sends no answer, except in case of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of AMQP 0-9-1, under the same names")]
pub enum Method {
    /// `connection.open`; on channel 0, as every method of this class.
    ConnectionOpen(Box<ConnectionOptions>),
    /// `connection.close`.
    ConnectionClose,
    /// `connection.close-ok`, the answer to the broker's close.
    ConnectionCloseOk,
    /// `connection.update-secret`, an extension of RabbitMQ: a new password or token, which is
    /// accepted without a check.
    ConnectionUpdateSecret { new_secret: Bytes, reason: SmolStr },
    /// A heartbeat frame; on channel 0.
    Heartbeat,
    /// `channel.open`.
    ChannelOpen,
    /// `channel.flow`.
    ChannelFlow { active: bool },
    /// `channel.flow-ok`: ignored, because the broker never sends `channel.flow`.
    ChannelFlowOk { active: bool },
    /// `access.request`, of AMQP 0-8: granted, and otherwise ignored.
    AccessRequest,
    /// `channel.close`.
    ChannelClose,
    /// `channel.close-ok`, the answer to the broker's close: the channel number is free again.
    ChannelCloseOk,
    /// `exchange.declare`.
    ExchangeDeclare { exchange: SmolStr, options: Box<ExchangeOptions>, no_wait: bool },
    /// `exchange.delete`.
    ExchangeDelete { exchange: SmolStr, if_unused: bool, no_wait: bool },
    /// `exchange.bind`, an extension of RabbitMQ.
    ExchangeBind { binding: Box<ExchangeBindOptions>, no_wait: bool },
    /// `exchange.unbind`, an extension of RabbitMQ.
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
    /// `basic.nack`, an extension of RabbitMQ.
    BasicNack { delivery_tag: DeliveryTag, multiple: bool, requeue: bool },
    /// `basic.reject`.
    BasicReject { delivery_tag: DeliveryTag, requeue: bool },
    /// `basic.recover`.
    BasicRecover { requeue: bool },
    /// `basic.recover-async`, deprecated: `basic.recover` without an answer.
    BasicRecoverAsync { requeue: bool },
    /// `confirm.select`, an extension of RabbitMQ.
    ConfirmSelect { no_wait: bool },
    /// `tx.select`.
    TxSelect,
    /// `tx.commit`.
    TxCommit,
    /// `tx.rollback`.
    TxRollback,
}

/// A message from the broker to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The connection it goes to. Drop the output if that connection was lost since.
    pub connection: ConnectionId,
    /// The channel it goes to; 0 if it concerns the whole connection.
    pub channel: ChannelNumber,
    /// The event that is sent.
    pub event: Event,
}

/// A method that the broker sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection is open.
    ConnectionOpenOk,
    /// The broker has closed the connection as the client asked.
    ConnectionCloseOk,
    /// The broker has closed the connection.
    ConnectionClose(Box<AmqpError>),
    /// The broker has stopped reading from this connection until the alarm in the reason clears:
    /// `low on memory`, `low on disk`.
    ConnectionBlocked {
        /// The alarms that are on.
        reason: SmolStr,
    },
    /// The broker reads from this connection again.
    ConnectionUnblocked,
    /// The broker has accepted the new secret.
    ConnectionUpdateSecretOk,
    /// A heartbeat frame.
    Heartbeat,
    /// The broker considers the connection dead between two and three heartbeat intervals without
    /// traffic. The socket closes without a message.
    ConnectionLost,
    /// The answer to `access.request`.
    AccessRequestOk,
    /// The channel is open.
    ChannelOpenOk,
    /// The answer to `channel.flow`.
    ChannelFlowOk {
        /// The value that was asked for.
        active: bool,
    },
    /// The broker has closed the channel as the client asked.
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
    /// The ready messages of the queue are gone.
    QueuePurgeOk {
        /// Number of messages that were purged.
        message_count: u32,
    },
    /// The queue is gone.
    QueueDeleteOk {
        /// Number of ready messages that were in the queue.
        message_count: u32,
    },
    /// The prefetch limit is in force.
    BasicQosOk,
    /// The consumer exists. This comes before its first delivery.
    BasicConsumeOk {
        /// Its tag, made by the server if none was given.
        consumer_tag: SmolStr,
    },
    /// The consumer is gone. No delivery to it comes after this.
    BasicCancelOk {
        /// Its tag.
        consumer_tag: SmolStr,
    },
    /// A message for a consumer.
    Deliver {
        /// The consumer it goes to.
        consumer_tag: SmolStr,
        /// The tag to acknowledge it by.
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
    /// Unacknowledged messages were requeued. This comes before their redelivery.
    BasicRecoverOk,
    /// A mandatory message reached no queue. This comes before its confirm.
    Return {
        /// Always [`ReplyCode::NoRoute`].
        code: ReplyCode,
        /// The message.
        message: Arc<Message>,
    },
    /// A confirm: the broker has taken responsibility for a publish.
    Ack {
        /// The number of the publish, counted from 1 since `confirm.select`.
        delivery_tag: DeliveryTag,
        /// Whether it also confirms every earlier publish that was not confirmed yet.
        multiple: bool,
    },
    /// A negative confirm: the broker could not take responsibility for a publish.
    Nack {
        /// The number of the publish, counted from 1 since `confirm.select`.
        delivery_tag: DeliveryTag,
        /// Whether it also rejects every earlier publish that was not confirmed yet.
        multiple: bool,
    },
    /// A consumer is gone because its queue was deleted (`basic.cancel` from the server). Its
    /// unacknowledged messages are gone with the queue.
    Cancel {
        /// The consumer.
        consumer_tag: SmolStr,
    },
    /// Publishes on this channel are confirmed from now on.
    ConfirmSelectOk,
    /// The channel is transactional from now on.
    TxSelectOk,
    /// The transaction is committed, and the next one has begun.
    TxCommitOk,
    /// The transaction is rolled back, and the next one has begun.
    TxRollbackOk,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_and_outputs_are_small() {
        assert!(size_of::<Method>() <= 128, "{}", size_of::<Method>());
        assert!(size_of::<Event>() <= 64, "{}", size_of::<Event>());
        assert!(size_of::<Output>() <= 80, "{}", size_of::<Output>());
    }
}
