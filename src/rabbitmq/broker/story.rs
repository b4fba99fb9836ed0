//! The life of each message, as typed events, while somebody asks for it.
//!
//! A message gets a number when it is published, and keeps it: as a dead letter, while it waits at
//! a delayed exchange or for a commit, and in each queue. Whatever holds a message outside a queue
//! keeps its number beside it. A queue knows an entry by its position, so the story finds the
//! number of an entry by its queue and position (`entries`).
//!
//! The hooks are where a message moves; without a story each is one look at an empty option, and
//! the shortest paths of plain messages are not taken while there is one, so that they need no
//! hooks. Of a stream is told what is appended, what is delivered, and what its retention drops;
//! its readers' acknowledgements are not, as they remove nothing.

mod entries;

use super::{Broker, Caller};
use crate::rabbitmq::channel::Channel;
use crate::rabbitmq::channel::confirm::{Confirms, Verdict};
use crate::rabbitmq::exchange::Exchange;
use crate::rabbitmq::key::{ChannelKey, ExchangeKey, QueueKey};
use crate::rabbitmq::protocol::id::{ChannelId, ConnectionId};
use crate::rabbitmq::protocol::message::{Message, Position};
use crate::rabbitmq::queue::dead_letter::DeadLetter;
use bytes::Bytes;
use entries::Place;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

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
        /// Whether it waits for the commit of a transaction.
        until_commit: bool,
    },
    /// The transaction in which it was published is committed.
    Committed,
    RolledBack,
    /// A delayed exchange holds it back.
    Delayed {
        exchange: SmolStr,
        delay: Duration,
    },
    /// A delayed exchange routes it now.
    Due {
        exchange: SmolStr,
    },
    /// Delivered without a queue, as the answer to a request.
    Replied {
        to: ChannelId,
    },
    /// No queue got it.
    Unroutable,
    /// Sent back to its publisher, as no queue got it.
    SentBack {
        to: ChannelId,
    },
    /// A queue to which it was routed is left out.
    LeftOut {
        queue: SmolStr,
        why: &'static str,
    },
    /// The broker gives it up.
    Dropped {
        why: String,
    },
    /// The queue in which it died keeps it and tries again later.
    Kept {
        queue: SmolStr,
        why: String,
    },
    /// The queue in which it died keeps it no longer.
    Released {
        queue: SmolStr,
    },
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
    /// The broker went down, and its queue is not durable.
    LostWithQueue {
        queue: SmolStr,
    },
    /// The broker went down before what took it out of its queue was safe on disk.
    Undone {
        queue: SmolStr,
        what: &'static str,
    },
    /// The broker's disk was wiped.
    Wiped {
        queue: SmolStr,
    },
    /// Its stream has become too long or too old.
    Outlived {
        stream: SmolStr,
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
    /// The messages of [`Story::current`] that something else than a queue has got.
    elsewhere: BTreeSet<u64>,
    /// The entries of each queue. Those that have left it stay here, as a crash may bring them
    /// back.
    places: BTreeMap<(QueueKey, Position), Place>,
    /// The messages whose confirms were not sent yet.
    confirms: BTreeMap<(ChannelKey, u64), (u64, Bytes)>,
}

impl Story {
    fn tell(&mut self, message: u64, body: Bytes, fate: Fate) {
        self.happenings.push_back(Happening { message, body, fate });
    }

    /// Tells that a publish is answered.
    fn tell_answer(&mut self, (key, to): (ChannelKey, ChannelId), number: u64, verdict: Verdict) {
        if let Some((message, body)) = self.confirms.remove(&(key, number)) {
            self.tell(message, body, Fate::Confirmed { to, number, verdict });
        }
    }

