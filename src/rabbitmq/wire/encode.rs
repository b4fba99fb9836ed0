//! Events as frames.
//!
//! A method is one frame. A message is three or more: the method, the content header, and the body
//! in frames of at most the negotiated length. A short string that is too long is cut. A reply text
//! is cut in the same way as by the server.
//!
//! Source: AMQP 0-9-1, section 4.2, and RabbitMQ 3.10.8, observed.

use super::dialect::Dialect;
use super::properties::write_properties;
use super::text::octets;
use super::writer::{short, short_octets, with_length};
use crate::rabbitmq::protocol::error::{AmqpError, MethodId};
use crate::rabbitmq::protocol::limits::SHORT_STRING_MAX;
use crate::rabbitmq::protocol::message::Message;
use crate::rabbitmq::protocol::method::{Event, GetOk, QueueDeclareOk};

pub(super) const FRAME_METHOD: u8 = 1;
pub(super) const FRAME_HEADER: u8 = 2;
pub(super) const FRAME_BODY: u8 = 3;
pub(super) const FRAME_HEARTBEAT: u8 = 8;

/// The last octet of each frame.
pub(super) const FRAME_END: u8 = 0xCE;

/// Length of a frame without its payload: type, channel, length and end.
pub(super) const FRAME_OVERHEAD: usize = 8;

const CLOSE: u16 = 50;

/// Writes a method's frame. `arguments` writes what follows the method's number.
pub(super) fn method(
    channel: u16,
    id: MethodId,
    out: &mut Vec<u8>,
    arguments: impl FnOnce(&mut Vec<u8>),
) {
    let [c, d] = channel.to_be_bytes();
    out.extend_from_slice(&[FRAME_METHOD, c, d]);
    with_length(out, |out| {
        let ([c, d], [m, n]) = (id.class.to_be_bytes(), id.method.to_be_bytes());
        out.extend_from_slice(&[c, d, m, n]);
        arguments(out);
    });
    out.push(FRAME_END);
}

/// Where an event goes, and how it is encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct To {
    pub(super) channel: u16,
    /// Longest frame of a body.
    pub(super) frame_max: u32,
    pub(super) dialect: Dialect,
}

/// Writes the frames of an event.
pub(super) fn encode(event: &Event, to: To, out: &mut Vec<u8>) {
    let To { channel, frame_max, dialect } = to;
    match event {
        Event::Deliver { consumer_tag, delivery_tag, redelivered, message } => {
            out.reserve(message.body().len() + 256);
            method(channel, MethodId::new(60, 60), out, |out| {
                short(consumer_tag, out);
                out.extend_from_slice(&delivery_tag.0.to_be_bytes());
                out.push(u8::from(*redelivered));
                short(message.exchange(), out);
                short(message.routing_key(), out);
            });
            content(message, channel, frame_max, out);
        }
        Event::GetOk(got) => get_ok(got, channel, frame_max, out),
        Event::Return { code, message } => {
            method(channel, MethodId::new(60, 50), out, |out| {
                out.extend_from_slice(&code.number().to_be_bytes());
                short(code.name(), out);
                short(message.exchange(), out);
                short(message.routing_key(), out);
            });
            content(message, channel, frame_max, out);
        }
        Event::Ack { delivery_tag, multiple } => {
            method(channel, MethodId::new(60, 80), out, |out| {
                out.extend_from_slice(&delivery_tag.0.to_be_bytes());
                out.push(u8::from(*multiple));
            });
        }
        Event::Heartbeat => out.extend_from_slice(&[FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END]),
        // The socket closes without a message.
        Event::ConnectionLost => {}
        event => rarer(event, channel, dialect, out),
    }
}

fn get_ok(got: &GetOk, channel: u16, frame_max: u32, out: &mut Vec<u8>) {
    method(channel, MethodId::new(60, 71), out, |out| {
        out.extend_from_slice(&got.delivery_tag.0.to_be_bytes());
        out.push(u8::from(got.redelivered));
        short(got.message.exchange(), out);
        short(got.message.routing_key(), out);
        out.extend_from_slice(&got.message_count.to_be_bytes());
    });
    content(&got.message, channel, frame_max, out);
}

