//! Methods from a client's bytes.
//!
//! The server first matches the shape of the arguments, then checks that names are UTF-8, then
//! reads tables. Which of these fails decides its error. Unused bits of flags are ignored; surplus
//! octets are not.
//!
//! Source: AMQP 0-9-1, section 1, and the extensions of RabbitMQ.

use super::foreign;
use super::malformed::{Malformed, name};
use super::reader::Reader;
use super::table::read_table;
use super::text::text;
use crate::rabbitmq::protocol::error::MethodId;
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::method::{
    BindOptions, ConsumeOptions, ExchangeBindOptions, ExchangeOptions, Method, Publish,
    QueueOptions,
};
use crate::rabbitmq::protocol::table::FieldTable;
use bytes::Bytes;
use smol_str::SmolStr;

/// Methods that a client sends on channel 0, as far as the server expects them there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConnectionMethod {
    StartOk { client_properties: FieldTable, mechanism: SmolStr, response: Bytes },
    TuneOk { channel_max: u16, frame_max: u32, heartbeat: u16 },
    Open { virtual_host: SmolStr },
    Close,
    CloseOk,
    UpdateSecret { new_secret: Bytes, reason: SmolStr },
}

/// A decoded method.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A method of a channel without content.
    Method(Method),
    /// `basic.publish`, whose content follows.
    Publish(Publish),
    /// A method of class connection.
    Connection(ConnectionMethod),
    /// A method that servers send, or that this broker does not know.
    Foreign {
        /// Whether content follows.
        content: bool,
    },
}

/// Decodes a method's arguments.
pub(super) fn decode(id: MethodId, arguments: &[u8]) -> Result<Incoming, Malformed> {
    let mut reader = Reader::new(arguments);
    match id.class {
        60 => basic(id.method, &mut reader),
        10 => connection(id.method, &mut reader),
        40 => exchange(id.method, &mut reader),
        50 => queue(id.method, &mut reader),
        _ => rest(id, &mut reader),
    }
    .unwrap_or_else(|| {
        let content = foreign::has_content(id, arguments)?;
        Ok(Incoming::Foreign { content })
    })
}

/// Returns whether there is a method of that number.
#[cold]
pub(super) fn is_known(id: MethodId) -> bool {
    !matches!(decode(id, b""), Err(Malformed::Unknown))
}

/// `None` is a method that clients do not send.
type Decoded = Option<Result<Incoming, Malformed>>;

fn end(reader: &Reader<'_>) -> Result<(), Malformed> {
    if reader.is_empty() { Ok(()) } else { Err(Malformed::Shape) }
}

fn table(fields: &[u8]) -> Result<FieldTable, Malformed> {
    read_table(fields).map_err(|_| Malformed::Table)
}

fn bit(bits: u8, number: u8) -> bool {
    bits & 1 << number != 0
}

fn basic(method: u16, r: &mut Reader<'_>) -> Decoded {
    let decoded = match method {
        40 => return Some(publish(r).map(Incoming::Publish)),
        80 => settle(r, |delivery_tag, bits| Method::BasicAck {
            delivery_tag,
            multiple: bit(bits, 0),
        }),
        90 => settle(r, |delivery_tag, bits| Method::BasicReject {
            delivery_tag,
            requeue: bit(bits, 0),
        }),
        120 => settle(r, |delivery_tag, bits| Method::BasicNack {
            delivery_tag,
            multiple: bit(bits, 0),
            requeue: bit(bits, 1),
        }),
        10 => qos(r),
        20 => consume(r),
        30 => cancel(r),
        70 => get(r),
        100 => flags(r, |bits| Method::BasicRecoverAsync { requeue: bit(bits, 0) }),
        110 => flags(r, |bits| Method::BasicRecover { requeue: bit(bits, 0) }),
        _ => return None,
    };
    Some(decoded.map(Incoming::Method))
}

