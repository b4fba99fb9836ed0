//! Methods and events in a few words, for transcripts.
//!
//! A message is shown by its routing key and the beginning of its body, so that a transcript reads
//! like a conversation. Of the methods that carry the traffic, a trace logs only what is shown, and
//! makes the text when it is read: that is what [`Published`], [`Delivered`] and [`Settled`] are.

use super::id::DeliveryTag;
use super::message::Message;
use super::method::{Event, ExchangeBindOptions, Method, Publish};
use super::properties::Properties;
use std::fmt;

/// Number of bytes of a body that are shown.
const SHOWN: usize = 40;

/// The beginning of a body, as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    pub(crate) shown: &'a [u8],
    pub(crate) has_more: bool,
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(body: &'a [u8]) -> Body<'a> {
        let shown = &body[..body.len().min(SHOWN)];
        Body { shown, has_more: shown.len() < body.len() }
    }
}

impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}", String::from_utf8_lossy(self.shown).escape_debug())?;
        f.write_str(if self.has_more { "…\"" } else { "\"" })
    }
}

/// The properties that distinguish messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks<'a> {
    pub(crate) correlation_id: Option<&'a str>,
    pub(crate) reply_to: Option<&'a str>,
    pub(crate) is_persistent: bool,
}

impl<'a> From<&'a Properties> for Marks<'a> {
    fn from(properties: &'a Properties) -> Marks<'a> {
        Marks {
            correlation_id: properties.correlation_id(),
            reply_to: properties.reply_to(),
            is_persistent: properties.is_persistent(),
        }
    }
}

impl fmt::Display for Marks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = [("correlation-id", self.correlation_id), ("reply-to", self.reply_to)];
        for (name, value) in marks {
            value.iter().try_for_each(|value| write!(f, " {name}={value}"))?;
        }
        f.write_str(if self.is_persistent { " persistent" } else { "" })
    }
}

/// The shown part of `basic.publish`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) routing_key: &'a str,
    pub(crate) body: Body<'a>,
    pub(crate) marks: Marks<'a>,
}

impl<'a> From<&'a Publish> for Published<'a> {
    fn from(publish: &'a Publish) -> Published<'a> {
        Published {
            exchange: &publish.exchange,
            routing_key: &publish.routing_key,
            body: Body::from(&*publish.body),
            marks: Marks::from(&publish.properties),
        }
    }
}

impl fmt::Display for Published<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Published { exchange, routing_key, body, marks } = self;
        write!(f, "basic.publish to '{exchange}' key '{routing_key}' {body}{marks}")
    }
}

/// The shown part of `basic.deliver`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered<'a> {
    pub(crate) delivery_tag: DeliveryTag,
    pub(crate) redelivered: bool,
    pub(crate) body: Body<'a>,
    pub(crate) marks: Marks<'a>,
}

impl<'a> Delivered<'a> {
    pub(crate) fn new(
        delivery_tag: DeliveryTag,
        redelivered: bool,
        message: &'a Message,
    ) -> Delivered<'a> {
        let (body, marks) = (Body::from(&**message.body()), Marks::from(message.properties()));
        Delivered { delivery_tag, redelivered, body, marks }
    }
}

impl fmt::Display for Delivered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Delivered { delivery_tag, redelivered, body, marks } = self;
        write!(f, "basic.deliver {delivery_tag}{}", flag(*redelivered, " redelivered"))?;
        write!(f, " {body}{marks}")
    }
}

/// An acknowledgement, by a client or as a confirm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    pub(crate) name: &'static str,
    pub(crate) delivery_tag: DeliveryTag,
    pub(crate) multiple: bool,
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.name, self.delivery_tag, flag(self.multiple, " multiple"))
    }
}

