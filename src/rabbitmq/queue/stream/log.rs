//! The contents of a stream: records, one after the other, in segments.
//!
//! A record is a few bytes followed by the body of the message. What many messages share (the
//! exchange) and what few messages have (most properties) is stored separately and pointed at. So a
//! message costs little more than its body, and a read assembles the message again.

use crate::Instant;
use crate::rabbitmq::protocol::limits::SHORT_STRING_MAX;
use crate::rabbitmq::protocol::message::{ExchangeName, Message};
use crate::rabbitmq::protocol::properties::Properties;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// Size of a segment, unless it is set.
const SEGMENT_BYTES: u64 = 500_000_000;

/// Records are stored in pages of this size, so that little memory is reserved in advance. A larger
/// record has a page of its own.
const PAGE_BYTES: usize = 1 << 16;

/// The place of a record is a page and an offset in it, 16 bits each.
const MAX_PAGES: usize = 1 << 16;

/// Marks a record whose properties are stored separately.
const APART: u8 = 0xff;

/// How much a stream keeps, and how it is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) segment_bytes: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    segments: VecDeque<Segment>,
    next_offset: u64,
    bytes: u64,
    /// The exchanges that messages were published to.
    exchanges: Vec<ExchangeName>,
}

#[derive(Debug)]
struct Segment {
    first_offset: u64,
    pages: Vec<Vec<u8>>,
    bytes: u64,
    /// Where each record begins.
    starts: Vec<Place>,
    /// Times of writing, each with the first offset that was written at that time.
    times: Vec<(u64, Instant)>,
    /// Properties of messages that have more than the common ones.
    properties: Vec<Properties>,
}

/// A page, and an offset in it.
#[derive(Clone, Copy, Debug)]
struct Place {
    page: u16,
    at: u16,
}

impl Log {
    /// The oldest offset, or the next one if there are no messages.
    pub(crate) fn first_offset(&self) -> u64 {
        self.segments.front().map_or(self.next_offset, |segment| segment.first_offset)
    }

    pub(crate) fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Number of messages.
    pub(crate) fn len(&self) -> u64 {
        self.next_offset - self.first_offset()
    }

    /// Bytes of all records.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Offset of the last chunk. Here every message is a chunk.
    pub(crate) fn last_chunk(&self) -> u64 {
        if self.len() == 0 { self.next_offset } else { self.next_offset - 1 }
    }

    /// Offset of the first message that was written at this time or later.
    pub(crate) fn first_since(&self, at: Instant) -> u64 {
        let times = self.segments.iter().flat_map(|segment| &segment.times);
        times.into_iter().find(|(_, written)| *written >= at).map_or(self.next_offset, |c| c.0)
    }

    /// Appends a message and returns its offset. May drop the oldest segments.
    pub(crate) fn append(&mut self, now: Instant, message: &Message, retention: Retention) -> u64 {
        let limit = retention.segment_bytes.unwrap_or(SEGMENT_BYTES);
        let is_full =
            |segment: &Segment| segment.bytes >= limit || segment.pages.len() == MAX_PAGES;
        if self.segments.back().is_none_or(is_full) {
            self.segments.push_back(Segment {
                first_offset: self.next_offset,
                pages: Vec::new(),
                bytes: 0,
                starts: Vec::new(),
                times: Vec::new(),
                properties: Vec::new(),
            });
            self.retain(now, retention);
        }
        let exchange = self.exchange_index(message.exchange_name());
        let offset = self.next_offset;
        self.next_offset += 1;
        let segment = self.segments.back_mut().expect("a segment was added above");
        if segment.times.last().is_none_or(|(_, at)| *at != now) {
            segment.times.push((offset, now));
        }
        self.bytes += segment.write(exchange, message);
        offset
    }

    fn exchange_index(&mut self, name: &ExchangeName) -> u32 {
        let known = self.exchanges.iter().rposition(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.exchanges.push(name.clone());
            self.exchanges.len() - 1
        });
        u32::try_from(index).expect("a stream has fewer than 2^32 exchanges")
    }

    /// Drops the oldest segments that exceed a limit, but never the last one.
    pub(crate) fn retain(&mut self, now: Instant, retention: Retention) {
        while self.segments.len() > 1 {
            let newest = self.segments[0].times.last().map(|(_, at)| *at);
            let is_old =
                retention.max_age.is_some_and(|age| newest.is_some_and(|at| at + age < now));
            let is_much = retention.max_bytes.is_some_and(|max| self.bytes > max);
            if !is_old && !is_much {
                break;
            }
            if let Some(segment) = self.segments.pop_front() {
                self.bytes -= segment.bytes;
            }
        }
    }

    /// Drops everything from this offset on, as a crash does.
    pub(crate) fn truncate(&mut self, next: u64) {
        while let Some(last) = self.segments.back_mut()
            && self.next_offset > next
        {
            let kept = next.saturating_sub(last.first_offset) as usize;
            self.bytes -= last.bytes;
            if let Some(end) = last.starts.get(kept).copied() {
                last.pages.truncate(usize::from(end.page) + 1);
                last.pages[usize::from(end.page)].truncate(end.at.into());
            }
            last.bytes = last.pages.iter().map(|page| page.len() as u64).sum();
            self.bytes += last.bytes;
            last.starts.truncate(kept);
            last.times.retain(|(offset, _)| *offset < next);
            self.next_offset = next.max(last.first_offset);
            if kept == 0 {
                self.segments.pop_back();
            }
        }
    }

    /// Returns the message at an offset, with its offset in the header `x-stream-offset`.
    pub(crate) fn read(&self, offset: u64) -> Option<Message> {
        let after = self.segments.partition_point(|segment| segment.first_offset <= offset);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let index = usize::try_from(offset - segment.first_offset).ok()?;
        let Place { page, at } = *segment.starts.get(index)?;
        let mut record = Record { bytes: &segment.pages[usize::from(page)][at.into()..] };
        let exchange = &self.exchanges[record.number() as usize];
        let properties = match record.byte() {
            APART => segment.properties[record.number() as usize].clone(),
            mode => Properties::common(optional(mode), optional(record.byte())),
        };
        let key_length = usize::from(record.byte());
        let routing_key = std::str::from_utf8(record.take(key_length)).unwrap_or_default().into();
        let body_length = record.number() as usize;
        let body = Bytes::copy_from_slice(record.take(body_length));
        let properties = properties.with_offset(offset);
        Some(Message::new(exchange.clone(), routing_key, properties, body))
    }
}

