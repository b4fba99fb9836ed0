//! A listpack: elements one after another in one byte string, in Redis's own format.
//!
//! An element is an integer, if its text is one, or else bytes. Each ends with its own length, so
//! that a listpack can be walked both ways. A position is the offset of an element; the position of
//! the end is that of the final byte. The bytes are always well-formed.
//!
//! ```text
//! total bytes (4) | number of elements (2) | element … | 0xff
//! element: encoding, data | length of both, backwards
//! ```
//!
//! Source: `listpack.c`.

use crate::redis::value::{Sds, number};

const HEADER: usize = 6;
const END: u8 = 0xff;
/// The number of elements is not kept if it is not less.
const MANY: u16 = u16::MAX;

/// A listpack; see the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listpack(Vec<u8>);

/// An element of a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// The text of an integer.
    Integer(i64),
    /// Other bytes.
    Bytes(&'a [u8]),
}

impl Element<'_> {
    /// Returns whether the element's text is this.
    #[must_use]
    pub fn is(&self, text: &[u8]) -> bool {
        match self {
            Element::Integer(n) => number::parse_i64(text) == Some(*n),
            Element::Bytes(bytes) => *bytes == text,
        }
    }

    /// Calls a function with the element's text.
    pub fn with<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Element::Integer(n) => read(itoa::Buffer::new().format(*n).as_bytes()),
            Element::Bytes(bytes) => read(bytes),
        }
    }

    /// Returns the element's text.
    #[must_use]
    pub fn to_sds(&self) -> Sds {
        self.with(Sds::new)
    }
}

impl Default for Listpack {
    fn default() -> Listpack {
        Listpack::with_capacity(HEADER + 1)
    }
}

/// Adds elements to the end of a listpack.
pub(crate) struct Appender<'a> {
    bytes: &'a mut Vec<u8>,
    added: usize,
}

