//! The messages of a queue that are ready for delivery, in order of delivery, and the size of their
//! bodies.
//!
//! A requeued message goes back to its original place: to the front if it is the oldest, as it
//! usually is, or else into a second, sorted store. The next message is the older of the two heads.
//! So a requeue costs O(log n), and returning everything that a dead consumer held costs O(1) for
//! each message.
//!
//! New messages join at the end, which in a long backlog consists of pages (`pages.rs`). The line
//! takes the next page when it is empty, so it is empty only if nothing waits behind it. In a queue
//! with ranks (see [`Order`]) it also takes one when all of it was returned, because the first
//! message that was not may expire before those.
//!
//! A queue with priorities has a *level* for each priority. The highest level that is not empty
//! goes first, and a message returns to its own level.
//!
//! A quorum queue has priorities without asking for them, in an [`Order`] that depends on the
//! version. Its line holds the messages of no level: with two classes those of the lower class,
//! with ranks those of priority 4 or none. Messages that were returned belong to the line whatever
//! their priority. They have lower positions than all others, and go before them.

use crate::Instant;
use crate::rabbitmq::protocol::message::{Entry, Position};
use crate::rabbitmq::queue::expiry::Expiries;
use crate::rabbitmq::queue::pages::{PAGE, Pages};
use crate::rabbitmq::version::{Priorities, Quorum as Rules};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// In order of position; if there are levels, the messages of priority 0.
    line: VecDeque<Entry>,
    /// Set only for the few queues that need it.
    rest: Option<Box<Rest>>,
    /// Bytes of all messages together.
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
    order: Order,
    /// Whether the bytes of a message include those of its properties.
    counts_properties: bool,
}

/// The order in which the line and the levels take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    /// The highest level first, then the line.
    #[default]
    Levels,
    /// Two messages of level 0, then one of the line, unless the next of level 0 is older. `turn`
    /// counts the messages since then, those included that had no competitor.
    TwoClasses { turn: u8 },
    /// The highest level first. The line is the level of `LINE_RANK`.
    Ranks,
}

impl Order {
    /// Counts a message that was not returned and leaves.
    fn take_turn(&mut self) {
        if let Order::TwoClasses { turn } = self {
            *turn = if *turn == WEIGHT { 0 } else { *turn + 1 };
        }
    }
}

/// Where a message stands that expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the next message.
    Next,
    /// In the line of a queue with ranks, as the first that was returned or the first that was not.
    Line,
    /// It is the head of this level.
    Level(usize),
}

/// Position of the first message of a quorum queue. Messages that come back go before it.
pub(crate) const FIRST_OF_QUORUM: Position = Position(1 << 40);

/// The lowest priority of the upper class.
const UPPER_CLASS: u8 = 5;

/// Number of messages of the upper class for each of the lower.
const WEIGHT: u8 = 2;

/// The level of messages without a priority.
const LINE_RANK: u8 = 4;

/// The highest level.
const TOP_RANK: u8 = 31;

/// Returns whether a message came before another one.
fn is_older(entry: Option<&Entry>, than: &Entry) -> bool {
    entry.is_some_and(|entry| entry.position() < than.position())
}