fn publish(r: &mut Reader<'_>) -> Result<Publish, Malformed> {
    let (_ticket, exchange, routing_key, bits) = (r.u16()?, r.short()?, r.short()?, r.u8()?);
    end(r)?;
    Ok(Publish {
        // The server does not require these two to be UTF-8.
        exchange: text(exchange),
        routing_key: text(routing_key),
        mandatory: bit(bits, 0),
        immediate: bit(bits, 1),
        ..Publish::default()
    })
}

fn settle(
    r: &mut Reader<'_>,
    method: impl FnOnce(DeliveryTag, u8) -> Method,
) -> Result<Method, Malformed> {
    let (tag, bits) = (r.u64()?, r.u8()?);
    end(r)?;
    Ok(method(DeliveryTag(tag), bits))
}

/// Decodes a method whose only arguments are flags.
fn flags(r: &mut Reader<'_>, method: impl FnOnce(u8) -> Method) -> Result<Method, Malformed> {
    let bits = r.u8()?;
    end(r)?;
    Ok(method(bits))
}

fn plain(r: &Reader<'_>, method: Method) -> Result<Method, Malformed> {
    end(r)?;
    Ok(method)
}

fn qos(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (prefetch_size, prefetch_count, bits) = (r.u32()?, r.u16()?, r.u8()?);
    end(r)?;
    Ok(Method::BasicQos { prefetch_size, prefetch_count, global: bit(bits, 0) })
}

fn consume(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (_ticket, queue, consumer_tag) = (r.u16()?, r.short()?, r.short()?);
    let (bits, arguments) = (r.u8()?, r.long()?);
    end(r)?;
    let queue = name(queue)?;
    let options = ConsumeOptions {
        consumer_tag: name(consumer_tag)?,
        // Bit 0 is no-local, which the server ignores.
        no_ack: bit(bits, 1),
        exclusive: bit(bits, 2),
        arguments: table(arguments)?,
    };
    Ok(Method::BasicConsume { queue, options: Box::new(options), no_wait: bit(bits, 3) })
}

fn cancel(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (consumer_tag, bits) = (r.short()?, r.u8()?);
    end(r)?;
    Ok(Method::BasicCancel { consumer_tag: name(consumer_tag)?, no_wait: bit(bits, 0) })
}

fn get(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (_ticket, queue, bits) = (r.u16()?, r.short()?, r.u8()?);
    end(r)?;
    Ok(Method::BasicGet { queue: name(queue)?, no_ack: bit(bits, 0) })
}

fn connection(method: u16, r: &mut Reader<'_>) -> Decoded {
    let decoded = match method {
        11 => start_ok(r),
        31 => tune_ok(r),
        40 => open(r),
        50 => close(r).map(|()| ConnectionMethod::Close),
        51 => end(r).map(|()| ConnectionMethod::CloseOk),
        70 => update_secret(r),
        _ => return None,
    };
    Some(decoded.map(Incoming::Connection))
}

fn start_ok(r: &mut Reader<'_>) -> Result<ConnectionMethod, Malformed> {
    let (properties, mechanism, response, locale) = (r.long()?, r.short()?, r.long()?, r.short()?);
    end(r)?;
    let client_properties = table(properties)?;
    let mechanism = name(mechanism)?;
    // Any locale is accepted.
    name(locale)?;
    let response = Bytes::copy_from_slice(response);
    Ok(ConnectionMethod::StartOk { client_properties, mechanism, response })
}

fn tune_ok(r: &mut Reader<'_>) -> Result<ConnectionMethod, Malformed> {
    let (channel_max, frame_max, heartbeat) = (r.u16()?, r.u32()?, r.u16()?);
    end(r)?;
    Ok(ConnectionMethod::TuneOk { channel_max, frame_max, heartbeat })
}

fn open(r: &mut Reader<'_>) -> Result<ConnectionMethod, Malformed> {
    let (virtual_host, capabilities, _insist) = (r.short()?, r.short()?, r.u8()?);
    end(r)?;
    let virtual_host = name(virtual_host)?;
    name(capabilities)?;
    Ok(ConnectionMethod::Open { virtual_host })
}