fn flag(on: bool, name: &'static str) -> &'static str {
    if on { name } else { "" }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::ConnectionOpen(options) => {
                write!(f, "connection.open {}", options.virtual_host)
            }
            Method::ConnectionClose => f.write_str("connection.close"),
            Method::ConnectionCloseOk => f.write_str("connection.close-ok"),
            Method::ConnectionUpdateSecret { .. } => f.write_str("connection.update-secret"),
            Method::Heartbeat => f.write_str("heartbeat"),
            Method::AccessRequest => f.write_str("access.request"),
            Method::ChannelFlowOk { active } => write!(f, "channel.flow-ok {active}"),
            Method::ChannelOpen => f.write_str("channel.open"),
            Method::ChannelFlow { active } => write!(f, "channel.flow {active}"),
            Method::ChannelClose => f.write_str("channel.close"),
            Method::ChannelCloseOk => f.write_str("channel.close-ok"),
            Method::ExchangeDeclare { exchange, options, .. } => {
                write!(f, "exchange.declare {exchange} {}", options.kind)
            }
            Method::ExchangeDelete { exchange, .. } => write!(f, "exchange.delete {exchange}"),
            Method::ExchangeBind { binding, .. } => {
                let ExchangeBindOptions { destination, source, routing_key, .. } = &**binding;
                write!(f, "exchange.bind '{destination}' to {source} key '{routing_key}'")
            }
            Method::ExchangeUnbind { binding, .. } => {
                let ExchangeBindOptions { destination, source, routing_key, .. } = &**binding;
                write!(f, "exchange.unbind '{destination}' from {source} key '{routing_key}'")
            }
            Method::QueueDeclare { queue, options, .. } => {
                write!(f, "queue.declare '{queue}'")?;
                // Its arguments explain more than its name does: they say what becomes of messages.
                let mut arguments = options.arguments.iter();
                arguments.try_for_each(|(name, value)| write!(f, " {name}={value}"))
            }
            Method::QueueBind { binding, .. } => {
                let (queue, key) = (&binding.queue, &binding.routing_key);
                write!(f, "queue.bind '{queue}' to {} key '{key}'", binding.exchange)
            }
            Method::QueueUnbind { binding } => {
                let (queue, key) = (&binding.queue, &binding.routing_key);
                write!(f, "queue.unbind '{queue}' from {} key '{key}'", binding.exchange)
            }
            Method::QueuePurge { queue, .. } => write!(f, "queue.purge '{queue}'"),
            Method::QueueDelete { queue, .. } => write!(f, "queue.delete '{queue}'"),
            Method::BasicQos { prefetch_count, global, .. } => {
                write!(f, "basic.qos {prefetch_count}{}", flag(*global, " global"))
            }
            Method::BasicConsume { queue, options, .. } => {
                write!(f, "basic.consume '{queue}'{}", flag(options.no_ack, " no-ack"))
            }
            Method::BasicCancel { consumer_tag, .. } => write!(f, "basic.cancel {consumer_tag}"),
            Method::BasicPublish(publish) => write!(f, "{}", Published::from(publish)),
            Method::BasicGet { queue, .. } => write!(f, "basic.get '{queue}'"),
            Method::BasicAck { delivery_tag, multiple } => {
                let (name, delivery_tag, multiple) = ("basic.ack", *delivery_tag, *multiple);
                write!(f, "{}", Settled { name, delivery_tag, multiple })
            }
            Method::BasicNack { delivery_tag, multiple, requeue } => {
                let (multiple, requeue) =
                    (flag(*multiple, " multiple"), flag(*requeue, " requeue"));
                write!(f, "basic.nack {delivery_tag}{multiple}{requeue}")
            }
            Method::BasicReject { delivery_tag, requeue } => {
                write!(f, "basic.reject {delivery_tag}{}", flag(*requeue, " requeue"))
            }
            Method::BasicRecover { requeue } => {
                write!(f, "basic.recover{}", flag(*requeue, " requeue"))
            }
            Method::BasicRecoverAsync { requeue } => {
                write!(f, "basic.recover-async{}", flag(*requeue, " requeue"))
            }
            Method::ConfirmSelect { .. } => f.write_str("confirm.select"),
            Method::TxSelect => f.write_str("tx.select"),
            Method::TxCommit => f.write_str("tx.commit"),
            Method::TxRollback => f.write_str("tx.rollback"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ConnectionOpenOk => f.write_str("connection.open-ok"),
            Event::ConnectionCloseOk => f.write_str("connection.close-ok"),
            Event::ConnectionClose(error) => write!(f, "connection.close {error}"),
            Event::ConnectionBlocked { reason } => write!(f, "connection.blocked {reason}"),
            Event::ConnectionUnblocked => f.write_str("connection.unblocked"),
            Event::ConnectionUpdateSecretOk => f.write_str("connection.update-secret-ok"),
            Event::Heartbeat => f.write_str("heartbeat"),
            Event::ConnectionLost => f.write_str("connection lost: no heartbeat"),
            Event::AccessRequestOk => f.write_str("access.request-ok"),
            Event::ChannelOpenOk => f.write_str("channel.open-ok"),
            Event::ChannelFlowOk { active } => write!(f, "channel.flow-ok {active}"),
            Event::ChannelCloseOk => f.write_str("channel.close-ok"),
            Event::ChannelClose(error) => write!(f, "channel.close {error}"),
            Event::ExchangeDeclareOk => f.write_str("exchange.declare-ok"),
            Event::ExchangeDeleteOk => f.write_str("exchange.delete-ok"),
            Event::ExchangeBindOk => f.write_str("exchange.bind-ok"),
            Event::ExchangeUnbindOk => f.write_str("exchange.unbind-ok"),
            Event::TxSelectOk => f.write_str("tx.select-ok"),
            Event::TxCommitOk => f.write_str("tx.commit-ok"),
            Event::TxRollbackOk => f.write_str("tx.rollback-ok"),
            Event::QueueDeclareOk(ok) => write!(
                f,
                "queue.declare-ok {} with {} messages, {} consumers",
                ok.queue, ok.message_count, ok.consumer_count
            ),
            Event::QueueBindOk => f.write_str("queue.bind-ok"),
            Event::QueueUnbindOk => f.write_str("queue.unbind-ok"),
            Event::QueuePurgeOk { message_count } => write!(f, "queue.purge-ok {message_count}"),
            Event::QueueDeleteOk { message_count } => write!(f, "queue.delete-ok {message_count}"),
            Event::BasicQosOk => f.write_str("basic.qos-ok"),
            Event::BasicConsumeOk { consumer_tag } => write!(f, "basic.consume-ok {consumer_tag}"),
            Event::BasicCancelOk { consumer_tag } => write!(f, "basic.cancel-ok {consumer_tag}"),
            Event::Deliver { delivery_tag, redelivered, message, .. } => {
                write!(f, "{}", Delivered::new(*delivery_tag, *redelivered, message))
            }
            Event::GetOk(ok) => write!(
                f,
                "basic.get-ok {}{} {}",
                ok.delivery_tag,
                flag(ok.redelivered, " redelivered"),
                Body::from(&**ok.message.body())
            ),
            Event::GetEmpty => f.write_str("basic.get-empty"),
            Event::BasicRecoverOk => f.write_str("basic.recover-ok"),
            Event::Return { code, message } => {
                write!(f, "basic.return {code} {}", Body::from(&**message.body()))
            }
            Event::Ack { delivery_tag, multiple } => {
                let (name, delivery_tag, multiple) = ("confirm ack", *delivery_tag, *multiple);
                write!(f, "{}", Settled { name, delivery_tag, multiple })
            }
            Event::Nack { delivery_tag, multiple } => {
                write!(f, "confirm nack {delivery_tag}{}", flag(*multiple, " multiple"))
            }
            Event::Cancel { consumer_tag } => write!(f, "basic.cancel {consumer_tag}"),
            Event::ConfirmSelectOk => f.write_str("confirm.select-ok"),
        }
    }
}
