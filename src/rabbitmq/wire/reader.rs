//! A cursor over bytes that arrived. It takes the elementary fields of AMQP from the front, or
//! reports that there are too few bytes.
//!
//! Source: AMQP 0-9-1, section 4.2.5.

/// The bytes end before the field does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooShort;

/// The bytes that were not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes `count` octets.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], TooShort> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(TooShort)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TooShort> {
        let (head, rest) = self.0.split_first_chunk().ok_or(TooShort)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, TooShort> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, TooShort> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, TooShort> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, TooShort> {
        self.array().map(u64::from_be_bytes)
    }

    /// Takes the octets of a short string, whose length is one octet.
    pub(super) fn short(&mut self) -> Result<&'a [u8], TooShort> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// Takes the octets of a long string or a table, whose length is four octets.
    pub(super) fn long(&mut self) -> Result<&'a [u8], TooShort> {
        let length = self.u32()?;
        self.take(length as usize)
    }
}
