//! Stopping and starting: what survives of a broker.
//!
//! Connections, channels and consumers are always lost. So are transient queues with their
//! bindings, including exclusive queues, and the transient messages of a classic queue, even
//! confirmed ones in a durable queue. Transient exchanges are lost with their bindings; since 4.3
//! they survive, with the bindings to what survives. The table shows which messages in a durable
//! queue survive, if they are persistent or the queue is a quorum queue.
//!
//! | after | the broker keeps | redelivered |
//! |---|---|---|
//! | a clean stop | all | those that were delivered before |
//! | a crash | those that were written | all |
//! | a power loss | those that were synced | all |
//!
//! A quorum queue marks only those that were delivered before, whatever happened. When the broker
//! starts, it takes back what its consumers held, as if their channels died at that moment: in the
//! order of delivery, and each counts as a failed delivery.
//!
//! Messages whose next delivery a quorum queue delays stay delayed, and become due at the same
//! moment as they would have without a restart. If a message that a consumer held is delayed, its
//! delay begins with a clean stop, but with the start after a crash. What a queue has taken back
//! from a consumer before, because of a time-out, the consumer's channel does not return again.
//!
//! The [`journal`](crate::rabbitmq::queue::journal) knows what was written and synced. Time passes
//! while the broker is down: messages that expire in the meantime are gone when it starts.
//!
//! Source: <https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed>, and experiments
//! that stopped and killed the server.

