//! Settling deliveries: acknowledged, rejected, or returned to their queues.
//!
//! A method that settles several deliveries does so queue by queue, and for each queue by consumer
//! tag, as the server does.

use super::Broker;
use super::story::Fate;
use super::timer::{OfQueue, Timer};
use crate::Instant;
use crate::rabbitmq::channel::transaction::{Outcome, Settle};
use crate::rabbitmq::channel::unacked::Unacked;
use crate::rabbitmq::key::{ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::message::Entry;
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::dead_letter::Reason;
use crate::rabbitmq::queue::kind::Kind;
use crate::rabbitmq::queue::quorum::exceeds_delivery_limit;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Why messages return to their queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    /// A consumer requeues them.
    Requeued(Outcome),
    /// Their consumer or its channel is gone.
    Lost,
}

impl Return {
    fn words(self) -> &'static str {
        match self {
            Return::Requeued(_) => "its consumer requeued it",
            Return::Lost => "its consumer or its channel was gone",
        }
    }
}

impl Broker {
    /// Settles one delivery of a channel.
    pub(super) fn settle_one(
        &mut self,
        now: Instant,
        channel: ChannelKey,
        unacked: Unacked,
        how: Settle,
    ) {
        let is_delivery = unacked.consumer.is_some();
        match self.queues.get_mut(unacked.queue) {
            Some(queue) if queue.is_plain && how == Settle::Ack && self.story.is_none() => {
                queue.unacked -= 1;
                queue.counts.ack += 1;
                let Unacked { queue: key, consumer, entry } = unacked;
                let has_more = queue.journal.is_some() || entry.expires();
                let unblocked = self.refund(channel, key, consumer, 1);
                if has_more {
                    self.leave(now, key, entry);
                } else {
                    drop(entry);
                }
                if unblocked {
                    self.run_queue(now, key);
                }
            }
            Some(_) => self.settle_at_queue(now, channel, unacked, how),
            None => {}
        }
        self.below_limit(now, channel, usize::from(is_delivery));
    }

    /// Settles one delivery, except for the channel's shared limit.
    fn settle_at_queue(
        &mut self,
        now: Instant,
        channel: ChannelKey,
        unacked: Unacked,
        how: Settle,
    ) {
        if self.settles_released(channel, &unacked, how) {
            return self.run_queue(now, unacked.queue);
        }
        let Unacked { queue, consumer, entry } = unacked;
        if let Some(owner) = self.queues.get_mut(queue) {
            owner.unacked -= 1;
            let is_kept = owner.cold.kind.keeps_consumed();
            let frees_place = owner.frees_place();
            owner.counts.ack += u64::from(is_kept && how == Settle::Ack);
            let unblocked = self.refund(channel, queue, consumer, 1);
            if !is_kept {
                match how {
                    Settle::Ack => self.acknowledged(now, queue, entry),
                    Settle::Reject(outcome) => self.reject(now, queue, entry, outcome),
                    Settle::Requeue(outcome) => {
                        let why = Return::Requeued(outcome);
                        let died = self.put_back(now, queue, vec![entry], why);
                        self.refund(channel, queue, consumer, died);
                    }
                }
            }
            if unblocked || is_kept || frees_place || how.is_requeue() {
                self.run_queue(now, queue);
            }
        }
    }

    fn acknowledged(&mut self, now: Instant, key: QueueKey, entry: Entry) {
        self.queue_mut(key).counts.ack += 1;
        self.tell_of(key, entry.position(), |queue| Fate::Acknowledged { queue });
        self.leave(now, key, entry);
    }