/// Decodes the arguments of either close. The client's reason has no effect.
fn close(r: &mut Reader<'_>) -> Result<(), Malformed> {
    let (_code, text, _class, _method) = (r.u16()?, r.short()?, r.u16()?, r.u16()?);
    end(r)?;
    name(text).map(drop)
}

fn update_secret(r: &mut Reader<'_>) -> Result<ConnectionMethod, Malformed> {
    let (new_secret, reason) = (r.long()?, r.short()?);
    end(r)?;
    let reason = name(reason)?;
    Ok(ConnectionMethod::UpdateSecret { new_secret: Bytes::copy_from_slice(new_secret), reason })
}

fn exchange(method: u16, r: &mut Reader<'_>) -> Decoded {
    let decoded = match method {
        10 => exchange_declare(r),
        20 => exchange_delete(r),
        30 => {
            exchange_binding(r).map(|(binding, no_wait)| Method::ExchangeBind { binding, no_wait })
        }
        40 => exchange_binding(r)
            .map(|(binding, no_wait)| Method::ExchangeUnbind { binding, no_wait }),
        _ => return None,
    };
    Some(decoded.map(Incoming::Method))
}

fn exchange_declare(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (_ticket, exchange, kind) = (r.u16()?, r.short()?, r.short()?);
    let (bits, arguments) = (r.u8()?, r.long()?);
    end(r)?;
    let exchange = name(exchange)?;
    let options = ExchangeOptions {
        kind: name(kind)?,
        passive: bit(bits, 0),
        durable: bit(bits, 1),
        auto_delete: bit(bits, 2),
        internal: bit(bits, 3),
        arguments: table(arguments)?,
    };
    Ok(Method::ExchangeDeclare { exchange, options: Box::new(options), no_wait: bit(bits, 4) })
}

fn exchange_delete(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (_ticket, exchange, bits) = (r.u16()?, r.short()?, r.u8()?);
    end(r)?;
    let exchange = name(exchange)?;
    Ok(Method::ExchangeDelete { exchange, if_unused: bit(bits, 0), no_wait: bit(bits, 1) })
}

fn exchange_binding(r: &mut Reader<'_>) -> Result<(Box<ExchangeBindOptions>, bool), Malformed> {
    let (_ticket, destination, source) = (r.u16()?, r.short()?, r.short()?);
    let (routing_key, bits, arguments) = (r.short()?, r.u8()?, r.long()?);
    end(r)?;
    let binding = ExchangeBindOptions {
        destination: name(destination)?,
        source: name(source)?,
        routing_key: name(routing_key)?,
        arguments: table(arguments)?,
    };
    Ok((Box::new(binding), bit(bits, 0)))
}

fn queue(method: u16, r: &mut Reader<'_>) -> Decoded {
    let decoded = match method {
        10 => queue_declare(r),
        20 => queue_bind(r),
        30 => queue_purge(r),
        40 => queue_delete(r),
        50 => queue_unbind(r),
        _ => return None,
    };
    Some(decoded.map(Incoming::Method))
}

fn queue_declare(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (_ticket, queue, bits, arguments) = (r.u16()?, r.short()?, r.u8()?, r.long()?);
    end(r)?;
    let queue = name(queue)?;
    let options = QueueOptions {
        passive: bit(bits, 0),
        durable: bit(bits, 1),
        exclusive: bit(bits, 2),
        auto_delete: bit(bits, 3),
        arguments: table(arguments)?,
    };
    Ok(Method::QueueDeclare { queue, options, no_wait: bit(bits, 4) })
}

fn queue_bind(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (_ticket, queue, exchange, routing_key) = (r.u16()?, r.short()?, r.short()?, r.short()?);
    let (bits, arguments) = (r.u8()?, r.long()?);
    end(r)?;
    let binding = binding(queue, exchange, routing_key, arguments)?;
    Ok(Method::QueueBind { binding, no_wait: bit(bits, 0) })
}