/// Returns whether a message of a quorum queue was returned.
fn was_returned(entry: &Entry) -> bool {
    entry.position() < FIRST_OF_QUORUM
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
        match self.order {
            Order::Levels => usize::from(entry.priority()).min(self.levels.len()).checked_sub(1),
            Order::TwoClasses { .. } | Order::Ranks if was_returned(entry) => None,
            Order::TwoClasses { .. } => (entry.priority() >= UPPER_CLASS).then_some(0),
            Order::Ranks => {
                let rank = entry.message.properties().priority().unwrap_or(LINE_RANK);
                (rank != LINE_RANK).then_some(usize::from(rank.min(TOP_RANK)))
            }
        }
    }

    /// Index in `levels` of the level that has the turn; `None` for the line, which has this head.
    fn turn(&self, head: Option<&Entry>) -> Option<usize> {
        let highest = self.highest()?;
        let goes_first = match (self.order, head) {
            (Order::Levels, _) | (_, None) => true,
            (_, Some(head)) if was_returned(head) => false,
            (Order::TwoClasses { turn }, Some(head)) => {
                let level = &self.levels[highest];
                turn < WEIGHT || is_older(front(&level.line, &level.returned), head)
            }
            (Order::Ranks, Some(_)) => highest > usize::from(LINE_RANK),
        };
        goes_first.then_some(highest)
    }

    /// Returns a level to which the caller adds a message.
    fn fill(&mut self, level: usize) -> &mut Level {
        self.filled[level / 64] |= 1 << (level % 64);
        self.len += 1;
        if level >= self.levels.len() {
            self.levels.resize_with(level + 1, Level::default);
        }
        &mut self.levels[level]
    }

    /// Returns whether a queue lacks its next message that was not returned, so that the line has
    /// to take it from the pages. With ranks it may expire behind those that were.
    fn is_short(&self, line: &VecDeque<Entry>) -> bool {
        line.back().is_none_or(|last| self.order == Order::Ranks && was_returned(last))
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

    /// The backlog of a quorum queue.
    pub(crate) fn of_quorum(rules: &Rules) -> Backlog {
        let counts_properties = rules.counts_property_bytes;
        let order = match rules.priorities {
            Priorities::None if !counts_properties => return Backlog::default(),
            Priorities::None => Order::Levels,
            Priorities::TwoClasses => Order::TwoClasses { turn: 0 },
            Priorities::Strict => Order::Ranks,
        };
        let rest = Rest { order, counts_properties, ..Rest::default() };
        Backlog { rest: Some(Box::new(rest)), ..Backlog::default() }
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

    /// The bytes that a message counts: those of its body, and if the queue counts them, also those
    /// of its properties, as they were published. What the server adds to a dead letter is kept
    /// beside them (`mc_amqpl:size`).
    pub(crate) fn size(&self, entry: &Entry) -> u64 {
        let properties = match &self.rest {
            Some(rest) if rest.counts_properties => entry.message.properties().sent_len(),
            Some(_) | None => 0,
        };
        (properties + entry.message.body().len()) as u64
    }

    /// Bytes of all messages together.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns whether messages are ordered by priority because the queue asked for it.
    pub(crate) fn has_levels(&self) -> bool {
        let has_levels = |rest: &Rest| rest.order == Order::Levels && !rest.levels.is_empty();
        self.rest.as_deref().is_some_and(has_levels)
    }

    /// Adds a message with a position higher than any before.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += self.size(&entry);
        if let Some(rest) = &mut self.rest
            && let Some(level) = rest.level_of(&entry)
        {
            rest.fill(level).line.push_back(entry);
        } else if self.line.len() < PAGE && !self.has_pages()
            || self.rest.as_ref().is_some_and(|rest| rest.is_short(&self.line))
        {
            self.line.push_back(entry);
        } else {
            self.rest.get_or_insert_default().pages.push(entry);
        }
    }

    /// Lets a new message leave at once, because a consumer waits for it: the classes take turns as
    /// if it had been here.
    pub(crate) fn pass(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.order.take_turn();
        }
    }

    /// The next message.
    pub(crate) fn front(&self) -> Option<&Entry> {
        let Some(rest) = &self.rest else { return self.line.front() };
        let head = front(&self.line, &rest.returned);
        match rest.turn(head) {
            Some(level) => front(&rest.levels[level].line, &rest.levels[level].returned),
            None => head,
        }
    }

    /// The message that may expire next, and its place. That is the next message. But a queue with
    /// ranks has several heads: the first that was returned, and the first of each rank that was
    /// not. There it is the head that expires first; or `None` if no message of the queue expires.
    pub(crate) fn next_to_expire(&self, expiries: &Expiries) -> Option<(Place, &Entry)> {
        let Some(rest) = &self.rest else {
            return self.line.front().map(|head| (Place::Next, head));
        };
        if rest.order != Order::Ranks {
            return self.front().map(|head| (Place::Next, head));
        }
        if expiries.is_empty() {
            return None;
        }
        let returned = front(&self.line, &rest.returned).filter(|head| was_returned(head));
        // The line is in order of position, and all that were returned have lower positions.
        let fresh = self.line.get(self.line.partition_point(was_returned));
        let levels = rest.levels.iter().enumerate();
        let levels = levels.filter_map(|(level, place)| {
            Some((Place::Level(level), front(&place.line, &place.returned)?))
        });
        let returned = returned.map(|head| (Place::Line, head));
        let fresh = fresh.map(|head| (Place::Line, head));
        let heads = returned.into_iter().chain(levels).chain(fresh);
        heads.min_by_key(|(_, head)| (expiries.of(head).unwrap_or(Instant::MAX), head.position()))
    }

    /// Takes the message that is at this place.
    pub(crate) fn pop_expired(&mut self, place: Place, position: Position) -> Option<Entry> {
        let entry = match (place, &mut self.rest) {
            (Place::Next, _) | (_, None) => return self.pop(),
            (Place::Level(level), Some(rest)) => rest.pop(level),
            (Place::Line, Some(rest)) => {
                let entry = match self.line.binary_search_by_key(&position, Entry::position) {
                    Ok(at) => self.line.remove(at),
                    Err(_) => rest.returned.remove(&position),
                };
                if rest.is_short(&self.line) {
                    rest.pages.turn(&mut self.line);
                }
                entry
            }
        }?;
        self.bytes -= self.size(&entry);
        Some(entry)
    }

    /// Takes the next message.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let entry = match &mut self.rest {
            None => self.line.pop_front(),
            Some(rest) => {
                let head = front(&self.line, &rest.returned);
                let counts = head.is_none_or(|head| !was_returned(head));
                let turn = rest.turn(head);
                let entry = match turn {
                    Some(level) => rest.pop(level),
                    None => {
                        let entry = pop(&mut self.line, &mut rest.returned);
                        if self.line.is_empty() {
                            rest.pages.turn(&mut self.line);
                        }
                        entry
                    }
                };
                let is_needed = !rest.levels.is_empty() || rest.counts_properties;
                let is_spent = rest.is_empty() && !is_needed;
                if counts && entry.is_some() {
                    rest.order.take_turn();
                }
                if rest.order == Order::Levels && is_spent {
                    self.rest = None;
                }
                entry
            }
        }?;
        self.bytes -= self.size(&entry);
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
            self.bytes += self.size(&entry);
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
        if let Some(rest) = &mut self.rest
            && let Order::TwoClasses { turn } = &mut rest.order
        {
            *turn = 0;
        }
        all
    }

    /// Checks that the counts are right, that each line is in order of position, and that pages
    /// wait only behind a line that needs none.
    pub(crate) fn check(&self) -> Result<(), String> {
        let bytes: u64 = self.iter().map(|entry| self.size(&entry)).sum();
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
        if self.has_pages() && self.rest.as_ref().is_some_and(|rest| rest.is_short(&self.line)) {
            return Err("has left its next message in a page".to_owned());
        }
        Ok(())
    }

    /// Returns the messages in order of delivery.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Cow<'_, Entry>> {
        let rest = self.rest.as_deref();
        let pages = rest.into_iter().flat_map(|rest| rest.pages.iter());
        let line = self.line.iter().map(Cow::Borrowed).chain(pages);
        let mut line = merged(line, rest.map(|rest| &rest.returned)).peekable();
        let levels = rest.into_iter().flat_map(|rest| &rest.levels);
        let mut levels: Vec<_> = levels
            .map(|level| {
                merged(level.line.iter().map(Cow::Borrowed), Some(&level.returned)).peekable()
            })
            .collect();
        let mut order = rest.map_or(Order::Levels, |rest| rest.order);
        std::iter::from_fn(move || {
            let highest = levels.iter_mut().rposition(|level| level.peek().is_some());
            let is_returned =
                order != Order::Levels && line.peek().is_some_and(|e| was_returned(e));
            let takes_line = match order {
                _ if is_returned => true,
                Order::Levels => highest.is_none(),
                Order::TwoClasses { turn } => highest.is_none_or(|highest| {
                    let upper = levels[highest].peek().map(|entry| &**entry);
                    turn == WEIGHT && line.peek().is_some_and(|head| !is_older(upper, head))
                }),
                Order::Ranks => {
                    let rank = usize::from(LINE_RANK);
                    highest.is_none_or(|highest| highest < rank && line.peek().is_some())
                }
            };
            if !is_returned {
                order.take_turn();
            }
            match highest {
                Some(highest) if !takes_line => levels[highest].next(),
                Some(_) | None => line.next(),
            }
        })
    }
}

#[cfg(test)]
mod tests;
