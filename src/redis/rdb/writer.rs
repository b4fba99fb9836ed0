//! Lengths, strings and numbers of RDB, written.
//!
//! A length has one, two, five or nine bytes. A string is its length and its bytes, or an integer
//! of one, two or four bytes, or the result of LZF with both lengths.
//!
//! Source: `rdb.c`.

use super::lzf;
use crate::redis::value::number;

/// Strings up to this length are never compressed.
const UNCOMPRESSED: usize = 20;
/// No integer with a longer text has an encoding of its own.
const LONGEST_INTEGER: usize = 11;

/// Bytes that are written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    seen: lzf::Seen,
}

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn length(&mut self, len: u64) {
        match len {
            0..64 => self.byte(len as u8),
            64..16_384 => self.raw(&(0x4000 | len as u16).to_be_bytes()),
            16_384..=0xffff_ffff => {
                self.byte(0x80);
                self.raw(&(len as u32).to_be_bytes());
            }
            _ => {
                self.byte(0x81);
                self.raw(&len.to_be_bytes());
            }
        }
    }

    pub(super) fn count(&mut self, len: usize) {
        self.length(len as u64);
    }

    pub(super) fn string(&mut self, text: &[u8]) {
        if text.len() <= LONGEST_INTEGER
            && let Some(n) = number::parse_i64(text)
            && let Some((kind, width)) = integer_encoding(n)
        {
            self.byte(0xc0 | kind);
            self.raw(&n.to_le_bytes()[..width]);
            return;
        }
        if text.len() > UNCOMPRESSED
            && let Some(small) = lzf::compress(&mut self.seen, text, text.len() - 4)
        {
            self.byte(0xc3);
            self.count(small.len());
            self.count(text.len());
            self.raw(&small);
            return;
        }
        self.count(text.len());
        self.raw(text);
    }
}

/// Returns the kind and the width of the encoding of an integer.
fn integer_encoding(n: i64) -> Option<(u8, usize)> {
    match n {
        -128..=127 => Some((0, 1)),
        -32_768..=32_767 => Some((1, 2)),
        -2_147_483_648..=2_147_483_647 => Some((2, 4)),
        _ => None,
    }
}
