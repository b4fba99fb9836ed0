//! Each event as the other implementation reads it.

use super::TAG;
use crate::rabbitmq::protocol::error::{Fault, MethodId, ReplyCode};
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::method::{Event, GetOk, QueueDeclareOk};
use crate::rabbitmq::protocol::properties::Properties;
use crate::rabbitmq::wire::dialect::Dialect;
use crate::rabbitmq::wire::encode::{To, encode};
use amq_protocol::frame::{AMQPFrame, parse_frame};
use amq_protocol::protocol::{
    AMQPClass, access, basic, channel, confirm, connection, exchange, queue, tx,
};
use amq_protocol::types::ShortString;
use bytes::Bytes;
use std::sync::Arc;

/// The first frame of an event, as the other implementation decodes it.
fn written(event: &Event) -> AMQPClass {
    let mut out = Vec::new();
    let to = To { channel: 5, frame_max: 4_096, dialect: Dialect::V0_9_1 };
    encode(event, to, &mut out);
    match parse_frame(&out[..]) {
        Ok((_, AMQPFrame::Method(5, class))) => class,
        other => panic!("{event:?}: {other:?}"),
    }
}

#[test]
fn answers_without_arguments() {
    let table = [
        (
            Event::ConnectionOpenOk,
            AMQPClass::Connection(connection::AMQPMethod::OpenOk(connection::OpenOk {})),
        ),
        (
            Event::ConnectionCloseOk,
            AMQPClass::Connection(connection::AMQPMethod::CloseOk(connection::CloseOk {})),
        ),
        (
            Event::ConnectionUnblocked,
            AMQPClass::Connection(connection::AMQPMethod::Unblocked(connection::Unblocked {})),
        ),
        (
            Event::ConnectionUpdateSecretOk,
            AMQPClass::Connection(connection::AMQPMethod::UpdateSecretOk(
                connection::UpdateSecretOk {},
            )),
        ),
        (
            Event::AccessRequestOk,
            AMQPClass::Access(access::AMQPMethod::RequestOk(access::RequestOk {})),
        ),
        (Event::ChannelOpenOk, AMQPClass::Channel(channel::AMQPMethod::OpenOk(channel::OpenOk {}))),
        (
            Event::ChannelCloseOk,
            AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {})),
        ),
        (
            Event::ExchangeDeclareOk,
            AMQPClass::Exchange(exchange::AMQPMethod::DeclareOk(exchange::DeclareOk {})),
        ),
        (
            Event::ExchangeDeleteOk,
            AMQPClass::Exchange(exchange::AMQPMethod::DeleteOk(exchange::DeleteOk {})),
        ),
        (
            Event::ExchangeBindOk,
            AMQPClass::Exchange(exchange::AMQPMethod::BindOk(exchange::BindOk {})),
        ),
        (
            Event::ExchangeUnbindOk,
            AMQPClass::Exchange(exchange::AMQPMethod::UnbindOk(exchange::UnbindOk {})),
        ),
        (Event::QueueBindOk, AMQPClass::Queue(queue::AMQPMethod::BindOk(queue::BindOk {}))),
        (Event::QueueUnbindOk, AMQPClass::Queue(queue::AMQPMethod::UnbindOk(queue::UnbindOk {}))),
        (Event::BasicQosOk, AMQPClass::Basic(basic::AMQPMethod::QosOk(basic::QosOk {}))),
        (Event::GetEmpty, AMQPClass::Basic(basic::AMQPMethod::GetEmpty(basic::GetEmpty {}))),
        (
            Event::BasicRecoverOk,
            AMQPClass::Basic(basic::AMQPMethod::RecoverOk(basic::RecoverOk {})),
        ),
        (
            Event::ConfirmSelectOk,
            AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(confirm::SelectOk {})),
        ),
        (Event::TxSelectOk, AMQPClass::Tx(tx::AMQPMethod::SelectOk(tx::SelectOk {}))),
        (Event::TxCommitOk, AMQPClass::Tx(tx::AMQPMethod::CommitOk(tx::CommitOk {}))),
        (Event::TxRollbackOk, AMQPClass::Tx(tx::AMQPMethod::RollbackOk(tx::RollbackOk {}))),
    ];
    for (event, expected) in table {
        assert_eq!(written(&event), expected);
    }
}

