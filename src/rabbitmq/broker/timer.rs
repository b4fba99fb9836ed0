//! The timers of the broker.
//!
//! One heap holds all timers. An entry may be out of date: its subject stores when it is next due
//! (its `armed` time), and only an entry with that time counts.
//!
//! Timers that only watch over clients are in a second heap, as *housekeeping*: a world that has
//! nothing else to do need not wait for them.

use super::Broker;
use crate::Instant;
use crate::rabbitmq::channel::confirm::Verdict;
use crate::rabbitmq::key::{ChannelKey, QueueKey};
use crate::rabbitmq::protocol::id::ConnectionId;
use crate::rabbitmq::queue::journal::Journal;
use crate::time::earlier;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The timers of a queue, in the order in which they fire if several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OfQueue {
    /// The message at the head expires.
    Head,
    /// A delayed message returns.
    Delayed,
    /// The journal writes or syncs.
    Journal,
    /// The queue itself expires.
    Unused,
}

/// The timers of a broker, in the order in which they fire if several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Queue(QueueKey, OfQueue),
    /// The oldest unacknowledged delivery is too old.
    Channel(ChannelKey),
    /// A heartbeat is to be sent, or was missed.
    Connection(ConnectionId),
    /// A delayed message is due.
    Delayed,
    /// Dead letters that found no queue are retried.
    KeptLetters,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    work: BinaryHeap<Reverse<(Instant, Timer)>>,
    housekeeping: BinaryHeap<Reverse<(Instant, Timer)>>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        let heap = match timer {
            Timer::Queue(..) | Timer::Delayed => &mut self.work,
            Timer::Channel(_) | Timer::Connection(_) | Timer::KeptLetters => &mut self.housekeeping,
        };
        // The end of time never comes, so it needs no timer.
        if at < Instant::MAX {
            heap.push(Reverse((at, timer)));
        }
    }

    /// Arms the timer of a queue's journal, unless it is armed for an earlier time.
    pub(super) fn arm_journal(&mut self, key: QueueKey, journal: &mut Journal) {
        if let Some(due) = journal.due()
            && journal.armed.is_none_or(|armed| due < armed)
        {
            journal.armed = Some(due);
            self.set(due, Timer::Queue(key, OfQueue::Journal));
        }
    }

    pub(super) fn clear(&mut self) {
        self.work.clear();
        self.housekeeping.clear();
    }

    fn pop_due(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let first = |heap: &BinaryHeap<Reverse<(Instant, Timer)>>| {
            heap.peek().map(|Reverse(first)| *first).filter(|(at, _)| *at <= now)
        };
        match (first(&self.work), first(&self.housekeeping)) {
            (None, None) => None,
            (Some(work), Some(watch)) if watch < work => self.housekeeping.pop(),
            (None, Some(_)) => self.housekeeping.pop(),
            (Some(_), _) => self.work.pop(),
        }
        .map(|Reverse(due)| due)
    }
}

fn next(heap: &BinaryHeap<Reverse<(Instant, Timer)>>) -> Option<Instant> {
    heap.peek().map(|Reverse((at, _))| *at)
}

impl Broker {
    /// Returns when [`Broker::handle_timeout`] is next due, which may be in the past.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        earlier(self.poll_work(), self.poll_housekeeping())
    }

    /// Returns when the next timer for messages, queues or journals is due.
    pub(crate) fn poll_work(&self) -> Option<Instant> {
        next(&self.timers.work)
    }

    /// Returns when the next timer that only watches over clients is due.
    pub(crate) fn poll_housekeeping(&self) -> Option<Instant> {
        next(&self.timers.housekeeping)
    }

    /// Fires the timers that are due by `now`: messages and queues expire, queues write to disk and
    /// make the waiting confirms ready, channels and connections time out, delayed messages are
    /// routed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.pop_due(now) {
            match timer {
                Timer::Queue(key, what) => self.queue_timer(now, at, key, what),
                Timer::Channel(key) => self.check_consumer_timeout(now, at, key),
                Timer::Connection(id) => self.check_heartbeats(now, at, id),
                Timer::Delayed => self.route_delayed(now),
                Timer::KeptLetters => self.retry_kept_letters(now),
            }
            self.publish_dead_letters(now);
        }
        self.confirm_synced();
        self.publish_dead_letters(now);
        self.resume_after_commits(now);
    }

    fn queue_timer(&mut self, now: Instant, at: Instant, key: QueueKey, what: OfQueue) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        match what {
            OfQueue::Head => {
                if queue.cold.expiries.armed == Some(at) {
                    queue.cold.expiries.armed = None;
                    self.expire(now, key);
                }
            }
            OfQueue::Delayed => self.end_delays(now, key),
            OfQueue::Journal => {
                if let Some(journal) = &mut queue.journal
                    && journal.armed == Some(at)
                {
                    journal.armed = None;
                    let profile = self.options.version().profile();
                    let confirm_on_write = queue.cold.kind.confirms_on_write(profile);
                    let sync_time = self.options.sync_time();
                    journal.fire(now, sync_time, confirm_on_write, &mut self.synced);
                    self.timers.arm_journal(key, journal);
                }
            }
            OfQueue::Unused => {
                if queue.cold.unused_armed == Some(at) {
                    queue.cold.unused_armed = None;
                    self.expire_unused(now, key);
                }
            }
        }
    }

    /// Confirms the publishes that were just synced.
    fn confirm_synced(&mut self) {
        let mut synced = std::mem::take(&mut self.synced);
        for waiter in synced.drain(..) {
            self.tell_waiter(waiter, Verdict::Ack);
        }
        self.synced = synced;
    }
}
