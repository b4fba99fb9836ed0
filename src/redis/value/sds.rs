//! Strings as Redis stores them: arbitrary bytes, without an encoding. They are immutable here.
//!
//! Keys, hash fields, list elements and set members are all an [`Sds`] (Redis's own name, "simple
//! dynamic string"). Most are short, so up to [`Sds::INLINE`] bytes lie in the 24 bytes of the
//! value itself, without an allocation. Equality, order (as in `memcmp`, shorter first) and hash
//! depend on the bytes alone, not on where they lie. So a map with `Sds` keys accepts a plain
//! `&[u8]` for look-ups.

use bytes::Bytes;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// A byte string; see the module. `"text".into()` creates one.
#[derive(Clone)]
pub struct Sds(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; Sds::INLINE] },
    Heap(Box<[u8]>),
}

impl Sds {
    /// Strings up to this many bytes need no allocation.
    pub const INLINE: usize = 22;

    /// Returns the string of these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Sds {
        if bytes.len() <= Sds::INLINE {
            let mut inline = [0; Sds::INLINE];
            inline[..bytes.len()].copy_from_slice(bytes);
            Sds(Repr::Inline { len: bytes.len() as u8, bytes: inline })
        } else {
            Sds(Repr::Heap(bytes.into()))
        }
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Heap(bytes) => bytes,
        }
    }

    /// Returns a copy as `Bytes`, which can be shared and sent.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_slice())
    }
}

impl Default for Sds {
    fn default() -> Sds {
        Sds::new(b"")
    }
}

impl Deref for Sds {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Sds {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for Sds {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<&[u8]> for Sds {
    fn from(bytes: &[u8]) -> Sds {
        Sds::new(bytes)
    }
}

impl From<&str> for Sds {
    fn from(text: &str) -> Sds {
        Sds::new(text.as_bytes())
    }
}

impl From<String> for Sds {
    fn from(text: String) -> Sds {
        Sds::from(text.into_bytes())
    }
}

impl From<Vec<u8>> for Sds {
    fn from(bytes: Vec<u8>) -> Sds {
        if bytes.len() <= Sds::INLINE {
            Sds::new(&bytes)
        } else {
            Sds(Repr::Heap(bytes.into_boxed_slice()))
        }
    }
}

impl From<&Bytes> for Sds {
    fn from(bytes: &Bytes) -> Sds {
        Sds::new(bytes)
    }
}

impl PartialEq for Sds {
    fn eq(&self, other: &Sds) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Sds {}

impl PartialEq<[u8]> for Sds {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_slice() == other
    }
}

impl PartialEq<&str> for Sds {
    fn eq(&self, other: &&str) -> bool {
        self.as_slice() == other.as_bytes()
    }
}

impl PartialOrd for Sds {
    fn partial_cmp(&self, other: &Sds) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sds {
    fn cmp(&self, other: &Sds) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl Hash for Sds {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

/// As `redis-cli` shows it: quoted, with non-printable bytes escaped.
impl fmt::Debug for Sds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_slice().escape_ascii())
    }
}

/// As text. Bytes that are not UTF-8 are replaced.
impl fmt::Display for Sds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(self.as_slice()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_short_string_costs_24_bytes_and_no_allocation() {
        assert_eq!(size_of::<Sds>(), 24);
        assert!(matches!(Sds::new(&[7; 22]).0, Repr::Inline { .. }));
        assert!(matches!(Sds::new(&[7; 23]).0, Repr::Heap(_)));
    }

    #[test]
    fn bytes_decide_equality_and_order() {
        let long = "x".repeat(40);
        let other = Sds::from(long.as_str());
        assert_eq!(other, Sds::from(long.into_bytes()));
        let ordered: BTreeSet<Sds> = ["b", "a", "ab", ""].into_iter().map(Sds::from).collect();
        let ordered: Vec<String> = ordered.iter().map(Sds::to_string).collect();
        assert_eq!(ordered, ["", "a", "ab", "b"]);
    }
}
