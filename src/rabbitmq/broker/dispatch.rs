//! Handing out messages: who gets the next one, and what comes back.
//!
//! The invariant that everything here keeps: when a method is done, a queue
//! with ready messages has no consumer that could take one.

use super::{Broker, Timer, arm};
use crate::Instant;
use crate::rabbitmq::channel::ChannelKey;
use crate::rabbitmq::consumer::ConsumerKey;
use crate::rabbitmq::id::DeliveryTag;
use crate::rabbitmq::message::{Entry, Message};
use crate::rabbitmq::method::{Event, Output};
use crate::rabbitmq::queue::{Queue, QueueKey};
use crate::rabbitmq::unacked::Unacked;
use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

/// What becomes of unacknowledged messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    /// They leave the queue.
    Drop,
    /// They go back to their places.
    Requeue,
}

impl Broker {
    /// A queue takes a message that was routed to it, and that may have a time
    /// to expire at.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        key: QueueKey,
        message: Arc<Message>,
        expiry: Option<Instant>,
        mut confirm: Option<(ChannelKey, u64)>,
    ) {
        let taker = self.next_consumer(key);
        let is_done = taker.is_some_and(|c| !self.consumer(c).ack_required);
        let queue = self.queues.get_mut(key).expect("only live queues are routed to");
        let position = queue.take_position();
        if let Some(journal) = &mut queue.journal {
            // What an auto-acknowledging consumer takes at once needs no disk.
            if message.properties().is_persistent() && !is_done {
                journal.publish(now, position, confirm.take());
                arm(&mut self.timers, key, journal);
            } else {
                journal.touch(now);
            }
        }
        let mut entry = Entry::new(message, position);
        if let Some(at) = expiry
            && !is_done
        {
            entry = entry.expiring();
            queue.more.expiries.insert(position, at);
        }
        match taker {
            Some(consumer) => drop(self.give(consumer, entry)),
            None => {
                queue.ready.push(entry);
                if expiry.is_some() {
                    self.expire(now, key);
                }
            }
        }
        if let Some((channel, seqno)) = confirm {
            self.confirm(channel, seqno);
        }
    }

    /// Hands out ready messages for as long as a consumer can take one.
    pub(super) fn run_queue(&mut self, now: Instant, key: QueueKey) {
        self.expire(now, key);
        while self.queues.get(key).is_some_and(|queue| !queue.ready.is_empty())
            && let Some(consumer) = self.next_consumer(key)
        {
            let queue = self.queue_mut(key);
            let entry = queue.ready.pop().expect("a queue that is not empty has a next message");
            let next_expires = queue.head_expires();
            if let Some(entry) = self.give(consumer, entry) {
                self.leave(now, key, entry);
            }
            if next_expires {
                self.expire(now, key);
            }
        }
    }

    /// Drops messages at the head of a queue whose time has come, and sees to
    /// it that the next one goes in time. To be called whenever the queue may
    /// have a new head, and before its ready messages are counted.
    pub(super) fn expire(&mut self, now: Instant, key: QueueKey) {
        while let Some(queue) = self.queues.get_mut(key)
            && let Some(head) = queue.ready.front()
            && head.expires()
        {
            let expiries = &mut queue.more.expiries;
            let at = expiries.of(head).expect("a queue knows when its messages expire");
            if at > now {
                if expiries.armed.is_none_or(|armed| at < armed) {
                    expiries.armed = Some(at);
                    self.timers.push(Reverse((at, key, Timer::Expiry)));
                }
                return;
            }
            if let Some(entry) = queue.ready.pop() {
                self.leave(now, key, entry);
            }
        }
    }

    /// The consumer whose turn it is, moved to the tail of the ring. Those at
    /// the head that cannot take a message leave the ring on the way.
    fn next_consumer(&mut self, key: QueueKey) -> Option<ConsumerKey> {
        let queue = self.queues.get_mut(key)?;
        while let Some(head) = queue.ring.head() {
            let consumer = self.consumers.get(head).expect("a ring holds live consumers");
            let channel =
                self.channels.get_mut(consumer.channel).expect("a consumer's channel is open");
            if !channel.limiter.is_suspended(key)
                && consumer.has_credit()
                && channel.limiter.admits(key)
            {
                queue.ring.rotate();
                return Some(head);
            }
            queue.ring.pop();
            queue.more.blocked.push(head);
        }
        None
    }

    /// Sends a message to a consumer. Gives it back if it needs no
    /// acknowledgement: it is done with.
    fn give(&mut self, key: ConsumerKey, entry: Entry) -> Option<Entry> {
        let consumer = self.consumers.get_mut(key).expect("the consumer was just chosen");
        let channel =
            self.channels.get_mut(consumer.channel).expect("a consumer's channel is open");
        let tag = channel.next_tag();
        self.outputs.push_back(Output {
            connection: channel.id.connection,
            channel: channel.id.number,
            event: Event::Deliver {
                consumer_tag: consumer.tag.clone(),
                delivery_tag: DeliveryTag(tag),
                redelivered: entry.redelivered(),
                message: Arc::clone(&entry.message),
            },
        });
        if !consumer.ack_required {
            return Some(entry);
        }
        consumer.spend();
        channel.limiter.sent();
        let queue = consumer.queue;
        channel.unacked.push(tag, Unacked { queue, consumer: Some(key), entry });
        self.queue_mut(queue).unacked += 1;
        None
    }

    /// A message has left its queue for good.
    pub(super) fn leave(&mut self, now: Instant, key: QueueKey, entry: Entry) {
        let queue = self.queues.get_mut(key).expect("the queue was just looked at");
        let expiry = if entry.expires() { queue.more.expiries.remove(&entry) } else { None };
        if let Some(journal) = &mut queue.journal {
            if entry.message.properties().is_persistent() {
                journal.ack(now, entry, expiry);
                arm(&mut self.timers, key, journal);
            } else {
                journal.touch(now);
            }
        }
    }

    /// Settles one delivery of a channel.
    pub(super) fn settle_one(
        &mut self,
        now: Instant,
        channel: ChannelKey,
        unacked: Unacked,
        how: Settle,
    ) {
        let Unacked { queue, consumer, entry } = unacked;
        if let Some(owner) = self.queues.get_mut(queue) {
            owner.unacked -= 1;
            let unblocked = self.refund(channel, queue, consumer, 1);
            match how {
                Settle::Drop => self.leave(now, queue, entry),
                Settle::Requeue => self.put_back(now, queue, vec![entry]),
            }
            if unblocked || how == Settle::Requeue {
                self.run_queue(now, queue);
            }
        }
        self.below_limit(now, channel, usize::from(consumer.is_some()));
    }

    /// Settles deliveries of a channel: queue by queue, and there consumer tag
    /// by consumer tag.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        channel: ChannelKey,
        mut taken: Vec<Unacked>,
        how: Settle,
    ) {
        let delivered = taken.iter().filter(|unacked| unacked.consumer.is_some()).count();
        taken.sort_by(|a, b| {
            let by_position = || a.entry.position().cmp(&b.entry.position());
            self.settling_order(channel, a, b).then_with(by_position)
        });
        let mut rest = taken.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut group = vec![first];
            while let Some(next) =
                rest.next_if(|next| self.settling_order(channel, &group[0], next).is_eq())
            {
                group.push(next);
            }
            self.settle_group(now, channel, group, how);
        }
        self.below_limit(now, channel, delivered);
    }

    /// The order in which the server settles deliveries of a channel: queue by
    /// queue, and there by the consumers' tags, with fetched ones first. A
    /// consumer that was cancelled counts with its tag.
    fn settling_order(&self, channel: ChannelKey, a: &Unacked, b: &Unacked) -> Ordering {
        let tag = |unacked: &Unacked| {
            let key = unacked.consumer?;
            let live = self.consumers.get(key).map(|consumer| &*consumer.tag);
            live.or_else(|| self.channels.get(channel)?.cancelled_tag(key))
        };
        let by_tag = || match a.consumer == b.consumer {
            true => Ordering::Equal,
            false => tag(a).cmp(&tag(b)),
        };
        a.queue.cmp(&b.queue).then_with(by_tag)
    }

    /// Settles deliveries of one queue to the consumers of one tag, of which at
    /// most one is not cancelled.
    fn settle_group(
        &mut self,
        now: Instant,
        channel: ChannelKey,
        group: Vec<Unacked>,
        how: Settle,
    ) {
        let queue = group[0].queue;
        let is_live = |key: &ConsumerKey| self.consumers.get(*key).is_some();
        let consumer = group.iter().find_map(|unacked| unacked.consumer.filter(is_live));
        let its_own = group.iter().filter(|unacked| unacked.consumer == consumer).count();
        let Some(owner) = self.queues.get_mut(queue) else {
            return;
        };
        owner.unacked -= group.len();
        let unblocked = self.refund(channel, queue, consumer, its_own);
        let entries = group.into_iter().map(|unacked| unacked.entry);
        match how {
            Settle::Drop => entries.for_each(|entry| self.leave(now, queue, entry)),
            Settle::Requeue => self.put_back(now, queue, entries.collect()),
        }
        if unblocked || how == Settle::Requeue {
            self.run_queue(now, queue);
        }
    }

    /// Deliveries of a consumer are no longer outstanding. Says whether that
    /// may have let blocked consumers back into the ring.
    fn refund(
        &mut self,
        channel: ChannelKey,
        key: QueueKey,
        consumer: Option<ConsumerKey>,
        count: usize,
    ) -> bool {
        let was_at_limit = consumer
            .and_then(|consumer| self.consumers.get_mut(consumer))
            .is_some_and(|consumer| consumer.refund(count));
        if was_at_limit {
            self.unblock(channel, key);
        }
        was_at_limit
    }

    /// Puts messages, in order of position, back to their places.
    pub(super) fn put_back(&mut self, now: Instant, key: QueueKey, mut entries: Vec<Entry>) {
        entries = entries.into_iter().map(Entry::again).collect();
        let queue = self.queue_mut(key);
        queue.touch(now);
        queue.ready.restore(entries);
    }

    /// The channel's blocked consumers of a queue that have credit again join
    /// the ring, at its tail and in the order they left it.
    pub(super) fn unblock(&mut self, channel: ChannelKey, key: QueueKey) {
        let consumers = &self.consumers;
        let Some(Queue { more, ring, .. }) = self.queues.get_mut(key) else {
            return;
        };
        more.blocked.retain(|&blocked| {
            let consumer = consumers.get(blocked).expect("a queue holds live consumers");
            let stays = consumer.channel != channel || !consumer.has_credit();
            if !stays {
                ring.push(blocked);
            }
            stays
        });
    }

    /// Deliveries that count for the channel's shared limit were settled.
    fn below_limit(&mut self, now: Instant, key: ChannelKey, settled: usize) {
        if let Some(channel) = self.channels.get_mut(key) {
            let resumed = channel.limiter.settled(settled);
            self.resume(now, key, resumed);
        }
    }

    /// Queues may send to this channel again; they do, in the order in which
    /// they were refused.
    pub(super) fn resume(&mut self, now: Instant, channel: ChannelKey, queues: Vec<QueueKey>) {
        for queue in queues {
            self.unblock(channel, queue);
            self.run_queue(now, queue);
        }
    }

    fn consumer(&self, key: ConsumerKey) -> &crate::rabbitmq::consumer::Consumer {
        self.consumers.get(key).expect("the consumer was just chosen")
    }

    /// A queue that is known to exist.
    pub(super) fn queue_mut(&mut self, key: QueueKey) -> &mut Queue {
        self.queues.get_mut(key).expect("the queue was just looked up")
    }
}
