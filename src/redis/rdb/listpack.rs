//! Listpacks: short arrays of strings and integers, which can be walked from both ends.
//!
//! A listpack has its size in four bytes, the number of its elements in two, the elements, and a
//! byte 255. An element is its encoding with its data, and the length of both once more, written
//! backwards. A string that is the text of an integer is stored as the integer.
//!
//! Source: `listpack.c`, `listpack.md`.

use crate::redis::value::{Sds, number};

const HEADER: usize = 6;
const END: u8 = 255;
/// The number of elements if there are at least so many.
const UNKNOWN: u16 = u16::MAX;

/// A listpack that is written.
#[derive(Debug)]
pub(super) struct Listpack {
    bytes: Vec<u8>,
    len: usize,
}

impl Listpack {
    pub(super) fn new() -> Listpack {
        Listpack { bytes: vec![0; HEADER], len: 0 }
    }

    /// Returns the size so far, with the last byte.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + 1
    }

    /// Appends a string, as an integer if it is the text of one.
    pub(super) fn push(&mut self, text: &[u8]) {
        let begin = self.bytes.len();
        match number::parse_i64(text) {
            Some(n) => self.push_integer(n),
            None => self.push_text(text),
        }
        let size = self.bytes.len() - begin;
        self.push_size(size);
        self.len += 1;
    }

    fn push_integer(&mut self, n: i64) {
        match n {
            0..=127 => self.bytes.push(n as u8),
            -4_096..=4_095 => {
                let [_, _, _, _, _, _, high, low] = n.to_be_bytes();
                self.bytes.extend_from_slice(&[0xc0 | (high & 31), low]);
            }
            -32_768..=32_767 => self.push_wide(0xf1, n, 2),
            -8_388_608..=8_388_607 => self.push_wide(0xf2, n, 3),
            -2_147_483_648..=2_147_483_647 => self.push_wide(0xf3, n, 4),
            _ => self.push_wide(0xf4, n, 8),
        }
    }

    fn push_wide(&mut self, encoding: u8, n: i64, width: usize) {
        self.bytes.push(encoding);
        self.bytes.extend_from_slice(&n.to_le_bytes()[..width]);
    }

    fn push_text(&mut self, text: &[u8]) {
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
    }

    fn push_size(&mut self, size: usize) {
        let groups = size_groups(size);
        for group in (0..groups).rev() {
            let more = if group + 1 == groups { 0 } else { 128 };
            self.bytes.push((size >> (7 * group)) as u8 & 127 | more);
        }
    }

    /// Returns the bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let size = self.bytes.len() as u32;
        let len = u16::try_from(self.len).unwrap_or(UNKNOWN);
        self.bytes[..4].copy_from_slice(&size.to_le_bytes());
        self.bytes[4..HEADER].copy_from_slice(&len.to_le_bytes());
        self.bytes
    }
}

/// Returns how many bytes the size of an element needs.
fn size_groups(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// Returns the elements, or `None` if the bytes are corrupt.
pub(super) fn elements(bytes: &[u8]) -> Option<Vec<Sds>> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let (len, mut rest) = rest.split_first_chunk::<2>()?;
    if u32::from_le_bytes(*size) as usize != bytes.len() {
        return None;
    }
    let mut elements = Vec::new();
    while rest != [END] {
        let (element, size) = element(rest)?;
        let groups = size_groups(size);
        let back = rest.get(size..size + groups)?;
        let stored = back.iter().fold(0, |sum, byte| sum << 7 | usize::from(byte & 127));
        let marked = back[1..].iter().all(|byte| byte & 128 != 0) && back[0] & 128 == 0;
        if stored != size || !marked {
            return None;
        }
        rest = rest.get(size + groups..)?;
        elements.push(element);
    }
    let len = u16::from_le_bytes(*len);
    (len == UNKNOWN || usize::from(len) == elements.len()).then_some(elements)
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
        0..=0x7f => Some((integer(i64::from(*first)), 1)),
        0x80..=0xbf => text(1, usize::from(first & 63)),
        0xc0..=0xdf => {
            let low = i64::from(*rest.first()?);
            let n = i64::from(first & 31) << 8 | low;
            Some((integer(if n >= 4_096 { n - 8_192 } else { n }), 2))
        }
        0xe0..=0xef => text(2, usize::from(first & 15) << 8 | usize::from(*rest.first()?)),
        0xf0 => text(5, u32::from_le_bytes(*rest.first_chunk::<4>()?) as usize),
        0xf1 => wide(2),
        0xf2 => wide(3),
        0xf3 => wide(4),
        0xf4 => wide(8),
        0xf5..=0xff => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn elements_come_back(
            numbers in prop::collection::vec(any::<i64>(), 0..20),
            shift in 0u32..64,
            lengths in prop::collection::vec(0usize..20_000, 0..4),
        ) {
            let mut texts: Vec<Vec<u8>> =
                numbers.iter().map(|n| (n >> shift).to_string().into_bytes()).collect();
            texts.extend(lengths.iter().map(|len| vec![b'x'; *len]));
            let mut listpack = Listpack::new();
            texts.iter().for_each(|text| listpack.push(text));
            let size = listpack.size();
            let bytes = listpack.finish();
            prop_assert_eq!(bytes.len(), size);
            let read: Vec<Vec<u8>> =
                elements(&bytes).unwrap().iter().map(|element| element.to_vec()).collect();
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn no_bytes_cause_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if bytes.len() > 6 {
                let size = (bytes.len() as u32).to_le_bytes();
                bytes[..4].copy_from_slice(&size);
            }
            let _ = elements(&bytes);
        }
    }
}
