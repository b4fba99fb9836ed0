//! The methods of class basic that fetch and settle. Publishing and consuming have files of their
//! own.

use super::queue::count;
use super::{Broker, Caller};
use crate::Instant;
use crate::rabbitmq::channel::Channel;
use crate::rabbitmq::channel::transaction::{Outcome, Settle, Settled};
use crate::rabbitmq::channel::unacked::Unacked;
use crate::rabbitmq::key::{ChannelKey, QueueKey};
use crate::rabbitmq::protocol::error::{AmqpError, Fault, MethodId, ReplyCode};
use crate::rabbitmq::protocol::id::{ChannelId, DeliveryTag};
use crate::rabbitmq::protocol::method::{GetOk, ids};
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::kind::Kind;
use crate::rabbitmq::version::DeprecatedFeature;
use crate::rabbitmq::vhost::user::Access;
use std::sync::Arc;

impl Broker {
    /// Limits the number of unacknowledged deliveries (`basic.qos`): for each consumer that begins
    /// later, or with `global` for all consumers of the channel together. 0 means no limit.
    /// `basic.get` is never limited, and its deliveries count only if they are outstanding when a
    /// `global` limit begins.
    ///
    /// As in RabbitMQ, setting the limit without `global` removes the global one. Where
    /// [`DeprecatedFeature::GlobalQos`] is denied, as in 4.3, `global` is ignored.
    ///
    /// # Errors
    ///
    /// `NOT_IMPLEMENTED` if `prefetch_size` is not 0, which closes the connection.
    pub fn basic_qos(
        &mut self,
        now: Instant,
        ch: ChannelId,
        prefetch_size: u32,
        prefetch_count: u16,
        global: bool,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::BASIC_QOS, |broker, caller| {
            let key = caller.channel;
            if prefetch_size != 0 {
                let reason = format!("prefetch_size!=0 ({prefetch_size})");
                return Err(Fault::new(ReplyCode::NotImplemented, reason));
            }
            let global = global && broker.options.permits(DeprecatedFeature::GlobalQos);
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

    /// Fetches one message (`basic.get`); `None` if no message is ready. No limit applies, and an
    /// exclusive consumer does not prevent it.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`; `RESOURCE_LOCKED` for another connection's exclusive queue, or for a quorum
    /// queue with a single active consumer; `NOT_IMPLEMENTED` for a stream, which closes the
    /// connection.
    pub fn basic_get(
        &mut self,
        now: Instant,
        ch: ChannelId,
        queue: &str,
        no_ack: bool,
    ) -> Result<Option<GetOk>, AmqpError> {
        self.on_channel(now, ch, ids::BASIC_GET, |broker, caller| {
            let name = broker.expand_name(caller.channel, queue)?;
            broker.check_queue_access(caller, Access::Read, &name)?;
            let key = broker.named_queue(caller, &name)?;
            broker.get(now, caller.channel, key, no_ack)
        })
    }

    fn get(
        &mut self,
        now: Instant,
        channel: ChannelKey,
        key: QueueKey,
        no_ack: bool,
    ) -> Result<Option<GetOk>, Fault> {
        let shows_terms = self.profile().texts.show_terms;
        let mut queue = self.queue_mut(key);
        if !queue.cold.kind.supports_get() {
            let reason = format!("basic.get not supported by stream queues {}", queue.what());
            return Err(Fault::new(ReplyCode::NotImplemented, reason));
        }
        if queue.cold.single_active && !queue.cold.kind.supports_get_beside_single_active() {
            let kind = if shows_terms { "<<\"quorum\">>" } else { "quorum" };
            let reason = format!(
                "cannot obtain access to locked {}. basic.get operations are not supported by \
                 {kind} queues with single active consumer",
                queue.what()
            );
            return Err(Fault::new(ReplyCode::ResourceLocked, reason));
        }
        if queue.cold.settings.expires.is_some() {
            self.touch_unused(now, key);
            queue = self.queue_mut(key);
        }
        if queue.head_expires() {
            self.notice_expired(now, key);
            queue = self.queue_mut(key);
        }
        queue.touch(now);
        let Some(entry) = queue.ready.pop() else {
            queue.cold.counts.get_empty += 1;
            return Ok(None);
        };
        if queue.head_expires() {
            self.expire(now, key);
            queue = self.queue_mut(key);
        }
        let message_count = count(queue.ready.len());
        let counts = &mut queue.cold.counts;
        counts.get += u64::from(!no_ack);
        counts.get_no_ack += u64::from(no_ack);
        counts.redeliver += u64::from(entry.redelivered());
        queue.unacked += u32::from(!no_ack);
        let message = match &queue.cold.kind {
            Kind::Quorum(quorum) => quorum.fetched(&entry),
            Kind::Classic | Kind::Stream(_) => Arc::clone(&entry.message),
        };
        let tag = self.channel_mut(channel).next_tag();
        self.tell_delivered((key, channel), &entry, tag, !no_ack);
        let redelivered = entry.redelivered();
        if no_ack {
            self.leave(now, key, entry);
        } else {
            self.hold(now, channel, tag, Unacked { queue: key, consumer: None, entry });
        }
        Ok(Some(GetOk { delivery_tag: DeliveryTag(tag), redelivered, message_count, message }))
    }

    /// Acknowledges a delivery, or with `multiple` all deliveries up to it (`basic.ack`). Tag 0
    /// with `multiple` acknowledges all deliveries.
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
        if !multiple
            && let Some(caller) = self.caller(ch)
            && let Some(channel) = self.channels.get_mut(caller.channel)
            && channel.transaction.is_none()
            && let Some(unacked) = channel.unacked.remove(delivery_tag.0)
        {
            self.settle_one(now, caller.channel, unacked, Settle::Ack);
            self.publish_dead_letters(now);
            return Ok(());
        }
        self.settle_tags(now, ch, ids::BASIC_ACK, delivery_tag, multiple, Settle::Ack)
    }

    /// Rejects a delivery, or with `multiple` all deliveries up to it (`basic.nack`). With
    /// `requeue` they return to their places in their queues; otherwise they are dropped or
    /// dead-lettered.
    ///
    /// # Errors
    ///
    /// As for [`Broker::basic_ack`], and `NOT_IMPLEMENTED`, which closes the connection, for a
    /// delivery from a stream.
    pub fn basic_nack(
        &mut self,
        now: Instant,
        ch: ChannelId,
        delivery_tag: DeliveryTag,
        multiple: bool,
        requeue: bool,
    ) -> Result<(), AmqpError> {
        let outcome = Outcome::Released;
        let how = if requeue { Settle::Requeue(outcome) } else { Settle::Reject(outcome) };
        self.settle_tags(now, ch, ids::BASIC_NACK, delivery_tag, multiple, how)
    }

    /// Rejects one delivery (`basic.reject`), as [`Broker::basic_nack`] does.
    ///
    /// # Errors
    ///
    /// As for [`Broker::basic_ack`], and `NOT_IMPLEMENTED`, which closes the connection, for a
    /// delivery from a stream.
    pub fn basic_reject(
        &mut self,
        now: Instant,
        ch: ChannelId,
        delivery_tag: DeliveryTag,
        requeue: bool,
    ) -> Result<(), AmqpError> {
        let outcome = Outcome::Failed;
        let how = if requeue { Settle::Requeue(outcome) } else { Settle::Reject(outcome) };
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
        self.on_channel(now, ch, method, |broker, Caller { channel: key, .. }| {
            if method != ids::BASIC_ACK {
                broker.check_rejects(key, tag, multiple)?;
            }
            let channel = broker.channel_mut(key);
            if !multiple {
                let of_transaction = channel.transaction.is_some();
                let since = if of_transaction { channel.unacked.time_of(tag) } else { None };
                let unacked = channel.unacked.remove(tag).ok_or_else(|| unknown_tag(tag))?;
                match &mut channel.transaction {
                    Some(waiting) => {
                        let since = since.unwrap_or(now);
                        waiting.settled.push(Settled { how, taken: vec![(tag, unacked)], since });
                    }
                    None => broker.settle_one(now, key, unacked, how),
                }
                return Ok(());
            }
            let since = channel.unacked.oldest().unwrap_or(now);
            let taken = if tag == 0 {
                channel.unacked.remove_all()
            } else {
                channel.unacked.remove_through(tag).ok_or_else(|| unknown_tag(tag))?
            };
            match &mut channel.transaction {
                Some(waiting) => waiting.settled.push(Settled { how, taken, since }),
                None => broker.settle(now, key, taken, how),
            }
            Ok(())
        })
    }

    /// Requeues all unacknowledged deliveries of the channel (`basic.recover`).
    ///
    /// # Errors
    ///
    /// `NOT_IMPLEMENTED` without `requeue`; `INTERNAL_ERROR` if the channel holds a delivery from a
    /// stream. Both close the connection.
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
        self.on_channel(now, ch, method, |broker, Caller { channel, .. }| {
            if !requeue {
                return Err(Fault::new(ReplyCode::NotImplemented, "requeue=false"));
            }
            if broker.cannot_recover(channel) {
                // The server crashes over it.
                return Err(Fault::internal());
            }
            let taken = broker.channel_mut(channel).unacked.remove_all();
            broker.settle(now, channel, taken, Settle::Requeue(Outcome::Released));
            Ok(())
        })
    }

