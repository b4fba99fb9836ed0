//! The messages of a queue that are ready for delivery, in the order in which
//! they go out, and how many bytes their bodies have.
//!
//! New ones come at the end. One that is requeued goes back to its original
//! place: at the front if it is the oldest, as it mostly is, else into a
//! second, sorted store; the next message is the older of the two heads. So a
//! requeue costs O(log n), and returning all that a dead consumer held costs
//! O(1) each.
//!
//! A queue with priorities has a *level* for each, and the highest that is not
//! empty goes first; a message returns to its own level.

use super::message::{Entry, Position};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// In order of position; with levels, those of priority 0.
    line: VecDeque<Entry>,
    /// What few queues have; mostly there is none.
    rest: Option<Box<Rest>>,
    /// Of all bodies together.
    bytes: u64,
}

#[derive(Debug, Default)]
struct Rest {
    /// Requeued messages that belong inside the line.
    returned: BTreeMap<Position, Entry>,
    /// The levels above 0, from 1 on.
    levels: Vec<Backlog>,
}

impl Backlog {
    /// One with this many levels above the lowest.
    pub(crate) fn with_levels(levels: u8) -> Backlog {
        let mut backlog = Backlog::default();
        if levels > 0 {
            let levels = (0..levels).map(|_| Backlog::default()).collect();
            backlog.rest = Some(Box::new(Rest { returned: BTreeMap::new(), levels }));
        }
        backlog
    }

