//! Ids of a stream's entries: a time in milliseconds and a sequence number.
//!
//! An id is a 128-bit number. Its text is `ms-seq`; what may be omitted depends on the place.
//!
//! Source: `t_stream.c` (`streamGenericParseIDOrReply`), `util.c` (`string2ull`).

use crate::redis::value::number;
use std::fmt;

/// The id of a stream's entry. Ids are ordered by time, then by sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Usually milliseconds since the Unix epoch.
    pub ms: u64,
    /// Number among the entries of the same millisecond.
    pub seq: u64,
}

/// Redis ignores longer texts.
const LONGEST: usize = 127;

impl StreamId {
    /// `0-0`, which no entry has.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The greatest id.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// Returns the id of these two parts.
    #[must_use]
    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// Returns the next id, or `None` after the greatest.
    #[must_use]
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// Returns the id before, or `None` before `0-0`.
    #[must_use]
    pub fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// Reads `ms-seq`, or `ms` alone with this sequence number. Like Redis it reads text up to a
    /// NUL, and numbers as C's `strtoull` does.
    #[must_use]
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        let (ms, seq) = parts(text)?;
        let ms = number::parse_u64(ms)?;
        let seq = seq.map_or(Some(missing_seq), number::parse_u64)?;
        Some(StreamId { ms, seq })
    }

    /// Reads the time of an id without a sequence number of its own: `ms-*`.
    #[must_use]
    pub fn parse_open(text: &[u8]) -> Option<u64> {
        let (ms, seq) = parts(text)?;
        if seq == Some(b"*") { number::parse_u64(ms) } else { None }
    }

    /// Reads an end of a range, which may also be `-` or `+`.
    #[must_use]
    pub fn parse_bound(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        match text {
            [b'-'] | [b'-', 0, ..] if text.len() <= LONGEST => Some(StreamId::MIN),
            [b'+'] | [b'+', 0, ..] if text.len() <= LONGEST => Some(StreamId::MAX),
            _ => StreamId::parse(text, missing_seq),
        }
    }

    /// Calls a function with the text, which is made without allocation.
    pub(crate) fn with_text<R>(self, read: impl FnOnce(&[u8]) -> R) -> R {
        let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (ms, seq) = (ms.format(self.ms).as_bytes(), seq.format(self.seq).as_bytes());
        let mut text = [b'-'; 41];
        let end = ms.len() + 1 + seq.len();
        text[..ms.len()].copy_from_slice(ms);
        text[ms.len() + 1..end].copy_from_slice(seq);
        read(&text[..end])
    }

    /// Returns the id as a key of a radix tree, in which keys are ordered as ids are.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// Returns this id minus another, part by part, as entries of a node store it.
    pub(super) fn delta(self, from: StreamId) -> (i64, i64) {
        let part = |part: u64, from: u64| part.wrapping_sub(from) as i64;
        (part(self.ms, from.ms), part(self.seq, from.seq))
    }

    /// The reverse of [`StreamId::delta`].
    pub(super) fn plus(self, (ms, seq): (i64, i64)) -> StreamId {
        let part = |part: u64, delta: i64| part.wrapping_add(delta as u64);
        StreamId { ms: part(self.ms, ms), seq: part(self.seq, seq) }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Divides the text of an id at its first hyphen.
fn parts(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if text.len() > LONGEST {
        return None;
    }
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(match text.iter().position(|byte| *byte == b'-') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_the_server_reads_them() {
        let read = |text: &[u8]| {
            let id = StreamId::parse(text, 7)?;
            let text = id.with_text(|text| String::from_utf8_lossy(text).into_owned());
            assert_eq!(text, id.to_string());
            Some(text)
        };
        for (text, id) in [
            (&b"5-3"[..], Some("5-3")),
            (b"5", Some("5-7")),
            (b"5-", None),
            (b"-5", None),
            (b"-", None),
            (b"", None),
            (b"5-3\0junk", Some("5-3")),
            (b"007-+3", Some("7-3")),
            (b" 5-3", Some("5-3")),
            (b"5 -3", None),
            (b"5--3", None),
            (b"5--03", Some("5-18446744073709551613")),
            (
                b"18446744073709551615-18446744073709551615",
                Some("18446744073709551615-18446744073709551615"),
            ),
            (b"18446744073709551616-1", None),
            (b"5-*", None),
        ] {
            assert_eq!(read(text).as_deref(), id, "{}", text.escape_ascii());
        }
        assert_eq!(StreamId::parse_open(b"5-*"), Some(5));
        assert_eq!(StreamId::parse_bound(b"+", 0), Some(StreamId::MAX));
    }

    #[test]
    fn ids_have_neighbours() {
        let last = StreamId::new(4, u64::MAX);
        assert_eq!(last.next(), Some(StreamId::new(5, 0)));
        assert_eq!(StreamId::new(5, 0).previous(), Some(last));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
    }
}
