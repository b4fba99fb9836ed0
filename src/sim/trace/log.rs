//! The log of a trace: the events that it keeps, in a few bytes each.
//!
//! An event is written when it happens and becomes an [`Event`] with texts only if somebody reads
//! it. Polls, choices and messages, of which there are many, are bytes in one buffer: a length, the
//! time since the event before, the actor, the kind, and the kind's own fields. What a message
//! needs is written by its service, which reads it back (see [`Service::log_input`]). Other events
//! are rare: they lie in a queue of their own, and the buffer has a mark in their place.
//!
//! The oldest event can be dropped. The buffer then begins later, and is moved to its front when
//! half of it is unused.
//!
//! [`Service::log_input`]: crate::sim::service::Service::log_input

use super::Event;
use super::compact::{put_number, take_bytes, take_number};
use super::event::{EventKind, Journey, Record, label};
use crate::choice::Site;
use crate::sim::trace::Actor;
use crate::time::Instant;
use std::collections::vec_deque::Iter;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Returns the text of a message, from what its service has written.
pub(crate) type Read = fn(&[u8]) -> String;

/// Writes a message as its service reads it back.
type Write<'a> = &'a dyn Fn(&mut Vec<u8>);

/// The kinds in the buffer.
const RARE: u8 = 0;
const RAN: u8 = 1;
const CHOICE: u8 = 2;
const REQUEST: u8 = 3;
const RESPONSE: u8 = 4;

/// The first size of the buffer: enough for a small world.
const FIRST: usize = 512;

/// Most events are shorter than this.
const LONGEST: usize = 128;

/// With fewer unused bytes at its front the buffer stays as it is.
const UNUSED: usize = 4096;

/// The names of senders, each made once.
struct Labels<'a> {
    names: &'a [Arc<str>],
    made: BTreeMap<(u64, u64), Arc<str>>,
}

impl Labels<'_> {
    fn get(&mut self, sender: u64, begun: u64) -> Arc<str> {
        let name = &self.names[sender as usize];
        match begun {
            1 => Arc::clone(name),
            _ => Arc::clone(self.made.entry((sender, begun)).or_insert_with(|| label(name, begun))),
        }
    }
}

/// The kept events, oldest first.
#[derive(Clone, Default)]
pub(super) struct Log {
    bytes: Vec<u8>,
    /// Where the oldest event begins.
    head: usize,
    len: usize,
    /// The times before the oldest event and of the youngest, in nanoseconds.
    before: u64,
    last: u64,
    rare: VecDeque<EventKind>,
    sites: Vec<Site>,
    reads: Vec<Read>,
}

impl Log {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether both logs were written in the same way. Two that were not may still have the
    /// same events.
    pub(super) fn is_same(&self, other: &Log) -> bool {
        self.before == other.before
            && self.len == other.len
            && self.bytes[self.head..] == other.bytes[other.head..]
            && self.rare == other.rare
            && self.sites == other.sites
    }

    /// Adds a function that reads what services write, and returns its number.
    pub(super) fn add_read(&mut self, read: Read) -> u32 {
        self.reads.push(read);
        u32::try_from(self.reads.len() - 1).expect("fewer than 2^32 services")
    }

    pub(super) fn push(&mut self, at: Instant, who: Actor, record: Record<'_>) {
        let spare = self.bytes.capacity() - self.bytes.len();
        if spare < LONGEST {
            // A quarter more rather than twice as much: most of a long trace's memory is here.
            self.bytes.reserve_exact(FIRST.max(self.bytes.len() / 4));
        }
        let start = self.bytes.len();
        // Most events are shorter than 128 bytes, so that their length is one.
        self.bytes.push(0);
        put_number(&mut self.bytes, at.as_nanos().saturating_sub(self.last));
        put_number(&mut self.bytes, u64::from(who.0));
        self.put_kind(at, record);
        let length = self.bytes.len() - start - 1;
        if length < 0x80 {
            self.bytes[start] = length as u8;
        } else {
            let mut prefix = Vec::new();
            put_number(&mut prefix, length as u64);
            self.bytes.splice(start..=start, prefix);
        }
        self.last = at.as_nanos();
        self.len += 1;
    }

