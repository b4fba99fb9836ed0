//! The methods of class basic, and `confirm.select`.

use super::Broker;
use super::dispatch::Settle;
use super::queue::count;
use crate::Instant;
use crate::rabbitmq::channel::{Channel, ChannelKey};
use crate::rabbitmq::confirm::Confirms;
use crate::rabbitmq::consumer::Consumer;
use crate::rabbitmq::error::{
    AmqpError, Fault, MethodId, ReplyCode, exchange_in_vhost, queue_in_vhost,
};
use crate::rabbitmq::id::{ChannelId, DeliveryTag};
use crate::rabbitmq::message::Message;
use crate::rabbitmq::method::{ConsumeOptions, Event, GetOk, Publish, ids};
use crate::rabbitmq::properties::Properties;
use crate::rabbitmq::queue::QueueKey;
use crate::rabbitmq::table::FieldTable;
use crate::rabbitmq::unacked::Unacked;
use crate::rabbitmq::unmodelled::{self, Place};
use smol_str::SmolStr;
use std::sync::Arc;

/// The largest body the server takes, by its default configuration.
const MAX_MESSAGE_SIZE: usize = 134_217_728;

/// The longest time to live in milliseconds.
const MAX_EXPIRATION: i128 = u32::MAX as i128;

impl Broker {
    /// Limits how many deliveries may be unacknowledged (`basic.qos`): for each
    /// consumer to come, or with `global` for all consumers of the channel
    /// together. 0 is no limit. `basic.get` never counts.
    ///
    /// As in RabbitMQ, setting the one without `global` lifts the global one.
    ///
    /// # Errors
    ///
    /// `NOT_IMPLEMENTED` if `prefetch_size` is not 0; this closes the
    /// connection.
    pub fn basic_qos(
        &mut self,
        now: Instant,
        ch: ChannelId,
        prefetch_size: u32,
        prefetch_count: u16,
        global: bool,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::BASIC_QOS, |broker, key| {
            if prefetch_size != 0 {
                let reason = format!("prefetch_size!=0 ({prefetch_size})");
                return Err(Fault::new(ReplyCode::NotImplemented, reason));
            }
            let channel = broker.channel_mut(key);
            let limit = if global {
                prefetch_count
            } else {
                channel.prefetch = prefetch_count;
                0
            };
            let resumed = channel.limiter.set_limit(limit, channel.unacked.len());
            broker.resume(now, key, resumed);
            Ok(())
        })
    }

    /// Starts a consumer (`basic.consume`) and returns its tag. What is ready
    /// is delivered at once; the deliveries are outputs.
    ///
    /// # Errors
    ///
    /// `NOT_ALLOWED` if the channel has a consumer of this tag (this closes the
    /// connection), `NOT_FOUND`, `ACCESS_REFUSED` if the queue has an exclusive
    /// consumer or this one wants to be and has company, `RESOURCE_LOCKED` for
    /// another connection's exclusive queue.
    pub fn basic_consume(
        &mut self,
        now: Instant,
        ch: ChannelId,
        queue: &str,
        options: ConsumeOptions,
    ) -> Result<SmolStr, AmqpError> {
        self.on_channel(now, ch, ids::BASIC_CONSUME, |broker, channel| {
            unmodelled::check(Place::ReplyTo, queue)?;
            if broker.channel_mut(channel).consumers.contains_key(&options.consumer_tag) {
                let tag = &options.consumer_tag;
                let reason = format!("attempt to reuse consumer tag '{tag}'");
                return Err(Fault::new(ReplyCode::NotAllowed, reason));
            }
            let key = broker.named_queue(channel, ch, queue)?;
            broker.consume(now, channel, key, options)
        })
    }

    fn consume(
        &mut self,
        now: Instant,
        channel_key: ChannelKey,
        key: QueueKey,
        options: ConsumeOptions,
    ) -> Result<SmolStr, Fault> {
        let ConsumeOptions { consumer_tag, no_ack, exclusive, arguments } = options;
        let queue = self.queue_mut(key);
        let what = queue_in_vhost(&queue.more.name);
        check_consume_arguments(&what, &arguments)?;
        if queue.more.exclusive_consumer.is_some() || exclusive && queue.consumer_count() > 0 {
            return Err(Fault::refused(format!("{what} in exclusive use")));
        }
        queue.touch(now);
        let tag = if consumer_tag.is_empty() { self.names.consumer_tag() } else { consumer_tag };
        let prefetch = self.channel_mut(channel_key).prefetch;
        let consumer = Consumer::new(tag.clone(), key, channel_key, !no_ack, prefetch, arguments);
        let consumer = self.consumers.insert(consumer);
        self.channel_mut(channel_key).consumers.insert(tag.clone(), consumer);
        let queue = self.queue_mut(key);
        queue.ring.push(consumer);
        queue.more.exclusive_consumer = exclusive.then_some(consumer);
        self.run_queue(now, key);
        Ok(tag)
    }

    /// Ends a consumer (`basic.cancel`). What it holds unacknowledged it keeps.
    /// Cancelling one that does not exist is fine.
    ///
    /// # Errors
    ///
    /// Only those of a channel that is not open.
    pub fn basic_cancel(
        &mut self,
        now: Instant,
        ch: ChannelId,
        consumer_tag: &str,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::BASIC_CANCEL, |broker, key| {
            let channel = broker.channel_mut(key);
            let Some(consumer) = channel.consumers.swap_remove(consumer_tag) else {
                return Ok(());
            };
            let Some(Consumer { queue, .. }) = broker.consumers.remove(consumer) else {
                return Ok(());
            };
            if broker.remove_dead_consumers(queue) {
                broker.delete_queue(queue);
                return Ok(());
            }
            broker.queue_mut(queue).touch(now);
            let Broker { channels, consumers, .. } = broker;
            if let Some(Channel { limiter, consumers: own, .. }) = channels.get_mut(key)
                && limiter.is_suspended(queue)
            {
                let still_there = |c| consumers.get(c).is_some_and(|c| c.queue == queue);
                if !own.values().any(|&c| still_there(c)) {
                    limiter.forget(queue);
                }
            }
            Ok(())
        })
    }

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

    /// Fetches one message (`basic.get`), or `None` if none is ready. No limit
    /// applies, and an exclusive consumer does not prevent it.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`, or `RESOURCE_LOCKED` for another connection's exclusive
    /// queue.
    pub fn basic_get(
        &mut self,
        now: Instant,
        ch: ChannelId,
        queue: &str,
        no_ack: bool,
    ) -> Result<Option<GetOk>, AmqpError> {
        self.on_channel(now, ch, ids::BASIC_GET, |broker, channel| {
            let key = broker.named_queue(channel, ch, queue)?;
            let queue = broker.queue_mut(key);
            queue.touch(now);
            let Some(entry) = queue.ready.pop() else {
                return Ok(None);
            };
            let message_count = count(queue.ready.len());
            queue.unacked += usize::from(!no_ack);
            let channel = broker.channel_mut(channel);
            let tag = channel.next_tag();
            let got = GetOk {
                delivery_tag: DeliveryTag(tag),
                redelivered: entry.redelivered(),
                message_count,
                message: Arc::clone(&entry.message),
            };
            if no_ack {
                broker.leave(now, key, entry);
            } else {
                channel.unacked.push(tag, Unacked { queue: key, consumer: None, entry });
            }
            Ok(Some(got))
        })
    }

    /// Acknowledges a delivery, or with `multiple` all up to it (`basic.ack`).
    /// Tag 0 with `multiple` is all there are.
    ///
    /// # Errors
    ///
    /// `PRECONDITION_FAILED` if the tag is not outstanding on this channel.
    pub fn basic_ack(
        &mut self,
        now: Instant,
        ch: ChannelId,
        delivery_tag: DeliveryTag,
        multiple: bool,
    ) -> Result<(), AmqpError> {
        self.settle_tags(now, ch, ids::BASIC_ACK, delivery_tag, multiple, Settle::Drop)
    }

    /// Refuses a delivery, or with `multiple` all up to it (`basic.nack`): they
    /// go back to their places in their queues, or with `requeue` unset away.
    ///
    /// # Errors
    ///
    /// As [`Broker::basic_ack`].
    pub fn basic_nack(
        &mut self,
        now: Instant,
        ch: ChannelId,
        delivery_tag: DeliveryTag,
        multiple: bool,
        requeue: bool,
    ) -> Result<(), AmqpError> {
        let how = if requeue { Settle::Requeue } else { Settle::Drop };
        self.settle_tags(now, ch, ids::BASIC_NACK, delivery_tag, multiple, how)
    }

    /// Refuses one delivery (`basic.reject`); as [`Broker::basic_nack`].
    ///
    /// # Errors
    ///
    /// As [`Broker::basic_ack`].
    pub fn basic_reject(
        &mut self,
        now: Instant,
        ch: ChannelId,
        delivery_tag: DeliveryTag,
        requeue: bool,
    ) -> Result<(), AmqpError> {
        let how = if requeue { Settle::Requeue } else { Settle::Drop };
        self.settle_tags(now, ch, ids::BASIC_REJECT, delivery_tag, false, how)
    }

    fn settle_tags(
        &mut self,
        now: Instant,
        ch: ChannelId,
        method: MethodId,
        DeliveryTag(tag): DeliveryTag,
        multiple: bool,
        how: Settle,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, method, |broker, channel| {
            let unacked = &mut broker.channel_mut(channel).unacked;
            let unknown = || Fault::precondition(format!("unknown delivery tag {tag}"));
            if !multiple {
                let unacked = unacked.remove(tag).ok_or_else(unknown)?;
                broker.settle_one(now, channel, unacked, how);
                return Ok(());
            }
            let taken = if tag == 0 {
                unacked.remove_all()
            } else {
                unacked.remove_through(tag).ok_or_else(unknown)?
            };
            broker.settle(now, channel, taken, how);
            Ok(())
        })
    }

    /// Requeues all that is unacknowledged on the channel (`basic.recover`).
    ///
    /// # Errors
    ///
    /// `NOT_IMPLEMENTED` without `requeue`; this closes the connection.
    pub fn basic_recover(
        &mut self,
        now: Instant,
        ch: ChannelId,
        requeue: bool,
    ) -> Result<(), AmqpError> {
        self.recover(now, ch, ids::BASIC_RECOVER, requeue)
    }

    pub(super) fn recover(
        &mut self,
        now: Instant,
        ch: ChannelId,
        method: MethodId,
        requeue: bool,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, method, |broker, channel| {
            if !requeue {
                return Err(Fault::new(ReplyCode::NotImplemented, "requeue=false"));
            }
            let taken = broker.channel_mut(channel).unacked.remove_all();
            broker.settle(now, channel, taken, Settle::Requeue);
            Ok(())
        })
    }

    /// Puts the channel into confirm mode (`confirm.select`): publishes are
    /// numbered from 1, and confirmed. Once is enough.
    ///
    /// # Errors
    ///
    /// Only those of a channel that is not open.
    pub fn confirm_select(&mut self, now: Instant, ch: ChannelId) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::CONFIRM_SELECT, |broker, channel| {
            broker.channel_mut(channel).confirms.get_or_insert_with(Confirms::new);
            Ok(())
        })
    }

    /// A channel that is known to be open.
    pub(super) fn channel_mut(&mut self, key: ChannelKey) -> &mut Channel {
        self.channels.get_mut(key).expect("the channel was just looked up")
    }
}

