//! Handing out messages: what a queue takes in, and who gets the next one.
//!
//! The invariant that everything here keeps: when a method is done, a queue
//! with ready messages has no consumer that could take one. There is one
//! exception, as in the server: when the single active consumer of a classic queue
//! is cancelled, its successor waits until something else happens to the queue.

use super::Broker;
use super::timer::{OfQueue, Timer};
use crate::Instant;
use crate::rabbitmq::channel::confirm::Verdict;
use crate::rabbitmq::channel::consumer::Consumer;
use crate::rabbitmq::channel::unacked::Unacked;
use crate::rabbitmq::key::{Arena, ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::message::{Entry, Message};
use crate::rabbitmq::protocol::method::{Event, Output};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::dead_letter::Reason;
use crate::rabbitmq::queue::ring::Ring;
use crate::rabbitmq::queue::settings::Overflow;
use std::sync::Arc;

impl Broker {
    /// A queue takes a message that was routed to it, and that may have a time
    /// to expire at; or it refuses it.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        key: QueueKey,
        mut message: Arc<Message>,
        mut expiry: Option<Instant>,
        confirm: Option<(ChannelKey, u64)>,
    ) {
        let queue = self.queues.get_mut(key).expect("only live queues are routed to");
        queue.more.counters.publish += 1;
        if !queue.is_plain {
            if queue.more.stream.is_some() {
                return self.append(now, key, &message, confirm);
            }
            if queue.more.kind == QueueType::Quorum {
                queue.look_at_length();
                if message.properties().verbatim().is_some() {
                    let properties = message.properties().clone().rewritten();
                    message = Arc::new(message.with_properties(properties));
                }
            }
            if let Some(overflow) = queue.refuses(&message) {
                return self.refuse_publish(key, message, overflow, confirm);
            }
            if let Some(ttl) = queue.more.settings.message_ttl {
                let at = now.saturating_add(ttl);
                expiry = Some(expiry.map_or(at, |own| own.min(at)));
            }
        }
        self.enqueue(now, key, message, expiry, confirm);
    }

    fn enqueue(
        &mut self,
        now: Instant,
        key: QueueKey,
        message: Arc<Message>,
        expiry: Option<Instant>,
        mut confirm: Option<(ChannelKey, u64)>,
    ) {
        if self.queues.get(key).is_some_and(|q| q.more.single_active && !q.ready.is_empty()) {
            // A successor that has not been given the backlog yet is given it first.
            self.run_queue(now, key);
        }
        let taker = self.next_consumer(key);
        let is_done = taker.is_some_and(|c| !self.consumer(c).ack_required);
        let queue = self.queues.get_mut(key).expect("only live queues are routed to");
        let position = queue.take_position();
        let keeps = queue.keeps(&message);
        if let Some(journal) = &mut queue.journal {
            // What an auto-acknowledging consumer takes at once needs no disk.
            if keeps && !is_done {
                journal.publish(now, position, confirm.take());
                self.timers.arm_journal(key, journal);
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
            Some(consumer) => {
                if queue.more.kind == QueueType::Quorum {
                    self.reserve(consumer);
                }
                drop(self.give(now, consumer, entry));
            }
            None => {
                queue.ready.push(entry);
                let (queue_len, is_in_line) = (queue.ready.len(), !queue.ready.has_levels());
                let has_dropped = !queue.is_plain && self.drop_head(now, key);
                // Behind others, it is not looked at.
                let is_alone = queue_len == 1;
                if expiry.is_some() && (is_alone || is_in_line) || has_dropped {
                    self.expire(now, key);
                }
            }
        }
        if let Some((channel, seqno)) = confirm {
            self.confirm(channel, seqno);
        }
        let has_acknowledged =
            |queue: &mut Queue| !queue.is_plain && !queue.more.acknowledged.is_empty();
        if is_done && has_acknowledged(self.queue_mut(key)) {
            self.run_queue(now, key);
        }
    }

    /// A queue at its limit refuses a message.
    fn refuse_publish(
        &mut self,
        key: QueueKey,
        message: Arc<Message>,
        overflow: Overflow,
        confirm: Option<(ChannelKey, u64)>,
    ) {
        if overflow == Overflow::RejectPublishDlx {
            self.bury(key, message, Reason::MaxLength);
        }
        if let Some((channel, seqno)) = confirm {
            self.settle_publish(channel, seqno, Verdict::Nack);
        }
    }

    /// Drops messages at the head of a queue that is longer than it may be.
    /// Says whether there were any.
    pub(super) fn drop_head(&mut self, now: Instant, key: QueueKey) -> bool {
        let mut has_dropped = false;
        while let Some(queue) = self.queues.get_mut(key)
            && queue.is_too_long()
            && let Some(entry) = queue.ready.pop()
        {
            has_dropped = true;
            self.die(now, key, entry, Reason::MaxLength);
        }
        has_dropped
    }

    /// As [`Broker::expire`], for a moment at which nothing has changed: in a queue
    /// with priorities, a message that has gone ahead of others is not noticed then.
    pub(super) fn notice_expired(&mut self, now: Instant, key: QueueKey) {
        if self.queues.get(key).is_some_and(|queue| !queue.ready.has_levels()) {
            self.expire(now, key);
        }
    }

    /// Hands out ready messages for as long as a consumer can take one.
    pub(super) fn run_queue(&mut self, now: Instant, key: QueueKey) {
        self.notice_expired(now, key);
        match self.queues.get(key).map(|queue| queue.more.kind) {
            Some(QueueType::Classic) => self.hand_out(now, key),
            Some(QueueType::Quorum) => self.run_quorum(now, key),
            Some(QueueType::Stream) => self.run_stream(now, key),
            None => {}
        }
    }

    /// A quorum queue hands out what the consumers may take, then sees whether it is
    /// too long, and then hears of what was acknowledged automatically.
    fn run_quorum(&mut self, now: Instant, key: QueueKey) {
        loop {
            self.hand_out_grouped(now, key);
            if self.drop_head(now, key) {
                self.expire(now, key);
            }
            let Some((consumer, count)) = self.queue_mut(key).more.acknowledged.pop_front() else {
                return;
            };
            if let Some(channel) = self.consumers.get(consumer).map(|consumer| consumer.channel) {
                self.refund(channel, key, Some(consumer), count);
            }
        }
    }

    fn hand_out(&mut self, now: Instant, key: QueueKey) {
        while self.queues.get(key).is_some_and(|queue| !queue.ready.is_empty())
            && let Some(consumer) = self.next_consumer(key)
        {
            let queue = self.queue_mut(key);
            let entry = queue.ready.pop().expect("a queue that is not empty has a next message");
            let next_expires = queue.head_expires();
            if let Some(entry) = self.give(now, consumer, entry) {
                self.leave(now, key, entry);
            }
            if next_expires {
                self.expire(now, key);
            }
        }
    }

    /// As [`Broker::hand_out`], but each consumer is sent all it gets together, in the
    /// order of their tags and then of their channels.
    fn hand_out_grouped(&mut self, now: Instant, key: QueueKey) {
        let mut taken = Vec::new();
        while self.queues.get(key).is_some_and(|queue| !queue.ready.is_empty())
            && let Some(consumer) = self.next_consumer(key)
        {
            let queue = self.queue_mut(key);
            let entry = queue.ready.pop().expect("a queue that is not empty has a next message");
            let next_expires = queue.head_expires();
            self.reserve(consumer);
            taken.push((consumer, entry));
            if next_expires {
                self.expire(now, key);
            }
        }
        let place = |key: ConsumerKey| {
            let consumer = self.consumer(key);
            (&consumer.tag, consumer.channel)
        };
        taken.sort_by(|(a, _), (b, _)| place(*a).cmp(&place(*b)));
        for (consumer, entry) in taken {
            if let Some(entry) = self.give(now, consumer, entry) {
                self.leave(now, key, entry);
            }
        }
    }

    /// A consumer that is to be given a message of a quorum queue has one credit less.
    fn reserve(&mut self, key: ConsumerKey) {
        let consumer = self.consumers.get_mut(key).expect("the consumer was just chosen");
        consumer.spend();
        if consumer.ack_required {
            let channel = self.channels.get_mut(consumer.channel);
            channel.expect("a consumer's channel is open").limiter.sent();
        }
        let queue = self.queues.get_mut(consumer.queue).expect("a consumer's queue exists");
        if !consumer.has_credit() {
            // A quorum queue looks at credit before it asks.
            queue.ring.retain(|other| other != key);
            queue.more.blocked.push(key);
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
                    self.timers.set(at, Timer::Queue(key, OfQueue::Head));
                }
                return;
            }
            if let Some(entry) = queue.ready.pop() {
                self.die(now, key, entry, Reason::Expired);
            }
        }
    }

    /// The consumer whose turn it is, moved to the tail of the ring. Those at
    /// the head that cannot take a message leave the ring on the way.
    fn next_consumer(&mut self, key: QueueKey) -> Option<ConsumerKey> {
        let queue = self.queues.get_mut(key)?;
        if queue.more.single_active {
            return self.active_consumer(key);
        }
        while let Some(head) = queue.ring.head() {
            let consumer = self.consumers.get(head).expect("a ring holds live consumers");
            let channel =
                self.channels.get_mut(consumer.channel).expect("a consumer's channel is open");
            if !channel.limiter.is_suspended(key)
                && consumer.has_credit()
                && channel.limiter.admits(key)
            {
                let consumers = &self.consumers;
                queue.ring.rotate(|c| consumers.get(c).map_or(0, |c| c.priority));
                return Some(head);
            }
            queue.ring.pop();
            queue.more.blocked.push(head);
        }
        None
    }

    /// The one consumer that gets messages, if it can take one.
    fn active_consumer(&mut self, key: QueueKey) -> Option<ConsumerKey> {
        let queue = self.queues.get_mut(key)?;
        let active = *queue.more.active.get_or_insert(queue.ring.head()?);
        let consumer = self.consumers.get(active).expect("an active consumer is alive");
        let channel =
            self.channels.get_mut(consumer.channel).expect("a consumer's channel is open");
        let can_take = !channel.limiter.is_suspended(key)
            && consumer.has_credit()
            && channel.limiter.admits(key);
        can_take.then_some(active)
    }

    /// Sends a message to a consumer. Gives it back if it needs no
    /// acknowledgement: it is done with.
    fn give(&mut self, now: Instant, key: ConsumerKey, entry: Entry) -> Option<Entry> {
        let consumer = self.consumers.get_mut(key).expect("the consumer was just chosen");
        let queue = self.queues.get_mut(consumer.queue).expect("a consumer's queue exists");
        let message = match queue.is_plain {
            true => Arc::clone(&entry.message),
            false => queue.more.delivery_counts.shown(&entry),
        };
        // Its consumers' credit is spent already.
        let is_quorum = !queue.is_plain && queue.more.kind == QueueType::Quorum;
        let counters = &mut queue.more.counters;
        counters.redeliver += u64::from(entry.redelivered());
        counters.deliver += u64::from(consumer.ack_required);
        counters.deliver_no_ack += u64::from(!consumer.ack_required);
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
                message,
            },
        });
        if !consumer.ack_required {
            if is_quorum {
                queue.more.acknowledges(key);
            }
            return Some(entry);
        }
        if !is_quorum {
            consumer.spend();
            channel.limiter.sent();
        }
        queue.unacked += 1;
        let (owner, channel_key) = (consumer.queue, consumer.channel);
        self.hold(now, channel_key, tag, Unacked { queue: owner, consumer: Some(key), entry });
        None
    }

    /// A channel holds a delivery until it is settled.
    pub(super) fn hold(&mut self, now: Instant, key: ChannelKey, tag: u64, unacked: Unacked) {
        let channel = self.channels.get_mut(key).expect("who is given a message is there");
        channel.unacked.push(now, tag, unacked);
        if channel.timeout_armed.is_none() {
            self.watch_deliveries(key);
        }
    }

    /// Sees to it that a channel is looked at when its oldest delivery is too old.
    pub(super) fn watch_deliveries(&mut self, key: ChannelKey) {
        let Some(timeout) = self.options.consumer_timeout() else { return };
        let Some(channel) = self.channels.get_mut(key) else { return };
        let due = channel.unacked.oldest().map(|oldest| oldest.saturating_add(timeout));
        if let Some(at) = due
            && channel.timeout_armed.is_none_or(|armed| at < armed)
        {
            channel.timeout_armed = Some(at);
            self.timers.set(at, Timer::Channel(key));
        }
    }

    /// A message has left its queue for good.
    pub(super) fn leave(&mut self, now: Instant, key: QueueKey, entry: Entry) {
        let queue = self.queues.get_mut(key).expect("the queue was just looked at");
        let expiry = if entry.expires() { queue.more.expiries.remove(&entry) } else { None };
        let keeps = queue.keeps(&entry.message);
        if !queue.is_plain {
            queue.more.delivery_counts.remove(entry.position());
        }
        if let Some(journal) = &mut queue.journal {
            if keeps {
                journal.ack(now, entry, expiry);
                self.timers.arm_journal(key, journal);
            } else {
                journal.touch(now);
            }
        }
    }

    /// A message leaves its queue, which gives it up.
    pub(super) fn die(&mut self, now: Instant, key: QueueKey, entry: Entry, reason: Reason) {
        self.bury(key, Arc::clone(&entry.message), reason);
        self.leave(now, key, entry);
    }

    /// The channel's blocked consumers of a queue that have credit again join
    /// the ring, at its tail and in the order they left it.
    pub(super) fn unblock(&mut self, channel: ChannelKey, key: QueueKey) {
        let consumers = &self.consumers;
        let Some(Queue { more, ring, .. }) = self.queues.get_mut(key) else {
            return;
        };
        let has_priorities = more.has_priorities();
        more.blocked.retain(|&blocked| {
            let consumer = consumers.get(blocked).expect("a queue holds live consumers");
            let stays = consumer.channel != channel || !consumer.has_credit();
            if !stays {
                join(ring, consumers, blocked, has_priorities);
            }
            stays
        });
    }

    /// A new consumer of a queue takes its turn with the others, if it may take
    /// anything.
    pub(super) fn join_ring(&mut self, key: ConsumerKey) {
        let Broker { queues, consumers, .. } = self;
        let consumer = consumers.get(key).expect("it has just come");
        let queue = queues.get_mut(consumer.queue).expect("a consumer's queue exists");
        if consumer.has_credit() {
            let has_priorities = queue.more.has_priorities();
            join(&mut queue.ring, consumers, key, has_priorities);
        } else {
            queue.more.blocked.push(key);
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

    pub(super) fn consumer(&self, key: ConsumerKey) -> &Consumer {
        self.consumers.get(key).expect("the consumer was just chosen")
    }

    /// A queue that is known to exist.
    pub(crate) fn queue_mut(&mut self, key: QueueKey) -> &mut Queue {
        self.queues.get_mut(key).expect("the queue was just looked up")
    }
}

/// A consumer joins a ring: at a place that was kept for it, or behind those of its
/// priority.
fn join(ring: &mut Ring, consumers: &Arena<Consumer>, key: ConsumerKey, has_priorities: bool) {
    let consumer = consumers.get(key).expect("a queue holds live consumers");
    if !ring.come_again(key, consumer.channel, &consumer.tag) {
        let priority_of = |c: &Consumer| if has_priorities { c.priority } else { 0 };
        let priority = priority_of(consumer);
        ring.insert(key, priority, |c| consumers.get(c).map_or(0, priority_of));
    }
}