use super::route::Delayed;
use super::settle::Return;
use super::story::Fate;
use super::timer::{OfQueue, Timer};
use super::{Broker, Fault, MethodId, ReplyCode};
use crate::Instant;
use crate::rabbitmq::key::QueueKey;
use crate::rabbitmq::protocol::id::{ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::message::{Entry, Position};
use crate::rabbitmq::protocol::method::{Event, Output};
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::delays::Delays;
use crate::rabbitmq::queue::journal::{Crash, Journal};
use crate::rabbitmq::queue::lineup::Lineup;
use crate::rabbitmq::queue::ring::Ring;
use crate::rabbitmq::stats::{MessageStats, Published};
use crate::sort::{sort_by, sort_by_key};
use std::collections::BTreeMap;

/// How a broker goes down.
#[derive(Clone, Copy, Debug)]
enum Down {
    /// A clean stop at this moment.
    Stop(Instant),
    Crash(Crash),
}

impl Broker {
    /// Stops the broker cleanly: every connection is closed with `CONNECTION_FORCED`, and
    /// everything durable is kept.
    pub fn stop(&mut self, now: Instant) {
        if !self.running {
            return;
        }
        let mut told: Vec<ConnectionId> = self.connections.keys().copied().collect();
        sort_by(&mut told, Ord::cmp);
        self.go_down(Down::Stop(now));
        for connection in told {
            let reason = "broker forced connection closure with reason 'shutdown'";
            let error = Fault::new(ReplyCode::ConnectionForced, reason).of(MethodId::NONE);
            let event = Event::ConnectionClose(Box::new(error));
            self.outputs.push(Output { connection, channel: ChannelNumber(0), event });
        }
    }

    /// Kills the broker's process: clients are told nothing, and everything that was not written is
    /// lost. Outputs that were not polled yet are dropped.
    pub fn kill(&mut self, _now: Instant) {
        self.crash(Crash::Kill);
    }

    /// Cuts the power: as [`Broker::kill`], and everything that was not synced is lost too.
    pub fn power_loss(&mut self, _now: Instant) {
        self.crash(Crash::PowerLoss);
    }

    fn crash(&mut self, crash: Crash) {
        if self.running {
            self.outputs.clear();
            self.go_down(Down::Crash(crash));
        }
    }

    /// Starts a broker that is down, with everything on its disk that has not expired since.
    pub fn start(&mut self, now: Instant) {
        self.running = true;
        for key in self.queues.keys() {
            self.arm_delays(now, key);
            self.return_held(now, key);
            self.return_delayed(now, key);
            self.expire(now, key);
            self.touch_unused(now, key);
        }
        self.retry_kept_letters(now);
        if let Some(at) = self.delayed.next() {
            self.timers.set(at, Timer::Delayed);
        }
        self.publish_dead_letters(now);
    }

    /// Returns the messages that consumers of a quorum queue held when the broker went down. The
    /// queue learns only now that their channels are gone.
    fn return_held(&mut self, now: Instant, key: QueueKey) {
        let queue = self.queue_mut(key);
        let Some(quorum) = queue.cold.kind.quorum_mut() else { return };
        let held = std::mem::take(&mut quorum.held);
        // A clean stop has closed the channels while the queue was still running.
        let lost_at = quorum.stopped_at.take().unwrap_or(now);
        if held.is_empty() {
            return;
        }
        let ranks: BTreeMap<Position, usize> = held.into_iter().zip(0..).collect();
        let rank_of = |entry: &Entry| ranks.get(&entry.position()).copied();
        let all = queue.ready.take_all().into_iter();
        let (mut returned, mut ready) = all.partition::<Vec<_>, _>(|e| rank_of(e).is_some());
        sort_by_key(&mut returned, rank_of);
        sort_by_key(&mut ready, Entry::position);
        queue.ready.restore(ready);
        self.put_back_quorum(now, key, returned, Return::Lost, lost_at);
    }

    /// Arms the timers of the delays that are not over.
    fn arm_delays(&mut self, now: Instant, key: QueueKey) {
        let moments = self.queue_mut(key).cold.kind.delays().map(Delays::moments);
        for at in moments.into_iter().flatten().filter(|at| *at > now) {
            self.timers.set(at, Timer::Queue(key, OfQueue::Delayed));
        }
    }

    /// Kills the broker, if it is running, and wipes its disk. It stays down; [`Broker::start`]
    /// starts it empty.
    pub fn wipe(&mut self, now: Instant) {
        self.kill(now);
        self.tell_wiped();
        self.kept_letters.clear();
        for key in self.queues.keys() {
            self.queues.remove(key);
        }
        for key in self.exchanges.keys() {
            self.exchanges.remove(key);
        }
        for key in self.vhosts.keys() {
            self.vhosts.remove(key);
        }
        self.vhost_names.clear();
        self.users.clear();
        #[cfg(feature = "definitions")]
        self.global_parameters.clear();
        self.delayed = Delayed::default();
        self.make_defaults();
    }

    /// Reduces the broker to what is on disk. A clean stop has put everything durable there.
    fn go_down(&mut self, how: Down) {
        self.running = false;
        let mut returned: BTreeMap<QueueKey, Vec<Entry>> = BTreeMap::new();
        for key in self.channels.keys() {
            let Some(mut channel) = self.channels.remove(key) else {
                continue;
            };
            self.tell_uncommitted(&channel, "the broker went down before its commit");
            for (_, unacked) in channel.drain_held() {
                returned.entry(unacked.queue).or_default().push(unacked.entry.again());
            }
        }
        self.sessions.clear();
        for key in self.consumers.keys() {
            self.consumers.remove(key);
        }
        self.connections.clear();
        self.confirming.clear();
        self.reply_names.clear();
        self.alarms.clear();
        self.timers.clear();
        self.synced.clear();
        self.forget_counts();

        for key in self.queues.keys() {
            if self.queue_mut(key).durable() {
                let mut returned = returned.remove(&key).unwrap_or_default();
                if let Some(quorum) = self.queue_mut(key).cold.kind.quorum_mut() {
                    quorum.leave_out_released(&mut returned);
                }
                let held = self.tells().then(|| returned.iter().map(Entry::position).collect());
                self.bring_down_queue(key, returned, how);
                self.tell_lost(key, &held.unwrap_or_default());
            } else {
                self.tell_all_gone(key, |queue| Fate::LostWithQueue { queue });
                self.delete_queue(key);
            }
        }
        self.recall_letters();
        if self.profile().keeps_transient_exchanges {
            return;
        }
        let transient = self.exchanges.iter().filter(|(_, exchange)| !exchange.durable);
        let transient: Vec<_> = transient.map(|(key, _)| key).collect();
        for key in transient {
            self.remove_exchange(key);
        }
    }

    /// Resets the counters, which are not on disk.
    fn forget_counts(&mut self) {
        self.tally = MessageStats::default();
        for key in self.queues.keys() {
            self.queue_mut(key).forget_counts();
        }
        for key in self.exchanges.keys() {
            if let Some(exchange) = self.exchanges.get_mut(key) {
                exchange.published = Published::default();
            }
        }
        for key in self.vhosts.keys() {
            self.vhost_mut(key).published = Published::default();
        }
    }

    fn bring_down_queue(&mut self, key: QueueKey, returned: Vec<Entry>, how: Down) {
        let queue = self.queue_mut(key);
        queue.ring = Ring::default();
        queue.cold.blocked = Lineup::default();
        queue.cold.exclusive_consumer = None;
        queue.cold.active = None;
        queue.cold.unused_armed = None;
        queue.unacked = 0;
        if queue.cold.kind.stream().is_some() {
            return bring_down_stream(queue, how);
        }
        let mut contents = queue.ready.take_all();
        let mut held: Vec<Position> = returned.iter().map(Entry::position).collect();
        contents.extend(returned);
        if queue.cold.kind.drops_transient_on_stop() {
            contents.retain(|entry| entry.message.properties().is_persistent());
        }
        sort_by_key(&mut contents, Entry::position);
        let fresh = Box::new(Journal::new(queue.next_position));
        let journal = queue.journal.replace(fresh);
        if let (Down::Crash(crash), Some(mut journal)) = (how, journal) {
            let undone: Vec<_> = journal.undone(crash).map(Entry::again).collect();
            held.splice(..0, undone.iter().map(Entry::position));
            contents.extend(undone);
            contents.retain(|entry| journal.has(crash, entry));
            sort_by_key(&mut contents, Entry::position);
            match queue.cold.kind.quorum_mut() {
                Some(quorum) => quorum.delayed.retain(|entry| journal.has(crash, entry)),
                None => contents = contents.into_iter().map(Entry::again).collect(),
            }
            queue.cold.expiries.append(journal.take_expiries());
        }
        let kept = contents.iter().chain(queue.cold.kind.delayed()).map(Entry::position);
        queue.cold.expiries.keep_only(kept);
        if let Some(quorum) = queue.cold.kind.quorum_mut() {
            let stopped_at = match how {
                Down::Stop(at) => Some(at),
                Down::Crash(_) => None,
            };
            quorum.go_down(held, stopped_at, &contents);
        }
        queue.ready.restore(contents);
    }
}

/// Reduces a stream to what its journal keeps. Messages of a stream are not marked as redelivered.
fn bring_down_stream(queue: &mut Queue, how: Down) {
    let Some(stream) = queue.cold.kind.stream_mut() else { return };
    stream.retain(|_| false);
    if let (Down::Crash(crash), Some(journal)) = (how, &queue.journal) {
        stream.truncate(journal.kept(crash).0);
    }
    queue.journal = Some(Box::new(Journal::new(Position(stream.log.next_offset()))));
}
