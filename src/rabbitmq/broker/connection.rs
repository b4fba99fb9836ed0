//! Connections and channels: opening, closing, and what is closed with them.

use super::alarm::Block;
use super::deliver::first_waiting;
use super::settle::Return;
use super::{Broker, Connection, Failure, NOT_ON_CHANNEL_0, Session};
use crate::Instant;
use crate::rabbitmq::channel::Channel;
use crate::rabbitmq::channel::consumer::Consumer;
use crate::rabbitmq::key::{ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::error::{AmqpError, Fault, MethodId, ReplyCode, Scope};
use crate::rabbitmq::protocol::id::{ChannelId, ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::limits::CHANNEL_MAX;
use crate::rabbitmq::protocol::message::Entry;
use crate::rabbitmq::protocol::method::{ConnectionOptions, Event, Output, ids};
use crate::rabbitmq::protocol::tags::Tags;
use crate::rabbitmq::queue::kind::Kind;
use crate::sort::sort_by_key;
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, BTreeSet};

/// A consumer that has ended and is still listed by its queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    key: ConsumerKey,
    is_blocked: bool,
}

impl Ended {
    pub(super) fn new(key: ConsumerKey, consumer: &Consumer) -> Ended {
        Ended { key, is_blocked: consumer.is_blocked }
    }
}

impl Broker {
    /// Opens a connection (`connection.open`).
    ///
    /// # Errors
    ///
    /// `ACCESS_REFUSED` for an unknown user or a wrong password; `NOT_ALLOWED` for a vhost that
    /// does not exist, in which the user has no permissions, or at a limit; `CONNECTION_FORCED`
    /// while the broker is down; `COMMAND_INVALID` if the connection is open already. Each closes
    /// the connection.
    pub fn connection_open(
        &mut self,
        now: Instant,
        id: ConnectionId,
        options: ConnectionOptions,
    ) -> Result<(), AmqpError> {
        if !self.running {
            return Err(self.not_connected(id, ids::CONNECTION_OPEN));
        }
        let opened = if self.connections.contains_key(&id) {
            let reason = format!("connection {id} is open already");
            Err(Fault::new(ReplyCode::CommandInvalid, reason))
        } else if !self.authenticate(&options.user, &options.password) {
            let reason = "Login was refused using authentication mechanism PLAIN. For details see \
                          the broker logfile.";
            Err(Fault::refused(reason))
        } else {
            self.opened_vhost(&options)
        };
        let vhost = match opened {
            Ok(vhost) => vhost,
            Err(fault) => {
                self.drop_connection(now, id);
                let error = fault.of(ids::CONNECTION_OPEN);
                return Err(AmqpError { scope: Scope::Connection, ..error });
            }
        };
        let wanted = options.channel_max;
        let connection = Connection {
            options,
            vhost,
            channel_max: if wanted == 0 { CHANNEL_MAX } else { wanted.min(CHANNEL_MAX) },
            heartbeats: None,
            block: Block::None,
            channels: BTreeSet::new(),
            exclusive_queues: BTreeSet::new(),
        };
        self.connections.insert(id, Box::new(connection));
        self.start_heartbeats(now, id);
        Ok(())
    }

    /// Closes a connection as its client asks (`connection.close`), with its channels and its
    /// exclusive queues.
    ///
    /// # Errors
    ///
    /// `CONNECTION_FORCED` if it is not open.
    pub fn connection_close(&mut self, now: Instant, id: ConnectionId) -> Result<(), AmqpError> {
        if !self.connections.contains_key(&id) {
            return Err(self.not_connected(id, MethodId::NONE));
        }
        self.drop_connection(now, id);
        Ok(())
    }

    /// Handles the loss of a connection's socket, as if the client had closed the connection.
    /// Outputs to it are dropped. Has no effect if the connection is not open.
    pub fn connection_lost(&mut self, now: Instant, id: ConnectionId) {
        self.drop_connection(now, id);
        self.outputs.forget(id);
    }