fn queue_unbind(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (_ticket, queue, exchange, routing_key) = (r.u16()?, r.short()?, r.short()?, r.short()?);
    let arguments = r.long()?;
    end(r)?;
    Ok(Method::QueueUnbind { binding: binding(queue, exchange, routing_key, arguments)? })
}

fn binding(
    queue: &[u8],
    exchange: &[u8],
    routing_key: &[u8],
    arguments: &[u8],
) -> Result<Box<BindOptions>, Malformed> {
    Ok(Box::new(BindOptions {
        queue: name(queue)?,
        exchange: name(exchange)?,
        routing_key: name(routing_key)?,
        arguments: table(arguments)?,
    }))
}

fn queue_purge(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (_ticket, queue, bits) = (r.u16()?, r.short()?, r.u8()?);
    end(r)?;
    Ok(Method::QueuePurge { queue: name(queue)?, no_wait: bit(bits, 0) })
}

fn queue_delete(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (_ticket, queue, bits) = (r.u16()?, r.short()?, r.u8()?);
    end(r)?;
    Ok(Method::QueueDelete {
        queue: name(queue)?,
        if_unused: bit(bits, 0),
        if_empty: bit(bits, 1),
        no_wait: bit(bits, 2),
    })
}

/// Decodes the classes channel, access, confirm and tx.
fn rest(id: MethodId, r: &mut Reader<'_>) -> Decoded {
    let decoded = match (id.class, id.method) {
        (20, 10) => channel_open(r),
        (20, 20) => flags(r, |bits| Method::ChannelFlow { active: bit(bits, 0) }),
        (20, 40) => close(r).map(|()| Method::ChannelClose),
        (20, 41) => plain(r, Method::ChannelCloseOk),
        (30, 10) => access_request(r),
        (85, 10) => flags(r, |bits| Method::ConfirmSelect { no_wait: bit(bits, 0) }),
        (90, 10) => plain(r, Method::TxSelect),
        (90, 20) => plain(r, Method::TxCommit),
        (90, 30) => plain(r, Method::TxRollback),
        _ => return None,
    };
    Some(decoded.map(Incoming::Method))
}

fn channel_open(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let out_of_band = r.short()?;
    end(r)?;
    name(out_of_band)?;
    Ok(Method::ChannelOpen)
}

fn access_request(r: &mut Reader<'_>) -> Result<Method, Malformed> {
    let (realm, _bits) = (r.short()?, r.u8()?);
    end(r)?;
    name(realm)?;
    Ok(Method::AccessRequest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(class: u16, method: u16, arguments: &[u8]) -> Result<Incoming, Malformed> {
        decode(MethodId::new(class, method), arguments)
    }

    #[test]
    fn the_shape_counts_before_names_and_names_before_tables() {
        let table: [(&[u8], Malformed); 4] = [
            (b"\0\0\x01\xff\0\0\0\0\x01", Malformed::Shape),
            (b"\0\0\x01\xff\0\0\0\0\0x", Malformed::Shape),
            (b"\0\0\x01\xff\0\0\0\0\x01x", Malformed::Utf8),
            (b"\0\0\x01q\0\0\0\0\x01x", Malformed::Table),
        ];
        for (arguments, expected) in table {
            assert_eq!(decoded(50, 10, arguments).unwrap_err(), expected);
        }
        assert_eq!(decoded(50, 60, b"").unwrap_err(), Malformed::Unknown);
    }

    #[test]
    fn flags_are_where_the_protocol_has_them() {
        let Ok(Incoming::Method(Method::QueueDeclare { options, no_wait, .. })) =
            decoded(50, 10, b"\0\0\0\x16\0\0\0\0")
        else {
            panic!("it is whole");
        };
        assert_eq!((options.passive, options.durable, options.exclusive), (false, true, true));
        assert_eq!((options.auto_delete, no_wait), (false, true));
        let nack = decoded(60, 120, b"\0\0\0\0\0\0\0\x07\x02");
        let expected =
            Method::BasicNack { delivery_tag: DeliveryTag(7), multiple: false, requeue: true };
        assert!(matches!(nack, Ok(Incoming::Method(method)) if method == expected));
    }
}
