//! Consumer time-outs: a channel that holds a delivery for too long is closed.
//!
//! A channel arms one timer, for its oldest delivery. When the timer fires and the oldest delivery
//! is a younger one by now, the channel arms it again. Since RabbitMQ 4 a queue may have a time-out
//! of its own. The channel is closed if its oldest delivery has been held longer than the queue of
//! that delivery allows, whatever the others' queues allow; so it arms the timer for the delivery
//! that is due first, and looks once a tick whether one that is overdue has become the oldest.
//!
//! Since 4.3 only quorum queues watch. A consumer that holds a delivery too long is cancelled: the
//! message returns to its queue, and the consumer gets nothing until it has settled the delivery
//! nevertheless. A channel that cannot be told is closed.
//!
//! Source: <https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout>, and the server's
//! behaviour.

use super::deliver::{first_waiting, own_timeout, watch_until};
use super::settle::Return;
use super::timer::Timer;
use super::{Broker, Session};
use crate::Instant;
use crate::rabbitmq::channel::transaction::{Outcome, Settle};
use crate::rabbitmq::channel::unacked::Unacked;
use crate::rabbitmq::key::{ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::error::{Fault, MethodId};
use crate::rabbitmq::protocol::message::Entry;
use crate::rabbitmq::protocol::method::Event;
use crate::rabbitmq::queue::kind::Kind;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the server looks at the deliveries of a channel.
const TICK: Duration = Duration::from_secs(60);

impl Broker {
    /// Closes a channel that has held a delivery for too long, or cancels its consumer.
    pub(super) fn check_consumer_timeout(&mut self, now: Instant, at: Instant, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let is_open =
            matches!(self.sessions.get(&channel.id), Some(Session::Open(open, _)) if *open == key);
        if channel.timeout_armed != Some(at) || !is_open {
            return;
        }
        channel.timeout_armed = None;
        let (overdue, next) = match self.profile().settings.queues_have_timeouts {
            true => self.overdue(now, key),
            false => self.oldest_overdue(now, key),
        };
        if let Some(due) = next
            && let Some(channel) = self.channels.get_mut(key)
        {
            channel.timeout_armed = Some(due);
            self.timers.set(due, Timer::Channel(key));
        }
        let Some((_, timeout)) = overdue.first() else { return };
        if !self.profile().times_out_in_quorum_queues_only {
            return self.close_late_channel(now, key, &timeout.as_millis().to_string());
        }
        self.cancel_late_consumers(now, key, overdue.iter().map(|(tag, _)| *tag).collect());
    }

    /// Arms the timer of a channel whose deliveries have changed other than by a new one.
    pub(super) fn watch_again(&mut self, now: Instant, key: ChannelKey) {
        if !self.profile().settings.queues_have_timeouts {
            return self.watch_deliveries(key);
        }
        let (overdue, next) = self.overdue(now, key);
        let at = if overdue.is_empty() { next } else { Some(now) };
        if let (Some(at), Some(channel)) = (at, self.channels.get_mut(key)) {
            watch_until(at, key, channel, &mut self.timers);
        }
    }

    /// Returns the oldest delivery of a channel if it is overdue, or when it will be.
    fn oldest_overdue(
        &mut self,
        now: Instant,
        key: ChannelKey,
    ) -> (Vec<(u64, Duration)>, Option<Instant>) {
        let Some(timeout) = self.options.consumer_timeout() else { return (Vec::new(), None) };
        let oldest = self.channels.get_mut(key).and_then(|channel| channel.unacked.oldest());
        match oldest.map(|oldest| oldest.saturating_add(timeout)) {
            None => (Vec::new(), None),
            Some(due) if due > now => (Vec::new(), Some(due)),
            Some(_) => (vec![(0, timeout)], None),
        }
    }

    /// Returns the overdue deliveries of a channel with their time-outs, and when the next is due.
    /// Where a channel is closed for it, only its oldest delivery counts, and the others wait for a
    /// tick at which they are the oldest.
    fn overdue(&self, now: Instant, key: ChannelKey) -> (Vec<(u64, Duration)>, Option<Instant>) {
        let (mut overdue, mut next) = (Vec::new(), None::<Instant>);
        let Some(channel) = self.channels.get(key) else { return (overdue, next) };
        let only_oldest = !self.profile().times_out_in_quorum_queues_only;
        for (place, (tag, unacked)) in channel.unacked.iter().enumerate() {
            let (Some(timeout), Some(since)) =
                (self.timeout_of(unacked), channel.unacked.time_of(tag))
            else {
                continue;
            };
            let due = match since.saturating_add(timeout) {
                due if due > now => due,
                _ if only_oldest && place > 0 => now.saturating_add(TICK),
                _ => {
                    overdue.push((tag, timeout));
                    continue;
                }
            };
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        (overdue, next)
    }

    /// Returns how long a delivery may be unacknowledged.
    fn timeout_of(&self, unacked: &Unacked) -> Option<Duration> {
        let Some(queue) = self.queues.get(unacked.queue) else {
            // The channel alone watches the deliveries of a deleted queue.
            let by_channel = !self.profile().times_out_in_quorum_queues_only;
            return self.options.consumer_timeout().filter(|_| by_channel);
        };
        match &queue.cold.kind {
            kind if kind.has_released(&unacked.entry) => return None,
            Kind::Classic | Kind::Stream(_) if self.profile().times_out_in_quorum_queues_only => {
                return None;
            }
            Kind::Classic | Kind::Stream(_) | Kind::Quorum(_) => {}
        }
        let consumer = unacked.consumer.and_then(|consumer| self.consumers.get(consumer));
        own_timeout(queue, consumer, &self.options).or(self.options.consumer_timeout())
    }

    fn close_late_channel(&mut self, now: Instant, key: ChannelKey, millis: &str) {
        let Some(id) = self.channels.get(key).map(|channel| channel.id) else { return };
        let reason = format!(
            "delivery acknowledgement on channel {} timed out. Timeout value used: {millis} ms. \
             This timeout value can be configured, see consumers doc guide to learn more",
            id.number,
        );
        let error = self.fail(now, id, Fault::precondition(reason).of(MethodId::NONE));
        self.push(id, Event::ChannelClose(Box::new(error)));
    }

    /// Cancels the consumers that hold these deliveries, and takes the messages back.
    fn cancel_late_consumers(&mut self, now: Instant, key: ChannelKey, tags: Vec<u64>) {
        let Some(channel) = self.channels.get(key) else { return };
        let id = channel.id;
        let connection = self.connections.get(&id.connection);
        let can_be_told = connection.is_some_and(|c| c.options.consumer_cancel_notify);
        let mut late: BTreeMap<(QueueKey, Option<ConsumerKey>), Vec<Entry>> = BTreeMap::new();
        for unacked in tags.into_iter().filter_map(|tag| channel.unacked.get(tag)) {
            let live = unacked.consumer.filter(|consumer| self.consumers.get(*consumer).is_some());
            late.entry((unacked.queue, live)).or_default().push(unacked.entry.clone());
        }
        let can_go_on = can_be_told && late.keys().all(|(_, consumer)| consumer.is_some());
        for ((queue, consumer), entries) in late {
            self.release(queue, consumer, &entries);
            let consumer = consumer.filter(|_| can_go_on);
            if let Some(of) = consumer.and_then(|consumer| self.consumers.get(consumer)) {
                let consumer_tag = of.tag.clone();
                self.push(id, Event::Cancel { consumer_tag });
            }
            self.put_back(now, queue, entries, Return::Requeued(Outcome::Released));
            self.run_queue(now, queue);
        }
        if !can_go_on {
            self.close_late_channel(now, key, "-1");
        }
        self.publish_dead_letters(now);
    }

    /// Notes that a consumer does not hold these deliveries any longer, and takes it out of turn.
    fn release(&mut self, key: QueueKey, consumer: Option<ConsumerKey>, entries: &[Entry]) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        queue.unacked -= entries.len() as u32;
        if let Some(quorum) = queue.cold.kind.quorum_mut() {
            quorum.released.extend(entries.iter().map(|entry| (entry.position(), consumer)));
        }
        let Some(consumer) = consumer else { return };
        let Some(of) = self.consumers.get_mut(consumer) else { return };
        of.refund(entries.len());
        if !of.is_blocked {
            of.is_blocked = true;
            queue.ring.take(consumer);
            queue.cold.blocked.push_back(consumer);
        }
        if queue.cold.active.take_if(|active| *active == consumer).is_some() {
            // At once, so that a consumer that arrives later does not take the place.
            queue.cold.active = first_waiting(queue, &self.consumers);
        }
    }

    /// Returns whether a delivery was taken back before, which is settled now. Its consumer gets
    /// messages again with its last such delivery, but not if it requeues that: the server then
    /// forgets to give it a turn.
    pub(super) fn settles_released(
        &mut self,
        channel: ChannelKey,
        unacked: &Unacked,
        how: Settle,
    ) -> bool {
        let Some(queue) = self.queues.get_mut(unacked.queue).filter(|queue| !queue.is_plain) else {
            return false;
        };
        let Some(quorum) = queue.cold.kind.quorum_mut() else { return false };
        let Some(consumer) = quorum.released.remove(&unacked.entry.position()) else {
            return false;
        };
        match consumer {
            Some(consumer) if how.is_requeue() => {
                quorum.forgotten.insert(consumer);
            }
            Some(consumer) => {
                quorum.forgotten.remove(&consumer);
            }
            None => {}
        }
        self.unblock(channel, unacked.queue);
        true
    }
}