    /// Opens a channel (`channel.open`). A channel that the broker has closed can be opened again.
    ///
    /// # Errors
    ///
    /// `CHANNEL_ERROR` if it is open already, or its number is 0; `NOT_ALLOWED` if the connection
    /// has as many channels as it may. Both close the connection.
    pub fn channel_open(&mut self, now: Instant, id: ChannelId) -> Result<(), AmqpError> {
        let Some(connection) = self.connections.get(&id.connection) else {
            return Err(self.not_connected(id.connection, ids::CHANNEL_OPEN));
        };
        let is_taken = match self.sessions.get(&id) {
            Some(Session::Open(..)) => true,
            Some(Session::Failed(failure)) => failure.has_crossed,
            None => false,
        };
        if is_taken {
            let fault = Fault::new(ReplyCode::ChannelError, "second 'channel.open' seen");
            return Err(self.fail(now, id, fault.of(ids::CHANNEL_OPEN)));
        }
        if id.number.0 == 0 {
            let fault = Fault::new(ReplyCode::ChannelError, NOT_ON_CHANNEL_0);
            return Err(self.fail(now, id, fault.of(ids::CHANNEL_OPEN)));
        }
        let (open, max) = (connection.channels.len(), connection.channel_max);
        let vhost = connection.vhost;
        if !connection.channels.contains(&id.number) {
            if open >= usize::from(max) {
                let reason = format!(
                    "number of channels opened ({open}) has reached the negotiated channel_max \
                     ({max})"
                );
                let fault = Fault::new(ReplyCode::NotAllowed, reason);
                return Err(self.fail(now, id, fault.of(MethodId::NONE)));
            }
            self.check_channel_limit(id.connection)
                .map_err(|fault| self.fail(now, id, fault.of(MethodId::NONE)))?;
        }
        if let Some(connection) = self.connections.get_mut(&id.connection) {
            connection.channels.insert(id.number);
        }
        if let Some(Session::Failed(failure)) = self.sessions.swap_remove(&id) {
            // The channel was opened again without an answer to the close. Only a caller of the
            // typed methods can do that.
            self.close_channels(now, failure.lingering.as_slice());
            self.publish_dead_letters(now);
        }
        let mut channel = Channel::new(id);
        channel.is_unrestricted = self.is_unrestricted(id);
        let channel = self.channels.insert(channel);
        self.sessions.insert(id, Session::Open(channel, vhost));
        Ok(())
    }

    /// Keeps the number of a refused channel in use until its client has answered the close.
    pub(super) fn open_as_failed(&mut self, id: ChannelId, cause: AmqpError) {
        if let Some(connection) = self.connections.get_mut(&id.connection) {
            connection.channels.insert(id.number);
            let failure = Failure { cause, lingering: None, has_crossed: false };
            self.sessions.insert(id, Session::Failed(Box::new(failure)));
        }
    }

    /// Closes a channel as its client asks (`channel.close`): its consumers are removed, and its
    /// unacknowledged messages return to their queues. Also answers the broker's own close.
    ///
    /// # Errors
    ///
    /// `CHANNEL_ERROR` if it is not open, which closes the connection.
    pub fn channel_close(&mut self, now: Instant, id: ChannelId) -> Result<(), AmqpError> {
        match self.sessions.swap_remove(&id) {
            Some(Session::Open(channel, _)) => {
                self.close_channels(now, &[channel]);
                self.publish_dead_letters(now);
            }
            Some(Session::Failed(failure)) => {
                self.close_channels(now, failure.lingering.as_slice());
                self.publish_dead_letters(now);
            }
            None => return Err(self.not_open(now, id, ids::CHANNEL_CLOSE)),
        }
        if let Some(connection) = self.connections.get_mut(&id.connection) {
            connection.channels.remove(&id.number);
        }
        Ok(())
    }

    /// Refuses content that cannot become a method, as if the method had failed: with `error` on an
    /// open channel, with a channel error on a channel that is not open, and silently on a channel
    /// that the broker has closed.
    pub(crate) fn refuse_content(
        &mut self,
        now: Instant,
        id: ChannelId,
        method: MethodId,
        error: AmqpError,
    ) {
        let error = match self.sessions.get(&id) {
            _ if !self.connections.contains_key(&id.connection) => return,
            Some(Session::Failed(_)) => return,
            Some(Session::Open(..)) => self.fail(now, id, error),
            None => self.not_open(now, id, method),
        };
        let (channel, event) = match error.scope {
            Scope::Channel => (id.number, Event::ChannelClose(Box::new(error))),
            Scope::Connection => (ChannelNumber(0), Event::ConnectionClose(Box::new(error))),
        };
        self.outputs.closed(Output { connection: id.connection, channel, event });
    }