    pub(crate) fn len(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| {
            rest.returned.len() + rest.levels.iter().map(Backlog::len).sum::<usize>()
        });
        self.line.len() + rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty() && self.rest.as_ref().is_none_or(|_| self.len() == 0)
    }

    /// The bytes of all bodies together.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The level a message of this priority belongs to: what is above the
    /// highest counts as the highest.
    fn level_mut(&mut self, priority: u8) -> &mut Backlog {
        let levels = self.rest.as_ref().map_or(0, |rest| rest.levels.len());
        let level = usize::from(priority).min(levels);
        if level == 0 {
            return self;
        }
        let rest = self.rest.as_mut().expect("what has levels has a rest");
        &mut rest.levels[level - 1]
    }

    /// Whether messages go by priority.
    pub(crate) fn has_levels(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| !rest.levels.is_empty())
    }

    /// Adds a message whose position is higher than any before.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += entry.message.body().len() as u64;
        match self.has_levels() {
            true => self.level_mut(entry.priority()).line.push_back(entry),
            false => self.line.push_back(entry),
        }
    }

    /// The level whose turn it is.
    fn highest(&self) -> &Backlog {
        let Some(rest) = &self.rest else { return self };
        rest.levels.iter().rev().find(|level| !level.is_empty()).unwrap_or(self)
    }

    /// The next message.
    pub(crate) fn front(&self) -> Option<&Entry> {
        self.highest().front_of_level()
    }

    fn front_of_level(&self) -> Option<&Entry> {
        let front = self.line.front();
        let Some((position, first)) = self.rest.as_ref().and_then(|r| r.returned.first_key_value())
        else {
            return front;
        };
        front.filter(|front| front.position() < *position).or(Some(first))
    }

    /// Takes the next message out.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let entry = self.pop_highest()?;
        self.bytes -= entry.message.body().len() as u64;
        Some(entry)
    }

    fn pop_highest(&mut self) -> Option<Entry> {
        let Some(rest) = &mut self.rest else { return self.line.pop_front() };
        match rest.levels.iter_mut().rev().find(|level| !level.is_empty()) {
            Some(level) => level.pop_of_level(),
            None => self.pop_of_level(),
        }
    }

    fn pop_of_level(&mut self) -> Option<Entry> {
        let front = self.line.front().map(Entry::position);
        if let Some(rest) = &mut self.rest
            && let Some(first) = rest.returned.first_entry()
            && front.is_none_or(|front| *first.key() < front)
        {
            let entry = first.remove();
            if rest.returned.is_empty() && rest.levels.is_empty() {
                self.rest = None;
            }
            return Some(entry);
        }
        self.line.pop_front()
    }

    /// Puts messages back where they were. They come in order of position.
    pub(crate) fn restore(&mut self, entries: Vec<Entry>) {
        // From the youngest to the oldest, each is likely to be a new front.
        for entry in entries.into_iter().rev() {
            self.bytes += entry.message.body().len() as u64;
            let level = match self.has_levels() {
                true => self.level_mut(entry.priority()),
                false => &mut *self,
            };
            level.restore_in_level(entry);
        }
    }

    fn restore_in_level(&mut self, entry: Entry) {
        let position = entry.position();
        if self.line.front().is_none_or(|front| position < front.position()) {
            self.line.push_front(entry);
        } else if self.line.back().is_none_or(|back| position > back.position()) {
            self.line.push_back(entry);
        } else {
            self.rest.get_or_insert_default().returned.insert(position, entry);
        }
    }

    /// Takes everything, level by level from the highest, and in order of
    /// position there.
    pub(crate) fn take_all(&mut self) -> Vec<Entry> {
        let mut all = Vec::with_capacity(self.len());
        while let Some(entry) = self.pop() {
            all.push(entry);
        }
        self.line = VecDeque::new();
        all
    }

    /// The messages, in the order in which they go out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        let levels = self.rest.iter().flat_map(|rest| rest.levels.iter().rev());
        levels.chain(std::iter::once(self)).flat_map(Backlog::iter_level)
    }

    fn iter_level(&self) -> impl Iterator<Item = &Entry> {
        let mut line = self.line.iter().peekable();
        let mut returned = self.rest.iter().flat_map(|rest| rest.returned.values()).peekable();
        std::iter::from_fn(move || match (line.peek(), returned.peek()) {
            (Some(a), Some(b)) if b.position() < a.position() => returned.next(),
            (None, _) => returned.next(),
            _ => line.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::message::Message;
    use crate::rabbitmq::properties::Properties;
    use bytes::Bytes;
    use smol_str::SmolStr;
    use std::sync::Arc;

    fn entry(position: u64) -> Entry {
        with_priority(position, 0)
    }

    fn with_priority(position: u64, priority: u8) -> Entry {
        let name = Arc::new(SmolStr::default());
        let properties = Properties::default().with_priority(priority);
        let body = Bytes::from_static(b"ab");
        let message = Message::new(name, SmolStr::default(), properties, body);
        Entry::new(Arc::new(message), Position(position))
    }

    fn positions(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|e| e.position().0).collect()
    }

    fn backlog(n: u64) -> Backlog {
        let mut backlog = Backlog::default();
        for position in 0..n {
            backlog.push(entry(position));
        }
        backlog
    }

    #[test]
    fn a_message_returns_to_its_place() {
        let mut backlog = backlog(5);
        let mut held: Vec<Entry> = (0..3).map(|_| backlog.pop().unwrap()).collect();
        backlog.restore(vec![held.remove(1)]);
        assert_eq!(positions(&[backlog.pop().unwrap(), backlog.pop().unwrap()]), [1, 3]);
        backlog.restore(held);
        assert_eq!((backlog.len(), backlog.bytes()), (3, 6));
        assert_eq!(positions(&backlog.take_all()), [0, 2, 4]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn interleaved_returns_come_out_in_order() {
        let mut backlog = backlog(10);
        let (mut even, mut odd) = (Vec::new(), Vec::new());
        while let Some(entry) = backlog.pop() {
            if entry.position().0 % 2 == 0 { even.push(entry) } else { odd.push(entry) }
        }
        backlog.push(entry(10));
        backlog.restore(odd);
        backlog.restore(even);
        let all: Vec<u64> = backlog.iter().map(|entry| entry.position().0).collect();
        assert_eq!(all, (0..=10).collect::<Vec<_>>());
        for position in (0..=10).map(Position) {
            assert_eq!(backlog.front().map(Entry::position), Some(position));
            assert_eq!(backlog.pop().map(|entry| entry.position()), Some(position));
        }
        assert!(backlog.front().is_none());
    }

    #[test]
    fn the_highest_level_goes_first_and_a_message_returns_to_its_own() {
        let mut backlog = Backlog::with_levels(3);
        for (position, priority) in [(0, 0), (1, 2), (2, 9), (3, 3), (4, 2)] {
            backlog.push(with_priority(position, priority));
        }
        let held: Vec<Entry> = (0..3).map(|_| backlog.pop().unwrap()).collect();
        assert_eq!(positions(&held), [2, 3, 1]);
        let [_, three, one] = held.try_into().unwrap();
        backlog.restore(vec![one, three]);
        assert_eq!(backlog.iter().map(|e| e.position().0).collect::<Vec<_>>(), [3, 1, 4, 0]);
        assert_eq!((backlog.len(), backlog.bytes()), (4, 8));
        assert_eq!(positions(&backlog.take_all()), [3, 1, 4, 0]);
        assert_eq!((backlog.is_empty(), backlog.bytes()), (true, 0));
    }
}