    /// Returns whether a channel holds a delivery from a stream.
    fn cannot_recover(&self, channel: ChannelKey) -> bool {
        let unacked = self.channels.get(channel).map(|channel| channel.unacked.iter());
        let crashes = |queue: &Queue| !queue.cold.kind.supports_recover();
        let mut unacked = unacked.into_iter().flatten();
        unacked.any(|(_, unacked)| self.queues.get(unacked.queue).is_some_and(crashes))
    }

    /// Refuses the rejection of a delivery from a stream.
    fn check_rejects(&self, channel: ChannelKey, tag: u64, multiple: bool) -> Result<(), Fault> {
        let Some(unacked) = self.channels.get(channel).map(|channel| &channel.unacked) else {
            return Ok(());
        };
        let queue = |unacked: &Unacked| {
            let queue = self.queues.get(unacked.queue)?;
            (!queue.cold.kind.supports_reject()).then_some(queue)
        };
        let of_a_stream = match multiple {
            false => unacked.get(tag).and_then(queue),
            true => {
                unacked.iter().filter(|(t, _)| tag == 0 || *t <= tag).find_map(|(_, u)| queue(u))
            }
        };
        match of_a_stream {
            None => Ok(()),
            Some(queue) => Err(Fault::new(
                ReplyCode::NotImplemented,
                format!(
                    "basic.nack and basic.reject not supported by stream queues {}",
                    queue.what()
                ),
            )),
        }
    }

    /// A channel that is known to be open.
    pub(super) fn channel_mut(&mut self, key: ChannelKey) -> &mut Channel {
        self.channels.get_mut(key).expect("the channel of a running method is open")
    }
}

#[cold]
fn unknown_tag(tag: u64) -> Fault {
    Fault::precondition(format!("unknown delivery tag {tag}"))
}