#[test]
fn answers_with_arguments() {
    let declared =
        QueueDeclareOk { queue: "q".into(), message_count: 0x0102_0304, consumer_count: 5 };
    let fault = Fault::new(ReplyCode::NotFound, "no").of(MethodId::new(50, 10));
    let (code, text) = (404, ShortString::from("NOT_FOUND - no"));
    let channel_close =
        channel::Close { reply_code: code, reply_text: text.clone(), class_id: 50, method_id: 10 };
    let connection_close =
        connection::Close { reply_code: code, reply_text: text, class_id: 50, method_id: 10 };
    let reason = || ShortString::from("low on memory");
    let table = [
        (
            Event::ConnectionBlocked { reason: reason().as_str().into() },
            AMQPClass::Connection(connection::AMQPMethod::Blocked(connection::Blocked {
                reason: reason(),
            })),
        ),
        (
            Event::ConnectionClose(Box::new(fault.clone())),
            AMQPClass::Connection(connection::AMQPMethod::Close(connection_close)),
        ),
        (
            Event::ChannelClose(Box::new(fault)),
            AMQPClass::Channel(channel::AMQPMethod::Close(channel_close)),
        ),
        (
            Event::ChannelFlowOk { active: true },
            AMQPClass::Channel(channel::AMQPMethod::FlowOk(channel::FlowOk { active: true })),
        ),
        (
            Event::QueueDeclareOk(declared),
            AMQPClass::Queue(queue::AMQPMethod::DeclareOk(queue::DeclareOk {
                queue: "q".into(),
                message_count: 0x0102_0304,
                consumer_count: 5,
            })),
        ),
        (
            Event::QueuePurgeOk { message_count: 7 },
            AMQPClass::Queue(queue::AMQPMethod::PurgeOk(queue::PurgeOk { message_count: 7 })),
        ),
        (
            Event::QueueDeleteOk { message_count: 7 },
            AMQPClass::Queue(queue::AMQPMethod::DeleteOk(queue::DeleteOk { message_count: 7 })),
        ),
    ];
    for (event, expected) in table {
        assert_eq!(written(&event), expected);
    }
}

#[test]
fn events_that_carry_messages() {
    use basic::AMQPMethod;
    let message = || {
        let (exchange, body) = (Some(Arc::new("x".into())), Bytes::from_static(b"body"));
        Arc::new(Message::new(exchange, "k".into(), Properties::default(), body))
    };
    let tag = DeliveryTag(TAG);
    let got = GetOk { delivery_tag: tag, redelivered: true, message_count: 9, message: message() };
    let table = [
        (
            Event::BasicConsumeOk { consumer_tag: "t".into() },
            AMQPMethod::ConsumeOk(basic::ConsumeOk { consumer_tag: "t".into() }),
        ),
        (
            Event::BasicCancelOk { consumer_tag: "t".into() },
            AMQPMethod::CancelOk(basic::CancelOk { consumer_tag: "t".into() }),
        ),
        (
            Event::Cancel { consumer_tag: "t".into() },
            AMQPMethod::Cancel(basic::Cancel { consumer_tag: "t".into(), nowait: true }),
        ),
        (
            Event::Ack { delivery_tag: tag, multiple: true },
            AMQPMethod::Ack(basic::Ack { delivery_tag: TAG, multiple: true }),
        ),
        (
            Event::Nack { delivery_tag: tag, multiple: true },
            AMQPMethod::Nack(basic::Nack { delivery_tag: TAG, multiple: true, requeue: true }),
        ),
        (
            Event::Deliver {
                consumer_tag: "t".into(),
                delivery_tag: tag,
                redelivered: true,
                message: message(),
            },
            AMQPMethod::Deliver(basic::Deliver {
                consumer_tag: "t".into(),
                delivery_tag: TAG,
                redelivered: true,
                exchange: "x".into(),
                routing_key: "k".into(),
            }),
        ),
        (
            Event::GetOk(got),
            AMQPMethod::GetOk(basic::GetOk {
                delivery_tag: TAG,
                redelivered: true,
                exchange: "x".into(),
                routing_key: "k".into(),
                message_count: 9,
            }),
        ),
        (
            Event::Return { code: ReplyCode::NoRoute, message: message() },
            AMQPMethod::Return(basic::Return {
                reply_code: 312,
                reply_text: "NO_ROUTE".into(),
                exchange: "x".into(),
                routing_key: "k".into(),
            }),
        ),
    ];
    for (event, expected) in table {
        assert_eq!(written(&event), AMQPClass::Basic(expected));
    }
}
