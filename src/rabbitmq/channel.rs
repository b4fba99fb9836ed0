//! A channel: its consumers, its unacknowledged deliveries, its limits and its confirms.
//!
//! A channel outlives neither its connection nor the broker's process. It refers to queues and
//! consumers by key, so a queue may be deleted while one of its messages is unacknowledged.
//!
//! Start with [`Channel`]. In this module: `unacked` (deliveries by tag), `consumer` (one consumer
//! and its credit), `confirm` (publishes that wait for their confirms), `transaction` (what waits
//! for a commit) and `reply_to` (direct replies).

pub(crate) mod confirm;
pub(crate) mod consumer;
pub(crate) mod reply_to;
pub(crate) mod transaction;
pub(crate) mod unacked;

use crate::Instant;
use crate::rabbitmq::channel::confirm::Confirms;
use crate::rabbitmq::channel::reply_to::ReplyConsumer;
use crate::rabbitmq::channel::transaction::{Settled, Transaction};
use crate::rabbitmq::channel::unacked::{Unacked, UnackedTable};
use crate::rabbitmq::key::{ConsumerKey, QueueKey, Stored, marker};
use crate::rabbitmq::protocol::id::ChannelId;
use crate::rabbitmq::protocol::message::Entry;
use crate::rabbitmq::protocol::tags::Tags;
use smol_str::SmolStr;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    /// The last delivery tag that was used.
    pub(crate) last_tag: u64,
    pub(crate) unacked: UnackedTable,
    pub(crate) limiter: Limiter,
    /// The prefetch count of consumers that are still to come.
    pub(crate) prefetch: u16,
    pub(crate) consumers: Tags<ConsumerKey>,
    /// Set while there are cancelled consumers that may have left unacknowledged deliveries.
    cancelled: Option<Box<Cancelled>>,
    /// Set by `confirm.select`.
    pub(crate) confirms: Option<Box<Confirms>>,
    /// Set by `tx.select`.
    pub(crate) transaction: Option<Box<Transaction>>,
    /// The consumer of direct replies.
    pub(crate) reply_consumer: Option<Box<ReplyConsumer>>,
    /// Whether its user has every permission in its vhost.
    pub(crate) is_unrestricted: bool,
    /// When the broker's timer for unacknowledged deliveries fires next.
    pub(crate) timeout_armed: Option<Instant>,
    /// The queue that an empty name stands for.
    pub(crate) last_queue: Option<SmolStr>,
}

/// Cancelled consumers.
#[derive(Clone, Debug, Default)]
struct Cancelled(Vec<Former>);

/// A cancelled consumer that may have left unacknowledged deliveries.
#[derive(Clone, Debug)]
struct Former {
    key: ConsumerKey,
    tag: SmolStr,
    serial: u32,
}

impl Stored for Channel {
    type Marker = marker::Channel;
}

impl Channel {
    /// Has outstanding again what a transaction had settled.
    pub(crate) fn take_back(&mut self, settled: Vec<Settled>) {
        for Settled { taken, since, .. } in settled.into_iter().rev() {
            self.unacked.restore(taken, since);
        }
    }

    pub(crate) fn new(id: ChannelId) -> Channel {
        Channel {
            id,
            last_tag: 0,
            unacked: UnackedTable::default(),
            limiter: Limiter::default(),
            prefetch: 0,
            consumers: Tags::default(),
            cancelled: None,
            confirms: None,
            transaction: None,
            reply_consumer: None,
            is_unrestricted: false,
            timeout_armed: None,
            last_queue: None,
        }
    }

    /// A channel that takes over these consumers and deliveries and continues its numbers; `None`
    /// if there is nothing to take over.
    pub(crate) fn successor(
        &self,
        consumers: Tags<ConsumerKey>,
        held: Vec<(u64, Unacked)>,
        now: Instant,
    ) -> Option<Channel> {
        if consumers.is_empty() && held.is_empty() {
            return None;
        }
        let mut successor = Channel::new(self.id);
        successor.last_tag = self.last_tag;
        successor.cancelled.clone_from(&self.cancelled);
        successor.consumers = consumers;
        successor.unacked.restore(held, now);
        Some(successor)
    }

    /// Takes everything that it holds, with delivery tags.
    pub(crate) fn drain_held(&mut self) -> impl Iterator<Item = (u64, Unacked)> {
        let settled = self.transaction.as_mut().map(|t| std::mem::take(&mut t.settled));
        let settled = settled.into_iter().flatten().flat_map(|settled| settled.taken);
        self.unacked.drain_all().chain(settled)
    }

