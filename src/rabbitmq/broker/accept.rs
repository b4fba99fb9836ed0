//! Accepting messages: what a queue does with a message that was routed to it.
//!
//! A queue refuses the message, hands it straight to a consumer, or keeps it; a queue over its
//! length limit then drops messages from its head.

use super::Broker;
use super::deliver::{Delivery, take_turn};
use super::timer::Timers;
use crate::Instant;
use crate::rabbitmq::channel::confirm::Verdict;
use crate::rabbitmq::key::QueueKey;
use crate::rabbitmq::protocol::message::{Entry, Message, Position};
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::dead_letter::Reason;
use crate::rabbitmq::queue::journal::Waiter;
use crate::rabbitmq::queue::kind::Kind;
use crate::rabbitmq::queue::settings::Overflow;
use crate::rabbitmq::version::Profile;
use std::sync::Arc;

impl Broker {
    /// Accepts a message that was routed to a queue, perhaps with an expiry time, or refuses it.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        key: QueueKey,
        mut message: Arc<Message>,
        mut expiry: Option<Instant>,
        confirm: Option<Waiter>,
    ) {
        let queue = self.queues.get_mut(key).expect("a message is routed to live queues only");
        if queue.is_plain && expiry.is_none() && self.story.is_none() {
            return self.accept_plainly(now, key, message, confirm);
        }
        queue.counts.publish += 1;
        if !queue.is_plain {
            let (length, bytes) = (queue.limited_length(), queue.limited_bytes());
            match &mut queue.cold.kind {
                Kind::Classic => {}
                Kind::Quorum(quorum) => {
                    quorum.look_at_length(&queue.cold.settings, length, bytes);
                    if message.properties().verbatim().is_some() {
                        let properties = message.properties().clone().rewritten();
                        message = Arc::new(message.with_properties(properties));
                    }
                }
                Kind::Stream(_) => return self.append(now, key, &message, confirm),
            }
            if let Some(overflow) = queue.refuses(&message) {
                return self.refuse_publish(key, message, overflow, confirm);
            }
            if let Some(ttl) = queue.cold.settings.message_ttl {
                let at = now.saturating_add(ttl);
                expiry = Some(expiry.map_or(at, |own| own.min(at)));
            }
        }
        self.enqueue(now, key, message, expiry, confirm);
    }

    /// Accepts a dead letter, which may have failed before.
    pub(super) fn accept_letter(
        &mut self,
        now: Instant,
        key: QueueKey,
        message: Arc<Message>,
        confirm: Option<Waiter>,
    ) {
        let queue = self.queues.get_mut(key).expect("a message is routed to live queues only");
        if queue.is_plain && message.properties().history().failures > 0 {
            queue.counts.publish += 1;
            return self.enqueue(now, key, message, None, confirm);
        }
        self.accept(now, key, message, None, confirm);
    }

    /// Accepts a message that does not expire at a plain queue, which takes one look at everything.
    #[inline]
    fn accept_plainly(
        &mut self,
        now: Instant,
        key: QueueKey,
        message: Arc<Message>,
        mut confirm: Option<Waiter>,
    ) {
        let Broker { queues, consumers, channels, outputs, options, timers, .. } = self;
        let queue = queues.get_mut(key).expect("a message is routed to live queues only");
        queue.counts.publish += 1;
        let taker = take_turn(key, queue, consumers, channels);
        let taker = taker.and_then(|key| consumers.get_mut(key).map(|consumer| (key, consumer)));
        let position = queue.take_position();
        if queue.journal.is_some() {
            let is_done = taker.as_ref().is_some_and(|(_, consumer)| !consumer.ack_required);
            write_down(now, (key, queue), position, &message, is_done, &mut confirm, timers);
        }
        let entry = Entry::new(message, position);
        match taker {
            Some((key, consumer)) => {
                let channel = channels.get_mut(consumer.channel);
                let channel = channel.expect("a consumer is removed before its channel closes");
                let delivery = Delivery { queue, consumer, channel, outputs, options, timers };
                drop(delivery.send(now, key, entry));
            }
            None => queue.ready.push(entry),
        }
        if let Some(waiter) = confirm {
            self.tell_waiter(waiter, Verdict::Ack);
        }
    }

    fn enqueue(
        &mut self,
        now: Instant,
        key: QueueKey,
        message: Arc<Message>,
        expiry: Option<Instant>,
        mut confirm: Option<Waiter>,
    ) {
        let is_special = |q: &Queue| !q.is_plain && q.cold.single_active && !q.ready.is_empty();
        if self.queues.get(key).is_some_and(is_special) {
            // A new active consumer that did not get the backlog yet gets it before this message.
            self.run_queue(now, key);
        }
        if self.tells() {
            let position = self.queues.get(key).map(|queue| queue.next_position);
            self.tell_enqueued(key, position.unwrap_or_default(), &message);
        }
        let taker = self.next_consumer(key);
        let is_done = taker.is_some_and(|c| !self.consumer(c).ack_required);
        let profile = self.profile();
        let queue = self.queues.get_mut(key).expect("a message is routed to live queues only");
        let position = queue.take_position();
        let timers = &mut self.timers;
        write_down(now, (key, queue), position, &message, is_done, &mut confirm, timers);
        let failures = message.properties().history().failures;
        let mut entry = Entry::new(message, position);
        if failures > 0 {
            entry = inherit(queue, entry, failures.into(), taker.is_some(), profile);
        }
        if let Some(at) = expiry
            && !is_done
        {
            entry = entry.expiring();
            queue.cold.expiries.insert(position, at);
        }
        match taker {
            Some(consumer) => {
                queue.ready.pass();
                if !queue.is_plain && queue.cold.kind.reserves_credit() {
                    self.reserve(consumer);
                }
                let position = entry.position();
                if self.give(now, consumer, entry).is_some() {
                    self.tell_left(key, position);
                }
            }
            None => {
                queue.ready.push(entry);
                let (queue_len, is_in_line) = (queue.ready.len(), !queue.ready.has_levels());
                let has_dropped = !queue.is_plain && self.drop_head(now, key);
                // The server does not check for expiry behind other messages.
                let is_alone = queue_len == 1;
                if expiry.is_some() && (is_alone || is_in_line) || has_dropped {
                    self.expire(now, key);
                }
            }
        }
        if let Some(waiter) = confirm {
            self.tell_waiter(waiter, Verdict::Ack);
        }
        if is_done {
            let queue = self.queue_mut(key);
            let has_acknowledged = !queue.is_plain
                && match &queue.cold.kind {
                    Kind::Quorum(quorum) => !quorum.acknowledged.is_empty(),
                    Kind::Classic | Kind::Stream(_) => false,
                };
            if has_acknowledged {
                self.run_queue(now, key);
            }
        }
    }

    /// Refuses a message at a queue that is at its limit.
    fn refuse_publish(
        &mut self,
        key: QueueKey,
        message: Arc<Message>,
        overflow: Overflow,
        confirm: Option<Waiter>,
    ) {
        self.tell_refused(key, &message);
        if overflow == Overflow::RejectPublishDlx {
            let story = self.story_number();
            self.bury(key, message, Reason::MaxLength, None, story);
        }
        if let Some(waiter) = confirm {
            self.tell_waiter(waiter, Verdict::Nack);
        }
    }
}

