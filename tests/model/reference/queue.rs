//! A queue of the reference: lists, and a log of what would be on disk.

use std::fmt;
use stunt_double::Instant;
use stunt_double::rabbitmq::QueueOptions;
use stunt_double::rabbitmq::broker::ChannelId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) body: String,
    pub(super) position: u64,
    pub(super) persistent: bool,
    pub(super) redelivered: bool,
    pub(super) expires: Option<Instant>,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.body, if self.redelivered { "R" } else { "" })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consumer {
    pub(super) id: u64,
    pub(super) channel: ChannelId,
    pub(super) tag: String,
    pub(super) no_ack: bool,
    pub(super) prefetch: u16,
}

/// A publish to be confirmed, by its channel's number and id.
#[derive(Clone, Copy)]
pub(super) struct Confirm {
    pub(super) channel: ChannelId,
    pub(super) id: u64,
    pub(super) seqno: usize,
}

/// An event of a persistent message.
pub(super) enum Logged {
    Published(Message),
    /// The message at this position has left.
    Gone(u64),
}

pub(super) struct Queue {
    pub(super) id: u64,
    pub(super) name: &'static str,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) ready: Vec<Message>,
    /// Consumers, the next one first.
    pub(super) ring: Vec<Consumer>,
    /// Consumers that were asked and could not take a message.
    pub(super) blocked: Vec<Consumer>,
    next_position: u64,
    pub(super) log: Vec<Logged>,
    /// How much of the log survives a crash.
    pub(super) on_disk: usize,
    /// Publishes to be confirmed when the log is on disk.
    pub(super) waiting: Vec<Confirm>,
    pub(super) last_operation: Instant,
    pub(super) published: usize,
    /// Messages that were acknowledged, rejected without requeue, or delivered without
    /// acknowledgement.
    pub(super) settled: usize,
    /// Messages that were purged or expired.
    pub(super) dropped: usize,
}

impl Queue {
    pub(super) fn new(id: u64, name: &'static str, options: &QueueOptions) -> Queue {
        Queue {
            id,
            name,
            durable: options.durable,
            auto_delete: options.auto_delete,
            ready: Vec::new(),
            ring: Vec::new(),
            blocked: Vec::new(),
            next_position: 0,
            log: Vec::new(),
            on_disk: 0,
            waiting: Vec::new(),
            last_operation: Instant::ZERO,
            published: 0,
            settled: 0,
            dropped: 0,
        }
    }

    pub(super) fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.ring.iter().chain(&self.blocked)
    }

    /// Returns whether any were removed.
    pub(super) fn remove_consumers(&mut self, goes: impl Fn(&Consumer) -> bool) -> bool {
        let before = self.consumers().count();
        self.ring.retain(|consumer| !goes(consumer));
        self.blocked.retain(|consumer| !goes(consumer));
        self.consumers().count() < before
    }

    /// Gives a message its number in the queue.
    pub(super) fn number(
        &mut self,
        body: String,
        persistent: bool,
        expires: Option<Instant>,
    ) -> Message {
        self.next_position += 1;
        self.published += 1;
        Message { body, position: self.next_position, persistent, redelivered: false, expires }
    }

    pub(super) fn put_back(&mut self, now: Instant, message: Message) {
        self.last_operation = now;
        self.ready.push(Message { redelivered: true, ..message });
        self.ready.sort_by_key(|message| message.position);
    }

    /// Drops expired messages from the head.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.ready.first().is_some_and(|head| head.expires.is_some_and(|at| at <= now)) {
            let message = self.ready.remove(0);
            self.dropped += 1;
            self.log_gone(now, &message);
        }
    }

    pub(super) fn log_published(&mut self, message: Message) {
        self.log.push(Logged::Published(message));
    }

    pub(super) fn log_gone(&mut self, now: Instant, message: &Message) {
        self.last_operation = now;
        if message.persistent {
            self.log.push(Logged::Gone(message.position));
        }
    }

    /// Stops cleanly, with these messages unacknowledged.
    pub(super) fn stop(&mut self, held: impl Iterator<Item = Message>) {
        let mut left = std::mem::take(&mut self.ready);
        left.extend(held.map(|message| Message { redelivered: true, ..message }));
        left.retain(|message| message.persistent);
        self.start(left);
    }

    /// Crashes: only what the log on disk records survives.
    pub(super) fn crash(&mut self) {
        let mut left = Vec::new();
        for logged in &self.log[..self.on_disk] {
            match logged {
                Logged::Published(message) => {
                    left.push(Message { redelivered: true, ..message.clone() });
                }
                Logged::Gone(position) => left.retain(|message| message.position != *position),
            }
        }
        self.start(left);
    }

    /// Starts with what is left.
    fn start(&mut self, mut left: Vec<Message>) {
        left.sort_by_key(|message| message.position);
        self.log = left.iter().cloned().map(Logged::Published).collect();
        self.on_disk = self.log.len();
        self.waiting.clear();
        (self.published, self.settled, self.dropped) = (left.len(), 0, 0);
        self.ring.clear();
        self.blocked.clear();
        self.ready = left;
    }
}
