//! The consumers of a queue that take turns.
//!
//! The head of the ring is asked first and moves to the tail when it is served. If consumers have
//! priorities, those with the highest priority in the ring take turns.
//!
//! A quorum queue knows a consumer by its channel and tag, and keeps the place of a cancelled
//! consumer until that place's turn. A consumer that re-subscribes with the same tag takes over
//! that place, at the old priority, for one turn. As on the server, places behind an idle consumer
//! are kept as long as it has the turn. A cancelled consumer that holds deliveries is idle in this
//! sense, until there is a message for it.
//!
//! Source: the server's behaviour; <https://www.rabbitmq.com/docs/consumer-priority>.

use crate::rabbitmq::key::{ChannelKey, ConsumerKey};
use crate::rabbitmq::queue::lineup::Lineup;
use smol_str::SmolStr;

/// Most queues have at most one consumer, so the others are stored separately.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    head: Option<ConsumerKey>,
    others: Option<Box<Others>>,
}

#[derive(Debug, Default)]
struct Others {
    tail: Lineup,
    /// There are few of these, if any, so a linear search is enough.
    kept: Vec<KeptPlace>,
}

/// The place of a cancelled consumer.
#[derive(Debug)]
struct KeptPlace {
    /// The consumer that stands in the ring for it.
    consumer: ConsumerKey,
    channel: ChannelKey,
    tag: SmolStr,
    priority: i64,
    /// Whether no consumer has re-subscribed yet.
    is_vacant: bool,
    /// Whether the cancelled consumer holds deliveries.
    holds: bool,
}

impl Others {
    fn place_of(&self, consumer: ConsumerKey) -> Option<&KeptPlace> {
        self.kept.iter().find(|place| place.consumer == consumer)
    }

    fn is_vacant(&self, consumer: ConsumerKey) -> bool {
        self.place_of(consumer).is_some_and(|place| place.is_vacant)
    }
}

impl Ring {
    /// Number of consumers.
    pub(crate) fn len(&self) -> usize {
        let kept = self.others().flat_map(|others| &others.kept);
        let vacant = kept.filter(|place| place.is_vacant).count();
        let tail: usize = self.others().map(|others| others.tail.len()).sum();
        usize::from(self.head.is_some()) + tail - vacant
    }

