//! Short strings have at most 255 octets: names, keys, tags, most properties, and the names of
//! headers and arguments.
//!
//! A real client cannot encode a longer one and raises an error before it sends anything. So does
//! this client.
//!
//! Source: AMQP 0-9-1, section 4.2.5.3.

use super::Error;
use crate::rabbitmq::protocol::limits::SHORT_STRING_MAX;
use crate::rabbitmq::protocol::method::{ConnectionOptions, Method, Publish};
use crate::rabbitmq::protocol::properties::Properties;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::wire::octets;

type Checked = Result<(), Error>;

fn short(what: &'static str, text: &str) -> Checked {
    // A text is never shorter than its octets.
    if text.len() <= SHORT_STRING_MAX {
        return Ok(());
    }
    match octets(text).len() {
        0..=SHORT_STRING_MAX => Ok(()),
        length => Err(Error::ShortStringTooLong { what, length }),
    }
}

fn all<const N: usize>(texts: [(&'static str, &str); N]) -> Checked {
    texts.into_iter().try_for_each(|(what, text)| short(what, text))
}

fn table(what: &'static str, table: &FieldTable) -> Checked {
    table.iter().try_for_each(|(name, field)| short(what, name).and_then(|()| value(what, field)))
}

fn value(what: &'static str, field: &FieldValue) -> Checked {
    match field {
        FieldValue::Table(fields) => table(what, fields),
        FieldValue::Array(values) => values.iter().try_for_each(|field| value(what, field)),
        _ => Ok(()),
    }
}

fn arguments(fields: &FieldTable) -> Checked {
    table("the name of an argument", fields)
}

fn properties(properties: &Properties) -> Checked {
    if !properties.has_more() {
        return Ok(());
    }
    let texts = [
        ("content-type", properties.content_type()),
        ("content-encoding", properties.content_encoding()),
        ("correlation-id", properties.correlation_id()),
        ("reply-to", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("message-id", properties.message_id()),
        ("type", properties.kind()),
        ("user-id", properties.user_id()),
        ("app-id", properties.app_id()),
        ("cluster-id", properties.cluster_id()),
    ];
    for (what, text) in texts {
        short(what, text.unwrap_or_default())?;
    }
    properties.headers().map_or(Ok(()), |headers| table("the name of a header", headers))
}

fn publish(publish: &Publish) -> Checked {
    all([("exchange", &publish.exchange), ("routing key", &publish.routing_key)])?;
    properties(&publish.properties)
}

/// Refuses options that cannot be sent.
pub(super) fn check_options(options: &ConnectionOptions) -> Checked {
    short("virtual host", &options.virtual_host)
}

/// Refuses a method that cannot be sent.
pub(super) fn check(method: &Method) -> Checked {
    match method {
        Method::ConnectionOpen(options) => check_options(options),
        Method::ConnectionUpdateSecret { reason, .. } => short("reason", reason),
        Method::ExchangeDeclare { exchange, options, .. } => {
            all([("exchange", exchange), ("exchange type", &options.kind)])?;
            arguments(&options.arguments)
        }
        Method::ExchangeDelete { exchange, .. } => short("exchange", exchange),
        Method::ExchangeBind { binding, .. } | Method::ExchangeUnbind { binding, .. } => {
            let names = [("exchange", &*binding.destination), ("exchange", &*binding.source)];
            all(names)?;
            short("routing key", &binding.routing_key)?;
            arguments(&binding.arguments)
        }
        Method::QueueDeclare { queue, options, .. } => {
            short("queue", queue)?;
            arguments(&options.arguments)
        }
        Method::QueueBind { binding, .. } | Method::QueueUnbind { binding } => {
            all([("queue", &*binding.queue), ("exchange", &*binding.exchange)])?;
            short("routing key", &binding.routing_key)?;
            arguments(&binding.arguments)
        }
        Method::QueuePurge { queue, .. }
        | Method::QueueDelete { queue, .. }
        | Method::BasicGet { queue, .. } => short("queue", queue),
        Method::BasicConsume { queue, options, .. } => {
            all([("queue", queue), ("consumer tag", &options.consumer_tag)])?;
            arguments(&options.arguments)
        }
        Method::BasicCancel { consumer_tag, .. } => short("consumer tag", consumer_tag),
        Method::BasicPublish(message) => publish(message),
        Method::ConnectionClose
        | Method::ConnectionCloseOk
        | Method::Heartbeat
        | Method::ChannelOpen
        | Method::ChannelFlow { .. }
        | Method::ChannelFlowOk { .. }
        | Method::AccessRequest
        | Method::ChannelClose
        | Method::ChannelCloseOk
        | Method::BasicQos { .. }
        | Method::BasicAck { .. }
        | Method::BasicNack { .. }
        | Method::BasicReject { .. }
        | Method::BasicRecover { .. }
        | Method::BasicRecoverAsync { .. }
        | Method::ConfirmSelect { .. }
        | Method::TxSelect
        | Method::TxCommit
        | Method::TxRollback => Ok(()),
    }
}