/// Writes events that are not sent for each message.
fn rarer(event: &Event, channel: u16, dialect: Dialect, out: &mut Vec<u8>) {
    let id = dialect.write(id(event));
    method(channel, id, out, |out| match event {
        Event::ConnectionClose(error) | Event::ChannelClose(error) => {
            let text = octets(&error.text);
            close_arguments(error.code.number(), &text, blamed(error), out);
        }
        Event::ConnectionOpenOk => short("", out),
        Event::ConnectionBlocked { reason } => short(reason, out),
        Event::AccessRequestOk => out.extend_from_slice(&1_u16.to_be_bytes()),
        Event::ChannelOpenOk if dialect == Dialect::V0_8 => {}
        Event::ChannelOpenOk => with_length(out, |_| {}),
        Event::ChannelFlowOk { active } => out.push(u8::from(*active)),
        Event::QueueDeclareOk(QueueDeclareOk { queue, message_count, consumer_count }) => {
            short(queue, out);
            out.extend_from_slice(&message_count.to_be_bytes());
            out.extend_from_slice(&consumer_count.to_be_bytes());
        }
        Event::QueuePurgeOk { message_count } | Event::QueueDeleteOk { message_count } => {
            out.extend_from_slice(&message_count.to_be_bytes());
        }
        Event::BasicConsumeOk { consumer_tag } | Event::BasicCancelOk { consumer_tag } => {
            short(consumer_tag, out);
        }
        // The server expects no answer to its cancel.
        Event::Cancel { consumer_tag } => {
            short(consumer_tag, out);
            out.push(1);
        }
        Event::GetEmpty => short("", out),
        Event::Nack { delivery_tag, multiple } => {
            out.extend_from_slice(&delivery_tag.0.to_be_bytes());
            // The server always sets `requeue`, which has no meaning here.
            out.push(u8::from(*multiple) | 2);
        }
        Event::ConnectionCloseOk
        | Event::ConnectionUnblocked
        | Event::ConnectionUpdateSecretOk
        | Event::ChannelCloseOk
        | Event::ExchangeDeclareOk
        | Event::ExchangeDeleteOk
        | Event::ExchangeBindOk
        | Event::ExchangeUnbindOk
        | Event::QueueBindOk
        | Event::QueueUnbindOk
        | Event::BasicQosOk
        | Event::BasicRecoverOk
        | Event::ConfirmSelectOk
        | Event::TxSelectOk
        | Event::TxCommitOk
        | Event::TxRollbackOk => {}
        Event::Deliver { .. }
        | Event::GetOk(_)
        | Event::Return { .. }
        | Event::Ack { .. }
        | Event::Heartbeat
        | Event::ConnectionLost => unreachable!("`encode` writes {event:?} itself"),
    });
}

/// The number of an event's method, for events that [`encode`] does not write itself.
fn id(event: &Event) -> MethodId {
    let (class, method) = match event {
        Event::ConnectionOpenOk => (10, 41),
        Event::ConnectionClose(_) => (10, CLOSE),
        Event::ConnectionCloseOk => (10, 51),
        Event::ConnectionBlocked { .. } => (10, 60),
        Event::ConnectionUnblocked => (10, 61),
        Event::ConnectionUpdateSecretOk => (10, 71),
        Event::ChannelOpenOk => (20, 11),
        Event::ChannelFlowOk { .. } => (20, 21),
        Event::ChannelClose(_) => (20, 40),
        Event::ChannelCloseOk => (20, 41),
        Event::AccessRequestOk => (30, 11),
        Event::ExchangeDeclareOk => (40, 11),
        Event::ExchangeDeleteOk => (40, 21),
        Event::ExchangeBindOk => (40, 31),
        // Not 41: the protocol's grammar has had this number from the beginning.
        Event::ExchangeUnbindOk => (40, 51),
        Event::QueueDeclareOk(_) => (50, 11),
        Event::QueueBindOk => (50, 21),
        Event::QueuePurgeOk { .. } => (50, 31),
        Event::QueueDeleteOk { .. } => (50, 41),
        Event::QueueUnbindOk => (50, 51),
        Event::BasicQosOk => (60, 11),
        Event::BasicConsumeOk { .. } => (60, 21),
        Event::Cancel { .. } => (60, 30),
        Event::BasicCancelOk { .. } => (60, 31),
        Event::Return { .. } => (60, 50),
        Event::Deliver { .. } => (60, 60),
        Event::GetOk(_) => (60, 71),
        Event::GetEmpty => (60, 72),
        Event::Ack { .. } => (60, 80),
        Event::BasicRecoverOk => (60, 111),
        Event::Nack { .. } => (60, 120),
        Event::ConfirmSelectOk => (85, 11),
        Event::TxSelectOk => (90, 11),
        Event::TxCommitOk => (90, 21),
        Event::TxRollbackOk => (90, 31),
        Event::Heartbeat | Event::ConnectionLost => (0, 0),
    };
    MethodId::new(class, method)
}

