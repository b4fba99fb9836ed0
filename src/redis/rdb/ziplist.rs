//! Ziplists, which listpacks replaced in Redis 7.0. They are only read.
//!
//! A ziplist has its size and the place of its last element in four bytes each, the number of
//! elements in two, the elements, and a byte 255. An element is the size of the element before it,
//! its encoding, and its data.
//!
//! Source: `ziplist.c`.

use crate::redis::value::{Sds, number};

const HEADER: usize = 10;
const END: u8 = 255;
/// This byte begins a size of four bytes.
const LONG: u8 = 254;

/// Returns the elements, or `None` if the bytes are corrupt.
pub(super) fn elements(bytes: &[u8]) -> Option<Vec<Sds>> {
    let word = |at: usize| -> Option<usize> {
        let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(word) as usize)
    };
    let (size, tail) = (word(0)?, word(4)?);
    let len = u16::from_le_bytes(bytes.get(8..HEADER)?.try_into().ok()?);
    if size != bytes.len() {
        return None;
    }
    let (mut at, mut before, mut last) = (HEADER, 0, None);
    let mut elements = Vec::new();
    while bytes.get(at..)? != [END] {
        // An element may end where the list should have had its last byte.
        let (stored, head) = match *bytes.get(at)? {
            END => return None,
            LONG => (word(at + 1)?, 5),
            short => (usize::from(short), 1),
        };
        if stored != before {
            return None;
        }
        let (element, body) = element(bytes.get(at + head..)?)?;
        elements.push(element);
        last = Some(at);
        before = head + body;
        at += before;
    }
    let counted = len == u16::MAX || usize::from(len) == elements.len();
    let tailed = tail < bytes.len() && last.is_none_or(|last| last == tail);
    (counted && tailed).then_some(elements)
}

/// Returns the first element, and the size of its encoding and data.
fn element(bytes: &[u8]) -> Option<(Sds, usize)> {
    let (first, rest) = bytes.split_first()?;
    let integer = |n: i64| Sds::new(&number::format_i64(n));
    let wide = |width: usize| -> Option<(Sds, usize)> {
        let data = rest.get(..width)?;
        let mut full = [if data[width - 1] & 128 == 0 { 0 } else { 255 }; 8];
        full[..width].copy_from_slice(data);
        Some((integer(i64::from_le_bytes(full)), 1 + width))
    };
    let text = |head: usize, len: usize| {
        let end = head.checked_add(len)?;
        Some((Sds::new(bytes.get(head..end)?), end))
    };
    match first {
        0..=0x3f => text(1, usize::from(*first)),
        0x40..=0x7f => text(2, usize::from(first & 63) << 8 | usize::from(*rest.first()?)),
        0x80..=0xbf => text(5, u32::from_be_bytes(*rest.first_chunk::<4>()?) as usize),
        0xc0 => wide(2),
        0xd0 => wide(4),
        0xe0 => wide(8),
        0xf0 => wide(3),
        0xfe => wide(1),
        0xf1..=0xfd => Some((integer(i64::from(first & 15) - 1), 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_ziplist_is_read() {
        // `a`, 1024, -1, 5, and a string with a long head.
        let mut bytes = vec![0; HEADER];
        bytes.extend_from_slice(b"\x00\x01a");
        bytes.extend_from_slice(&[3, 0xc0, 0, 4]);
        bytes.extend_from_slice(&[4, 0xfe, 255]);
        let tail = bytes.len() as u32;
        bytes.extend_from_slice(&[3, 0xf6]);
        bytes.push(END);
        let size = bytes.len() as u32;
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        bytes[4..8].copy_from_slice(&tail.to_le_bytes());
        bytes[8] = 4;
        let read: Vec<String> =
            elements(&bytes).expect("it is valid").iter().map(Sds::to_string).collect();
        assert_eq!(read, ["a", "1024", "-1", "5"]);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            let _ = elements(&damaged);
            assert_eq!(elements(&bytes[..at]), None);
        }
        // Without its last byte, and with a size that says so.
        bytes.pop();
        bytes[..4].copy_from_slice(&(size - 1).to_le_bytes());
        assert_eq!(elements(&bytes), None);
    }
}
