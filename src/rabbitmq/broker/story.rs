//! The life of each message, as typed events, while somebody asks for it.
//!
//! A message gets a number when it is published, and keeps it as a dead letter. A queue knows an
//! entry by its position, so the story finds the number of an entry by its queue and position. The
//! hooks are where a message moves; without a story each is one look at an empty option, and the
//! shortest paths of plain messages are not taken while there is one, so that they need no hooks.
//! Of a stream, only what is appended is told.

use super::Broker;
use crate::rabbitmq::channel::confirm::Verdict;
use crate::rabbitmq::key::{ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::id::{ChannelId, ConnectionId};
use crate::rabbitmq::protocol::message::{Entry, Message, Position};
use bytes::Bytes;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Something that happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    /// The message's number, in the order of publishing.
    pub(crate) message: u64,
    pub(crate) body: Bytes,
    pub(crate) fate: Fate,
}

/// What can happen to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Published {
        by: ChannelId,
        exchange: SmolStr,
        routing_key: SmolStr,
        confirm: Option<u64>,
    },
    /// No queue got it.
    Unroutable,
    /// The broker gives it up.
    Dropped {
        why: String,
    },
    /// Its queue keeps it, as its dead-letter exchange routes it to no queue.
    Kept,
    /// Published again because it had died.
    DeadLettered {
        exchange: SmolStr,
        routing_key: SmolStr,
    },
    Enqueued {
        queue: SmolStr,
        behind: u64,
    },
    /// Its queue is at its limit.
    Refused {
        queue: SmolStr,
    },
    Confirmed {
        to: ChannelId,
        number: u64,
        verdict: Verdict,
    },
    Delivered {
        queue: SmolStr,
        to: ChannelId,
        tag: u64,
        redelivered: bool,
        ack_required: bool,
    },
    Acknowledged {
        queue: SmolStr,
    },
    Returned {
        queue: SmolStr,
        why: &'static str,
    },
    Died {
        queue: SmolStr,
        reason: &'static str,
        dead_letter_exchange: Option<SmolStr>,
    },
    Purged {
        queue: SmolStr,
    },
    /// Its queue was deleted.
    Deleted {
        queue: SmolStr,
    },
    /// The broker went down before it was safe on disk.
    Lost {
        queue: SmolStr,
    },
}

/// The story so far.
#[derive(Debug, Default)]
pub(super) struct Story {
    happenings: VecDeque<Happening>,
    /// The names of the clients.
    clients: BTreeMap<ConnectionId, Arc<str>>,
    last: u64,
    /// The message that is being published.
    current: Option<u64>,
    /// The message of each entry.
    places: BTreeMap<(QueueKey, Position), (u64, Bytes)>,
    /// The messages whose confirms are not told yet.
    confirms: BTreeMap<(ChannelKey, u64), (u64, Bytes)>,
    /// The dead messages that will be published again, with their bodies.
    dead: VecDeque<(u64, Arc<Message>)>,
}

impl Story {
    fn tell(&mut self, message: u64, body: Bytes, fate: Fate) {
        self.happenings.push_back(Happening { message, body, fate });
    }

    /// Returns the number of a dead message.
    fn number_of(&self, dead: &Arc<Message>) -> Option<u64> {
        let mut all = self.dead.iter();
        all.find(|(_, other)| Arc::ptr_eq(other, dead)).map(|(number, _)| *number)
    }

    /// Forgets a dead message, and returns its number.
    fn take(&mut self, dead: &Arc<Message>) -> Option<u64> {
        let place = self.dead.iter().position(|(_, other)| Arc::ptr_eq(other, dead))?;
        self.dead.remove(place).map(|(number, _)| number)
    }

    /// Returns the number of the message that is being published, a new one if it has none yet.
    fn number(&mut self) -> u64 {
        match self.current {
            Some(number) => number,
            None => {
                self.last += 1;
                self.last
            }
        }
    }
}

impl Broker {
    /// Tells the life of each message from now on; see [`Broker::poll_story`].
    pub(crate) fn tell_stories(&mut self) {
        self.story.get_or_insert_default();
    }

    /// Returns what happened next, if the broker was asked to tell.
    pub(crate) fn poll_story(&mut self) -> Option<Happening> {
        self.story.as_mut()?.happenings.pop_front()
    }

