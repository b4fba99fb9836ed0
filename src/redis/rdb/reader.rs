//! Lengths, strings and numbers of RDB, read. Nothing is allocated before its bytes are there.
//!
//! Source: `rdb.c`.

use super::RdbError;
use super::lzf;
use crate::redis::value::number;
use std::borrow::Cow;

/// Bytes that are read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A length, or the number of a special encoding.
enum Length {
    Of(u64),
    Special(u8),
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// Number of bytes that were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns the error of what was just read.
    pub(super) fn error(&self, problem: impl Into<String>) -> RdbError {
        RdbError::new(self.at, problem)
    }

    pub(super) fn take(&mut self, len: u64) -> Result<&'a [u8], RdbError> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.error("the bytes end too early"))?;
        self.at += taken.len();
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], RdbError> {
        let taken = self.take(N as u64)?;
        Ok(taken.try_into().expect("as many bytes were taken"))
    }

    pub(super) fn byte(&mut self) -> Result<u8, RdbError> {
        Ok(self.array::<1>()?[0])
    }

    fn length_or_special(&mut self) -> Result<Length, RdbError> {
        let first = self.byte()?;
        let low = u64::from(first & 63);
        Ok(match (first >> 6, first) {
            (0, _) => Length::Of(low),
            (1, _) => Length::Of(low << 8 | u64::from(self.byte()?)),
            (3, _) => Length::Special(first & 63),
            (_, 0x80) => Length::Of(u32::from_be_bytes(self.array()?).into()),
            (_, 0x81) => Length::Of(u64::from_be_bytes(self.array()?)),
            _ => return Err(self.error("a length has an unknown encoding")),
        })
    }

    /// Reads a length. As in Redis, the number of a special encoding is taken for one.
    pub(super) fn length(&mut self) -> Result<u64, RdbError> {
        Ok(match self.length_or_special()? {
            Length::Of(len) => len,
            Length::Special(number) => number.into(),
        })
    }

    pub(super) fn string(&mut self) -> Result<Cow<'a, [u8]>, RdbError> {
        let integer = |n: i64| Cow::Owned(number::format_i64(n).to_vec());
        match self.length_or_special()? {
            Length::Of(len) => Ok(Cow::Borrowed(self.take(len)?)),
            Length::Special(0) => Ok(integer(i8::from_le_bytes(self.array()?).into())),
            Length::Special(1) => Ok(integer(i16::from_le_bytes(self.array()?).into())),
            Length::Special(2) => Ok(integer(i32::from_le_bytes(self.array()?).into())),
            Length::Special(3) => {
                let (small, len) = (self.length()?, self.length()?);
                let small = self.take(small)?;
                let text = lzf::decompress(small, len);
                text.map(Cow::Owned).ok_or_else(|| self.error("a compressed string is corrupt"))
            }
            Length::Special(_) => Err(self.error("a string has an unknown encoding")),
        }
    }
}