/// An optional small property as a byte below `APART`.
fn packed(value: Option<u8>) -> Option<u8> {
    match value {
        None => Some(0),
        Some(value) => value.checked_add(1).filter(|packed| *packed != APART),
    }
}

fn optional(packed: u8) -> Option<u8> {
    packed.checked_sub(1)
}

impl Segment {
    /// Appends a record and returns its length.
    fn write(&mut self, exchange: u32, message: &Message) -> u64 {
        let properties = message.properties();
        let small = match (packed(properties.delivery_mode()), packed(properties.priority())) {
            (Some(mode), Some(priority)) if !properties.has_more() => Some([mode, priority]),
            _ => None,
        };
        let key = message.routing_key().as_bytes();
        let key = &key[..key.len().min(SHORT_STRING_MAX)];
        let body = message.body();
        let length = 4 + small.map_or(5, |_| 2) + 1 + key.len() + 4 + body.len();
        self.make_room(length);
        let page = self.pages.last_mut().expect("a page with room was added above");
        page.extend_from_slice(&exchange.to_le_bytes());
        match small {
            Some(small) => page.extend_from_slice(&small),
            None => {
                let index = u32::try_from(self.properties.len())
                    .expect("a segment holds fewer than 2^32 records");
                self.properties.push(properties.clone());
                page.push(APART);
                page.extend_from_slice(&index.to_le_bytes());
            }
        }
        page.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
        page.extend_from_slice(key);
        page.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        page.extend_from_slice(body);
        self.bytes += length as u64;
        length as u64
    }

    /// Makes sure that a record of this length fits into the last page, and notes where it begins.
    fn make_room(&mut self, length: usize) {
        let fits = |page: &Vec<u8>| page.len() + length <= PAGE_BYTES;
        if !self.pages.last().is_some_and(fits) {
            self.pages.push(Vec::with_capacity(PAGE_BYTES.max(length)));
        }
        let page = u16::try_from(self.pages.len() - 1)
            .expect("a segment begins a new one before it is full");
        let at = self.pages.last().map_or(0, Vec::len);
        self.starts
            .push(Place { page, at: u16::try_from(at).expect("a record fits into its page") });
    }
}

/// The rest of a record that is being read.
struct Record<'a> {
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(n);
        self.bytes = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().expect("the slice has four bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn message(body: &str) -> Message {
        let properties = Properties::default().persistent();
        let body = Bytes::copy_from_slice(body.as_bytes());
        Message::new(Some(Arc::new("x".into())), "key".into(), properties, body)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn properties_are_the_same_after_a_round_trip() {
        let mut log = Log::default();
        let rich = Properties::default().with_message_id("m").with_priority(254);
        let messages = [message("a"), message("").with_properties(rich), message("ccc")];
        for (offset, message) in messages.iter().enumerate() {
            let given = log.append(at(offset as u64), message, Retention::default());
            assert_eq!(given, offset as u64);
        }
        for (offset, message) in messages.iter().enumerate() {
            let properties = message.properties().clone().with_offset(offset as u64);
            let expected = message.with_properties(properties);
            assert_eq!(log.read(offset as u64), Some(expected));
        }
        assert_eq!(log.read(3), None);
        assert_eq!((log.first_since(at(1)), log.last_chunk(), log.first_since(at(9))), (1, 2, 3));
    }

    #[test]
    fn the_oldest_segments_go_by_size_and_by_age() {
        let segment_bytes = Some(100);
        let by_size = Retention { max_bytes: Some(300), segment_bytes, max_age: None };
        let mut log = Log::default();
        for i in 0..100 {
            log.append(at(i), &message("0123456789"), by_size);
        }
        assert!(log.bytes() <= 400 && log.first_offset() > 80, "{log:?}");
        assert_eq!(log.read(log.first_offset() - 1), None);

        let max_age = Some(Duration::from_secs(10));
        let by_age = Retention { max_age, segment_bytes, max_bytes: None };
        let mut log = Log::default();
        for i in 0..100 {
            log.append(at(i), &message("0123456789"), by_age);
        }
        assert!((80..90).contains(&log.first_offset()), "{}", log.first_offset());
        assert_eq!(log.len(), 100 - log.first_offset());
    }

    #[test]
    fn a_truncated_log_continues_where_it_was_cut() {
        let mut log = Log::default();
        let retention = Retention { segment_bytes: Some(50), ..Retention::default() };
        for _ in 0..10 {
            log.append(at(0), &message("0123456789"), retention);
        }
        let bytes = log.bytes();
        log.truncate(4);
        assert_eq!((log.next_offset(), log.len(), log.bytes()), (4, 4, bytes * 4 / 10));
        assert_eq!(log.append(at(1), &message("new"), retention), 4);
        assert_eq!(log.read(4).map(|read| read.body().clone()), Some(Bytes::from("new")));
    }
}
