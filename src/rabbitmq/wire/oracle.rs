//! Each method against another implementation, `amq-protocol`: one it writes
//! for a client is read as the same, and one written here it reads as the same.
//!
//! Flags that stand side by side differ, so that none can stand for another.

use super::decode::{ConnectionMethod, Incoming, decode};
use super::encode::encode;
use crate::rabbitmq::error::{Fault, MethodId, ReplyCode};
use crate::rabbitmq::id::DeliveryTag;
use crate::rabbitmq::message::Message;
use crate::rabbitmq::method::{
    BindOptions, ConsumeOptions, Event, ExchangeBindOptions, ExchangeOptions, GetOk, Method,
    Publish, QueueDeclareOk, QueueOptions,
};
use crate::rabbitmq::properties::Properties;
use crate::rabbitmq::table::FieldTable;
use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{
    AMQPClass, access, basic, channel, confirm, connection, exchange, queue, tx,
};
use amq_protocol::types::{self, AMQPValue, ShortString};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

const TAG: u64 = 0x0102_0304_0506_0708;

/// The same table in both worlds.
fn tables() -> (types::FieldTable, FieldTable) {
    let theirs = BTreeMap::from([(ShortString::from("a"), AMQPValue::LongInt(-7))]);
    (theirs.into(), FieldTable::new().with("a", -7))
}

/// Reads what the other implementation writes.
fn read(class: AMQPClass) -> Incoming {
    let frame = AMQPFrame::Method(5, class);
    let written = gen_frame(&frame)(WriteContext::from(Vec::new())).unwrap();
    let bytes = written.into_inner().0;
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    decode(MethodId::new(word(7), word(9)), &bytes[11..bytes.len() - 1])
        .unwrap_or_else(|error| panic!("{frame:?}: {error:?}"))
}

