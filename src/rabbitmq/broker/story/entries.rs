//! The part of a story that happens in a queue, to its entries.

use super::{Fate, Story};
use crate::invariant::ensure;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::key::{ChannelKey, ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::message::{Entry, Message, Position};
use crate::rabbitmq::queue::Queue;
use crate::rabbitmq::queue::stream::Stream;
use bytes::Bytes;
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// An entry of a queue.
#[derive(Clone, Debug)]
pub(super) struct Place {
    number: u64,
    body: Bytes,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is in its queue, or a consumer holds it.
    Here,
    /// It is about to leave its queue, by what these words say.
    Leaving(&'static str),
    /// It has left its queue by that, which a crash may undo.
    Gone(&'static str),
    /// It has another position now.
    Moved(Position),
}

impl Place {
    fn is_here(&self) -> bool {
        matches!(self.state, State::Here | State::Leaving(_))
    }
}

impl Story {
    /// Returns what took an entry out of its place, in the words of what a crash undoes.
    fn way_out(&self, key: QueueKey, position: Position) -> &'static str {
        let mut at = position;
        loop {
            match self.places.get(&(key, at)).map(|place| place.state) {
                Some(State::Gone(what) | State::Leaving(what)) => return what,
                Some(State::Moved(to)) => at = to,
                Some(State::Here) | None => return "its requeue",
            }
        }
    }

    /// Takes the entries of a queue that pass, in order of position.
    fn take_places(
        &mut self,
        key: QueueKey,
        passes: impl Fn(Position) -> bool,
    ) -> Vec<(Position, Place)> {
        let here = (key, Position(0))..=(key, Position(u64::MAX));
        let all = self.places.range(here).map(|((_, at), _)| *at);
        let taken: Vec<Position> = all.filter(|at| passes(*at)).collect();
        let take = |at: Position| self.places.remove(&(key, at)).map(|place| (at, place));
        taken.into_iter().filter_map(take).collect()
    }
}

impl Broker {
    /// A queue has accepted a message, at this position.
    pub(in crate::rabbitmq::broker) fn tell_enqueued(
        &mut self,
        key: QueueKey,
        position: Position,
        message: &Message,
    ) {
        let (Some(story), Some(queue)) = (&mut self.story, self.queues.get(key)) else { return };
        let Some(number) = story.current else { return };
        let body = message.body().clone();
        let place = Place { number, body: body.clone(), state: State::Here };
        story.places.insert((key, position), place);
        // With priorities it is not behind all of them.
        let behind = if queue.ready.has_levels() { 0 } else { queue.ready.len() as u64 };
        story.tell(number, body, Fate::Enqueued { queue: queue.cold.name.clone(), behind });
    }

    /// A queue has refused a message.
    pub(in crate::rabbitmq::broker) fn tell_refused(&mut self, key: QueueKey, message: &Message) {
        if let Some(queue) = self.queues.get(key).filter(|_| self.tells()) {
            let fate = Fate::Refused { queue: queue.cold.name.clone() };
            self.tell_of_current(message, || fate);
        }
    }

    /// An entry is delivered to a consumer, or fetched on a channel.
    pub(in crate::rabbitmq::broker) fn tell_delivered(
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
    pub(in crate::rabbitmq::broker) fn next_delivery(
        &self,
        consumer: ConsumerKey,
    ) -> Option<(ChannelKey, u64, bool)> {
        let consumer = self.consumers.get(consumer)?;
        let channel = self.channels.get(consumer.channel)?;
        Some((consumer.channel, channel.last_tag() + 1, consumer.ack_required))
    }

    /// Something happened to an entry of a queue.
    pub(in crate::rabbitmq::broker) fn tell_of(
        &mut self,
        key: QueueKey,
        position: Position,
        fate: impl FnOnce(SmolStr) -> Fate,
    ) {
        let (Some(story), Some(queue)) = (&mut self.story, self.queues.get(key)) else { return };
        let Some(place) = story.places.get_mut(&(key, position)) else { return };
        let fate = fate(queue.cold.name.clone());
        place.state = match fate {
            Fate::Acknowledged { .. } => State::Leaving("its acknowledgement"),
            Fate::Died { .. } => State::Leaving("its death"),
            Fate::Purged { .. } => State::Leaving("its purge"),
            Fate::Delivered { ack_required: false, .. } => State::Leaving("its delivery"),
            _ => State::Here,
        };
        let (number, body) = (place.number, place.body.clone());
        story.tell(number, body, fate);
    }

    /// A queue gives up an entry. Returns the number of its message.
    pub(in crate::rabbitmq::broker) fn tell_died(
        &mut self,
        key: QueueKey,
        entry: &Entry,
        reason: &'static str,
    ) -> Option<u64> {
        let queue = self.queues.get(key).filter(|_| self.story.is_some())?;
        let dead_letter_exchange = queue.cold.settings.dead_letter_exchange.clone();
        let fate = |queue| Fate::Died { queue, reason, dead_letter_exchange };
        self.tell_of(key, entry.position(), fate);
        let place = self.story.as_ref()?.places.get(&(key, entry.position()))?;
        Some(place.number)
    }

    /// An entry has left its queue.
    pub(in crate::rabbitmq::broker) fn tell_left(&mut self, key: QueueKey, position: Position) {
        if let Some(story) = &mut self.story
            && let Some(place) = story.places.get_mut(&(key, position))
        {
            place.state = match place.state {
                State::Leaving(what) => State::Gone(what),
                State::Here | State::Gone(_) | State::Moved(_) => State::Gone("that it left"),
            };
        }
    }

    /// An entry has another position now.
    pub(in crate::rabbitmq::broker) fn tell_moved(
        &mut self,
        key: QueueKey,
        from: Position,
        to: Position,
    ) {
        if let Some(story) = &mut self.story
            && let Some(place) = story.places.get_mut(&(key, from))
        {
            let there = Place { state: State::Here, ..place.clone() };
            place.state = State::Moved(to);
            story.places.insert((key, to), there);
        }
    }

    /// A queue is about to be deleted, with everything in it.
    pub(in crate::rabbitmq::broker) fn tell_deleted(&mut self, key: QueueKey) {
        self.tell_all_gone(key, |queue| Fate::Deleted { queue });
        self.tell_of_kept(Some(key), |queue| Fate::Deleted { queue });
    }

    /// Something happened to the letters that are kept, all or those of one queue.
    fn tell_of_kept(&mut self, keeper: Option<QueueKey>, fate: impl Fn(SmolStr) -> Fate) {
        let Some(story) = &mut self.story else { return };
        let kept = self.kept_letters.iter();
        for letter in kept.filter(|letter| keeper.is_none() || letter.keeper == keeper) {
            if let Some(number) = letter.story {
                story.tell(number, letter.message.body().clone(), fate(letter.queue.clone()));
            }
        }
    }

    /// A queue is about to vanish, with everything in it.
    pub(in crate::rabbitmq::broker) fn tell_all_gone(
        &mut self,
        key: QueueKey,
        fate: impl Fn(SmolStr) -> Fate,
    ) {
        let (Some(story), Some(queue)) = (&mut self.story, self.queues.get(key)) else { return };
        for (_, place) in story.take_places(key, |_| true) {
            if place.is_here() {
                story.tell(place.number, place.body, fate(queue.cold.name.clone()));
            }
        }
    }

    /// A stream has dropped its oldest messages.
    pub(in crate::rabbitmq::broker) fn tell_outlived(&mut self, key: QueueKey) {
        let (Some(story), Some(queue)) = (&mut self.story, self.queues.get(key)) else { return };
        let Some(stream) = queue.cold.kind.stream() else { return };
        let first = stream.log.first_offset();
        for (_, place) in story.take_places(key, |at| at.0 < first) {
            let fate = Fate::Outlived { stream: queue.cold.name.clone() };
            story.tell(place.number, place.body, fate);
        }
    }

    /// A queue has been reduced to what is on disk. Consumers held these entries.
    ///
    /// Entries that have not left the queue may be lost, and those that have left it may be back. A
    /// message that was requeued may be back at its former place, while its new place is lost: then
    /// it is not lost.
    pub(in crate::rabbitmq::broker) fn tell_lost(
        &mut self,
        key: QueueKey,
        held: &BTreeSet<Position>,
    ) {
        let (Some(story), Some(queue)) = (&mut self.story, self.queues.get(key)) else { return };
        let name = &queue.cold.name;
        let kept: BTreeSet<Position> = match queue.cold.kind.stream() {
            Some(stream) => offsets(stream).collect(),
            None => {
                let delayed = queue.cold.kind.delayed().map(Entry::position);
                queue.ready.iter().map(|entry| entry.position()).chain(delayed).collect()
            }
        };
        let found = kept.iter().filter_map(|at| Some((*at, story.places.get(&(key, *at))?)));
        let found: Vec<(Position, Place)> = found.map(|(at, place)| (at, place.clone())).collect();
        let mut back = BTreeSet::new();
        for (at, Place { number, body, state }) in found {
            let queue = name.clone();
            let fate = match state {
                State::Gone(_) | State::Moved(_) => {
                    back.insert(number);
                    Fate::Undone { queue, what: story.way_out(key, at) }
                }
                State::Here | State::Leaving(_) if held.contains(&at) => {
                    Fate::Returned { queue, why: "the broker went down" }
                }
                State::Here | State::Leaving(_) => continue,
            };
            story.tell(number, body, fate);
        }
        for at in &kept {
            if let Some(place) = story.places.get_mut(&(key, *at)) {
                place.state = State::Here;
            }
        }
        for (_, place) in story.take_places(key, |at| !kept.contains(&at)) {
            if place.is_here() && !back.contains(&place.number) {
                story.tell(place.number, place.body, Fate::Lost { queue: name.clone() });
            }
        }
    }

    /// Checks that the story knows where each entry of a queue is, and of no other.
    pub(in crate::rabbitmq::broker) fn check_story(
        &self,
        key: QueueKey,
        queue: &Queue,
        held: &[&Entry],
    ) -> Result<(), String> {
        let Some(story) = &self.story else { return Ok(()) };
        let entries: BTreeSet<Position> = match queue.cold.kind.stream() {
            Some(stream) => offsets(stream).collect(),
            None => {
                let held = held.iter().copied().chain(queue.cold.kind.delayed());
                let held = held.map(Entry::position);
                queue.ready.iter().map(|entry| entry.position()).chain(held).collect()
            }
        };
        let here = (key, Position(0))..=(key, Position(u64::MAX));
        let told = story.places.range(here).filter(|(_, place)| place.is_here());
        let told: BTreeSet<Position> = told.map(|((_, at), _)| *at).collect();
        ensure(entries == told, || {
            format!("the story tells of the entries {told:?} instead of {entries:?}")
        })
    }

    /// The broker's disk is about to be wiped.
    pub(in crate::rabbitmq::broker) fn tell_wiped(&mut self) {
        if !self.tells() {
            return;
        }
        for key in self.queues.keys() {
            self.tell_all_gone(key, |queue| Fate::Wiped { queue });
        }
        let wiped = || Fate::Dropped { why: "the broker's disk was wiped".to_owned() };
        self.tell_of_kept(None, |_| wiped());
        for (number, message) in self.delayed.all() {
            self.tell_of_held(number, &message, wiped());
        }
    }
}

/// The messages of a stream, which are not entries of a backlog.
fn offsets(stream: &Stream) -> impl Iterator<Item = Position> {
    (stream.log.first_offset()..stream.log.next_offset()).map(Position)
}
