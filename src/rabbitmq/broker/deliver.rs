//! Delivering: which consumer gets the next message.
//!
//! The invariant that everything here keeps: after a method, a queue with ready messages has no
//! consumer that could take one. There is one exception, as in the server: when the single active
//! consumer of a classic queue is cancelled, its successor waits until something else happens to
//! the queue.

use super::Broker;
use super::options::BrokerOptions;
use super::stage::Outputs;
use super::timer::{Timer, Timers};
use crate::Instant;
use crate::rabbitmq::channel::Channel;
use crate::rabbitmq::channel::consumer::Consumer;
use crate::rabbitmq::channel::unacked::Unacked;
use crate::rabbitmq::key::{Arena, ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::id::DeliveryTag;
use crate::rabbitmq::protocol::message::Entry;
use crate::rabbitmq::protocol::method::{Event, Output};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::FieldValue;
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::kind::Kind;
use crate::rabbitmq::queue::ring::Ring;
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

impl Broker {
    /// Delivers ready messages as long as a consumer can take one.
    pub(super) fn run_queue(&mut self, now: Instant, key: QueueKey) {
        if self.queues.get(key).is_some_and(|queue| queue.is_plain && queue.ready.is_empty()) {
            return;
        }
        self.notice_expired(now, key);
        match self.queues.get(key).map(|queue| queue.cold.kind.queue_type()) {
            Some(QueueType::Classic) => self.hand_out(now, key),
            Some(QueueType::Quorum) => self.run_quorum(now, key),
            Some(QueueType::Stream) => self.run_stream(now, key),
            None => {}
        }
    }

    /// Delivers from a quorum queue what its consumers may take, then checks its length, then
    /// processes automatic acknowledgements.
    fn run_quorum(&mut self, now: Instant, key: QueueKey) {
        loop {
            self.hand_out_grouped(now, key);
            if self.drop_head(now, key) {
                self.expire(now, key);
            }
            let quorum = self.queue_mut(key).cold.kind.quorum_mut();
            let acknowledged = quorum.and_then(|quorum| quorum.acknowledged.pop_front());
            let Some((consumer, count)) = acknowledged else { return };
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

    /// As [`Broker::hand_out`], but each consumer gets its messages together, sorted by tag and
    /// then by channel, or since RabbitMQ 4 by age.
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
        if self.profile().quorum.knows_consumers_by_tag {
            let place = |key: ConsumerKey| {
                let consumer = self.consumer(key);
                (&consumer.tag, consumer.channel)
            };
            taken.sort_by(|(a, _), (b, _)| place(*a).cmp(&place(*b)));
        } else {
            taken.sort_by_key(|(consumer, _)| self.serial_of(*consumer));
        }
        for (consumer, entry) in taken {
            if let Some(entry) = self.give(now, consumer, entry) {
                self.leave(now, key, entry);
            }
        }
    }

    /// Spends a consumer's credit for a message of a quorum queue, before the message is sent.
    pub(super) fn reserve(&mut self, key: ConsumerKey) {
        let consumer =
            self.consumers.get_mut(key).expect("the caller has just chosen this consumer");
        consumer.spend();
        if consumer.ack_required {
            let channel = self.channels.get_mut(consumer.channel);
            channel.expect("a consumer is removed before its channel closes").limiter.sent();
        }
        let queue =
            self.queues.get_mut(consumer.queue).expect("a consumer is removed before its queue");
        if !consumer.has_credit() {
            // A quorum queue checks credit before it asks a consumer.
            queue.ring.take(key);
            queue.cold.blocked.push_back(key);
            consumer.is_blocked = true;
        }
    }

    /// Returns the consumer that has the turn, and moves it to the tail of the ring. Consumers at
    /// the head that cannot take a message leave the ring.
    pub(super) fn next_consumer(&mut self, key: QueueKey) -> Option<ConsumerKey> {
        let queue = self.queues.get_mut(key)?;
        if !queue.is_plain && queue.cold.single_active {
            return self.active_consumer(key);
        }
        take_turn(key, queue, &mut self.consumers, &mut self.channels)
    }

    /// Returns the single active consumer, if it can take a message.
    fn active_consumer(&mut self, key: QueueKey) -> Option<ConsumerKey> {
        let queue = self.queues.get_mut(key)?;
        let mut active = match queue.cold.active {
            Some(active) => active,
            None => {
                let first = first_waiting(queue, &self.consumers)?;
                *queue.cold.active.insert(first)
            }
        };
        if queue.cold.kind.prefers_higher_standby() {
            active = self.make_way(key, active)?;
        }
        let consumer =
            self.consumers.get(active).expect("a queue forgets an active consumer that is gone");
        let channel = self
            .channels
            .get_mut(consumer.channel)
            .expect("a consumer is removed before its channel closes");
        let can_take = !channel.limiter.is_suspended(key)
            && consumer.has_credit()
            && channel.limiter.admits(key);
        can_take.then_some(active)
    }

    /// Returns the single active consumer of a quorum queue after a look at those that stand by:
    /// one with a higher priority takes over, but only when the active one holds nothing. Until
    /// then nobody gets a message, even if the other one leaves.
    fn make_way(&mut self, key: QueueKey, active: ConsumerKey) -> Option<ConsumerKey> {
        let queue = self.queues.get(key)?;
        let priority = |key: ConsumerKey| self.consumers.get(key).map(Consumer::priority);
        // The head has the highest priority, if not the first place among those that have it.
        let head = queue.ring.head().unwrap_or(active);
        let is_outranked = head != active && priority(head) > priority(active);
        if !is_outranked && !queue.cold.kind.is_quiescing(active) {
            return Some(active);
        }
        let first = first_waiting(queue, &self.consumers).unwrap_or(active);
        let holds = |unacked: &Unacked| unacked.consumer == Some(active);
        let has_to_wait = self.held_by_clients().any(holds);
        let queue = self.queue_mut(key);
        if let Some(quorum) = queue.cold.kind.quorum_mut() {
            quorum.quiescing = has_to_wait.then_some(active);
        }
        if has_to_wait {
            return None;
        }
        queue.cold.active = Some(first);
        Some(first)
    }

    /// Returns the age of a consumer of a quorum queue, by which RabbitMQ 4 orders them.
    pub(super) fn serial_of(&self, key: ConsumerKey) -> u32 {
        let queue = self.consumers.get(key).and_then(|consumer| self.queues.get(consumer.queue));
        match queue.map(|queue| &queue.cold.kind) {
            Some(Kind::Quorum(quorum)) => quorum.serials.get(&key).copied().unwrap_or_default(),
            Some(Kind::Classic | Kind::Stream(_)) | None => 0,
        }
    }

    /// Sends a message to a consumer. Returns the entry if it needs no acknowledgement, and so has
    /// left the queue.
    pub(super) fn give(&mut self, now: Instant, key: ConsumerKey, entry: Entry) -> Option<Entry> {
        if self.tells() {
            self.tell_given(key, &entry);
        }
        let Broker { queues, consumers, channels, outputs, options, timers, .. } = self;
        let consumer = consumers.get_mut(key).expect("the caller has just chosen this consumer");
        let queue = queues.get_mut(consumer.queue).expect("a consumer is removed before its queue");
        let channel = channels.get_mut(consumer.channel);
        let channel = channel.expect("a consumer is removed before its channel closes");
        let at_work = Delivery { queue, consumer, channel, outputs, options, timers };
        at_work.send(now, key, entry)
    }

    fn tell_given(&mut self, key: ConsumerKey, entry: &Entry) {
        let queue = self.consumer(key).queue;
        if let Some((channel, tag, ack_required)) = self.next_delivery(key) {
            self.tell_delivered((queue, channel), entry, tag, ack_required);
        }
    }

    /// Makes a channel hold a delivery until it is settled.
    pub(super) fn hold(&mut self, now: Instant, key: ChannelKey, tag: u64, unacked: Unacked) {
        let channel =
            self.channels.get_mut(key).expect("a message is delivered on an open channel only");
        let own = self.queues.get(unacked.queue).filter(|queue| !queue.is_plain);
        let own = own.and_then(|queue| own_timeout(queue, None, &self.options));
        channel.unacked.push(now, tag, unacked);
        if let Some(timeout) = own {
            watch_until(now.saturating_add(timeout), key, channel, &mut self.timers);
        }
        if channel.timeout_armed.is_none() {
            self.watch_deliveries(key);
        }
    }

    /// Arms the timer that checks a channel when its oldest delivery is too old.
    pub(super) fn watch_deliveries(&mut self, key: ChannelKey) {
        if let Some(channel) = self.channels.get_mut(key) {
            watch(key, channel, &self.options, &mut self.timers);
        }
    }

    /// Returns the channel's blocked consumers of a queue to the ring if they have credit again: at
    /// its tail, in the order in which they left it.
    pub(super) fn unblock(&mut self, channel: ChannelKey, key: QueueKey) {
        let Broker { queues, consumers, channels, .. } = self;
        let Some(Queue { cold, ring, .. }) = queues.get_mut(key) else {
            return;
        };
        let may_join = |blocked: &ConsumerKey| {
            let consumer = consumers.get(*blocked).expect("a queue lists live consumers only");
            consumer.is_blocked
                && consumer.channel == channel
                && consumer.has_credit()
                && !cold.kind.is_timed_out(*blocked)
        };
        let own = channels.get(channel).map(|channel| &channel.consumers);
        let joining: SmallVec<[ConsumerKey; 4]> = match own {
            // Most channels have one consumer, while the queue may have many that are blocked.
            Some(own) if own.len() == 1 && cold.blocked.len() > 0 => {
                let is_here = |c: &&ConsumerKey| consumers.get(**c).is_some_and(|c| c.queue == key);
                own.values().filter(is_here).copied().filter(may_join).collect()
            }
            _ => cold.blocked.iter().filter(may_join).collect(),
        };
        let has_priorities = cold.has_priorities();
        for key in joining {
            cold.blocked.take(key);
            if let Some(consumer) = consumers.get_mut(key) {
                consumer.is_blocked = false;
            }
            join(ring, consumers, key, has_priorities);
        }
    }

    /// Adds a new consumer to the ring of its queue, if it has credit.
    pub(super) fn join_ring(&mut self, key: ConsumerKey) {
        let Broker { queues, consumers, .. } = self;
        let consumer = consumers.get_mut(key).expect("the caller has just inserted this consumer");
        let queue = queues.get_mut(consumer.queue).expect("a consumer is removed before its queue");
        if consumer.has_credit() {
            let has_priorities = queue.cold.has_priorities();
            join(&mut queue.ring, consumers, key, has_priorities);
        } else {
            queue.cold.blocked.push_back(key);
            consumer.is_blocked = true;
        }
    }

    /// Delivers from queues that were suspended for this channel, in the order in which they were
    /// refused.
    pub(super) fn resume(&mut self, now: Instant, channel: ChannelKey, queues: Vec<QueueKey>) {
        for queue in queues {
            self.unblock(channel, queue);
            self.run_queue(now, queue);
        }
    }

    pub(super) fn consumer(&self, key: ConsumerKey) -> &Consumer {
        self.consumers.get(key).expect("the caller has just chosen this consumer")
    }
}

/// Everything that a delivery touches.
pub(super) struct Delivery<'a> {
    pub(super) queue: &'a mut Queue,
    pub(super) consumer: &'a mut Consumer,
    pub(super) channel: &'a mut Channel,
    pub(super) outputs: &'a mut Outputs,
    pub(super) options: &'a BrokerOptions,
    pub(super) timers: &'a mut Timers,
}

impl Delivery<'_> {
    /// Sends a message to the consumer, which has this key. Returns the entry if it needs no
    /// acknowledgement, and so has left the queue.
    #[inline]
    pub(super) fn send(self, now: Instant, key: ConsumerKey, entry: Entry) -> Option<Entry> {
        let Delivery { queue, consumer, channel, outputs, options, timers } = self;
        let message = match queue.is_plain {
            true => Arc::clone(&entry.message),
            false => queue.shown(&entry),
        };
        let tag = channel.next_tag();
        let redelivered = entry.redelivered();
        if redelivered {
            queue.cold.counts.redeliver += 1;
        }
        outputs.push(Output {
            connection: channel.id.connection,
            channel: channel.id.number,
            event: Event::Deliver {
                consumer_tag: consumer.tag.clone(),
                delivery_tag: DeliveryTag(tag),
                redelivered,
                message,
            },
        });
        // The consumer's credit was spent by `reserve`.
        let is_reserved = !queue.is_plain && queue.cold.kind.reserves_credit();
        if !consumer.ack_required {
            queue.cold.counts.deliver_no_ack += 1;
            if is_reserved && let Some(quorum) = queue.cold.kind.quorum_mut() {
                quorum.acknowledges(key);
            }
            return Some(entry);
        }
        if !is_reserved {
            consumer.spend();
            channel.limiter.sent();
        }
        queue.counts.deliver += 1;
        queue.unacked += 1;
        let unacked = Unacked { queue: consumer.queue, consumer: Some(key), entry };
        channel.unacked.push(now, tag, unacked);
        if channel.timeout_armed.is_none() {
            watch(consumer.channel, channel, options, timers);
        }
        if !queue.is_plain
            && let Some(timeout) = own_timeout(queue, Some(consumer), options)
        {
            watch_until(now.saturating_add(timeout), consumer.channel, channel, timers);
        }
        None
    }
}

