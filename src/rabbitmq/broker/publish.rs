//! Publishing: from the exchange to the queues, or back.

use super::Broker;
use super::queue::count;
use crate::Instant;
use crate::rabbitmq::channel::ChannelKey;
use crate::rabbitmq::error::{AmqpError, Fault, ReplyCode, exchange_in_vhost};
use crate::rabbitmq::id::{ChannelId, DeliveryTag};
use crate::rabbitmq::message::Message;
use crate::rabbitmq::method::{Event, Publish, ids};
use crate::rabbitmq::properties::Properties;
use crate::rabbitmq::unmodelled::{self, Place};
use std::sync::Arc;
use std::time::Duration;

/// The largest body the server takes, by its default configuration.
const MAX_MESSAGE_SIZE: usize = 134_217_728;

/// The longest time to live in milliseconds: ten years of 365 days.
const MAX_EXPIRATION: u64 = 315_360_000_000;

impl Broker {
    /// Publishes a message (`basic.publish`). In confirm mode its number is
    /// returned; the confirm is an output, as is the return of a mandatory
    /// message that reached no queue.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` for a missing exchange, `ACCESS_REFUSED` for an internal
    /// one, `PRECONDITION_FAILED` for a wrong `user-id`, a malformed
    /// `expiration` or more than 128 MiB; `NOT_IMPLEMENTED` for `immediate`,
    /// which closes the connection.
    pub fn basic_publish(
        &mut self,
        now: Instant,
        ch: ChannelId,
        publish: Publish,
    ) -> Result<Option<DeliveryTag>, AmqpError> {
        self.on_channel(now, ch, ids::BASIC_PUBLISH, |broker, channel| {
            broker.publish(now, ch, channel, publish)
        })
    }

    fn publish(
        &mut self,
        now: Instant,
        ch: ChannelId,
        channel: ChannelKey,
        publish: Publish,
    ) -> Result<Option<DeliveryTag>, Fault> {
        let Publish { exchange, routing_key, mandatory, immediate, properties, body } = publish;
        if immediate {
            return Err(Fault::new(ReplyCode::NotImplemented, "immediate=true"));
        }
        if body.len() > MAX_MESSAGE_SIZE {
            return Err(Fault::precondition(format!(
                "message size {} is larger than configured max size {MAX_MESSAGE_SIZE}",
                body.len()
            )));
        }
        if !exchange.is_empty() && self.exchange(&exchange)?.internal {
            let what = exchange_in_vhost(&exchange);
            return Err(Fault::refused(format!("cannot publish to internal {what}")));
        }
        let mut expiry = None;
        if properties.has_more() {
            let user = self.connections.get(&ch.connection).map(|c| c.options.user.as_str());
            expiry = check_properties(&properties, user)?.map(|time_to_live| now + time_to_live);
        }
        let mut routed = std::mem::take(&mut self.routed);
        let name = if exchange.is_empty() {
            routed.extend(self.queue_names.get(&routing_key));
            Arc::clone(&self.nameless)
        } else {
            let source = self.exchange(&exchange)?;
            source.route(&routing_key, properties.headers(), &mut routed);
            Arc::clone(&source.name)
        };
        let message = Arc::new(Message::new(name, routing_key, properties, body));
        let confirms = self.channels.get_mut(channel).and_then(|c| c.confirms.as_mut());
        let seqno = confirms.map(|confirms| confirms.publish(count(routed.len())));
        let delivery_tag = seqno.map(DeliveryTag);
        let confirm = seqno.map(|seqno| (channel, seqno));
        match routed.pop() {
            None => self.unroutable(ch, message, mandatory, delivery_tag),
            Some(last) => {
                // In declaration order; the last one needs no copy.
                for queue in routed.drain(..) {
                    self.accept(now, queue, Arc::clone(&message), expiry, confirm);
                }
                self.accept(now, last, message, expiry, confirm);
            }
        }
        self.routed = routed;
        Ok(delivery_tag)
    }

    /// A message that no queue takes: returned if it is mandatory, and in any
    /// case confirmed, at once and on its own.
    fn unroutable(
        &mut self,
        ch: ChannelId,
        message: Arc<Message>,
        mandatory: bool,
        confirm: Option<DeliveryTag>,
    ) {
        if mandatory {
            self.push(ch, Event::Return { code: ReplyCode::NoRoute, message });
        }
        if let Some(delivery_tag) = confirm {
            self.push(ch, Event::Ack { delivery_tag, multiple: false });
        }
    }
}

/// Refuses properties the server refuses, or that are not modelled. Gives the
/// message's time to live, if it has one.
fn check_properties(
    properties: &Properties,
    user: Option<&str>,
) -> Result<Option<Duration>, Fault> {
    if let Some(reply_to) = properties.reply_to() {
        unmodelled::check(Place::ReplyTo, reply_to)?;
    }
    if let (Some(claimed), Some(user)) = (properties.user_id(), user)
        && claimed != user
    {
        return Err(Fault::precondition(format!(
            "user_id property set to '{claimed}' but authenticated user was '{user}'"
        )));
    }
    let time_to_live = properties.expiration().map(|expiration| {
        parse_expiration(expiration)
            .map_err(|why| Fault::precondition(format!("invalid expiration '{expiration}': {why}")))
    });
    let time_to_live = time_to_live.transpose()?;
    if let Some(headers) = properties.headers() {
        unmodelled::check_table(Place::Header, headers)?;
    }
    Ok(time_to_live)
}

/// What an `expiration` means, or what the server says if it means nothing.
fn parse_expiration(text: &str) -> Result<Duration, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 {
        return Err("no_integer".to_owned());
    }
    let (number, rest) = text.split_at(text.len() - unsigned.len() + digits);
    if !rest.is_empty() {
        return Err(format!("{{leftover_string,\"{rest}\"}}"));
    }
    let magnitude = number.trim_start_matches(['-', '+']).trim_start_matches('0');
    match magnitude.parse::<u64>() {
        _ if magnitude.is_empty() => Ok(Duration::ZERO),
        _ if number.starts_with('-') => Err(format!("{{value_negative,-{magnitude}}}")),
        Ok(ms) if ms <= MAX_EXPIRATION => Ok(Duration::from_millis(ms)),
        Ok(_) | Err(_) => Err(format!("{{value_too_large,{magnitude}}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expirations_are_read_as_the_server_reads_them() {
        for (text, ms) in
            [("60000", 60_000), ("+5", 5), ("00", 0), ("-0", 0), ("315360000000", 315_360_000_000)]
        {
            assert_eq!(parse_expiration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, why) in [
            ("abc", "no_integer"),
            ("", "no_integer"),
            (" 5", "no_integer"),
            ("-1", "{value_negative,-1}"),
            ("10s", "{leftover_string,\"s\"}"),
            ("1.5", "{leftover_string,\".5\"}"),
            ("5 ", "{leftover_string,\" \"}"),
            ("315360000001", "{value_too_large,315360000001}"),
            ("123456789012345678901234567890", "{value_too_large,123456789012345678901234567890}"),
        ] {
            assert_eq!(parse_expiration(text).unwrap_err(), why, "{text}");
        }
    }
}
