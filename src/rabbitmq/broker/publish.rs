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

/// The largest body the server takes, by its default configuration.
const MAX_MESSAGE_SIZE: usize = 134_217_728;

/// The longest time to live in milliseconds.
const MAX_EXPIRATION: i128 = u32::MAX as i128;

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
        if properties.has_more() {
            let user = self.connections.get(&ch.connection).map(|c| c.options.user.as_str());
            check_properties(&properties, user)?;
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
                    self.accept(now, queue, Arc::clone(&message), confirm);
                }
                self.accept(now, last, message, confirm);
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

/// Refuses properties the server refuses, or that are not modelled.
fn check_properties(properties: &Properties, user: Option<&str>) -> Result<(), Fault> {
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
    if let Some(expiration) = properties.expiration() {
        if let Err(why) = check_expiration(expiration) {
            let reason = format!("invalid expiration '{expiration}': {why}");
            return Err(Fault::precondition(reason));
        }
        unmodelled::check(Place::Property, "expiration")?;
    }
    match properties.headers() {
        Some(headers) => unmodelled::check_table(Place::Header, headers),
        None => Ok(()),
    }
}

/// Whether a text is an `expiration`, and what the server says if not.
fn check_expiration(text: &str) -> Result<(), String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 {
        return Err("no_integer".to_owned());
    }
    let (number, rest) = text.split_at(text.len() - unsigned.len() + digits);
    if !rest.is_empty() {
        return Err(format!("{{leftover_string,\"{rest}\"}}"));
    }
    match number.parse::<i128>() {
        Ok(n) if n < 0 => Err(format!("{{value_negative,{n}}}")),
        Ok(0..=MAX_EXPIRATION) => Ok(()),
        Ok(_) | Err(_) => Err(format!("{{value_too_big,{}}}", number.trim_start_matches('+'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expirations_are_read_as_the_server_reads_them() {
        assert_eq!(check_expiration("60000"), Ok(()));
        assert_eq!(check_expiration("abc").unwrap_err(), "no_integer");
        assert_eq!(check_expiration("").unwrap_err(), "no_integer");
        assert_eq!(check_expiration("-1").unwrap_err(), "{value_negative,-1}");
        assert_eq!(check_expiration("10s").unwrap_err(), "{leftover_string,\"s\"}");
        assert_eq!(check_expiration("5000000000").unwrap_err(), "{value_too_big,5000000000}");
    }
}
