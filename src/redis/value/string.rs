//! The string value: bytes, with the encoding that Redis would report.
//!
//! `int` is the canonical decimal text of an `i64`. `embstr` is up to 44 bytes that were set at
//! once; where the key counts (`version::Embedding`), it is another number. `raw` is longer, or was
//! changed in place (`APPEND`, `SETRANGE`, `SETBIT`), which reserves room to grow. The bytes are
//! always available as a slice: `int` is a label here, not another representation.
//!
//! Source: `object.c` (`tryObjectEncoding`), and experiments with the server.

use super::number;
use std::fmt;

/// Length of the longest string that Redis embeds into its object.
const EMBSTR_MAX: usize = 44;

/// Number of bytes that fit beside the tags.
const INLINE: usize = 22;

/// The encoding of a string in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringEncoding {
    /// A 64-bit integer.
    Int,
    /// A short string, in one allocation with its object.
    Embstr,
    /// A string with room to grow.
    Raw,
}

impl StringEncoding {
    /// Returns the name in `OBJECT ENCODING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StringEncoding::Int => "int",
            StringEncoding::Embstr => "embstr",
            StringEncoding::Raw => "raw",
        }
    }
}

/// The value of a string key. Dereferences to its bytes.
#[derive(Clone)]
pub struct StringValue(Repr);

#[derive(Clone)]
#[expect(clippy::box_collection, reason = "a bare Vec would make every value larger")]
enum Repr {
    Int { len: u8, bytes: [u8; INLINE] },
    Inline { len: u8, bytes: [u8; INLINE] },
    Embstr(Box<[u8]>),
    Raw(Box<Vec<u8>>),
}

impl StringValue {
    /// Returns the value that `SET` stores: an `int` if the bytes are the text of one.
    #[must_use]
    pub fn new(bytes: &[u8]) -> StringValue {
        StringValue::within(bytes, EMBSTR_MAX)
    }

    /// As [`StringValue::new`], with another length of the longest `embstr`.
    pub(crate) fn within(bytes: &[u8], most: usize) -> StringValue {
        if bytes.len() <= 20 && number::parse_i64(bytes).is_some() {
            return StringValue(Repr::Int { len: bytes.len() as u8, bytes: inline(bytes) });
        }
        StringValue::plain_within(bytes, most)
    }

    /// Returns the value of a computed text. It is never an `int`, even if the bytes are the text
    /// of one (`INCRBYFLOAT`).
    #[must_use]
    pub fn plain(bytes: &[u8]) -> StringValue {
        StringValue::plain_within(bytes, EMBSTR_MAX)
    }

    /// As [`StringValue::plain`], with another length of the longest `embstr`.
    pub(crate) fn plain_within(bytes: &[u8], most: usize) -> StringValue {
        if bytes.len() <= INLINE {
            StringValue(Repr::Inline { len: bytes.len() as u8, bytes: inline(bytes) })
        } else if bytes.len() <= most {
            StringValue(Repr::Embstr(bytes.into()))
        } else {
            StringValue::raw(bytes.to_vec())
        }
    }

    /// Returns the value of an integer.
    #[must_use]
    pub fn from_i64(n: i64) -> StringValue {
        let text = number::format_i64(n);
        StringValue(Repr::Int { len: text.len() as u8, bytes: inline(&text) })
    }

    /// Returns a value with room to grow, whatever its length.
    #[must_use]
    pub fn raw(bytes: Vec<u8>) -> StringValue {
        StringValue(Repr::Raw(Box::new(bytes)))
    }

    /// Returns the encoding that Redis would report.
    #[must_use]
    pub fn encoding(&self) -> StringEncoding {
        match &self.0 {
            Repr::Int { .. } => StringEncoding::Int,
            Repr::Inline { .. } | Repr::Embstr(_) => StringEncoding::Embstr,
            Repr::Raw(_) => StringEncoding::Raw,
        }
    }

    /// Length of the longest value that takes no memory of its own.
    pub(crate) const SHORT: usize = INLINE;

    /// Returns whether it is plain that the value is not longer than [`StringValue::SHORT`].
    #[inline]
    pub(crate) fn is_short(&self) -> bool {
        matches!(self.0, Repr::Int { .. } | Repr::Inline { .. })
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Int { len, bytes } | Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Embstr(bytes) => bytes,
            Repr::Raw(bytes) => bytes,
        }
    }

    /// Returns the bytes for changes in place. The value is `raw` from now on.
    pub fn make_raw(&mut self) -> &mut Vec<u8> {
        if !matches!(self.0, Repr::Raw(_)) {
            self.0 = Repr::Raw(Box::new(self.as_slice().to_vec()));
        }
        match &mut self.0 {
            Repr::Raw(bytes) => bytes,
            Repr::Int { .. } | Repr::Inline { .. } | Repr::Embstr(_) => {
                unreachable!("the value was just converted to raw")
            }
        }
    }
}

fn inline(bytes: &[u8]) -> [u8; INLINE] {
    let mut inline = [0; INLINE];
    inline[..bytes.len()].copy_from_slice(bytes);
    inline
}

impl std::ops::Deref for StringValue {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl fmt::Debug for StringValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" ({})", self.as_slice().escape_ascii(), self.encoding().name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_that_redis_reports() {
        let encoding = |text: &str| StringValue::new(text.as_bytes()).encoding().name();
        assert_eq!(encoding("9223372036854775807"), "int");
        assert_eq!(encoding("9223372036854775808"), "embstr");
        assert_eq!(encoding("007"), "embstr");
        assert_eq!(encoding(&"x".repeat(44)), "embstr");
        assert_eq!(encoding(&"x".repeat(45)), "raw");
        assert_eq!(StringValue::from_i64(-5).encoding().name(), "int");
        assert_eq!(StringValue::plain(b"5").encoding().name(), "embstr");
        let mut changed = StringValue::new(b"5");
        changed.make_raw().push(b'6');
        assert_eq!((changed.as_slice(), changed.encoding().name()), (&b"56"[..], "raw"));
    }

    #[test]
    fn every_length_keeps_its_bytes() {
        for len in 0..100 {
            let bytes: Vec<u8> = (0..len).collect();
            assert_eq!(StringValue::new(&bytes).as_slice(), bytes);
        }
    }
}
