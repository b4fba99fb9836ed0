//! The methods of class basic but publishing, and `confirm.select`.

use super::Broker;
use super::dispatch::Settle;
use super::queue::count;
use crate::Instant;
use crate::rabbitmq::channel::{Channel, ChannelKey};
use crate::rabbitmq::confirm::Confirms;
use crate::rabbitmq::consumer::Consumer;
use crate::rabbitmq::error::{AmqpError, Fault, MethodId, ReplyCode, queue_in_vhost};
use crate::rabbitmq::id::{ChannelId, DeliveryTag};
use crate::rabbitmq::method::{ConsumeOptions, GetOk, ids};
use crate::rabbitmq::queue::QueueKey;
use crate::rabbitmq::table::FieldTable;
use crate::rabbitmq::unacked::Unacked;
use crate::rabbitmq::unmodelled::{self, Place};
use smol_str::SmolStr;
use std::sync::Arc;

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
            let queue = broker.expand_name(channel, queue)?;
            if broker.channel_mut(channel).consumers.contains_key(&options.consumer_tag) {
                let tag = &options.consumer_tag;
                let reason = format!("attempt to reuse consumer tag '{tag}'");
                return Err(Fault::new(ReplyCode::NotAllowed, reason));
            }
            let key = broker.named_queue(channel, ch, &queue)?;
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
            let Some(Consumer { queue, tag, .. }) = broker.consumers.remove(consumer) else {
                return Ok(());
            };
            broker.channel_mut(key).remember_cancelled(consumer, tag);
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
            let mut queue = broker.queue_mut(key);
            if queue.head_expires() {
                broker.expire(now, key);
                queue = broker.queue_mut(key);
            }
            queue.touch(now);
            let Some(entry) = queue.ready.pop() else {
                return Ok(None);
            };
            if queue.head_expires() {
                broker.expire(now, key);
                queue = broker.queue_mut(key);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::table::FieldValue;

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
