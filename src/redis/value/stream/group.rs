//! Consumer groups: how far each has read, and which entries its consumers have not acknowledged.
//!
//! A group's pending entries are in order of their ids, and so are those of each consumer. An entry
//! is pending for exactly one consumer of a group. It may be pending although it was deleted from
//! the stream.
//!
//! A reader that claims what was idle for long enough finds it in an index of the pending entries
//! by the time of their delivery. A group has the index since the first such claim, so that others
//! pay nothing. From then on a search costs O(log n) and a step for each entry that it finds, those
//! included that were deleted from the stream.
//!
//! Source: `t_stream.c`, `stream.h`.

use super::StreamId;
use crate::invariant::ensure;
use crate::redis::value::Sds;
use std::collections::{BTreeMap, BTreeSet};

/// A place among a group's consumers.
type Place = u32;

/// A delivery that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    consumer: Place,
    /// Number of the delivery in its group: of those of one millisecond, the first was idle for
    /// longest.
    turn: u32,
    /// Time of the last delivery, in milliseconds since the Unix epoch.
    pub delivered_at: i64,
    /// Number of deliveries.
    pub deliveries: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    name: Sds,
    /// When it last read or claimed entries, in milliseconds since the Unix epoch.
    pub seen_at: i64,
    /// When it last got entries, if it ever has.
    pub active_at: Option<i64>,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &Sds {
        &self.name
    }

    /// Returns the ids of the entries that are pending for it, in order.
    #[must_use]
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

/// The place of the entry after a group's last one: a node, and a position as `range::after` takes
/// it. It is wrong if ids were set back since. It spares the walk from a node's first entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bookmark {
    pub(super) node: StreamId,
    pub(super) offset: usize,
    pub(super) setbacks: u64,
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    last_id: StreamId,
    entries_read: Option<i64>,
    pending: BTreeMap<StreamId, Pending>,
    by_name: BTreeMap<Sds, Place>,
    places: Vec<Option<Consumer>>,
    free: Vec<Place>,
    turns: u32,
    pub(super) bookmark: Option<Bookmark>,
    /// The pending entries by the time and the number of their delivery, if they were ever searched
    /// for.
    by_age: Option<Box<Ages>>,
}

/// Pending entries, the longest idle first.
type Ages = BTreeSet<(i64, u32, StreamId)>;

impl PartialEq for Group {
    fn eq(&self, other: &Group) -> bool {
        let owned = |group: &Group, (id, pending): (&StreamId, &Pending)| {
            let owner = group.owner(pending).name.clone();
            (*id, owner, pending.delivered_at, pending.deliveries)
        };
        (self.last_id, self.entries_read) == (other.last_id, other.entries_read)
            && self.consumers().eq(other.consumers())
            && self
                .pending
                .iter()
                .map(|pending| owned(self, pending))
                .eq(other.pending.iter().map(|pending| owned(other, pending)))
    }
}

impl Group {
    /// Returns a group without consumers that has read this far.
    #[must_use]
    pub fn new(last_id: StreamId, entries_read: Option<i64>) -> Group {
        Group {
            last_id,
            entries_read,
            pending: BTreeMap::new(),
            by_name: BTreeMap::new(),
            places: Vec::new(),
            free: Vec::new(),
            turns: 0,
            bookmark: None,
            by_age: None,
        }
    }

    /// Returns the id of the last entry that was delivered.
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// Returns how many entries of the stream were ever read, up to the last one; `None` if that is
    /// not known.
    #[must_use]
    pub fn entries_read(&self) -> Option<i64> {
        self.entries_read
    }

    /// Sets how far the group has read.
    pub fn set_position(&mut self, last_id: StreamId, entries_read: Option<i64>) {
        self.last_id = last_id;
        self.entries_read = entries_read;
        self.bookmark = None;
    }

    /// Returns the pending entries in order.
    #[must_use]
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// Returns the consumer for which an entry of this group is pending.
    #[must_use]
    pub fn owner(&self, pending: &Pending) -> &Consumer {
        self.places[pending.consumer as usize].as_ref().expect("an entry is pending for a consumer")
    }