fn check(table: Vec<(AMQPClass, Method)>) {
    for (class, expected) in table {
        let shown = format!("{class:?}");
        match read(class) {
            Incoming::Method(method) => {
                assert_eq!(method, expected, "{shown}");
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
}

#[test]
fn methods_of_exchanges() {
    use exchange::AMQPMethod::{Bind, Declare, Delete, Unbind};
    let (theirs, arguments) = tables();
    let options = |passive: bool| ExchangeOptions {
        kind: "topic".into(),
        passive,
        durable: !passive,
        auto_delete: passive,
        internal: !passive,
        arguments: arguments.clone(),
    };
    let declare = |passive: bool| {
        AMQPClass::Exchange(Declare(exchange::Declare {
            exchange: "x".into(),
            kind: "topic".into(),
            passive,
            durable: !passive,
            auto_delete: passive,
            internal: !passive,
            nowait: passive,
            arguments: theirs.clone(),
        }))
    };
    let declared = |passive: bool| Method::ExchangeDeclare {
        exchange: "x".into(),
        options: Box::new(options(passive)),
        no_wait: passive,
    };
    let delete = exchange::Delete { exchange: "x".into(), if_unused: true, nowait: false };
    let bind = exchange::Bind {
        destination: "d".into(),
        source: "s".into(),
        routing_key: "k".into(),
        nowait: true,
        arguments: theirs.clone(),
    };
    let unbind = exchange::Unbind {
        destination: "d".into(),
        source: "s".into(),
        routing_key: "k".into(),
        nowait: false,
        arguments: theirs.clone(),
    };
    let binding = Box::new(ExchangeBindOptions {
        arguments: arguments.clone(),
        ..ExchangeBindOptions::new("d", "s", "k")
    });
    check(vec![
        (declare(true), declared(true)),
        (declare(false), declared(false)),
        (
            AMQPClass::Exchange(Delete(delete)),
            Method::ExchangeDelete { exchange: "x".into(), if_unused: true, no_wait: false },
        ),
        (
            AMQPClass::Exchange(Bind(bind)),
            Method::ExchangeBind { binding: binding.clone(), no_wait: true },
        ),
        (AMQPClass::Exchange(Unbind(unbind)), Method::ExchangeUnbind { binding, no_wait: false }),
    ]);
}

#[test]
fn methods_of_queues() {
    use queue::AMQPMethod::{Bind, Declare, Delete, Purge, Unbind};
    let (theirs, arguments) = tables();
    let declare = |passive: bool| {
        AMQPClass::Queue(Declare(queue::Declare {
            queue: "q".into(),
            passive,
            durable: !passive,
            exclusive: passive,
            auto_delete: !passive,
            nowait: passive,
            arguments: theirs.clone(),
        }))
    };
    let declared = |passive: bool| Method::QueueDeclare {
        queue: "q".into(),
        options: QueueOptions {
            passive,
            durable: !passive,
            exclusive: passive,
            auto_delete: !passive,
            arguments: arguments.clone(),
        },
        no_wait: passive,
    };
    let bind = queue::Bind {
        queue: "q".into(),
        exchange: "x".into(),
        routing_key: "k".into(),
        nowait: true,
        arguments: theirs.clone(),
    };
    let unbind = queue::Unbind {
        queue: "q".into(),
        exchange: "x".into(),
        routing_key: "k".into(),
        arguments: theirs.clone(),
    };
    let binding =
        Box::new(BindOptions { arguments: arguments.clone(), ..BindOptions::new("q", "x", "k") });
    let purge = queue::Purge { queue: "q".into(), nowait: true };
    let delete =
        queue::Delete { queue: "q".into(), if_unused: true, if_empty: false, nowait: true };
    check(vec![
        (declare(true), declared(true)),
        (declare(false), declared(false)),
        (
            AMQPClass::Queue(Bind(bind)),
            Method::QueueBind { binding: binding.clone(), no_wait: true },
        ),
        (AMQPClass::Queue(Unbind(unbind)), Method::QueueUnbind { binding }),
        (AMQPClass::Queue(Purge(purge)), Method::QueuePurge { queue: "q".into(), no_wait: true }),
        (
            AMQPClass::Queue(Delete(delete)),
            Method::QueueDelete {
                queue: "q".into(),
                if_unused: true,
                if_empty: false,
                no_wait: true,
            },
        ),
    ]);
}

#[test]
fn methods_of_messages() {
    use basic::AMQPMethod;
    let (theirs, arguments) = tables();
    let tag = DeliveryTag(TAG);
    let consume = |no_ack: bool| basic::Consume {
        queue: "q".into(),
        consumer_tag: "t".into(),
        no_local: !no_ack,
        no_ack,
        exclusive: !no_ack,
        nowait: no_ack,
        arguments: theirs.clone(),
    };
    let consumed = |no_ack: bool| Method::BasicConsume {
        queue: "q".into(),
        options: Box::new(ConsumeOptions {
            consumer_tag: "t".into(),
            no_ack,
            exclusive: !no_ack,
            arguments: arguments.clone(),
        }),
        no_wait: no_ack,
    };
    let nack = basic::Nack { delivery_tag: TAG, multiple: false, requeue: true };
    let table = vec![
        (
            AMQPMethod::Qos(basic::Qos { prefetch_count: 0x0102, global: true }),
            Method::BasicQos { prefetch_size: 0, prefetch_count: 0x0102, global: true },
        ),
        (AMQPMethod::Consume(consume(true)), consumed(true)),
        (AMQPMethod::Consume(consume(false)), consumed(false)),
        (
            AMQPMethod::Cancel(basic::Cancel { consumer_tag: "t".into(), nowait: true }),
            Method::BasicCancel { consumer_tag: "t".into(), no_wait: true },
        ),
        (
            AMQPMethod::Get(basic::Get { queue: "q".into(), no_ack: true }),
            Method::BasicGet { queue: "q".into(), no_ack: true },
        ),
        (
            AMQPMethod::Ack(basic::Ack { delivery_tag: TAG, multiple: true }),
            Method::BasicAck { delivery_tag: tag, multiple: true },
        ),
        (
            AMQPMethod::Nack(nack),
            Method::BasicNack { delivery_tag: tag, multiple: false, requeue: true },
        ),
        (
            AMQPMethod::Reject(basic::Reject { delivery_tag: TAG, requeue: true }),
            Method::BasicReject { delivery_tag: tag, requeue: true },
        ),
        (
            AMQPMethod::Recover(basic::Recover { requeue: true }),
            Method::BasicRecover { requeue: true },
        ),
        (
            AMQPMethod::RecoverAsync(basic::RecoverAsync { requeue: true }),
            Method::BasicRecoverAsync { requeue: true },
        ),
    ];
    check(table.into_iter().map(|(class, method)| (AMQPClass::Basic(class), method)).collect());

    let publish = basic::Publish {
        exchange: "x".into(),
        routing_key: "k".into(),
        mandatory: false,
        immediate: true,
    };
    let Incoming::Publish(publish) = read(AMQPClass::Basic(AMQPMethod::Publish(publish))) else {
        panic!("a publish is one");
    };
    assert_eq!(publish, Publish { immediate: true, ..Publish::new("x", "k", "") });
}

#[test]
fn methods_of_channels_confirms_and_transactions() {
    let done =
        channel::Close { reply_code: 200, reply_text: "bye".into(), class_id: 0, method_id: 0 };
    let request = access::Request {
        realm: "/data".into(),
        exclusive: false,
        passive: true,
        active: true,
        write: true,
        read: true,
    };
    check(vec![
        (AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})), Method::ChannelOpen),
        (
            AMQPClass::Channel(channel::AMQPMethod::Flow(channel::Flow { active: true })),
            Method::ChannelFlow { active: true },
        ),
        (AMQPClass::Channel(channel::AMQPMethod::Close(done)), Method::ChannelClose),
        (
            AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {})),
            Method::ChannelCloseOk,
        ),
        (AMQPClass::Access(access::AMQPMethod::Request(request)), Method::AccessRequest),
        (
            AMQPClass::Confirm(confirm::AMQPMethod::Select(confirm::Select { nowait: true })),
            Method::ConfirmSelect { no_wait: true },
        ),
        (AMQPClass::Tx(tx::AMQPMethod::Select(tx::Select {})), Method::TxSelect),
        (AMQPClass::Tx(tx::AMQPMethod::Commit(tx::Commit {})), Method::TxCommit),
        (AMQPClass::Tx(tx::AMQPMethod::Rollback(tx::Rollback {})), Method::TxRollback),
    ]);
}