    /// Gives up a message that its consumer rejects.
    fn reject(&mut self, now: Instant, key: QueueKey, mut entry: Entry, outcome: Outcome) {
        let profile = self.profile();
        // Where all deliveries count, both methods that reject count as failures.
        let has_failed = outcome == Outcome::Failed || !profile.quorum.counts_failures_only;
        match self.queues.get_mut(key).map(|queue| &mut queue.cold.kind) {
            Some(Kind::Quorum(quorum)) => {
                quorum.delivery_counts.came_back(entry.position(), has_failed);
            }
            Some(Kind::Classic) if profile.classic_counts_failures && has_failed => {
                entry = entry.failed();
            }
            Some(Kind::Classic | Kind::Stream(_)) | None => {}
        }
        self.die(now, key, entry, Reason::Rejected);
    }

    /// Settles deliveries of a channel: queue by queue, and for each queue by consumer tag.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        channel: ChannelKey,
        taken: Vec<(u64, Unacked)>,
        how: Settle,
    ) {
        let mut taken: Vec<Unacked> = taken.into_iter().map(|(_, unacked)| unacked).collect();
        let delivered = taken.iter().filter(|unacked| unacked.consumer.is_some()).count();
        taken.sort_by(|a, b| {
            let by_position = || match self.queues.get(a.queue) {
                Some(queue) if how.is_requeue() && queue.cold.kind.returns_by_position() => {
                    a.entry.position().cmp(&b.entry.position())
                }
                // Everything else keeps the order of delivery tags.
                Some(_) | None => Ordering::Equal,
            };
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

    /// The order in which the server settles deliveries of a channel: queue by queue, and for each
    /// queue by consumer tag, fetched messages first. A cancelled consumer counts by its tag.
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

    /// Settles deliveries of one queue to consumers of one tag, of which at most one is not
    /// cancelled.
    fn settle_group(
        &mut self,
        now: Instant,
        channel: ChannelKey,
        mut group: Vec<Unacked>,
        how: Settle,
    ) {
        let queue = group[0].queue;
        group.retain(|unacked| !self.settles_released(channel, unacked, how));
        if group.is_empty() {
            return self.run_queue(now, queue);
        }
        if how.is_requeue() && self.queues.get(queue).is_some_and(Queue::requeues_singly) {
            for unacked in group {
                self.settle_at_queue(now, channel, unacked, how);
            }
            return;
        }
        let is_live = |key: &ConsumerKey| self.consumers.get(*key).is_some();
        let consumer = group.iter().find_map(|unacked| unacked.consumer.filter(is_live));
        let Some(owner) = self.queues.get_mut(queue) else {
            return;
        };
        let (consumer, its_own) = match owner.cold.kind.keeps_credit_by_tag() {
            true => (consumer.or(group[0].consumer), group.len()),
            false => {
                let is_its_own = |unacked: &&Unacked| unacked.consumer == consumer;
                (consumer, group.iter().filter(is_its_own).count())
            }
        };
        owner.unacked -= group.len() as u32;
        let is_kept = owner.cold.kind.keeps_consumed();
        let frees_place = owner.frees_place();
        if is_kept && how == Settle::Ack {
            owner.counts.ack += group.len() as u64;
        }
        let unblocked = self.refund(channel, queue, consumer, its_own);
        if self.queues.get(queue).is_some_and(|queue| queue.ring.keeps_places()) {
            let is_gone = |key: &ConsumerKey| self.consumers.get(*key).is_none();
            let gone = group.iter().filter_map(|unacked| unacked.consumer.filter(is_gone));
            let gone: BTreeSet<ConsumerKey> = gone.collect();
            for consumer in gone {
                self.settled_after_cancel(channel, queue, consumer);
            }
        }
        let entries = group.into_iter().map(|unacked| unacked.entry);
        match how {
            _ if is_kept => {}
            Settle::Ack => entries.for_each(|entry| self.acknowledged(now, queue, entry)),
            Settle::Reject(outcome) => {
                entries.for_each(|entry| self.reject(now, queue, entry, outcome));
            }
            Settle::Requeue(outcome) => {
                let why = Return::Requeued(outcome);
                let died = self.put_back(now, queue, entries.collect(), why);
                self.refund(channel, queue, consumer, died);
            }
        }
        if unblocked || is_kept || frees_place || how.is_requeue() {
            self.run_queue(now, queue);
        }
    }

    /// Returns credit for deliveries to their consumer. Returns whether blocked consumers may be
    /// back in the ring.
    #[inline]
    pub(super) fn refund(
        &mut self,
        channel: ChannelKey,
        key: QueueKey,
        consumer: Option<ConsumerKey>,
        count: usize,
    ) -> bool {
        let Some(consumer) = consumer else { return false };
        let credited = match self.consumers.get(consumer) {
            Some(_) => Some(consumer),
            None => self.heir_of(channel, key, consumer),
        };
        let Some(of) = credited.and_then(|consumer| self.consumers.get_mut(consumer)) else {
            self.settled_after_cancel(channel, key, consumer);
            return false;
        };
        let was_at_limit = of.refund(count);
        if was_at_limit {
            self.unblock(channel, key);
        }
        was_at_limit
    }

    /// Returns the consumer of a classic queue that has the tag of a cancelled one of its channel:
    /// the queue keeps credit by tags.
    #[cold]
    fn heir_of(
        &self,
        channel: ChannelKey,
        key: QueueKey,
        cancelled: ConsumerKey,
    ) -> Option<ConsumerKey> {
        self.queues.get(key).filter(|queue| queue.cold.kind.keeps_credit_by_tag())?;
        let channel = self.channels.get(channel)?;
        let heir = *channel.consumers.get(channel.cancelled_tag(cancelled)?)?;
        self.consumers.get(heir).is_some_and(|heir| heir.queue == key).then_some(heir)
    }

    /// A delivery to a consumer was settled after it was cancelled.
    #[cold]
    fn settled_after_cancel(&mut self, channel: ChannelKey, key: QueueKey, consumer: ConsumerKey) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        if queue.ring.keeps_places()
            && !self.channels.get(channel).is_some_and(|of| of.holds_any_of(consumer))
        {
            queue.ring.holds_nothing(consumer);
        }
    }

    /// Returns messages to their places; those of a classic queue are given in order of position.
    /// Returns for how many credit is to be returned once more.
    pub(super) fn put_back(
        &mut self,
        now: Instant,
        key: QueueKey,
        mut entries: Vec<Entry>,
        why: Return,
    ) -> usize {
        entries = entries.into_iter().map(Entry::again).collect();
        if self.tells() {
            for entry in &entries {
                let why = why.words();
                self.tell_of(key, entry.position(), |queue| Fate::Returned { queue, why });
            }
        }
        let counts_failures = self.profile().classic_counts_failures;
        let queue = self.queue_mut(key);
        queue.touch(now);
        match &queue.cold.kind {
            Kind::Quorum(_) => return self.put_back_quorum(now, key, entries, why, now),
            Kind::Classic | Kind::Stream(_) => {}
        }
        if counts_failures && why != Return::Requeued(Outcome::Released) {
            entries = entries.into_iter().map(Entry::failed).collect();
        }
        queue.ready.restore(entries);
        if !queue.is_plain {
            self.drop_head(now, key);
        }
        // The server checks at this moment, even in a queue with priorities.
        self.expire(now, key);
        0
    }

    /// Counts messages that return to a quorum queue, and gives up those that returned too often.
    /// Of the rest, rejected messages go to the end if there is no delivery limit; all others go to
    /// the front. Consumers may take them before the queue checks its length. A delay counts from
    /// when they were returned.
    pub(super) fn put_back_quorum(
        &mut self,
        now: Instant,
        key: QueueKey,
        entries: Vec<Entry>,
        why: Return,
        returned_at: Instant,
    ) -> usize {
        let mut died = 0;
        let refunds_dead_twice = self.profile().quorum.refunds_dead_twice;
        let counts_failures_only = self.profile().quorum.counts_failures_only;
        let has_failed = match why {
            Return::Requeued(outcome) => counts_failures_only && outcome == Outcome::Failed,
            Return::Lost => true,
        };
        for entry in entries {
            let queue = self.queues.get_mut(key).expect("the caller has just found the queue");
            let Some(quorum) = queue.cold.kind.quorum_mut() else { return died };
            let counts = quorum.delivery_counts.came_back(entry.position(), has_failed);
            let count = if counts_failures_only { counts.failed } else { counts.returned };
            let limit = queue.cold.settings.delivery_limit;
            if exceeds_delivery_limit(count, limit) {
                self.die(now, key, entry, Reason::DeliveryLimit);
                died += usize::from(refunds_dead_twice);
                continue;
            }
            let retry = queue.cold.settings.delayed_retry;
            if let Some(delay) = retry.and_then(|retry| retry.delay(has_failed, counts.failed)) {
                self.delay(returned_at.saturating_add(delay).max(now), key, entry);
                continue;
            }
            let old = entry.position();
            let to_front = !queue.cold.settings.moves_rejected_to_end || why == Return::Lost;
            let position = match queue.cold.kind.quorum_mut() {
                Some(quorum) if to_front => quorum.take_front(),
                Some(_) | None => queue.take_position(),
            };
            let expiry = queue.cold.expiries.remove(&entry);
            if let Some(at) = expiry {
                queue.cold.expiries.insert(position, at);
            }
            if let Some(quorum) = queue.cold.kind.quorum_mut() {
                quorum.delivery_counts.moved(old, position);
            }
            if to_front && let Some(journal) = &mut queue.journal {
                journal.moved_to_front(old, position);
            }
            if !to_front && let Some(journal) = &mut queue.journal {
                // On disk this is an ack plus a new publish.
                journal.publish(now, position, None);
                journal.ack(now, entry.clone(), expiry);
                self.timers.arm_journal(key, journal);
            }
            queue.ready.restore(vec![entry.moved(position)]);
            self.tell_moved(key, old, position);
        }
        died
    }

    /// Keeps a returned message of a quorum queue until it is due.
    fn delay(&mut self, due: Instant, key: QueueKey, entry: Entry) {
        let queue = self.queue_mut(key);
        let bytes = queue.ready.size(&entry);
        if let Some(quorum) = queue.cold.kind.quorum_mut() {
            quorum.delayed.insert(due, entry, bytes);
            self.timers.set(due, Timer::Queue(key, OfQueue::Delayed));
        }
    }

    /// Ends the delays that are over, and delivers their messages.
    pub(super) fn end_delays(&mut self, now: Instant, key: QueueKey) {
        self.return_delayed(now, key);
        if self.queues.get(key).is_some() {
            self.expire(now, key);
            self.run_queue(now, key);
            self.publish_dead_letters(now);
        }
    }

    /// Returns the messages of a quorum queue whose delays are over, behind those that were
    /// returned before.
    pub(super) fn return_delayed(&mut self, now: Instant, key: QueueKey) {
        while let Some(queue) = self.queues.get_mut(key)
            && let Some(quorum) = queue.cold.kind.quorum_mut()
            && let Some(entry) = quorum.delayed.pop_due(now)
        {
            let (old, position) = (entry.position(), quorum.take_front());
            quorum.delivery_counts.moved(old, position);
            if let Some(at) = queue.cold.expiries.remove(&entry) {
                queue.cold.expiries.insert(position, at);
            }
            if let Some(journal) = &mut queue.journal {
                journal.moved_to_front(old, position);
            }
            queue.ready.restore(vec![entry.moved(position)]);
            self.tell_moved(key, old, position);
        }
    }

    /// Counts settled deliveries for the channel's shared limit.
    #[inline]
    fn below_limit(&mut self, now: Instant, key: ChannelKey, settled: usize) {
        if let Some(channel) = self.channels.get_mut(key)
            && channel.limiter.is_on()
        {
            let resumed = channel.limiter.settled(settled);
            self.resume(now, key, resumed);
        }
    }
}