/// Returns the consumer that is next at a queue with a single active consumer. RabbitMQ 4 sorts
/// those of a quorum queue: by priority, by how much they may hold, and by age.
///
/// Source: `rabbit_fifo.erl` (`sort_waiting`).
pub(super) fn first_waiting(queue: &Queue, consumers: &Arena<Consumer>) -> Option<ConsumerKey> {
    let Kind::Quorum(quorum) = &queue.cold.kind else { return queue.ring.head() };
    if !quorum.rules.prefers_higher_standby {
        return queue.ring.head();
    }
    queue.ring.iter().max_by_key(|key| {
        let consumer = consumers.get(*key);
        let rank = consumer.map(|consumer| (consumer.priority(), consumer.credit()));
        (rank, Reverse(quorum.serials.get(key).copied()))
    })
}

/// Returns the consumer of a queue that has the turn, and moves it to the tail of the ring.
/// Consumers at the head that cannot take a message leave the ring.
#[inline]
pub(super) fn take_turn(
    key: QueueKey,
    queue: &mut Queue,
    consumers: &mut Arena<Consumer>,
    channels: &mut Arena<Channel>,
) -> Option<ConsumerKey> {
    while let Some(head) = queue.ring.head() {
        let Some(consumer) = consumers.get_mut(head) else {
            queue.ring.pass_over_head();
            continue;
        };
        let channel = channels.get_mut(consumer.channel);
        let channel = channel.expect("a consumer is removed before its channel closes");
        if !channel.limiter.is_suspended(key)
            && consumer.has_credit()
            && channel.limiter.admits(key)
        {
            queue.ring.rotate(|c| consumers.get(c).map_or(0, Consumer::priority));
            return Some(head);
        }
        consumer.is_blocked = true;
        queue.ring.pop();
        queue.cold.blocked.push_back(head);
    }
    None
}