    /// Remembers the name of a client for its story.
    pub(crate) fn name_client(&mut self, connection: ConnectionId, name: &str) {
        if let Some(story) = &mut self.story {
            story.clients.insert(connection, name.into());
        }
    }

    /// Returns a client's name.
    pub(crate) fn client_name(&self, connection: ConnectionId) -> Option<Arc<str>> {
        self.story.as_ref()?.clients.get(&connection).cloned()
    }

    #[inline]
    pub(super) fn tells(&self) -> bool {
        self.story.is_some()
    }

    /// A message is published by a client, and goes to this many queues.
    pub(super) fn tell_published(
        &mut self,
        by: (ChannelId, ChannelKey),
        message: &Message,
        confirm: Option<u64>,
        queues: usize,
    ) {
        let Some(story) = &mut self.story else { return };
        story.current = None;
        let number = story.number();
        story.current = Some(number);
        let body = message.body().clone();
        let (exchange, routing_key) = (message.exchange().clone(), message.routing_key().clone());
        let fate = Fate::Published { by: by.0, exchange, routing_key, confirm };
        story.tell(number, body.clone(), fate);
        if queues == 0 {
            story.tell(number, body.clone(), Fate::Unroutable);
        }
        if let Some(confirm) = confirm {
            story.confirms.insert((by.1, confirm), (number, body));
        }
    }

    /// The message that is being published is with its queues.
    pub(super) fn tell_all_routed(&mut self) {
        if let Some(story) = &mut self.story {
            story.current = None;
        }
    }

    /// A dead message is published again. If its queue `keeps` it until others have it safely, that
    /// may happen several times.
    pub(super) fn tell_dead_lettered(
        &mut self,
        dead: &Arc<Message>,
        message: &Message,
        keeps: bool,
    ) {
        let Some(story) = &mut self.story else { return };
        story.current = if keeps { story.number_of(dead) } else { story.take(dead) };
        let number = story.number();
        story.current = Some(number);
        let (exchange, routing_key) = (message.exchange().clone(), message.routing_key().clone());
        let fate = Fate::DeadLettered { exchange, routing_key };
        story.tell(number, message.body().clone(), fate);
    }

    /// A dead message is not published.
    pub(super) fn tell_not_lettered(&mut self, dead: &Arc<Message>, fate: Fate) {
        let Some(story) = &mut self.story else { return };
        let number = if fate == Fate::Kept { story.number_of(dead) } else { story.take(dead) };
        if let Some(number) = number {
            story.tell(number, dead.body().clone(), fate);
        }
    }

    /// Others have a dead message safely, so its queue does not keep it any longer.
    pub(super) fn tell_letter_safe(&mut self, dead: &Arc<Message>) {
        if let Some(story) = &mut self.story {
            story.take(dead);
        }
    }

    /// Something happened to the message that is being published.
    pub(super) fn tell_of_current(&mut self, message: &Message, fate: impl FnOnce() -> Fate) {
        let Some(story) = &mut self.story else { return };
        let number = story.number();
        story.tell(number, message.body().clone(), fate());
    }

    /// A queue has accepted a message, at this position.
    pub(super) fn tell_enqueued(&mut self, key: QueueKey, position: Position, message: &Message) {
        let (Some(story), Some(queue)) = (&mut self.story, self.queues.get(key)) else { return };
        let number = story.number();
        let body = message.body().clone();
        story.places.insert((key, position), (number, body.clone()));
        let behind = queue.ready.len() as u64;
        story.tell(number, body, Fate::Enqueued { queue: queue.cold.name.clone(), behind });
    }

    /// A queue has refused a message.
    pub(super) fn tell_refused(&mut self, key: QueueKey, message: &Message) {
        let (Some(story), Some(queue)) = (&mut self.story, self.queues.get(key)) else { return };
        let number = story.number();
        let fate = Fate::Refused { queue: queue.cold.name.clone() };
        story.tell(number, message.body().clone(), fate);
    }

    /// A publisher will be told the fate of its message.
    pub(super) fn tell_confirmed(&mut self, channel: ChannelKey, seqno: u64, verdict: Verdict) {
        let Some(story) = &mut self.story else { return };
        let Some((number, body)) = story.confirms.remove(&(channel, seqno)) else { return };
        if let Some(to) = self.channels.get(channel).map(|channel| channel.id) {
            story.tell(number, body, Fate::Confirmed { to, number: seqno, verdict });
        }
    }