fn blamed(error: &AmqpError) -> MethodId {
    MethodId::new(error.class_id, error.method_id)
}

/// Writes `connection.close` with a text of any length.
pub(super) fn connection_close(
    dialect: Dialect,
    (code, text, blamed): (u16, &[u8], MethodId),
    out: &mut Vec<u8>,
) {
    let id = dialect.write(MethodId::new(10, CLOSE));
    method(0, id, out, |out| close_arguments(code, text, blamed, out));
}

/// Writes the arguments of either close.
fn close_arguments(code: u16, text: &[u8], blamed: MethodId, out: &mut Vec<u8>) {
    out.extend_from_slice(&code.to_be_bytes());
    if text.len() > SHORT_STRING_MAX {
        // The server cuts anywhere, also within a character.
        let dots = b"...";
        short_octets(&[&text[..SHORT_STRING_MAX - dots.len()], dots].concat(), out);
    } else {
        short_octets(text, out);
    }
    out.extend_from_slice(&blamed.class.to_be_bytes());
    out.extend_from_slice(&blamed.method.to_be_bytes());
}

/// Writes a message's header and body.
fn content(message: &Message, channel: u16, frame_max: u32, out: &mut Vec<u8>) {
    let [c, d] = channel.to_be_bytes();
    let body = message.body();
    out.extend_from_slice(&[FRAME_HEADER, c, d]);
    with_length(out, |out| {
        // Class basic, and a weight that is always zero.
        out.extend_from_slice(&[0, 60, 0, 0]);
        out.extend_from_slice(&(body.len() as u64).to_be_bytes());
        write_properties(message.properties(), out);
    });
    out.push(FRAME_END);
    for part in body.chunks(frame_max as usize - FRAME_OVERHEAD) {
        out.extend_from_slice(&[FRAME_BODY, c, d]);
        with_length(out, |out| out.extend_from_slice(part));
        out.push(FRAME_END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::protocol::error::ReplyCode;

    /// Returns the text of a close that was written with this text.
    fn text_of_close(text: &str) -> String {
        let mut out = Vec::new();
        let close = (ReplyCode::NotFound.number(), text.as_bytes(), MethodId::NONE);
        connection_close(Dialect::V0_9_1, close, &mut out);
        let length = usize::from(out[13]);
        assert_eq!(out.len(), 14 + length + 4 + 1);
        out[14..14 + length].escape_ascii().to_string()
    }

    #[test]
    fn a_reply_text_is_cut_as_the_server_does() {
        assert_eq!(text_of_close("NOT_FOUND"), "NOT_FOUND");
        assert_eq!(text_of_close(&"x".repeat(255)), "x".repeat(255));
        assert_eq!(text_of_close(&"x".repeat(256)), "x".repeat(252) + "...");
        let umlauts = format!("x{}", "\u{e4}".repeat(200));
        assert!(text_of_close(&umlauts).ends_with("\\xa4\\xc3..."));
    }

    #[test]
    fn frames_as_the_server_sends_them() {
        let mut out = Vec::new();
        let to = |channel| To { channel, frame_max: 4_096, dialect: Dialect::V0_9_1 };
        encode(&Event::ChannelOpenOk, to(1), &mut out);
        encode(&Event::ConnectionOpenOk, to(0), &mut out);
        encode(&Event::Heartbeat, to(0), &mut out);
        let expected = "\\x01\\x00\\x01\\x00\\x00\\x00\\x08\\x00\\x14\\x00\\x0b\\x00\\x00\\x00\\x00\\xce\
                        \\x01\\x00\\x00\\x00\\x00\\x00\\x05\\x00\\n\\x00)\\x00\\xce\
                        \\x08\\x00\\x00\\x00\\x00\\x00\\x00\\xce";
        assert_eq!(out.escape_ascii().to_string(), expected);
    }
}
