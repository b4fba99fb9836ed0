//! Methods and events in the log of a trace.
//!
//! The methods that carry the traffic are logged by what is shown of them; others, which are rare,
//! by their text. What is read back is the text of `protocol/describe.rs` either way.

use crate::rabbitmq::protocol::describe::{Body, Delivered, Marks, Published, Settled};
use crate::rabbitmq::protocol::id::{ChannelNumber, DeliveryTag};
use crate::rabbitmq::protocol::method::{Event, Method};
use crate::sim::compact::{put_bytes, put_number, take_bytes, take_number, take_text};
use std::io::Write as _;

/// The kinds, which follow the channel's number.
const TEXT: u64 = 0;
const PUBLISH: u64 = 1;
const ACK: u64 = 2;
const DELIVER: u64 = 3;
const CONFIRM: u64 = 4;

/// Bits of the number before a body and its marks.
const HAS_MORE: u64 = 1;
const PERSISTENT: u64 = 2;
const CORRELATED: u64 = 4;
const REPLY_TO: u64 = 8;

pub(super) fn log_method((channel, method): &(ChannelNumber, Method), log: &mut Vec<u8>) {
    put_number(log, u64::from(channel.0));
    match method {
        Method::BasicPublish(publish) => {
            let shown = Published::from(publish);
            put_number(log, PUBLISH);
            put_bytes(log, shown.exchange.as_bytes());
            put_bytes(log, shown.routing_key.as_bytes());
            put_message(log, shown.body, shown.marks);
        }
        Method::BasicAck { delivery_tag, multiple } => {
            put_settled(log, ACK, *delivery_tag, *multiple);
        }
        other => put_text(log, other),
    }
}

pub(super) fn log_event((channel, event): &(ChannelNumber, Event), log: &mut Vec<u8>) {
    put_number(log, u64::from(channel.0));
    match event {
        Event::Deliver { delivery_tag, redelivered, message, .. } => {
            let shown = Delivered::new(*delivery_tag, *redelivered, message);
            put_settled(log, DELIVER, *delivery_tag, *redelivered);
            put_message(log, shown.body, shown.marks);
        }
        Event::Ack { delivery_tag, multiple } => {
            put_settled(log, CONFIRM, *delivery_tag, *multiple);
        }
        other => put_text(log, other),
    }
}

/// Returns the text of a method or an event.
pub(super) fn read(mut log: &[u8]) -> String {
    let channel = take_number(&mut log);
    let text = match take_number(&mut log) {
        PUBLISH => {
            let (exchange, routing_key) = (take_text(&mut log), take_text(&mut log));
            let (body, marks) = take_message(&mut log);
            Published { exchange, routing_key, body, marks }.to_string()
        }
        DELIVER => {
            let (delivery_tag, redelivered) = take_settled(&mut log);
            let (body, marks) = take_message(&mut log);
            Delivered { delivery_tag, redelivered, body, marks }.to_string()
        }
        kind @ (ACK | CONFIRM) => {
            let name = if kind == ACK { "basic.ack" } else { "confirm ack" };
            let (delivery_tag, multiple) = take_settled(&mut log);
            Settled { name, delivery_tag, multiple }.to_string()
        }
        _ => String::from_utf8_lossy(log).into_owned(),
    };
    format!("{text} on channel {channel}")
}

fn put_text(log: &mut Vec<u8>, method: &dyn std::fmt::Display) {
    put_number(log, TEXT);
    write!(log, "{method}").expect("a log grows as it must");
}

/// Writes a tag and a flag.
fn put_settled(log: &mut Vec<u8>, kind: u64, tag: DeliveryTag, flag: bool) {
    put_number(log, kind);
    put_number(log, tag.0);
    put_number(log, u64::from(flag));
}

fn take_settled(log: &mut &[u8]) -> (DeliveryTag, bool) {
    (DeliveryTag(take_number(log)), take_number(log) != 0)
}

fn put_message(log: &mut Vec<u8>, body: Body<'_>, marks: Marks<'_>) {
    let bit = |on: bool, bit: u64| if on { bit } else { 0 };
    put_number(
        log,
        bit(body.has_more, HAS_MORE)
            | bit(marks.is_persistent, PERSISTENT)
            | bit(marks.correlation_id.is_some(), CORRELATED)
            | bit(marks.reply_to.is_some(), REPLY_TO),
    );
    for text in [marks.correlation_id, marks.reply_to].into_iter().flatten() {
        put_bytes(log, text.as_bytes());
    }
    put_bytes(log, body.shown);
}

fn take_message<'a>(log: &mut &'a [u8]) -> (Body<'a>, Marks<'a>) {
    let bits = take_number(log);
    let mut text = |bit| (bits & bit != 0).then(|| take_text(log));
    let (correlation_id, reply_to) = (text(CORRELATED), text(REPLY_TO));
    let marks = Marks { correlation_id, reply_to, is_persistent: bits & PERSISTENT != 0 };
    (Body { shown: take_bytes(log), has_more: bits & HAS_MORE != 0 }, marks)
}