    /// An entry is delivered to a consumer, or fetched on a channel.
    pub(super) fn tell_delivered(
        &mut self,
        (key, channel): (QueueKey, ChannelKey),
        entry: &Entry,
        tag: u64,
        ack_required: bool,
    ) {
        let Some(to) = self.channels.get(channel).map(|channel| channel.id) else { return };
        let redelivered = entry.redelivered();
        self.tell_of(key, entry.position(), |queue| Fate::Delivered {
            queue,
            to,
            tag,
            redelivered,
            ack_required,
        });
    }

    /// The next tag of a consumer's channel, and its channel.
    pub(super) fn next_delivery(&self, consumer: ConsumerKey) -> Option<(ChannelKey, u64, bool)> {
        let consumer = self.consumers.get(consumer)?;
        let channel = self.channels.get(consumer.channel)?;
        Some((consumer.channel, channel.last_tag() + 1, consumer.ack_required))
    }

    /// Something happened to an entry of a queue.
    pub(super) fn tell_of(
        &mut self,
        key: QueueKey,
        position: Position,
        fate: impl FnOnce(SmolStr) -> Fate,
    ) {
        let (Some(story), Some(queue)) = (&mut self.story, self.queues.get(key)) else { return };
        let Some((number, body)) = story.places.get(&(key, position)).cloned() else { return };
        let fate = fate(queue.cold.name.clone());
        story.tell(number, body, fate);
    }

    /// A queue gives up an entry.
    pub(super) fn tell_died(&mut self, key: QueueKey, entry: &Entry, reason: &'static str) {
        let Some(queue) = self.queues.get(key).filter(|_| self.story.is_some()) else { return };
        let dead_letter_exchange = queue.cold.settings.dead_letter_exchange.clone();
        let goes_on = dead_letter_exchange.is_some();
        let fate = |queue| Fate::Died { queue, reason, dead_letter_exchange };
        self.tell_of(key, entry.position(), fate);
        if let Some(story) = &mut self.story
            && let Some((number, _)) = story.places.get(&(key, entry.position()))
            && goes_on
        {
            story.dead.push_back((*number, Arc::clone(&entry.message)));
        }
    }

    /// An entry has left its queue.
    pub(super) fn tell_left(&mut self, key: QueueKey, position: Position) {
        if let Some(story) = &mut self.story {
            story.places.remove(&(key, position));
        }
    }

    /// An entry has another position now.
    pub(super) fn tell_moved(&mut self, key: QueueKey, from: Position, to: Position) {
        if let Some(story) = &mut self.story
            && let Some(message) = story.places.remove(&(key, from))
        {
            story.places.insert((key, to), message);
        }
    }

    /// A queue is about to be deleted, with everything in it.
    pub(super) fn tell_deleted(&mut self, key: QueueKey) {
        self.tell_gone(key, |_| true, |queue| Fate::Deleted { queue });
    }

    /// A queue has been reduced to what is on disk.
    pub(super) fn tell_lost(&mut self, key: QueueKey) {
        let Some(queue) = self.queues.get(key).filter(|_| self.story.is_some()) else { return };
        // A stream's messages are not entries of a backlog.
        if queue.cold.kind.stream().is_some() {
            return;
        }
        let kept: BTreeSet<Position> = queue.ready.iter().map(|entry| entry.position()).collect();
        self.tell_gone(key, |position| !kept.contains(&position), |queue| Fate::Lost { queue });
    }

    fn tell_gone(
        &mut self,
        key: QueueKey,
        is_gone: impl Fn(Position) -> bool,
        fate: impl Fn(SmolStr) -> Fate,
    ) {
        let (Some(story), Some(queue)) = (&mut self.story, self.queues.get(key)) else { return };
        let name = &queue.cold.name;
        let here = (key, Position(0))..=(key, Position(u64::MAX));
        let gone: Vec<Position> =
            story.places.range(here).map(|((_, at), _)| *at).filter(|at| is_gone(*at)).collect();
        for position in gone {
            if let Some((number, body)) = story.places.remove(&(key, position)) {
                story.tell(number, body, fate(name.clone()));
            }
        }
    }
}