/// Returns the entry of a dead letter whose deliveries failed this often in other queues, as its
/// new queue has it.
fn inherit(
    queue: &mut Queue,
    entry: Entry,
    failures: u64,
    is_taken: bool,
    profile: &Profile,
) -> Entry {
    match &mut queue.cold.kind {
        Kind::Quorum(quorum) => {
            quorum.delivery_counts.inherit(entry.position(), failures);
            entry.again()
        }
        // A classic queue does not say so of a message that a consumer takes at once.
        Kind::Classic if profile.classic_counts_failures && !is_taken => entry.again(),
        Kind::Classic | Kind::Stream(_) => entry,
    }
}

/// Notes in the journal of a queue, if it has one, that it has accepted a message. A confirm that
/// waits for the disk is taken.
fn write_down(
    now: Instant,
    (key, queue): (QueueKey, &mut Queue),
    position: Position,
    message: &Message,
    is_done: bool,
    confirm: &mut Option<Waiter>,
    timers: &mut Timers,
) {
    let keeps = queue.keeps(message);
    if let Some(journal) = &mut queue.journal {
        // A message that an auto-acknowledging consumer takes at once is not written to disk.
        if keeps && !is_done {
            journal.publish(now, position, confirm.take());
            timers.arm_journal(key, journal);
        } else {
            journal.touch(now);
        }
    }
}