/// Refuses what a consumer of a classic queue cannot have.
fn check_consume_arguments(what: &str, arguments: &FieldTable) -> Result<(), Fault> {
    if let Some(value) = arguments.get("x-priority")
        && value.as_integer().is_none()
    {
        return Err(Fault::precondition(format!(
            "invalid arg 'x-priority' for {what}: \"expected integer, got {}\"",
            value.type_name()
        )));
    }
    unmodelled::check_table(Place::ConsumerArgument, arguments)?;
    if arguments.get("x-stream-offset").is_some() {
        return Err(Fault::precondition(format!(
            "invalid arg 'x-stream-offset' for {what} of queue type rabbit_classic_queue"
        )));
    }
    Ok(())
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
    use crate::rabbitmq::table::FieldValue;

    #[test]
    fn expirations_are_read_as_the_server_reads_them() {
        assert_eq!(check_expiration("60000"), Ok(()));
        assert_eq!(check_expiration("abc").unwrap_err(), "no_integer");
        assert_eq!(check_expiration("").unwrap_err(), "no_integer");
        assert_eq!(check_expiration("-1").unwrap_err(), "{value_negative,-1}");
        assert_eq!(check_expiration("10s").unwrap_err(), "{leftover_string,\"s\"}");
        assert_eq!(check_expiration("5000000000").unwrap_err(), "{value_too_big,5000000000}");
    }

    #[test]
    fn consumer_arguments_are_checked() {
        let check = |name: &str, value: FieldValue| {
            check_consume_arguments("queue 'q' in vhost '/'", &FieldTable::new().with(name, value))
        };
        assert_eq!(
            check("x-priority", "a".into()).unwrap_err().reason,
            "invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got longstr\""
        );
        assert_eq!(check("x-priority", 1.into()).unwrap_err().code, ReplyCode::NotImplemented);
        assert!(check("x-cancel-on-ha-failover", true.into()).is_ok());
    }
}
