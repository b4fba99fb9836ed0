//! The far end of a long backlog: messages that wait behind a thousand others.
//!
//! They stand in *pages*. In a backlog of many pages, a page that is full is packed: the messages
//! give up their own allocations for the page's, and those in a row with the same exchange, routing
//! key and properties share them. So a message costs 40 bytes beyond its body there. A page that
//! holds a message which another queue or a dead letter shares stays as it is, so a shared message
//! keeps its identity. A page that comes to the front is unpacked. Pages also spare the backlog the
//! doubling of a single allocation. Messages that return all at once, as after a restart, are the
//! line itself and are not paged.
//!
//! The messages are in order of position.

use crate::rabbitmq::protocol::message::{Entry, Envelope, Mark, Message};
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

/// Number of messages in a full page.
pub(super) const PAGE: usize = 1024;

/// The first pages stay as they are: packing costs time, and these take little memory.
const WHOLE: usize = 15;

#[derive(Debug, Default)]
pub(super) struct Pages {
    full: VecDeque<Page>,
    /// The youngest messages, fewer than a page.
    last: Vec<Entry>,
}

#[derive(Debug)]
enum Page {
    Whole(Vec<Entry>),
    Packed(Packed),
}

/// Messages that nobody else points at.
#[derive(Debug)]
struct Packed {
    messages: Vec<(Mark, Bytes)>,
    /// What messages have beside their bodies, each with the number of messages in a row that share
    /// it.
    envelopes: Vec<(Envelope, u32)>,
}

impl Pages {
    pub(super) fn len(&self) -> usize {
        self.full.len() * PAGE + self.last.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.last.is_empty()
    }

    /// Adds a message with a position higher than any before.
    pub(super) fn push(&mut self, entry: Entry) {
        if self.last.capacity() == 0 {
            self.last.reserve_exact(PAGE);
        }
        self.last.push(entry);
        if self.last.len() == PAGE {
            let page = std::mem::take(&mut self.last);
            let packs = self.full.len() >= WHOLE;
            self.full.push_back(if packs { Page::packed(page) } else { Page::Whole(page) });
        }
    }

    /// Moves the oldest page to the end of a line.
    pub(super) fn turn(&mut self, line: &mut VecDeque<Entry>) {
        match self.full.pop_front() {
            Some(Page::Whole(entries)) => line.extend(entries),
            Some(Page::Packed(packed)) => line.extend(packed.unpacked()),
            None => line.extend(self.last.drain(..)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Cow<'_, Entry>> {
        let full = self.full.iter().flat_map(|page| {
            let (whole, packed) = match page {
                Page::Whole(entries) => (Some(entries), None),
                Page::Packed(packed) => (None, Some(packed)),
            };
            let whole = whole.into_iter().flatten().map(Cow::Borrowed);
            whole.chain(packed.into_iter().flat_map(Packed::iter).map(Cow::Owned))
        });
        full.chain(self.last.iter().map(Cow::Borrowed))
    }
}

impl Page {
    /// Packs a page, if nobody else points at its messages.
    fn packed(entries: Vec<Entry>) -> Page {
        if entries.iter().any(Entry::is_shared) {
            return Page::Whole(entries);
        }
        let mut packed = Packed { messages: Vec::with_capacity(entries.len()), envelopes: vec![] };
        for entry in entries {
            let (message, mark) = entry.into_parts();
            let (envelope, body) = Arc::unwrap_or_clone(message).into_parts();
            packed.messages.push((mark, body));
            match packed.envelopes.last_mut() {
                Some((last, count)) if *last == envelope => *count += 1,
                _ => packed.envelopes.push((envelope, 1)),
            }
        }
        packed.envelopes.shrink_to_fit();
        Page::Packed(packed)
    }
}

impl Packed {
    fn unpacked(self) -> impl Iterator<Item = Entry> {
        let envelopes = self.envelopes.into_iter();
        let envelopes = envelopes.flat_map(|(e, count)| std::iter::repeat_n(e, count as usize));
        self.messages.into_iter().zip(envelopes).map(|((mark, body), envelope)| {
            Entry::from_parts(Arc::new(Message::from_parts(envelope, body)), mark)
        })
    }

    fn iter(&self) -> impl Iterator<Item = Entry> {
        let envelopes = self.envelopes.iter();
        let envelopes = envelopes.flat_map(|(e, count)| std::iter::repeat_n(e, *count as usize));
        self.messages.iter().zip(envelopes).map(|((mark, body), envelope)| {
            let message = Message::from_parts(envelope.clone(), body.clone());
            Entry::from_parts(Arc::new(message), *mark)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::protocol::message::Position;
    use crate::rabbitmq::protocol::properties::Properties;

    fn entry(position: u64) -> Entry {
        // Three messages in a row have the same key.
        let key = format!("key {}", position / 3).into();
        let body = Bytes::from(position.to_string());
        let message = Message::new(None, key, Properties::default(), body);
        let entry = Entry::new(Arc::new(message), Position(position));
        if position.is_multiple_of(2) { entry.again() } else { entry }
    }

    fn same(found: &Entry, position: u64) -> bool {
        let expected = entry(position);
        found.message == expected.message
            && found.position() == expected.position()
            && found.redelivered() == expected.redelivered()
    }

    #[test]
    fn messages_come_back_as_they_went_in() {
        let mut pages = Pages::default();
        let page = PAGE as u64;
        let shared = (WHOLE as u64 + 1) * page;
        let count = shared + 2 * page + 7;
        let elsewhere = entry(shared).message;
        for position in 0..count {
            let mut entry = entry(position);
            if position == shared {
                entry.message = Arc::clone(&elsewhere);
            }
            pages.push(entry);
        }
        assert_eq!(pages.len() as u64, count);
        let is_packed = |page: &Page| matches!(page, Page::Packed(_));
        let packed: Vec<bool> = pages.full.iter().map(is_packed).collect();
        assert_eq!(packed[..WHOLE], [false; WHOLE]);
        assert_eq!(packed[WHOLE..], [true, false, true], "a shared message is not packed");
        assert!(pages.iter().zip(0..).all(|(entry, position)| same(&entry, position)));
        let mut line = VecDeque::new();
        while !pages.is_empty() {
            pages.turn(&mut line);
        }
        assert_eq!(line.len() as u64, count);
        assert!(line.iter().zip(0..).all(|(entry, position)| same(entry, position)));
        assert!(Arc::ptr_eq(&line[shared as usize].message, &elsewhere));
    }
}