    /// Returns everything that it holds: unacknowledged deliveries, and those settled in a
    /// transaction.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Unacked> {
        let settled = self.transaction.iter().flat_map(|transaction| &transaction.settled);
        let settled = settled.flat_map(|settled| &settled.taken).map(|(_, unacked)| unacked);
        self.unacked.iter().map(|(_, unacked)| unacked).chain(settled)
    }

    fn cancelled(&self) -> &[Former] {
        self.cancelled.as_ref().map_or(&[], |cancelled| &cancelled.0)
    }

    pub(crate) fn holds_any_of(&self, consumer: ConsumerKey) -> bool {
        self.held().any(|unacked| unacked.consumer == Some(consumer))
    }

    /// Returns the tags of its consumers, including cancelled ones that are remembered.
    pub(crate) fn consumer_tags(&self) -> BTreeMap<ConsumerKey, SmolStr> {
        let consumers = self.consumers.iter().map(|(tag, consumer)| (*consumer, tag.clone()));
        let cancelled = self.cancelled().iter().map(|former| (former.key, former.tag.clone()));
        consumers.chain(cancelled).collect()
    }

    /// Returns the serial of a cancelled consumer that is remembered.
    pub(crate) fn cancelled_serial(&self, consumer: ConsumerKey) -> Option<u32> {
        let found = self.cancelled().iter().find(|former| former.key == consumer);
        found.map(|former| former.serial)
    }

    /// Returns whether it has a consumer with this tag, other than that of direct replies.
    pub(crate) fn has_consumer(&self, tag: &str) -> bool {
        self.consumers.get(tag).is_some()
    }

    /// Returns the tag of the last delivery, 0 if there was none.
    pub(crate) fn last_tag(&self) -> u64 {
        self.last_tag
    }

    pub(crate) fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// Remembers the tag of a cancelled consumer while it holds deliveries to it.
    pub(crate) fn remember_cancelled(&mut self, key: ConsumerKey, tag: SmolStr, serial: u32) {
        if self.cancelled().len() >= self.unacked.len()
            && let Some(mut cancelled) = self.cancelled.take()
        {
            cancelled.0.retain(|former| self.holds_any_of(former.key));
            self.cancelled = (!cancelled.0.is_empty()).then_some(cancelled);
        }
        if self.holds_any_of(key) {
            self.cancelled.get_or_insert_default().0.push(Former { key, tag, serial });
        }
    }

    /// Gives a consumer the deliveries of cancelled consumers that had its tag on this queue, but
    /// for those that the queue has taken back. Returns their number.
    pub(crate) fn take_over(
        &mut self,
        queue: QueueKey,
        tag: &str,
        to: ConsumerKey,
        is_released: impl Fn(&Entry) -> bool,
    ) -> usize {
        let cancelled = self.cancelled().iter().filter(|former| former.tag == tag);
        let former: Vec<ConsumerKey> = cancelled.map(|former| former.key).collect();
        if former.is_empty() {
            return 0;
        }
        let is_of_former = |unacked: &Unacked| {
            unacked.queue == queue
                && unacked.consumer.is_some_and(|c| former.contains(&c))
                && !is_released(&unacked.entry)
        };
        let settled = self.transaction.iter_mut().flat_map(|t| &mut t.settled);
        let settled = settled.flat_map(|settled| &mut settled.taken).map(|(_, unacked)| unacked);
        let settled = settled.filter(|unacked| is_of_former(unacked));
        let until_commit = settled.map(|unacked| unacked.consumer = Some(to)).count();
        until_commit + self.unacked.hand_over(is_of_former, to)
    }

    /// Returns the tag of a cancelled consumer that left unacknowledged deliveries.
    pub(crate) fn cancelled_tag(&self, consumer: ConsumerKey) -> Option<&str> {
        let found = self.cancelled().iter().find(|former| former.key == consumer);
        found.map(|former| former.tag.as_str())
    }

    /// Returns the serial of the oldest cancelled consumer with this tag.
    pub(crate) fn former_serial(&self, tag: &str) -> Option<u32> {
        self.cancelled().iter().find(|former| former.tag == tag).map(|former| former.serial)
    }
}