#[test]
fn methods_of_connections() {
    use connection::AMQPMethod;
    let (client_properties, ours) = tables();
    let start_ok = connection::StartOk {
        client_properties,
        mechanism: "PLAIN".into(),
        response: "\0a\0b".into(),
        locale: "en_US".into(),
    };
    let tune_ok = connection::TuneOk { channel_max: 1, frame_max: 0x0102_0304, heartbeat: 2 };
    let done =
        connection::Close { reply_code: 200, reply_text: "bye".into(), class_id: 0, method_id: 0 };
    let secret = connection::UpdateSecret { new_secret: "s".into(), reason: "r".into() };
    let table = vec![
        (
            AMQPMethod::StartOk(start_ok),
            ConnectionMethod::StartOk {
                client_properties: ours,
                mechanism: "PLAIN".into(),
                response: Bytes::from_static(b"\0a\0b"),
            },
        ),
        (
            AMQPMethod::TuneOk(tune_ok),
            ConnectionMethod::TuneOk { channel_max: 1, frame_max: 0x0102_0304, heartbeat: 2 },
        ),
        (
            AMQPMethod::Open(connection::Open { virtual_host: "/".into() }),
            ConnectionMethod::Open { virtual_host: "/".into() },
        ),
        (AMQPMethod::Close(done), ConnectionMethod::Close),
        (AMQPMethod::CloseOk(connection::CloseOk {}), ConnectionMethod::CloseOk),
        (
            AMQPMethod::UpdateSecret(secret),
            ConnectionMethod::UpdateSecret {
                new_secret: Bytes::from_static(b"s"),
                reason: "r".into(),
            },
        ),
    ];
    for (class, expected) in table {
        match read(AMQPClass::Connection(class)) {
            Incoming::Connection(method) => assert_eq!(method, expected),
            other => panic!("{other:?}, not {expected:?}"),
        }
    }
}

/// The first frame of an event, as the other implementation reads it.
fn written(event: &Event) -> AMQPClass {
    let mut out = Vec::new();
    encode(event, 5, 4_096, &mut out);
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
fn what_concerns_messages() {
    use basic::AMQPMethod;
    let message = || {
        let (exchange, body) = (Arc::new("x".into()), Bytes::from_static(b"body"));
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
            AMQPMethod::Nack(basic::Nack { delivery_tag: TAG, multiple: true, requeue: false }),
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
