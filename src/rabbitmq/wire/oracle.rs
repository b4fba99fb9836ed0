//! Compares each method with another implementation, `amq-protocol`. This crate decodes the other's
//! encoding to the same method, and the other decodes this crate's encoding to the same method.
//!
//! Adjacent flags have different values, so that none can stand in for another.

mod events;

use super::decode::{ConnectionMethod, Incoming, decode};
use crate::rabbitmq::protocol::error::MethodId;
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::method::{
    BindOptions, ConsumeOptions, ExchangeBindOptions, ExchangeOptions, Method, Publish,
    QueueOptions,
};
use crate::rabbitmq::protocol::table::FieldTable;
use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame};
use amq_protocol::protocol::{
    AMQPClass, access, basic, channel, confirm, connection, exchange, queue, tx,
};
use amq_protocol::types::{self, AMQPValue, ShortString};
use bytes::Bytes;
use std::collections::BTreeMap;

const TAG: u64 = 0x0102_0304_0506_0708;

/// The same table in both implementations.
fn tables() -> (types::FieldTable, FieldTable) {
    let theirs = BTreeMap::from([(ShortString::from("a"), AMQPValue::LongInt(-7))]);
    (theirs.into(), FieldTable::new().with("a", -7))
}

/// Decodes what the other implementation encodes.
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
