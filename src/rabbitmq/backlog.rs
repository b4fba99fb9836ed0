//! The messages of a queue that are ready for delivery, in order of position.
//!
//! New ones come at the end. One that is requeued goes back to its original
//! place: at the front if it is the oldest, as it mostly is, else into a
//! second, sorted store; the next message is the older of the two heads. So a
//! requeue costs O(log n), and returning all that a dead consumer held costs
//! O(1) each.

use super::message::{Entry, Position};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// In order of position.
    line: VecDeque<Entry>,
    /// Requeued messages that belong inside the line; mostly there are none.
    #[expect(clippy::box_collection, reason = "keeps a queue within two cache lines")]
    returned: Option<Box<BTreeMap<Position, Entry>>>,
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        self.line.len() + self.returned.as_ref().map_or(0, |returned| returned.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty() && self.returned.is_none()
    }

    /// Adds a message whose position is higher than any before.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.line.push_back(entry);
    }

    /// The oldest message.
    pub(crate) fn front(&self) -> Option<&Entry> {
        let front = self.line.front();
        let Some((position, first)) = self.returned.as_ref().and_then(|r| r.first_key_value())
        else {
            return front;
        };
        front.filter(|front| front.position() < *position).or(Some(first))
    }

    /// Takes the oldest message.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        if let Some(returned) = &mut self.returned
            && let Some(first) = returned.first_entry()
            && self.line.front().is_none_or(|front| *first.key() < front.position())
        {
            let entry = first.remove();
            if returned.is_empty() {
                self.returned = None;
            }
            return Some(entry);
        }
        self.line.pop_front()
    }

    /// Puts messages back where they were. They come in order of position.
    pub(crate) fn restore(&mut self, entries: Vec<Entry>) {
        // From the youngest to the oldest, each is likely to be a new front.
        for entry in entries.into_iter().rev() {
            let position = entry.position();
            if self.line.front().is_none_or(|front| position < front.position()) {
                self.line.push_front(entry);
            } else if self.line.back().is_none_or(|back| position > back.position()) {
                self.line.push_back(entry);
            } else {
                self.returned.get_or_insert_default().insert(position, entry);
            }
        }
    }

    /// Takes everything, in order of position.
    pub(crate) fn take_all(&mut self) -> Vec<Entry> {
        let mut all: Vec<Entry> = std::mem::take(&mut self.line).into();
        if let Some(returned) = self.returned.take() {
            all.extend(returned.into_values());
            all.sort_by_key(Entry::position);
        }
        all
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
        let name = Arc::new(SmolStr::default());
        let message = Message::new(name, SmolStr::default(), Properties::default(), Bytes::new());
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
        assert_eq!(backlog.len(), 3);
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
        for position in (0..=10).map(Position) {
            assert_eq!(backlog.front().map(Entry::position), Some(position));
            assert_eq!(backlog.pop().map(|entry| entry.position()), Some(position));
        }
        assert!(backlog.front().is_none());
    }
}