    /// Removes a connection and everything that belongs to it.
    pub(super) fn drop_connection(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.swap_remove(&id) else {
            return;
        };
        let mut channels = Vec::new();
        for number in connection.channels {
            let id = ChannelId { connection: id, number };
            match self.sessions.swap_remove(&id) {
                Some(Session::Open(channel, _)) => channels.push(channel),
                Some(Session::Failed(failure)) => channels.extend(failure.lingering),
                None => {}
            }
        }
        self.close_channels(now, &channels);
        for queue in connection.exclusive_queues {
            self.delete_queue(queue);
        }
        self.publish_dead_letters(now);
    }

    /// Moves to a lingering channel everything that quorum queues and streams keep until the client
    /// acknowledges `channel.close`: their consumers, unacked deliveries, and deliveries fetched
    /// from queues the channel does not consume from.
    pub(super) fn let_linger(&mut self, now: Instant, key: ChannelKey) -> Option<ChannelKey> {
        let Broker { channels, consumers, queues, .. } = self;
        let failing = channels.get_mut(key)?;
        let hears = |queue: &QueueKey| {
            let queue = queues.get(*queue);
            queue.is_none_or(|queue| queue.cold.kind.hears_of_failed_channel_at_once())
        };
        let queue_of = |consumer: ConsumerKey| consumers.get(consumer).map(|c| c.queue);
        let (leaving, staying): (Tags<ConsumerKey>, Tags<ConsumerKey>) = failing
            .consumers
            .take()
            .partition(|(_, consumer)| queue_of(*consumer).is_none_or(|queue| hears(&queue)));
        failing.consumers = leaving;
        let consumed: BTreeSet<QueueKey> =
            failing.consumers.values().filter_map(|consumer| queue_of(*consumer)).collect();
        let (returning, held): (Vec<_>, Vec<_>) =
            failing.drain_held().partition(|(_, unacked)| consumed.contains(&unacked.queue));
        // Their time does not matter any more.
        failing.unacked.restore(returning, now);
        let staying_keys: Vec<ConsumerKey> = staying.values().copied().collect();
        let lingering = failing.successor(staying, held, now)?;
        let lingering = channels.insert(lingering);
        for consumer in staying_keys {
            if let Some(consumer) = consumers.get_mut(consumer) {
                consumer.channel = lingering;
            }
        }
        Some(lingering)
    }