impl Appender<'_> {
    pub(crate) fn integer(&mut self, n: i64) {
        let start = self.bytes.len();
        if let Ok(n @ 0..=127) = u8::try_from(n) {
            self.bytes.extend_from_slice(&[n, 1]);
        } else {
            let (encoded, len) = encode(n);
            self.bytes.extend_from_slice(&encoded[..len]);
            self.finish(start);
        }
        self.added += 1;
    }

    pub(crate) fn text(&mut self, text: &[u8]) {
        if let Some(n) = number::parse_i64(text) {
            return self.integer(n);
        }
        let start = self.bytes.len();
        match text.len() {
            len @ 0..64 => self.bytes.push(0x80 | len as u8),
            len @ 64..4_096 => {
                self.bytes.extend_from_slice(&[0xe0 | (len >> 8) as u8, len as u8]);
            }
            len => {
                self.bytes.push(0xf0);
                self.bytes.extend_from_slice(&(len as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(text);
        self.finish(start);
        self.added += 1;
    }

    /// Adds an element's length after it.
    fn finish(&mut self, start: usize) {
        let len = self.bytes.len() - start;
        let (back, size) = backwards(len);
        self.bytes.extend_from_slice(&back[..size]);
    }
}

/// Number of bytes of an empty listpack.
pub(crate) const EMPTY: usize = HEADER + 1;

/// Returns the number of bytes that an element takes.
pub(crate) fn size_of(text: &[u8]) -> usize {
    let len = match number::parse_i64(text) {
        Some(n) => encode(n).1,
        None => {
            let prefix = match text.len() {
                0..64 => 1,
                64..4_096 => 2,
                _ => 5,
            };
            prefix + text.len()
        }
    };
    len + backwards(len).1
}

/// Returns the encoding of an integer, and its length.
fn encode(n: i64) -> ([u8; 9], usize) {
    let mut bytes = [0; 9];
    let little = n.to_le_bytes();
    let len = match n {
        0..=127 => {
            bytes[0] = n as u8;
            1
        }
        -4_096..=4_095 => {
            bytes[0] = 0xc0 | (little[1] & 0x1f);
            bytes[1] = little[0];
            2
        }
        -32_768..=32_767 => sized(&mut bytes, 0xf1, &little[..2]),
        -8_388_608..=8_388_607 => sized(&mut bytes, 0xf2, &little[..3]),
        -2_147_483_648..=2_147_483_647 => sized(&mut bytes, 0xf3, &little[..4]),
        _ => sized(&mut bytes, 0xf4, &little),
    };
    (bytes, len)
}

fn sized(bytes: &mut [u8; 9], encoding: u8, little: &[u8]) -> usize {
    bytes[0] = encoding;
    bytes[1..=little.len()].copy_from_slice(little);
    1 + little.len()
}

/// Number of bytes of an element's length. (The bounds are Redis's own.)
fn back_size(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// Returns an element's length as it stands behind the element, and how many bytes that takes. The
/// last byte has the lowest bits; all but the first have a mark.
fn backwards(len: usize) -> ([u8; 5], usize) {
    let size = back_size(len);
    let mut bytes = [0; 5];
    for (at, byte) in bytes[..size].iter_mut().enumerate() {
        let part = (len >> (7 * (size - 1 - at))) as u8 & 127;
        *byte = if at == 0 { part } else { part | 128 };
    }
    (bytes, size)
}

/// Returns the element that begins the bytes, and its length without its length. `None` if it is
/// malformed.
fn decode(bytes: &[u8]) -> Option<(Element<'_>, usize)> {
    let integer = |size: usize| {
        let data = bytes.get(1..=size)?;
        let mut little = if data[size - 1] & 0x80 == 0 { [0; 8] } else { [0xff; 8] };
        little[..size].copy_from_slice(data);
        Some((Element::Integer(i64::from_le_bytes(little)), 1 + size))
    };
    let text = |head: usize, len: usize| {
        Some((Element::Bytes(bytes.get(head..head.checked_add(len)?)?), head + len))
    };
    match *bytes.first()? {
        n @ 0..=0x7f => Some((Element::Integer(n.into()), 1)),
        head @ 0x80..=0xbf => text(1, usize::from(head & 0x3f)),
        head @ 0xc0..=0xdf => {
            let n = i64::from(head & 0x1f) << 8 | i64::from(*bytes.get(1)?);
            Some((Element::Integer(if n < 4_096 { n } else { n - 8_192 }), 2))
        }
        head @ 0xe0..=0xef => text(2, usize::from(head & 0xf) << 8 | usize::from(*bytes.get(1)?)),
        0xf0 => {
            let len: [u8; 4] = bytes.get(1..5)?.try_into().ok()?;
            text(5, u32::from_le_bytes(len) as usize)
        }
        0xf1 => integer(2),
        0xf2 => integer(3),
        0xf3 => integer(4),
        0xf4 => integer(8),
        0xf5..=END => None,
    }
}

impl Listpack {
    /// Returns an empty listpack with room for this many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Listpack {
        let mut pack = Vec::with_capacity(bytes.max(HEADER + 1));
        pack.extend_from_slice(&[HEADER as u8 + 1, 0, 0, 0, 0, 0, END]);
        Listpack(pack)
    }

    /// Returns the listpack of these bytes, or `None` if they are malformed.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Listpack> {
        let (total, rest) = bytes.split_first_chunk::<4>()?;
        let (count, _) = rest.split_first_chunk::<2>()?;
        let (total, count) = (u32::from_le_bytes(*total), u16::from_le_bytes(*count));
        if total as usize != bytes.len() || bytes.len() <= HEADER || *bytes.last()? != END {
            return None;
        }
        let (mut at, mut elements) = (HEADER, 0);
        while at < bytes.len() - 1 {
            let (_, len) = decode(&bytes[at..bytes.len() - 1])?;
            let (back, size) = backwards(len);
            let end = at.checked_add(len)?;
            if bytes.get(end..end + size)? != &back[..size] {
                return None;
            }
            at = end + size;
            elements += 1;
        }
        let counted = count == MANY || usize::from(count) == elements;
        (at == bytes.len() - 1 && counted).then_some(Listpack(bytes))
    }

    /// Returns the bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Returns the listpack as Redis stores it.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives up unused memory.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// Position of the first element.
    pub(crate) fn first(&self) -> usize {
        HEADER
    }

    /// Position of the end.
    pub(crate) fn end(&self) -> usize {
        self.0.len() - 1
    }

    /// Adds elements to the end.
    pub(crate) fn append(&mut self, add: impl FnOnce(&mut Appender<'_>)) {
        self.0.pop();
        let mut appender = Appender { bytes: &mut self.0, added: 0 };
        add(&mut appender);
        let added = appender.added;
        self.0.push(END);
        self.set_total();
        let count = u16::from_le_bytes([self.0[4], self.0[5]]);
        if count != MANY {
            // From the greatest count on it is not kept, even if it is exact by chance.
            let count = u16::try_from(usize::from(count) + added).unwrap_or(MANY);
            self.0[4..6].copy_from_slice(&count.to_le_bytes());
        }
    }

    fn set_total(&mut self) {
        let total = u32::try_from(self.0.len()).expect("a listpack is smaller than 4 GB");
        self.0[..4].copy_from_slice(&total.to_le_bytes());
    }

    /// Returns the element at a position before the end, and the position of the next.
    pub(crate) fn get(&self, at: usize) -> (Element<'_>, usize) {
        match self.0[at] {
            // Most elements are short.
            n @ 0..=0x7f => (Element::Integer(n.into()), at + 2),
            head @ 0x80..=0xbf => {
                let end = at + 1 + usize::from(head & 0x3f);
                (Element::Bytes(&self.0[at + 1..end]), end + 1)
            }
            _ => {
                let (element, len) = decode(&self.0[at..]).expect("a listpack is well-formed");
                (element, at + len + back_size(len))
            }
        }
    }

    /// Returns the integer at a position, and the position of the next element.
    pub(crate) fn integer(&self, at: usize) -> (i64, usize) {
        if let n @ 0..=127 = self.0[at] {
            return (n.into(), at + 2);
        }
        match self.get(at) {
            (Element::Integer(n), next) => (n, next),
            // Of a listpack that somebody else made.
            (Element::Bytes(_), next) => (0, next),
        }
    }

    /// Returns the position after the element at this position.
    pub(crate) fn next(&self, at: usize) -> usize {
        let head = self.0[at];
        match head {
            0..=0x7f => at + 2,
            0x80..=0xbf => at + 2 + usize::from(head & 0x3f),
            _ => self.get(at).1,
        }
    }

    /// Returns the position before a position that is not the first.
    pub(crate) fn previous(&self, at: usize) -> usize {
        let (mut len, mut shift, mut end) = (0, 0, at - 1);
        loop {
            let byte = self.0[end];
            len |= usize::from(byte & 127) << shift;
            if byte & 128 == 0 {
                return end - len;
            }
            shift += 7;
            end -= 1;
        }
    }

    /// Replaces the element at a position by an integer, whose encoding may have another length.
    pub(crate) fn replace(&mut self, at: usize, n: i64) {
        let end = self.next(at);
        let (encoded, len) = encode(n);
        let (back, size) = backwards(len);
        if end - at == len + size {
            self.0[at..at + len].copy_from_slice(&encoded[..len]);
        } else {
            let new = encoded[..len].iter().chain(&back[..size]).copied();
            self.0.splice(at..end, new);
            self.set_total();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn element() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<i64>().prop_map(|n| n.to_string().into_bytes()),
            (-70_000_i64..70_000).prop_map(|n| n.to_string().into_bytes()),
            (0_u32..63).prop_map(|shift| (1_i64 << shift).to_string().into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..70),
            (0_usize..20_000).prop_map(|len| vec![b'x'; len]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn elements_are_read_both_ways(
            elements in proptest::collection::vec(element(), 0..20),
            replaced in any::<(usize, i64)>(),
        ) {
            let mut pack = Listpack::default();
            pack.append(|end| elements.iter().for_each(|text| end.text(text)));
            let mut elements = elements;
            let mut at = pack.first();
            if !elements.is_empty() {
                let index = replaced.0 % elements.len();
                (0..index).for_each(|_| at = pack.next(at));
                pack.replace(at, replaced.1);
                elements[index] = replaced.1.to_string().into_bytes();
            }
            let mut at = pack.first();
            for text in &elements {
                let (element, next) = pack.get(at);
                prop_assert!(element.is(text));
                prop_assert!(element.to_sds().as_slice() == text);
                prop_assert_eq!(pack.next(at), next);
                prop_assert_eq!(pack.previous(next), at);
                at = next;
            }
            prop_assert_eq!(at, pack.end());
            let bytes = pack.as_bytes().to_vec();
            prop_assert_eq!(Listpack::from_bytes(bytes), Some(pack));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut bytes = bytes;
            if bytes.len() > 7 {
                bytes[0] = bytes.len() as u8;
                bytes[1..4].fill(0);
            }
            if let Some(pack) = Listpack::from_bytes(bytes) {
                let mut at = pack.first();
                while at < pack.end() {
                    at = pack.get(at).1;
                }
            }
        }
    }
}