    /// Tells of the answers that are ready, which are sent now.
    pub(super) fn tell_answers(&mut self, key: ChannelKey, to: ChannelId, confirms: &Confirms) {
        for (verdict, number) in confirms.decided() {
            self.tell_answer((key, to), number, verdict);
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

    /// A client publishes a message, which has not been routed yet.
    pub(super) fn tell_published(&mut self, caller: Caller, message: &Message) {
        let Some(story) = &mut self.story else { return };
        let Some(channel) = self.channels.get(caller.channel) else { return };
        story.last += 1;
        let number = story.last;
        story.current = Some(number);
        let body = message.body().clone();
        let confirm = channel.confirms.as_ref().map(|confirms| confirms.next());
        if let Some(confirm) = confirm {
            story.confirms.insert((caller.channel, confirm), (number, body.clone()));
        }
        let (exchange, routing_key) = (message.exchange().clone(), message.routing_key().clone());
        let until_commit = channel.transaction.is_some();
        let fate = Fate::Published { by: caller.id, exchange, routing_key, confirm, until_commit };
        story.tell(number, body, fate);
    }

    /// Returns the number of the message that is being published.
    pub(super) fn story_number(&self) -> Option<u64> {
        self.story.as_ref()?.current
    }

    /// A message that was held outside a queue is published now.
    pub(super) fn resume_story(&mut self, number: Option<u64>) {
        if let Some(story) = &mut self.story {
            story.current = number;
        }
    }

    /// Returns the number of the message that was being published, and waits for something now.
    pub(super) fn pause_story(&mut self) -> Option<u64> {
        self.story.as_mut()?.current.take()
    }

    /// The message that is being published is with its queues.
    pub(super) fn tell_all_routed(&mut self) {
        if let Some(story) = &mut self.story
            && let Some(number) = story.current.take()
        {
            story.elsewhere.remove(&number);
        }
    }

    /// Something happened to the message that is being published.
    pub(super) fn tell_of_current(&mut self, message: &Message, fate: impl FnOnce() -> Fate) {
        if let Some(story) = &mut self.story
            && let Some(number) = story.current
        {
            story.tell(number, message.body().clone(), fate());
        }
    }

    /// Something else than a queue has got the message that is being published.
    pub(super) fn tell_of_holder(&mut self, message: &Message, fate: impl FnOnce() -> Fate) {
        if let Some(story) = &mut self.story
            && let Some(number) = story.current
        {
            story.elsewhere.insert(number);
            story.tell(number, message.body().clone(), fate());
        }
    }

    /// No queue gets the message that is being published.
    pub(super) fn tell_unroutable(&mut self, message: &Message) {
        if let Some(story) = &self.story
            && story.current.is_some_and(|number| !story.elsewhere.contains(&number))
        {
            self.tell_of_current(message, || Fate::Unroutable);
        }
    }

    /// Something happened to a message that is held outside a queue.
    pub(super) fn tell_of_held(&mut self, number: Option<u64>, message: &Message, fate: Fate) {
        if let Some(story) = &mut self.story
            && let Some(number) = number
        {
            story.tell(number, message.body().clone(), fate);
        }
    }

    /// Something happened to a dead letter.
    pub(super) fn tell_of_letter(&mut self, letter: &DeadLetter, fate: impl FnOnce() -> Fate) {
        if self.tells() {
            self.tell_of_held(letter.story, &letter.message, fate());
        }
    }

    /// A dead letter is published.
    pub(super) fn tell_dead_lettered(&mut self, letter: &DeadLetter, message: &Message) {
        self.resume_story(letter.story);
        self.tell_of_current(message, || Fate::DeadLettered {
            exchange: message.exchange().clone(),
            routing_key: message.routing_key().clone(),
        });
    }

    /// A delayed exchange is gone, with what waits at it.
    pub(super) fn tell_delayed_gone(&mut self, key: ExchangeKey, exchange: &Exchange) {
        let name = &exchange.name;
        let why = match self.running {
            true => format!("exchange {name} was deleted"),
            false => format!("the broker went down, and exchange {name} is not durable"),
        };
        for (number, message) in self.delayed.at(key) {
            self.tell_of_held(number, &message, Fate::Dropped { why: why.clone() });
        }
    }

    /// A publish that reached no queue is confirmed at once.
    pub(super) fn tell_confirmed(&mut self, caller: Caller, number: u64) {
        if let Some(story) = &mut self.story {
            story.tell_answer((caller.channel, caller.id), number, Verdict::Ack);
        }
    }

    /// A channel is closed, with what it has published in a transaction without a commit.
    pub(super) fn tell_uncommitted(&mut self, channel: &Channel, why: &str) {
        let Some(transaction) = channel.transaction.as_ref().filter(|_| self.tells()) else {
            return;
        };
        for pending in &transaction.publishes {
            let fate = Fate::Dropped { why: why.to_owned() };
            self.tell_of_held(pending.story, &pending.message, fate);
        }
    }
}