    /// Returns delivered entries to their queue, if it still exists.
    fn return_entries(&mut self, now: Instant, key: QueueKey, mut entries: Vec<Entry>) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        if let Some(quorum) = queue.cold.kind.quorum_mut() {
            quorum.leave_out_released(&mut entries);
        }
        queue.unacked -= entries.len() as u32;
        let is_sorted = entries.is_sorted_by_key(Entry::position);
        if queue.cold.kind.returns_by_position() && !is_sorted {
            sort_by_key(&mut entries, Entry::position);
        }
        if !queue.cold.kind.keeps_consumed() {
            self.put_back(now, key, entries, Return::Lost);
        }
        self.run_queue(now, key);
    }

    /// Removes channels of one connection together: none of them gets what another returns.
    pub(super) fn close_channels(&mut self, now: Instant, keys: &[ChannelKey]) {
        let mut left: BTreeMap<QueueKey, Vec<Ended>> = BTreeMap::new();
        let mut returned: BTreeMap<QueueKey, Vec<Entry>> = BTreeMap::new();
        // The server asks a quorum queue for one channel after the other, in an unspecified order.
        let mut keys = keys.to_vec();
        if !self.profile().ends_first_channel_first {
            keys.reverse();
        }
        for key in keys {
            let Some(mut channel) = self.channels.remove(key) else {
                continue;
            };
            self.tell_uncommitted(&channel, "its channel was closed before a commit");
            self.take_back(&mut channel, &mut returned);
            for (_, key) in channel.consumers.take() {
                if let Some(consumer) = self.consumers.remove(key) {
                    left.entry(consumer.queue).or_default().push(Ended::new(key, &consumer));
                }
            }
            if let Some(consumer) = channel.reply_consumer.take() {
                self.reply_names.swap_remove(&consumer.name);
            }
        }
        for (key, ended) in &left {
            if self.remove_dead_consumers(now, *key, ended) {
                self.delete_queue(*key);
            }
        }
        let touched: BTreeSet<QueueKey> =
            left.into_keys().chain(returned.keys().copied()).collect();
        for key in touched {
            let entries = returned.remove(&key).unwrap_or_default();
            self.return_entries(now, key, entries);
        }
    }

    /// Takes everything that a channel holds, and adds it to what returns to each queue. To a
    /// quorum queue it returns sorted by consumer tag, where a fetched message counts by its
    /// delivery tag; since RabbitMQ 4 by the age of the consumers, and then what was fetched.
    fn take_back(&self, channel: &mut Channel, returned: &mut BTreeMap<QueueKey, Vec<Entry>>) {
        let mut by_tag = Vec::new();
        let count = channel.unacked.len();
        let mut held = channel.drain_held().peekable();
        // Deliveries of one queue come in a row, most of the time.
        while let Some(first) = held.next() {
            let of = first.1.queue;
            let kind = self.queues.get(of).map(|queue| &queue.cold.kind);
            let mut run = std::iter::from_fn(|| held.next_if(|(_, next)| next.queue == of));
            if kind.is_some_and(Kind::returns_by_consumer_tag) {
                by_tag.push(first);
                by_tag.extend(run);
            } else {
                let is_first = returned.is_empty();
                let entries = returned.entry(of).or_default();
                entries.reserve(if is_first { count } else { 0 });
                entries.push(first.1.entry);
                entries.extend(run.by_ref().map(|(_, unacked)| unacked.entry));
            }
        }
        drop(held);
        if !by_tag.is_empty() {
            let tags = channel.consumer_tags();
            let knows_by_tag = self.profile().quorum.knows_consumers_by_tag;
            let serial = |consumer| match self.consumers.get(consumer) {
                Some(_) => self.serial_of(consumer),
                None => channel.cancelled_serial(consumer).unwrap_or_default(),
            };
            sort_by_key(&mut by_tag, |(tag, unacked)| match unacked.consumer {
                Some(consumer) if knows_by_tag => {
                    (0, tags.get(&consumer).cloned().unwrap_or_default(), *tag)
                }
                Some(consumer) => (serial(consumer), SmolStr::default(), *tag),
                None => {
                    let last = if knows_by_tag { 0 } else { u32::MAX };
                    (last, format_smolstr!("{tag}"), *tag)
                }
            });
        }
        for (_, unacked) in by_tag {
            returned.entry(unacked.queue).or_default().push(unacked.entry);
        }
    }

    /// Removes consumers that have ended from their queue. Returns whether the queue is to be
    /// deleted too.
    pub(super) fn remove_dead_consumers(
        &mut self,
        now: Instant,
        key: QueueKey,
        ended: &[Ended],
    ) -> bool {
        let Broker { consumers, channels, queues, .. } = self;
        let Some(queue) = queues.get_mut(key) else {
            return false;
        };
        if let Some(stream) = queue.cold.kind.stream_mut() {
            stream.retain(|consumer| consumers.get(consumer).is_some());
        } else {
            for consumer in ended {
                match consumer.is_blocked {
                    true => queue.cold.blocked.leave(consumer.key),
                    false => queue.ring.leave(consumer.key),
                }
            }
            queue.ring.forget_channels(|channel| channels.get(channel).is_none());
        }
        if let Some(quorum) = queue.cold.kind.quorum_mut() {
            quorum.forgotten.retain(|consumer| consumers.get(*consumer).is_some());
            quorum.serials.retain(|consumer, _| consumers.get(*consumer).is_some());
        }
        queue.cold.exclusive_consumer.take_if(|consumer| consumers.get(*consumer).is_none());
        queue.cold.active.take_if(|consumer| consumers.get(*consumer).is_none());
        if queue.cold.single_active && queue.cold.active.is_none() {
            // At once, so that a consumer that arrives later does not take the place.
            queue.cold.active = first_waiting(queue, consumers);
        }
        if queue.consumer_count() > 0 {
            return false;
        }
        let is_over = queue.cold.auto_delete;
        self.touch_unused(now, key);
        is_over
    }
}