    fn put_kind(&mut self, at: Instant, record: Record<'_>) {
        match record {
            Record::Ran { task } => {
                self.bytes.push(RAN);
                put_number(&mut self.bytes, task);
            }
            Record::Choice { site, entity, n, value } => {
                let number = self.site(site);
                self.bytes.push(CHOICE);
                for number in [number, entity, n, value] {
                    put_number(&mut self.bytes, number);
                }
            }
            Record::Request { journey, read, write, .. } => {
                self.put_message(REQUEST, at, journey, (read, write));
            }
            Record::Response { journey, read, write, .. } => {
                self.put_message(RESPONSE, at, journey, (read, write));
            }
            other => {
                self.bytes.push(RARE);
                self.rare.push_back(other.kind());
            }
        }
    }

    fn put_message(
        &mut self,
        kind: u8,
        at: Instant,
        journey: Journey,
        (read, write): (u32, Write<'_>),
    ) {
        let Journey { sender, begun, connection, sent } = journey;
        self.bytes.push(kind);
        put_number(&mut self.bytes, u64::from(read));
        // Most connections are the first on their link, which takes a bit.
        let is_later = begun != 1;
        put_number(&mut self.bytes, u64::from(sender.0) << 1 | u64::from(is_later));
        if is_later {
            put_number(&mut self.bytes, u64::from(begun));
        }
        put_number(&mut self.bytes, u64::from(connection));
        let took = at.as_nanos().saturating_sub(sent.as_nanos());
        put_number(&mut self.bytes, took);
        write(&mut self.bytes);
    }

    /// Returns the number of a site. There are few.
    fn site(&mut self, site: Site) -> u64 {
        let known = self.sites.iter().position(|other| *other == site);
        let number = known.unwrap_or_else(|| {
            self.sites.push(site);
            self.sites.len() - 1
        });
        number as u64
    }

    /// Drops the oldest event.
    pub(super) fn pop(&mut self) {
        if self.len == 0 {
            return;
        }
        let mut rest = &self.bytes[self.head..];
        let mut event = take_bytes(&mut rest);
        self.before += take_number(&mut event);
        take_number(&mut event);
        if event.first() == Some(&RARE) {
            self.rare.pop_front();
        }
        self.head = self.bytes.len() - rest.len();
        self.len -= 1;
        if self.head >= UNUSED && self.head >= self.bytes.len() / 2 {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
    }

    /// Returns the events, oldest first, with the actors' names.
    pub(super) fn events(&self, names: &[Arc<str>]) -> Vec<Event> {
        let mut rest = &self.bytes[self.head..];
        let mut at = self.before;
        let mut rare = self.rare.iter();
        let mut labels = Labels { names, made: BTreeMap::new() };
        let mut events = Vec::with_capacity(self.len);
        for _ in 0..self.len {
            let mut event = take_bytes(&mut rest);
            at += take_number(&mut event);
            let who = take_number(&mut event) as usize;
            let kind = self.take_kind(event, at, &mut rare, &mut labels);
            let who = Arc::clone(&names[who]);
            events.push(Event { at: Instant::from_nanos(at), who, kind });
        }
        events
    }

    fn take_kind(
        &self,
        mut event: &[u8],
        at: u64,
        rare: &mut Iter<'_, EventKind>,
        labels: &mut Labels<'_>,
    ) -> EventKind {
        const RARE_IS_THERE: &str = "each mark in the buffer has its event in the queue";
        let Some((kind, rest)) = event.split_first() else {
            unreachable!("each event was written with its kind");
        };
        event = rest;
        match *kind {
            RAN => EventKind::Ran { task: take_number(&mut event) },
            CHOICE => {
                let site = self.sites[take_number(&mut event) as usize];
                let [entity, n, value] = std::array::from_fn(|_| take_number(&mut event));
                EventKind::Choice { site, entity, n, value }
            }
            REQUEST => {
                let (from, connection, took, text) = self.take_message(event, labels);
                let sent = Instant::from_nanos(at - took);
                EventKind::Request { from, text, connection, sent }
            }
            RESPONSE => {
                let (from, connection, took, text) = self.take_message(event, labels);
                let sent = Instant::from_nanos(at - took);
                EventKind::Response { from, text, connection, sent }
            }
            _ => rare.next().expect(RARE_IS_THERE).clone(),
        }
    }

    /// Reads the rest of a message: its sender, its connection, how long it took, and its text.
    fn take_message(
        &self,
        mut event: &[u8],
        labels: &mut Labels<'_>,
    ) -> (Arc<str>, u32, u64, String) {
        let mut next = || take_number(&mut event);
        let (read, sender) = (next(), next());
        let begun = if sender & 1 == 1 { next() } else { 1 };
        let (connection, took) = (next(), next());
        let read = self.reads[read as usize];
        (labels.get(sender >> 1, begun), connection as u32, took, read(event))
    }
}
