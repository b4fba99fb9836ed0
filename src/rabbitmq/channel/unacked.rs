//! The unacknowledged deliveries of one channel, by delivery tag.
//!
//! Tags rise, so the table is a list in order of tags. A delivery is appended; a tag is found at
//! the index that its number suggests, or by bisection; a delivery removed from the middle leaves a
//! hole. Holes at either end are removed at once, the others when they outnumber the deliveries. So
//! the size of the table is proportional to the number of outstanding deliveries, even if one tag
//! is held forever.

use crate::Instant;
use crate::rabbitmq::key::{ConsumerKey, QueueKey};
use crate::rabbitmq::protocol::message::Entry;
use std::collections::VecDeque;

/// Fewer holes than this are not worth a compaction.
const FEW: usize = 64;

/// A message that was delivered and not settled yet.
#[derive(Clone, Debug)]
pub(crate) struct Unacked {
    pub(crate) queue: QueueKey,
    /// The consumer it was delivered to; `None` for `basic.get`.
    pub(crate) consumer: Option<ConsumerKey>,
    pub(crate) entry: Entry,
}

#[derive(Debug, Default)]
pub(crate) struct UnackedTable {
    slots: VecDeque<(u64, Option<Unacked>)>,
    live: usize,
    /// Times of delivery, each with the first tag that was delivered at that time.
    times: VecDeque<(u64, Instant)>,
}

impl UnackedTable {
    /// Number of outstanding deliveries.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Gives deliveries to another consumer. Returns their number.
    pub(crate) fn hand_over(
        &mut self,
        is_meant: impl Fn(&Unacked) -> bool,
        to: ConsumerKey,
    ) -> usize {
        let live = self.slots.iter_mut().filter_map(|(_, unacked)| unacked.as_mut());
        live.filter(|unacked| is_meant(unacked)).map(|unacked| unacked.consumer = Some(to)).count()
    }

    /// Appends a delivery with a tag higher than all before.
    pub(crate) fn push(&mut self, now: Instant, tag: u64, unacked: Unacked) {
        if self.times.back().is_none_or(|(_, at)| *at != now) {
            self.begin_time(now, tag);
        }
        debug_assert!(self.slots.back().is_none_or(|(last, _)| *last < tag), "tags rise");
        self.slots.push_back((tag, Some(unacked)));
        self.live += 1;
    }

    #[inline(never)]
    fn begin_time(&mut self, now: Instant, tag: u64) {
        self.forget_times();
        self.times.push_back((tag, now));
    }

    /// Returns when the oldest outstanding delivery was delivered.
    pub(crate) fn oldest(&mut self) -> Option<Instant> {
        self.forget_times();
        if self.live == 0 { None } else { self.times.front().map(|(_, at)| *at) }
    }

    /// Forgets the times of settled deliveries.
    fn forget_times(&mut self) {
        let first = self.slots.front().map(|(tag, _)| *tag);
        let is_past = |next: &(u64, Instant)| first.is_none_or(|first| next.0 <= first);
        while self.times.get(1).is_some_and(is_past) {
            self.times.pop_front();
        }
        if first.is_none() {
            self.times.clear();
        }
    }

