//! Messages that leave a queue: by acknowledgement, by expiry, by death.
//!
//! A message expires at the head of its queue only; since 4.3, in a quorum queue, at the head of
//! its priority. A queue that is unused for long enough expires itself.

use super::Broker;
use super::timer::{OfQueue, Timer};
use crate::Instant;
use crate::rabbitmq::key::QueueKey;
use crate::rabbitmq::protocol::message::Entry;
use crate::rabbitmq::queue::dead_letter::Reason;
use crate::rabbitmq::queue::kind::Kind;
use std::sync::Arc;

impl Broker {
    /// As [`Broker::expire`], for a moment at which nothing has changed. In a queue with
    /// priorities, the server then does not check a message that has overtaken others.
    pub(super) fn notice_expired(&mut self, now: Instant, key: QueueKey) {
        if self.queues.get(key).is_some_and(|queue| !queue.ready.has_levels()) {
            self.expire(now, key);
        }
    }

    /// Drops expired messages from the head of a queue, or since 4.3 from each head of a quorum
    /// queue, and arms the timer for the next one. Must be called whenever the queue may have a new
    /// head, and before its ready messages are counted.
    pub(super) fn expire(&mut self, now: Instant, key: QueueKey) {
        while let Some(queue) = self.queues.get_mut(key)
            && let Some((place, head)) = queue.ready.next_to_expire(&queue.cold.expiries)
            && head.expires()
        {
            let position = head.position();
            let expiries = &mut queue.cold.expiries;
            let at =
                expiries.of(head).expect("a queue stores the time of every message that expires");
            if at > now {
                if expiries.armed.is_none_or(|armed| at < armed) {
                    expiries.armed = Some(at);
                    self.timers.set(at, Timer::Queue(key, OfQueue::Head));
                }
                return;
            }
            if let Some(entry) = queue.ready.pop_expired(place, position) {
                self.die(now, key, entry, Reason::Expired);
            }
        }
    }

    /// Notes that a message has left its queue for good.
    pub(super) fn leave(&mut self, now: Instant, key: QueueKey, entry: Entry) {
        self.tell_left(key, entry.position());
        let queue = self.queues.get_mut(key).expect("the caller has just found the queue");
        let expiry = if entry.expires() { queue.cold.expiries.remove(&entry) } else { None };
        let keeps = queue.journal.is_some() && queue.keeps(&entry.message);
        if !queue.is_plain
            && let Some(quorum) = queue.cold.kind.quorum_mut()
        {
            quorum.delivery_counts.remove(entry.position());
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

    /// Gives up a message, which leaves its queue and may become a dead letter.
    pub(super) fn die(&mut self, now: Instant, key: QueueKey, entry: Entry, reason: Reason) {
        let story = self.tell_died(key, &entry, reason.name());
        let failures = match self.queues.get(key).map(|queue| &queue.cold.kind) {
            Some(Kind::Quorum(quorum)) => Some(quorum.delivery_counts.failed(entry.position())),
            Some(Kind::Classic | Kind::Stream(_)) | None => None,
        };
        self.bury(key, Arc::clone(&entry.message), reason, failures, story);
        self.leave(now, key, entry);
    }

    /// Restarts the time after which a queue expires unused.
    pub(super) fn touch_unused(&mut self, now: Instant, key: QueueKey) {
        let queue = self.queue_mut(key);
        queue.cold.unused_since = now;
        self.arm_unused(key);
    }

    /// Arms the timer for the expiry of a queue without consumers.
    pub(super) fn arm_unused(&mut self, key: QueueKey) {
        let queue = self.queues.get_mut(key).expect("the caller has just found the queue");
        if let Some(expires) = queue.cold.settings.expires
            && queue.consumer_count() == 0
        {
            let at = queue.cold.unused_since.saturating_add(expires);
            if queue.cold.unused_armed.is_none_or(|armed| at < armed) {
                queue.cold.unused_armed = Some(at);
                self.timers.set(at, Timer::Queue(key, OfQueue::Unused));
            }
        }
    }

    /// Deletes a queue that was unused for too long.
    pub(super) fn expire_unused(&mut self, now: Instant, key: QueueKey) {
        let Some(queue) = self.queues.get(key) else { return };
        let cold = &queue.cold;
        let due = cold.settings.expires.map(|expires| cold.unused_since.saturating_add(expires));
        if queue.consumer_count() == 0 && due.is_some_and(|due| due <= now) {
            self.delete_queue(key);
        } else {
            self.arm_unused(key);
        }
    }
}