/// The limit that all consumers of a channel share (`basic.qos` with `global`).
///
/// A queue that is refused is *suspended* for this channel: its consumers on the channel are
/// skipped until the channel is below its limit again. `basic.get` is not limited, and is not
/// counted while there is a limit.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Option<Box<Limited>>);

/// The state of a channel that has a limit.
#[derive(Debug)]
struct Limited {
    limit: u16,
    /// Number of deliveries that count. As in the server, this includes those outstanding when the
    /// limit was set, fetched ones too.
    volume: i64,
    /// In the order in which they were refused.
    suspended: Vec<QueueKey>,
}

impl Limited {
    fn is_reached(&self) -> bool {
        self.volume >= i64::from(self.limit)
    }

    fn resumed(&mut self, was_reached: bool) -> Vec<QueueKey> {
        if was_reached && !self.is_reached() {
            std::mem::take(&mut self.suspended)
        } else {
            Vec::new()
        }
    }
}

impl Limiter {
    /// Sets the limit. Returns the queues that are no longer suspended.
    #[must_use]
    pub(crate) fn set_limit(&mut self, limit: u16, outstanding: usize) -> Vec<QueueKey> {
        if limit == 0 {
            return self.0.take().map_or_else(Vec::new, |limited| limited.suspended);
        }
        let was_reached = self.is_reached();
        let limited = self.0.get_or_insert_with(|| {
            let volume = outstanding as i64;
            Box::new(Limited { limit, volume, suspended: Vec::new() })
        });
        limited.limit = limit;
        limited.resumed(was_reached)
    }

    pub(crate) fn is_suspended(&self, queue: QueueKey) -> bool {
        self.0.as_ref().is_some_and(|limited| limited.suspended.contains(&queue))
    }

    /// Returns whether a queue may send to the channel; a refusal suspends the queue.
    pub(crate) fn admits(&mut self, queue: QueueKey) -> bool {
        match self.0.as_mut().filter(|limited| limited.is_reached()) {
            Some(limited) => {
                limited.suspended.push(queue);
                false
            }
            None => true,
        }
    }

    /// Counts a delivery that needs an acknowledgement.
    pub(crate) fn sent(&mut self) {
        if let Some(limited) = &mut self.0 {
            limited.volume += 1;
        }
    }

    /// Counts settled deliveries to consumers. Returns the queues that are no longer suspended.
    #[must_use]
    pub(crate) fn settled(&mut self, count: usize) -> Vec<QueueKey> {
        let Some(limited) = &mut self.0 else { return Vec::new() };
        let was_reached = limited.is_reached();
        if limited.volume != 0 {
            limited.volume -= count as i64;
        }
        limited.resumed(was_reached)
    }

    /// Forgets a queue at which the channel has no more consumers.
    pub(crate) fn forget(&mut self, queue: QueueKey) {
        if let Some(limited) = &mut self.0 {
            limited.suspended.retain(|&suspended| suspended != queue);
        }
    }

    /// The shared limit; 0 means no limit.
    pub(crate) fn limit(&self) -> u16 {
        self.0.as_ref().map_or(0, |limited| limited.limit)
    }

    /// Returns whether there is a shared limit.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Returns whether the channel is at its shared limit.
    pub(crate) fn is_reached(&self) -> bool {
        self.0.as_ref().is_some_and(|limited| limited.is_reached())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::key::Arena;
    use crate::rabbitmq::queue::tests::any_queue;

    #[test]
    fn a_channel_fits_into_four_cache_lines_with_its_slot() {
        assert!(size_of::<Channel>() <= 252, "{}", size_of::<Channel>());
    }

    #[test]
    fn the_shared_limit_suspends_and_resumes_queues() {
        let mut queues = Arena::default();
        let (a, b) = (queues.insert(any_queue()), queues.insert(any_queue()));
        let mut limiter = Limiter::default();
        assert!(limiter.admits(a));
        limiter.sent();
        assert_eq!(limiter.set_limit(2, 1), []);
        assert!(limiter.admits(a));
        limiter.sent();
        assert!(!limiter.admits(b) && !limiter.admits(a));
        assert!(limiter.is_suspended(a) && limiter.is_suspended(b));
        assert_eq!(limiter.settled(1), [b, a], "in the order they were refused");
        assert!(limiter.admits(a));
        limiter.sent();
        assert!(!limiter.admits(b));
        assert_eq!(limiter.set_limit(0, 2), [b], "no limit, nothing suspended");
        assert!(limiter.admits(b));
    }
}
