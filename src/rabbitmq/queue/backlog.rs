//! The messages of a queue that are ready for delivery, in order of delivery, and the size of their
//! bodies.
//!
//! A requeued message goes back to its original place: to the front if it is the oldest, as it
//! usually is, or else into a second, sorted store. The next message is the older of the two heads.
//! So a requeue costs O(log n), and returning everything that a dead consumer held costs O(1) for
//! each message.
//!
//! New messages join at the end, which in a long backlog consists of pages (`pages.rs`). The line
//! takes the next page when it is empty, so it is empty only if nothing waits behind it.
//!
//! A queue with priorities has a *level* for each priority. The highest level that is not empty
//! goes first, and a message returns to its own level.

use crate::rabbitmq::protocol::message::{Entry, Position};
use crate::rabbitmq::queue::pages::{PAGE, Pages};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// In order of position; if there are levels, the messages of priority 0.
    line: VecDeque<Entry>,
    /// Set only for the few queues that need it.
    rest: Option<Box<Rest>>,
    /// Bytes of all bodies together.
    bytes: u64,
}

#[derive(Debug, Default)]
struct Rest {
    /// Requeued messages whose place is inside the line or behind it.
    returned: BTreeMap<Position, Entry>,
    /// What follows the line.
    pages: Pages,
    /// The levels above 0, starting with level 1.
    levels: Vec<Level>,
    /// The levels that are not empty, one bit each.
    filled: [u64; 4],
    /// Number of messages in all levels.
    len: usize,
}

/// The messages of one priority.
#[derive(Debug, Default)]
struct Level {
    line: VecDeque<Entry>,
    returned: BTreeMap<Position, Entry>,
}

impl Rest {
    /// Index in `levels` of the highest level that is not empty.
    fn highest(&self) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let word = self.filled.iter().rposition(|word| *word != 0)?;
        Some(word * 64 + self.filled[word].ilog2() as usize)
    }

    /// Index in `levels` of the level of a message; `None` for level 0. A priority above the
    /// highest level counts as the highest.
    fn level_of(&self, entry: &Entry) -> Option<usize> {
        usize::from(entry.priority()).min(self.levels.len()).checked_sub(1)
    }

    /// Returns a level to which the caller adds a message.
    fn fill(&mut self, level: usize) -> &mut Level {
        self.filled[level / 64] |= 1 << (level % 64);
        self.len += 1;
        &mut self.levels[level]
    }

    /// Returns whether nothing returned and nothing follows the line.
    fn is_empty(&self) -> bool {
        self.returned.is_empty() && self.pages.is_empty()
    }

    fn pop(&mut self, level: usize) -> Option<Entry> {
        let place = &mut self.levels[level];
        let entry = pop(&mut place.line, &mut place.returned);
        self.len -= 1;
        if place.line.is_empty() && place.returned.is_empty() {
            self.filled[level / 64] &= !(1 << (level % 64));
        }
        entry
    }
}

/// Returns the older of the two heads.
fn front<'a>(
    line: &'a VecDeque<Entry>,
    returned: &'a BTreeMap<Position, Entry>,
) -> Option<&'a Entry> {
    let front = line.front();
    let Some((position, first)) = returned.first_key_value() else { return front };
    front.filter(|front| front.position() < *position).or(Some(first))
}

/// Takes the older of the two heads.
fn pop(line: &mut VecDeque<Entry>, returned: &mut BTreeMap<Position, Entry>) -> Option<Entry> {
    if let Some(first) = returned.first_entry()
        && line.front().is_none_or(|front| *first.key() < front.position())
    {
        return Some(first.remove());
    }
    line.pop_front()
}

/// Puts an entry back at one end of the line, if that is its place. Returns any other entry: of one
/// that is younger than the line, the place may be behind others.
fn put_back(line: &mut VecDeque<Entry>, is_all: bool, entry: Entry) -> Option<Entry> {
    let position = entry.position();
    if line.front().is_none_or(|front| position < front.position()) {
        line.push_front(entry);
    } else if is_all && line.back().is_none_or(|back| position > back.position()) {
        line.push_back(entry);
    } else {
        return Some(entry);
    }
    None
}

/// Returns the entries of both in order of position.
fn merged<'a>(
    line: impl Iterator<Item = Cow<'a, Entry>>,
    returned: Option<&'a BTreeMap<Position, Entry>>,
) -> impl Iterator<Item = Cow<'a, Entry>> {
    let mut line = line.peekable();
    let returned = returned.into_iter().flat_map(BTreeMap::values);
    let mut returned = returned.map(Cow::Borrowed).peekable();
    std::iter::from_fn(move || match (line.peek(), returned.peek()) {
        (Some(a), Some(b)) if b.position() < a.position() => returned.next(),
        (None, _) => returned.next(),
        _ => line.next(),
    })
}

impl Backlog {
    /// A backlog with this many levels above level 0.
    pub(crate) fn with_levels(levels: u8) -> Backlog {
        let mut backlog = Backlog::default();
        if levels > 0 {
            let levels = (0..levels).map(|_| Level::default()).collect();
            backlog.rest = Some(Box::new(Rest { levels, ..Rest::default() }));
        }
        backlog
    }

    pub(crate) fn len(&self) -> usize {
        let rest =
            self.rest.as_ref().map_or(0, |rest| rest.returned.len() + rest.pages.len() + rest.len);
        self.line.len() + rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether messages follow the line.
    fn has_pages(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| !rest.pages.is_empty())
    }

