//! Names and numbers of the methods that clients send.
//!
//! Source: AMQP 0-9-1, section 1, and the extensions of RabbitMQ.

use super::Method;
use crate::rabbitmq::protocol::error::MethodId;

impl Method {
    /// The method's name in AMQP: `basic.publish`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Method::ConnectionOpen(_) => "connection.open",
            Method::ConnectionClose => "connection.close",
            Method::ConnectionCloseOk => "connection.close-ok",
            Method::ConnectionUpdateSecret { .. } => "connection.update-secret",
            Method::Heartbeat => "heartbeat",
            Method::ChannelOpen => "channel.open",
            Method::ChannelFlow { .. } => "channel.flow",
            Method::ChannelFlowOk { .. } => "channel.flow-ok",
            Method::AccessRequest => "access.request",
            Method::ChannelClose => "channel.close",
            Method::ChannelCloseOk => "channel.close-ok",
            Method::ExchangeDeclare { .. } => "exchange.declare",
            Method::ExchangeDelete { .. } => "exchange.delete",
            Method::ExchangeBind { .. } => "exchange.bind",
            Method::ExchangeUnbind { .. } => "exchange.unbind",
            Method::QueueDeclare { .. } => "queue.declare",
            Method::QueueBind { .. } => "queue.bind",
            Method::QueueUnbind { .. } => "queue.unbind",
            Method::QueuePurge { .. } => "queue.purge",
            Method::QueueDelete { .. } => "queue.delete",
            Method::BasicQos { .. } => "basic.qos",
            Method::BasicConsume { .. } => "basic.consume",
            Method::BasicCancel { .. } => "basic.cancel",
            Method::BasicPublish(_) => "basic.publish",
            Method::BasicGet { .. } => "basic.get",
            Method::BasicAck { .. } => "basic.ack",
            Method::BasicNack { .. } => "basic.nack",
            Method::BasicReject { .. } => "basic.reject",
            Method::BasicRecover { .. } => "basic.recover",
            Method::BasicRecoverAsync { .. } => "basic.recover-async",
            Method::ConfirmSelect { .. } => "confirm.select",
            Method::TxSelect => "tx.select",
            Method::TxCommit => "tx.commit",
            Method::TxRollback => "tx.rollback",
        }
    }

    /// The numbers of the method's class and of the method.
    pub(crate) const fn id(&self) -> MethodId {
        match self {
            Method::ConnectionOpen(_) => ids::CONNECTION_OPEN,
            Method::ConnectionClose => MethodId::new(10, 50),
            Method::ConnectionCloseOk => MethodId::new(10, 51),
            Method::ConnectionUpdateSecret { .. } => MethodId::new(10, 70),
            Method::Heartbeat => MethodId::NONE,
            Method::ChannelOpen => ids::CHANNEL_OPEN,
            Method::ChannelFlow { .. } => ids::CHANNEL_FLOW,
            Method::ChannelFlowOk { .. } => MethodId::new(20, 21),
            Method::AccessRequest => MethodId::new(30, 10),
            Method::ChannelClose => ids::CHANNEL_CLOSE,
            Method::ChannelCloseOk => ids::CHANNEL_CLOSE_OK,
            Method::ExchangeDeclare { .. } => ids::EXCHANGE_DECLARE,
            Method::ExchangeDelete { .. } => ids::EXCHANGE_DELETE,
            Method::ExchangeBind { .. } => ids::EXCHANGE_BIND,
            Method::ExchangeUnbind { .. } => ids::EXCHANGE_UNBIND,
            Method::QueueDeclare { .. } => ids::QUEUE_DECLARE,
            Method::QueueBind { .. } => ids::QUEUE_BIND,
            Method::QueueUnbind { .. } => ids::QUEUE_UNBIND,
            Method::QueuePurge { .. } => ids::QUEUE_PURGE,
            Method::QueueDelete { .. } => ids::QUEUE_DELETE,
            Method::BasicQos { .. } => ids::BASIC_QOS,
            Method::BasicConsume { .. } => ids::BASIC_CONSUME,
            Method::BasicCancel { .. } => ids::BASIC_CANCEL,
            Method::BasicPublish(_) => ids::BASIC_PUBLISH,
            Method::BasicGet { .. } => ids::BASIC_GET,
            Method::BasicAck { .. } => ids::BASIC_ACK,
            Method::BasicNack { .. } => ids::BASIC_NACK,
            Method::BasicReject { .. } => ids::BASIC_REJECT,
            Method::BasicRecover { .. } => ids::BASIC_RECOVER,
            Method::BasicRecoverAsync { .. } => ids::BASIC_RECOVER_ASYNC,
            Method::ConfirmSelect { .. } => ids::CONFIRM_SELECT,
            Method::TxSelect => ids::TX_SELECT,
            Method::TxCommit => ids::TX_COMMIT,
            Method::TxRollback => ids::TX_ROLLBACK,
        }
    }
}

/// The numbers of the methods that can fail.
pub(crate) mod ids {
    use super::MethodId;

    pub(crate) const CONNECTION_OPEN: MethodId = MethodId::new(10, 40);
    pub(crate) const CHANNEL_OPEN: MethodId = MethodId::new(20, 10);
    pub(crate) const CHANNEL_FLOW: MethodId = MethodId::new(20, 20);
    pub(crate) const CHANNEL_CLOSE: MethodId = MethodId::new(20, 40);
    pub(crate) const CHANNEL_CLOSE_OK: MethodId = MethodId::new(20, 41);
    pub(crate) const EXCHANGE_DECLARE: MethodId = MethodId::new(40, 10);
    pub(crate) const EXCHANGE_DELETE: MethodId = MethodId::new(40, 20);
    pub(crate) const EXCHANGE_BIND: MethodId = MethodId::new(40, 30);
    pub(crate) const EXCHANGE_UNBIND: MethodId = MethodId::new(40, 40);
    pub(crate) const QUEUE_DECLARE: MethodId = MethodId::new(50, 10);
    pub(crate) const QUEUE_BIND: MethodId = MethodId::new(50, 20);
    pub(crate) const QUEUE_PURGE: MethodId = MethodId::new(50, 30);
    pub(crate) const QUEUE_DELETE: MethodId = MethodId::new(50, 40);
    pub(crate) const QUEUE_UNBIND: MethodId = MethodId::new(50, 50);
    pub(crate) const BASIC_QOS: MethodId = MethodId::new(60, 10);
    pub(crate) const BASIC_CONSUME: MethodId = MethodId::new(60, 20);
    pub(crate) const BASIC_CANCEL: MethodId = MethodId::new(60, 30);
    pub(crate) const BASIC_PUBLISH: MethodId = MethodId::new(60, 40);
    pub(crate) const BASIC_GET: MethodId = MethodId::new(60, 70);
    pub(crate) const BASIC_ACK: MethodId = MethodId::new(60, 80);
    pub(crate) const BASIC_REJECT: MethodId = MethodId::new(60, 90);
    pub(crate) const BASIC_RECOVER_ASYNC: MethodId = MethodId::new(60, 100);
    pub(crate) const BASIC_RECOVER: MethodId = MethodId::new(60, 110);
    pub(crate) const BASIC_NACK: MethodId = MethodId::new(60, 120);
    pub(crate) const CONFIRM_SELECT: MethodId = MethodId::new(85, 10);
    pub(crate) const TX_SELECT: MethodId = MethodId::new(90, 10);
    pub(crate) const TX_COMMIT: MethodId = MethodId::new(90, 20);
    pub(crate) const TX_ROLLBACK: MethodId = MethodId::new(90, 30);
}