    /// The consumer that has the turn, or one that is cancelled and holds deliveries.
    pub(crate) fn head(&self) -> Option<ConsumerKey> {
        self.head
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ConsumerKey> {
        self.everyone().filter(|consumer| !self.is_vacant(*consumer))
    }

    /// Adds a consumer behind those that have its priority or a higher one.
    pub(crate) fn insert(
        &mut self,
        consumer: ConsumerKey,
        priority: i64,
        priority_of: impl Fn(ConsumerKey) -> i64,
    ) {
        let Some(head) = self.head else {
            self.head = Some(consumer);
            return;
        };
        let Others { tail, kept } = &mut **self.others.get_or_insert_default();
        let is_lower = |other: ConsumerKey| {
            let place = kept.iter().find(|place| place.consumer == other);
            place.map_or_else(|| priority_of(other), |place| place.priority) < priority
        };
        if is_lower(head) {
            self.head = Some(consumer);
            tail.push_front(head);
            return;
        }
        tail.push_before(consumer, is_lower);
    }

    /// Removes and returns the head.
    pub(crate) fn pop(&mut self) -> Option<ConsumerKey> {
        let popped = self.next_head();
        if self.keeps_places() {
            self.forget_places(|place| Some(place.consumer) == popped);
            self.pass_over_vacant();
        }
        popped
    }

    /// Moves the head behind the others of its priority.
    pub(crate) fn rotate(&mut self, priority_of: impl Fn(ConsumerKey) -> i64) {
        if self.others.is_some()
            && let Some(head) = self.next_head()
        {
            self.forget_places(|place| place.consumer == head);
            self.insert(head, priority_of(head), priority_of);
            self.pass_over_vacant();
        }
    }

    /// Removes a consumer that is in the ring and has ended, unless its place is kept.
    pub(crate) fn leave(&mut self, consumer: ConsumerKey) {
        if self.is_vacant(consumer) {
            return;
        }
        if self.head == Some(consumer) {
            self.next_head();
        } else if let Some(others) = &mut self.others {
            others.tail.leave(consumer);
        }
        self.left(consumer);
    }

    /// Removes a consumer that may join again.
    pub(crate) fn take(&mut self, consumer: ConsumerKey) {
        if self.head == Some(consumer) {
            self.next_head();
        } else if let Some(others) = &mut self.others {
            others.tail.take(consumer);
        }
        self.left(consumer);
    }

    /// Tidies up after a consumer has left.
    fn left(&mut self, consumer: ConsumerKey) {
        if self.keeps_places() {
            self.forget_places(|place| place.consumer == consumer);
            self.pass_over_vacant();
        }
    }

    /// Keeps the place of a consumer that is cancelled, if it has one, for a consumer that
    /// re-subscribes on its channel with its tag.
    pub(crate) fn vacate(
        &mut self,
        consumer: ConsumerKey,
        channel: ChannelKey,
        tag: SmolStr,
        priority: i64,
        holds: bool,
    ) {
        if !self.everyone().any(|other| other == consumer) {
            return;
        }
        let others = self.others.get_or_insert_default();
        // A consumer that re-subscribed and had no turn yet still has the priority of the former
        // one.
        let priority = others.place_of(consumer).map_or(priority, |place| place.priority);
        others.kept.retain(|place| place.consumer != consumer);
        others.kept.push(KeptPlace { consumer, channel, tag, priority, is_vacant: true, holds });
        self.pass_over_vacant();
    }

    /// Gives a kept place to a consumer that re-subscribes. Returns whether there was one.
    pub(crate) fn resubscribe(
        &mut self,
        consumer: ConsumerKey,
        channel: ChannelKey,
        tag: &str,
    ) -> bool {
        let Some(others) = &mut self.others else { return false };
        let is_it = |p: &&mut KeptPlace| p.is_vacant && p.channel == channel && p.tag == tag;
        let Some(place) = others.kept.iter_mut().find(is_it) else {
            return false;
        };
        let former = std::mem::replace(&mut place.consumer, consumer);
        place.is_vacant = false;
        match &mut self.head {
            Some(head) if *head == former => *head = consumer,
            _ => others.tail.replace(former, consumer),
        }
        true
    }

    /// Removes kept places of channels that are gone, on which nobody can re-subscribe.
    pub(crate) fn forget_channels(&mut self, is_gone: impl Fn(ChannelKey) -> bool) {
        let kept = self.others().flat_map(|others| &others.kept);
        let vacant = kept.filter(|place| place.is_vacant && is_gone(place.channel));
        let gone: Vec<ConsumerKey> = vacant.map(|place| place.consumer).collect();
        for consumer in gone {
            self.forget_places(|place| place.consumer == consumer);
            self.leave(consumer);
        }
    }

    /// A cancelled consumer holds nothing any more.
    pub(crate) fn holds_nothing(&mut self, consumer: ConsumerKey) {
        for place in self.others.iter_mut().flat_map(|others| &mut others.kept) {
            place.holds &= place.consumer != consumer;
        }
        self.pass_over_vacant();
    }

    /// Removes the head, which is cancelled, because there is a message for it.
    pub(crate) fn pass_over_head(&mut self) {
        let Some(head) = self.head else { return };
        let vacant = self.others().find(|others| others.is_vacant(head));
        vacant.expect("a consumer that has ended is in the ring only while its place is kept");
        self.holds_nothing(head);
    }

    /// Removes vacant places that have the turn, unless their consumers hold deliveries.
    fn pass_over_vacant(&mut self) {
        while let Some(head) = self.head
            && self.is_vacant(head)
            && !self.others().any(|others| others.place_of(head).is_some_and(|it| it.holds))
        {
            self.forget_places(|place| place.consumer == head);
            self.next_head();
        }
    }

    /// Removes and returns the head; the first of the others becomes the head.
    fn next_head(&mut self) -> Option<ConsumerKey> {
        let next = self.others.as_mut().and_then(|others| others.tail.pop_front());
        std::mem::replace(&mut self.head, next)
    }

    fn others(&self) -> impl Iterator<Item = &Others> {
        self.others.as_deref().into_iter()
    }

    fn everyone(&self) -> impl Iterator<Item = ConsumerKey> {
        self.head.into_iter().chain(self.others().flat_map(|others| others.tail.iter()))
    }

    /// Returns whether places of cancelled consumers are kept.
    pub(crate) fn keeps_places(&self) -> bool {
        self.others().any(|others| !others.kept.is_empty())
    }

    fn is_vacant(&self, consumer: ConsumerKey) -> bool {
        self.others().any(|others| others.is_vacant(consumer))
    }

    fn forget_places(&mut self, is_over: impl Fn(&KeptPlace) -> bool) {
        if let Some(others) = &mut self.others {
            others.kept.retain(|place| !is_over(place));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::rabbitmq::broker::ChannelId;
    use crate::rabbitmq::channel::Channel;
    use crate::rabbitmq::channel::consumer::Consumer;
    use crate::rabbitmq::key::Arena;
    use crate::rabbitmq::protocol::table::FieldTable;
    use crate::rabbitmq::queue::tests::any_queue;

    /// Four consumers that are not in any queue, and a channel.
    pub(crate) fn consumers() -> ([ConsumerKey; 4], ChannelKey) {
        let queue = Arena::default().insert(any_queue());
        let channel = Arena::default().insert(Channel::new(ChannelId::new(1, 1)));
        let mut consumers = Arena::default();
        let keys = std::array::from_fn(|_| {
            let (tag, arguments) = (SmolStr::default(), FieldTable::new());
            consumers.insert(Consumer::new(tag, queue, channel, true, 0, arguments))
        });
        (keys, channel)
    }

    fn all(ring: &Ring) -> Vec<ConsumerKey> {
        ring.iter().collect()
    }

    #[test]
    fn consumers_take_turns() {
        let ([a, b, c, _], _) = consumers();
        let mut ring = Ring::default();
        for consumer in [a, b, c] {
            ring.insert(consumer, 0, |_| 0);
        }
        ring.rotate(|_| 0);
        assert_eq!(all(&ring), [b, c, a]);
        ring.leave(b);
        assert_eq!(all(&ring), [c, a]);
        assert_eq!((ring.pop(), ring.pop(), ring.pop()), (Some(c), Some(a), None));
        ring.insert(b, 0, |_| 0);
        ring.rotate(|_| 0);
        assert_eq!((ring.head(), ring.len()), (Some(b), 1));
    }

    #[test]
    fn the_highest_priority_goes_first_and_takes_turns() {
        let ([a, b, c, _], _) = consumers();
        let priority_of = |key| if key == c { 0 } else { 5 };
        let mut ring = Ring::default();
        for key in [c, a, b] {
            ring.insert(key, priority_of(key), priority_of);
        }
        assert_eq!(all(&ring), [a, b, c]);
        ring.rotate(priority_of);
        assert_eq!(all(&ring), [b, a, c]);
    }

    #[test]
    fn a_place_is_kept_for_one_turn() {
        let ([a, b, c, again], channel) = consumers();
        let priority_of = |key| if key == again { 7 } else { 0 };
        let mut ring = Ring::default();
        for consumer in [a, b, c] {
            ring.insert(consumer, 0, priority_of);
        }
        ring.vacate(b, channel, "b".into(), 0, false);
        ring.leave(b);
        assert_eq!((all(&ring), ring.len()), (vec![a, c], 2));
        assert!(!ring.resubscribe(again, channel, "other"));
        assert!(ring.resubscribe(again, channel, "b"));
        assert!(!ring.resubscribe(again, channel, "b"), "once");
        assert_eq!(all(&ring), [a, again, c]);
        ring.rotate(priority_of);
        ring.rotate(priority_of);
        assert_eq!(all(&ring), [again, c, a], "its own priority after its turn");
    }

    #[test]
    fn a_vacant_place_behind_a_higher_priority_is_kept() {
        let ([a, b, again, _], channel) = consumers();
        let priority_of = |key| if key == b { -1 } else { 0 };
        let mut ring = Ring::default();
        for consumer in [a, b] {
            ring.insert(consumer, priority_of(consumer), priority_of);
        }
        ring.vacate(b, channel, "b".into(), -1, false);
        ring.rotate(priority_of);
        assert!(ring.resubscribe(again, channel, "b"));
        ring.rotate(priority_of);
        assert_eq!(all(&ring), [a, again]);
    }

    #[test]
    fn a_vacant_place_is_removed_at_its_turn() {
        let ([a, b, c, again], channel) = consumers();
        let mut ring = Ring::default();
        for consumer in [a, b, c] {
            ring.insert(consumer, 0, |_| 0);
        }
        ring.vacate(b, channel, "b".into(), 0, false);
        ring.rotate(|_| 0);
        assert_eq!((all(&ring), ring.len()), (vec![c, a], 2));
        assert!(!ring.resubscribe(again, channel, "b"));
        ring.vacate(a, channel, "a".into(), 0, false);
        ring.forget_channels(|gone| gone == channel);
        assert_eq!((all(&ring), ring.len()), (vec![c], 1));
        assert!(!ring.resubscribe(again, channel, "a"));
        ring.vacate(c, channel, "c".into(), 0, false);
        assert_eq!((ring.head(), ring.len()), (None, 0), "at its turn at once");
    }

    #[test]
    fn a_cancelled_consumer_that_holds_deliveries_keeps_the_places_behind_it() {
        let ([a, b, again, _], channel) = consumers();
        let cancelled = || {
            let mut ring = Ring::default();
            for consumer in [a, b] {
                ring.insert(consumer, 0, |_| 0);
            }
            ring.vacate(b, channel, "b".into(), 0, false);
            ring.vacate(a, channel, "a".into(), 0, true);
            ring
        };
        let mut ring = cancelled();
        assert_eq!((ring.head(), ring.len()), (Some(a), 0));
        assert!(ring.resubscribe(again, channel, "b"));
        ring.pass_over_head();
        assert_eq!(all(&ring), [again]);
        let mut ring = cancelled();
        ring.holds_nothing(a);
        assert_eq!((ring.head(), ring.len()), (None, 0));
        assert!(!ring.resubscribe(again, channel, "b"));
    }
}