    /// Number of consumers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Returns whether there is no consumer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Returns the consumers in order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.by_name.values().filter_map(|place| self.places[*place as usize].as_ref())
    }

    /// Returns the consumer of this name.
    #[must_use]
    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.places[*self.by_name.get(name)? as usize].as_ref()
    }

    fn at(&mut self, place: Place) -> &mut Consumer {
        self.places[place as usize].as_mut().expect("a place belongs to a consumer")
    }

    /// Adds a consumer. Returns whether it is new.
    pub fn add_consumer(&mut self, name: &[u8], now: i64) -> bool {
        self.add_known_consumer(name, now, None)
    }

    /// Adds a consumer that has been seen and active before. Returns whether it is new.
    pub(crate) fn add_known_consumer(
        &mut self,
        name: &[u8],
        seen_at: i64,
        active_at: Option<i64>,
    ) -> bool {
        if self.by_name.contains_key(name) {
            return false;
        }
        let pending = BTreeSet::new();
        let consumer = Consumer { name: Sds::new(name), seen_at, active_at, pending };
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            let place = Place::try_from(self.places.len() - 1);
            place.expect("fewer than 2^32 consumers fit into memory")
        });
        self.places[place as usize] = Some(consumer);
        self.by_name.insert(Sds::new(name), place);
        true
    }

    /// Notes that a consumer acts, and adds it if it is new. Returns its place, and whether it is
    /// new.
    pub(super) fn see(&mut self, name: &[u8], now: i64) -> (Place, bool) {
        let known = self.by_name.get(name).copied();
        let place = known.unwrap_or_else(|| {
            self.add_consumer(name, now);
            self.by_name[name]
        });
        self.at(place).seen_at = now;
        (place, known.is_none())
    }

    /// Notes that a consumer has got entries.
    pub(super) fn note_activity(&mut self, place: Place, now: i64) {
        self.at(place).active_at = Some(now);
    }

    /// Removes a consumer with what is pending for it. Returns how many entries that were, or
    /// `None` if there is no such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let place = self.by_name.remove(name)?;
        let consumer = self.places[place as usize].take()?;
        self.free.push(place);
        for id in &consumer.pending {
            let pending = self.pending.remove(id);
            self.age(*id, pending, None);
        }
        Some(consumer.pending.len())
    }

    /// Number of deliveries so far, or since they were counted anew.
    pub(crate) fn deliveries(&self) -> u64 {
        u64::from(self.turns)
    }

    fn next_turn(&mut self) -> u32 {
        if self.turns == u32::MAX {
            let mut order: Vec<_> = self.ages().collect();
            order.sort_unstable();
            self.count_turns(order.into_iter().map(|(_, _, id)| id));
        }
        self.turns += 1;
        self.turns
    }

    /// Counts deliveries anew, in the order of ids, as after a group was read from elsewhere.
    pub(crate) fn count_turns_by_id(&mut self) {
        let ids: Vec<StreamId> = self.pending.keys().copied().collect();
        self.count_turns(ids.into_iter());
    }

    fn count_turns(&mut self, order: impl Iterator<Item = StreamId>) {
        self.turns = 0;
        for id in order {
            self.turns += 1;
            self.pending.get_mut(&id).expect("the entry is pending").turn = self.turns;
        }
        self.by_age = self.by_age.take().map(|_| Box::new(self.ages().collect()));
    }

    fn ages(&self) -> impl Iterator<Item = (i64, u32, StreamId)> {
        self.pending.iter().map(|(id, of)| (of.delivered_at, of.turn, *id))
    }

    /// Makes the index of pending entries by their age.
    pub(super) fn index_ages(&mut self) {
        if self.by_age.is_none() {
            self.by_age = Some(Box::new(self.ages().collect()));
        }
    }

    /// Notes in the index, if there is one, what became of an entry.
    #[inline]
    fn age(&mut self, id: StreamId, before: Option<Pending>, after: Option<Pending>) {
        if let Some(ages) = &mut self.by_age {
            if let Some(of) = before {
                ages.remove(&(of.delivered_at, of.turn, id));
            }
            ages.extend(after.map(|of| (of.delivered_at, of.turn, id)));
        }
    }

    /// Returns the pending entries that nobody has acknowledged for so many milliseconds, the
    /// longest idle first, each with its time and number of deliveries. The index is there.
    pub(super) fn idle(
        &self,
        min_idle: i64,
        now: i64,
    ) -> impl Iterator<Item = (StreamId, Pending)> {
        let ages = self.by_age.iter().flat_map(|ages| ages.iter());
        let idle = ages.take_while(move |(at, ..)| now.saturating_sub(*at) >= min_idle);
        idle.filter_map(|(_, _, id)| Some((*id, *self.pending.get(id)?)))
    }

    /// Returns when the next entry will have been idle for so many milliseconds that is not idle
    /// for so long yet, if entries were searched for by their age.
    pub(crate) fn next_idle(&self, min_idle: i64, now: i64) -> Option<i64> {
        let from = now.saturating_sub(min_idle).saturating_add(1);
        let (at, ..) = self.by_age.as_ref()?.range((from, 0, StreamId::MIN)..).next()?;
        Some(at.saturating_add(min_idle))
    }

    /// Makes an entry pending for a consumer, whomever it was pending for.
    pub(super) fn assign(&mut self, id: StreamId, to: Place, delivered_at: i64, deliveries: u64) {
        let turn = self.next_turn();
        let pending = Pending { consumer: to, turn, delivered_at, deliveries };
        let before = self.pending.insert(id, pending);
        self.age(id, before, Some(pending));
        match before {
            Some(before) if before.consumer == to => return,
            Some(before) => {
                self.at(before.consumer).pending.remove(&id);
            }
            None => {}
        }
        self.at(to).pending.insert(id);
    }

    /// Makes an entry pending for an existing consumer, as it was read from elsewhere. Returns
    /// whether there is such a consumer.
    pub fn add_pending(
        &mut self,
        id: StreamId,
        consumer: &[u8],
        delivered_at: i64,
        deliveries: u64,
    ) -> bool {
        let Some(place) = self.by_name.get(consumer).copied() else { return false };
        self.assign(id, place, delivered_at, deliveries);
        true
    }

    /// Notes that a pending entry was delivered once more.
    pub(super) fn redelivered(&mut self, id: StreamId, now: i64) {
        let turn = self.next_turn();
        if let Some(pending) = self.pending.get_mut(&id) {
            let before = *pending;
            pending.turn = turn;
            pending.delivered_at = now;
            pending.deliveries = pending.deliveries.wrapping_add(1);
            let after = *pending;
            self.age(id, Some(before), Some(after));
        }
    }

    /// `XACK`: removes a pending entry. Returns whether it was pending.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        self.age(id, Some(pending), None);
        self.at(pending.consumer).pending.remove(&id);
        true
    }

    /// Adds a pending entry that was read from elsewhere. The consumer exists.
    pub(crate) fn put_pending(
        &mut self,
        id: StreamId,
        consumer: &[u8],
        delivered_at: i64,
        deliveries: u64,
    ) {
        let Some(place) = self.by_name.get(consumer).copied() else { return };
        self.assign(id, place, delivered_at, deliveries);
    }

    /// Checks that every entry is pending for one consumer, and stands in the index. Returns what
    /// is wrong otherwise.
    pub(super) fn check_invariants(&self) -> Result<(), String> {
        let mut pending = 0;
        for (name, place) in &self.by_name {
            let consumer = self.places.get(*place as usize).and_then(Option::as_ref);
            let consumer = consumer.filter(|consumer| consumer.name == *name);
            let consumer = consumer.ok_or_else(|| format!("consumer {name} has no place"))?;
            pending += consumer.pending.len();
            for id in &consumer.pending {
                let owner = self.pending.get(id).map(|pending| pending.consumer);
                ensure(owner == Some(*place), || format!("{id} is not pending for {name}"))?;
            }
        }
        let places = self.places.iter().flatten().count();
        ensure(places == self.by_name.len(), || format!("{places} places of consumers"))?;
        let of_group = self.pending.len();
        if let Some(ages) = &self.by_age {
            let known = self.ages().filter(|age| ages.contains(age)).count();
            ensure(known == of_group && ages.len() == of_group, || {
                format!("the index has {known} of {of_group} pending entries")
            })?;
        }
        ensure(pending == of_group, || {
            format!("{of_group} entries are pending, {pending} for consumers")
        })
    }
}