/// Arms the timer that checks a channel when its oldest delivery is too old.
#[inline(never)]
fn watch(key: ChannelKey, channel: &mut Channel, options: &BrokerOptions, timers: &mut Timers) {
    let Some(timeout) = options.consumer_timeout() else { return };
    let due = channel.unacked.oldest().map(|oldest| oldest.saturating_add(timeout));
    if let Some(at) = due
        && channel.timeout_armed.is_none_or(|armed| at < armed)
    {
        channel.timeout_armed = Some(at);
        timers.set(at, Timer::Channel(key));
    }
}

/// Returns how long a delivery may be unacknowledged, if its consumer or its queue says so.
pub(super) fn own_timeout(
    queue: &Queue,
    consumer: Option<&Consumer>,
    options: &BrokerOptions,
) -> Option<Duration> {
    let rules = &options.version().profile().settings;
    let argument = consumer.and_then(|consumer| consumer.arguments().get("x-consumer-timeout"));
    let argument = argument.filter(|_| queue.cold.kind.takes_consumer_timeouts(rules));
    let millis = argument.and_then(FieldValue::as_integer).and_then(|n| u64::try_from(n).ok());
    millis.map(Duration::from_millis).or(queue.cold.settings.consumer_timeout)
}

/// Arms the timer that checks a channel, if it would not fire by this moment anyway.
pub(super) fn watch_until(
    at: Instant,
    key: ChannelKey,
    channel: &mut Channel,
    timers: &mut Timers,
) {
    if channel.timeout_armed.is_none_or(|armed| at < armed) {
        channel.timeout_armed = Some(at);
        timers.set(at, Timer::Channel(key));
    }
}

/// Adds a consumer to a ring: at a place that was kept for it, or behind those of its priority.
fn join(ring: &mut Ring, consumers: &Arena<Consumer>, key: ConsumerKey, has_priorities: bool) {
    let consumer = consumers.get(key).expect("a queue lists live consumers only");
    if !ring.resubscribe(key, consumer.channel, &consumer.tag) {
        let priority_of = |c: &Consumer| if has_priorities { c.priority() } else { 0 };
        let priority = priority_of(consumer);
        ring.insert(key, priority, |c| consumers.get(c).map_or(0, priority_of));
    }
}