    /// Bytes of all bodies together.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns whether messages are ordered by priority.
    pub(crate) fn has_levels(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| !rest.levels.is_empty())
    }

    /// Adds a message with a position higher than any before.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += entry.message.body().len() as u64;
        if let Some(rest) = &mut self.rest
            && let Some(level) = rest.level_of(&entry)
        {
            rest.fill(level).line.push_back(entry);
        } else if self.line.len() < PAGE && !self.has_pages() {
            self.line.push_back(entry);
        } else {
            self.rest.get_or_insert_default().pages.push(entry);
        }
    }

    /// The next message.
    pub(crate) fn front(&self) -> Option<&Entry> {
        let Some(rest) = &self.rest else { return self.line.front() };
        match rest.highest() {
            Some(level) => front(&rest.levels[level].line, &rest.levels[level].returned),
            None => front(&self.line, &rest.returned),
        }
    }

    /// Takes the next message.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let entry = match &mut self.rest {
            None => self.line.pop_front(),
            Some(rest) => match rest.highest() {
                Some(level) => rest.pop(level),
                None => {
                    let entry = pop(&mut self.line, &mut rest.returned);
                    if self.line.is_empty() {
                        rest.pages.turn(&mut self.line);
                    }
                    if rest.is_empty() && rest.levels.is_empty() {
                        self.rest = None;
                    }
                    entry
                }
            },
        }?;
        self.bytes -= entry.message.body().len() as u64;
        Some(entry)
    }

    /// Puts messages back in their places. They are given in order of position.
    pub(crate) fn restore(&mut self, mut entries: Vec<Entry>) {
        if self.line.is_empty() && self.rest.is_none() {
            self.bytes = entries.iter().map(|entry| entry.message.body().len() as u64).sum();
            if entries.capacity() > 2 * entries.len() {
                entries.shrink_to_fit();
            }
            self.line = entries.into();
            return;
        }
        let is_all = !self.has_pages();
        // From the youngest to the oldest, because each is then likely to be a new front.
        for entry in entries.into_iter().rev() {
            self.bytes += entry.message.body().len() as u64;
            let level = self.rest.as_ref().and_then(|rest| rest.level_of(&entry));
            if let Some(rest) = &mut self.rest
                && let Some(level) = level
            {
                let level = rest.fill(level);
                if let Some(entry) = put_back(&mut level.line, true, entry) {
                    level.returned.insert(entry.position(), entry);
                }
            } else if let Some(entry) = put_back(&mut self.line, is_all, entry) {
                let rest = self.rest.get_or_insert_default();
                rest.returned.insert(entry.position(), entry);
            }
        }
    }

    /// Takes all messages, from the highest level down, each level in order of position.
    pub(crate) fn take_all(&mut self) -> Vec<Entry> {
        let mut all = Vec::with_capacity(self.len());
        while let Some(entry) = self.pop() {
            all.push(entry);
        }
        self.line = VecDeque::new();
        all
    }

    /// Checks that the counts are right and that each line is in order of position.
    pub(crate) fn check(&self) -> Result<(), String> {
        let bytes: u64 = self.iter().map(|entry| entry.message.body().len() as u64).sum();
        if bytes != self.bytes {
            return Err(format!("counts {} bytes of {bytes}", self.bytes));
        }
        if self.iter().count() != self.len() {
            return Err(format!("counts {} messages of {}", self.len(), self.iter().count()));
        }
        let levels = self.rest.iter().flat_map(|rest| &rest.levels).map(|level| &level.line);
        for line in levels.chain([&self.line]) {
            if !line.iter().map(Entry::position).is_sorted_by(|a, b| a < b) {
                return Err("has messages out of order".to_owned());
            }
        }
        Ok(())
    }

    /// Returns the messages in order of delivery.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Cow<'_, Entry>> {
        let rest = self.rest.as_deref();
        let levels = rest.into_iter().flat_map(|rest| rest.levels.iter().rev());
        let above = levels
            .flat_map(|level| merged(level.line.iter().map(Cow::Borrowed), Some(&level.returned)));
        let pages = rest.into_iter().flat_map(|rest| rest.pages.iter());
        let line = self.line.iter().map(Cow::Borrowed).chain(pages);
        above.chain(merged(line, rest.map(|rest| &rest.returned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::protocol::message::Message;
    use crate::rabbitmq::protocol::properties::Properties;
    use bytes::Bytes;
    use smol_str::SmolStr;
    use std::sync::Arc;

    fn entry(position: u64) -> Entry {
        with_priority(position, 0)
    }

    fn with_priority(position: u64, priority: u8) -> Entry {
        let properties = Properties::default().with_priority(priority);
        let body = Bytes::from_static(b"ab");
        let message = Message::new(None, SmolStr::default(), properties, body);
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
    fn a_long_backlog_keeps_its_order() {
        let mut backlog = backlog(3 * PAGE as u64);
        assert!(backlog.has_pages());
        // What comes back late is younger than the line, and older than the pages behind it.
        let mut held: Vec<Entry> = (0..PAGE + 10).map(|_| backlog.pop().unwrap()).collect();
        let late = held.split_off(PAGE / 2);
        backlog.restore(held);
        backlog.push(entry(3 * PAGE as u64));
        while backlog.pop().unwrap().position().0 + 1 < PAGE as u64 / 2 {}
        backlog.restore(late);
        backlog.check().unwrap();
        assert_eq!(backlog.len(), 2 * PAGE + PAGE / 2 + 1);
        for position in PAGE as u64 / 2..=3 * PAGE as u64 {
            assert_eq!(backlog.front().map(Entry::position), Some(Position(position)));
            assert_eq!(backlog.pop().map(|entry| entry.position()), Some(Position(position)));
        }
        assert_eq!((backlog.pop().is_none(), backlog.rest.is_none()), (true, true));
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