    /// Returns the outstanding deliveries with their tags, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Unacked)> {
        self.slots.iter().filter_map(|(tag, unacked)| Some((*tag, unacked.as_ref()?)))
    }

    /// Returns the delivery with this tag.
    pub(crate) fn get(&self, tag: u64) -> Option<&Unacked> {
        self.slots[self.find(tag)?].1.as_ref()
    }

    fn find(&self, tag: u64) -> Option<usize> {
        let (first, _) = self.slots.front()?;
        // Every slot has a different tag, so a tag is at this index or before.
        let guess = usize::try_from(tag.checked_sub(*first)?).unwrap_or(usize::MAX);
        let index = match self.slots.get(guess) {
            Some((found, _)) if *found == tag => guess,
            _ => self.slots.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?,
        };
        self.slots[index].1.is_some().then_some(index)
    }

    /// Removes and returns the delivery with this tag.
    pub(crate) fn remove(&mut self, tag: u64) -> Option<Unacked> {
        // Most consumers acknowledge in order.
        if self.slots.front()?.0 == tag && self.slots.len() == self.live {
            self.live -= 1;
            return self.slots.pop_front()?.1;
        }
        self.remove_from_the_middle(tag)
    }

    #[inline(never)]
    fn remove_from_the_middle(&mut self, tag: u64) -> Option<Unacked> {
        let index = self.find(tag)?;
        let unacked = self.slots[index].1.take();
        self.live -= 1;
        while matches!(self.slots.front(), Some((_, None))) {
            self.slots.pop_front();
        }
        while matches!(self.slots.back(), Some((_, None))) {
            self.slots.pop_back();
        }
        if self.slots.len() > 2 * self.live + FEW {
            self.slots.retain(|(_, unacked)| unacked.is_some());
        }
        unacked
    }

    /// Removes all deliveries up to and including this tag, and returns them in order. Returns
    /// `None` and removes nothing if the tag is not outstanding.
    pub(crate) fn remove_through(&mut self, tag: u64) -> Option<Vec<(u64, Unacked)>> {
        let index = self.find(tag)?;
        let drained = self.slots.drain(..=index);
        let taken: Vec<_> = drained.filter_map(|(tag, unacked)| Some((tag, unacked?))).collect();
        self.live -= taken.len();
        while matches!(self.slots.front(), Some((_, None))) {
            self.slots.pop_front();
        }
        Some(taken)
    }

    /// Removes all deliveries and returns them in order.
    pub(crate) fn remove_all(&mut self) -> Vec<(u64, Unacked)> {
        let mut all = Vec::with_capacity(self.live);
        all.extend(self.drain_all());
        all
    }

    /// As [`UnackedTable::remove_all`], one by one.
    pub(crate) fn drain_all(&mut self) -> impl Iterator<Item = (u64, Unacked)> {
        self.live = 0;
        self.slots.drain(..).filter_map(|(tag, unacked)| Some((tag, unacked?)))
    }

    /// Returns when a delivery was delivered.
    pub(crate) fn time_of(&self, tag: u64) -> Option<Instant> {
        let later = self.times.partition_point(|(from, _)| *from <= tag);
        self.times.get(later.checked_sub(1)?).map(|(_, at)| *at)
    }

    /// Puts back deliveries that were removed, in any order. The oldest was delivered at `since`.
    pub(crate) fn restore(&mut self, taken: Vec<(u64, Unacked)>, since: Instant) {
        if let Some(lowest) = taken.iter().map(|(tag, _)| *tag).min() {
            let later = self.times.partition_point(|(from, _)| *from < lowest);
            if self.times.get(later).is_none_or(|(from, _)| *from > lowest) {
                self.times.insert(later, (lowest, since));
            }
        }
        self.live += taken.len();
        let kept = std::mem::take(&mut self.slots).into_iter().filter(|(_, u)| u.is_some());
        let mut all: Vec<_> = kept.chain(taken.into_iter().map(|(t, u)| (t, Some(u)))).collect();
        all.sort_by_key(|(tag, _)| *tag);
        self.slots = all.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::key::Arena;
    use crate::rabbitmq::protocol::message::{Message, Position};
    use crate::rabbitmq::protocol::properties::Properties;
    use bytes::Bytes;
    use smol_str::SmolStr;
    use std::sync::Arc;

    fn unacked(position: u64) -> Unacked {
        let queue = Arena::default().insert(crate::rabbitmq::queue::tests::any_queue());
        let message = Message::new(None, SmolStr::default(), Properties::default(), Bytes::new());
        let entry = Entry::new(Arc::new(message), Position(position));
        Unacked { queue, consumer: None, entry }
    }

    fn table(tags: impl IntoIterator<Item = u64>) -> UnackedTable {
        let mut table = UnackedTable::default();
        for tag in tags {
            table.push(Instant::ZERO, tag, unacked(tag));
        }
        table
    }

    fn positions(taken: &[(u64, Unacked)]) -> Vec<u64> {
        taken.iter().map(|(_, u)| u.entry.position().0).collect()
    }

    #[test]
    fn finds_tags_with_and_without_gaps() {
        let mut table = table([3, 4, 7, 8, 20]);
        for missing in [0, 2, 5, 9, 21] {
            assert!(table.remove(missing).is_none(), "{missing}");
        }
        for tag in [7, 3, 20, 8] {
            assert_eq!(table.remove(tag).unwrap().entry.position().0, tag);
            assert!(table.remove(tag).is_none(), "once only");
        }
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn multiple_takes_all_before_but_only_up_to_a_known_tag() {
        let mut table = table(1..=6);
        table.remove(2);
        table.remove(4);
        assert!(table.remove_through(4).is_none());
        assert!(table.remove_through(7).is_none());
        assert_eq!(table.len(), 4);
        assert_eq!(positions(&table.remove_through(3).unwrap()), [1, 3]);
        assert_eq!(positions(&table.remove_all()), [5, 6]);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn a_tag_held_forever_does_not_make_the_table_grow() {
        let mut table = table([1]);
        for tag in 2..100_000 {
            table.push(Instant::ZERO, tag, unacked(tag));
            if tag > 10 {
                table.remove(tag - 5);
            }
        }
        assert!(table.slots.len() < 200, "{}", table.slots.len());
        assert!(table.remove(1).is_some());
    }
}
