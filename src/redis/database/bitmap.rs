//! Operations on bits of strings.
//!
//! Source: <https://redis.io/commands/?group=bitmap>, `bitops.c`.

use super::Database;
use super::notify::EventClasses;
use crate::redis::error::CommandError;
use crate::redis::value::bitmap::{self, Operator};
use crate::redis::value::{StringValue, Value};
use std::ops::Range;

/// The unit of a [`BitRange`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BitUnit {
    /// `BYTE`.
    #[default]
    Byte,
    /// `BIT`.
    Bit,
}

/// A part of a string, for `BITCOUNT` and `BITPOS`. Both ends are inclusive. Negative ends count
/// from the end of the string; -1 is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitRange {
    /// The first position.
    pub start: i64,
    /// The last position; `None` for the end of the string.
    pub end: Option<i64>,
    /// The unit of both.
    pub unit: BitUnit,
}

/// The whole string.
impl Default for BitRange {
    fn default() -> BitRange {
        BitRange { start: 0, end: None, unit: BitUnit::Byte }
    }
}

impl BitRange {
    /// Returns the bits of the range in a string of `len` bytes, or `None` if it has none.
    fn bits(self, len: usize) -> Option<Range<u64>> {
        let per_unit = match self.unit {
            BitUnit::Byte => 8,
            BitUnit::Bit => 1,
        };
        let len = len as i64 * (8 / per_unit);
        let from_end = |at: i64| if at < 0 { (at.saturating_add(len)).max(0) } else { at };
        let (start, end) = (from_end(self.start), from_end(self.end.unwrap_or(-1)).min(len - 1));
        let bits = |at: i64| at as u64 * per_unit as u64;
        (start <= end).then(|| bits(start)..bits(end + 1))
    }
}

/// The type of an integer in a `BITFIELD`: `i1` to `i64`, `u1` to `u63`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    signed: bool,
    bits: u32,
}

impl FieldType {
    /// Returns the type with this number of bits, or `None` if it does not exist.
    #[must_use]
    pub fn new(signed: bool, bits: u32) -> Option<FieldType> {
        let most = if signed { 64 } else { 63 };
        (1..=most).contains(&bits).then_some(FieldType { signed, bits })
    }

    /// Number of bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.bits
    }

    /// Returns the integer that these bits encode.
    fn read(self, field: u64) -> i64 {
        if self.signed {
            (field << (64 - self.bits)) as i64 >> (64 - self.bits)
        } else {
            field as i64
        }
    }

    /// Adds to an integer, which may itself be out of the type's range. Returns `None` if the sum
    /// overflows and `overflow` forbids that. An unsigned integer is given by its bits.
    fn add(self, number: i64, by: i64, overflow: Overflow) -> Option<i64> {
        let Some(nearest) = self.beyond(number, by) else { return Some(number.wrapping_add(by)) };
        match overflow {
            Overflow::Wrap => {
                let mask = u64::MAX >> (64 - self.bits);
                Some(self.read(number.wrapping_add(by) as u64 & mask))
            }
            Overflow::Saturate => Some(nearest),
            Overflow::Fail => None,
        }
    }

    /// Returns the nearest integer of the type if a sum overflows.
    fn beyond(self, number: i64, by: i64) -> Option<i64> {
        if !self.signed {
            let max = (1 << self.bits) - 1;
            let sum = i128::from(number as u64) + i128::from(by);
            return (!(0..=max).contains(&sum)).then(|| sum.clamp(0, max) as i64);
        }
        let max = i64::MAX >> (64 - self.bits);
        let min = -max - 1;
        // These overflow for an integer far below the type's minimum, which Redis then treats as
        // above its maximum.
        let (up, down) = (max.wrapping_sub(number), min.wrapping_sub(number));
        let narrow = self.bits < 64;
        if number > max || (narrow && by > up) || (number >= 0 && by > 0 && by > up) {
            return Some(max);
        }
        let below = number < min || (narrow && by < down) || (number < 0 && by < 0 && by < down);
        below.then_some(min)
    }
}

/// The effect of `BITFIELD` when a value overflows its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// `WRAP`: keeps the low bits.
    #[default]
    Wrap,
    /// `SAT`: uses the nearest value.
    Saturate,
    /// `FAIL`: writes nothing.
    Fail,
}

/// The action of `BITFIELD` on an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldAction {
    /// `GET`: returns it.
    Get,
    /// `SET`: sets it to this, and returns the previous value.
    Set(i64, Overflow),
    /// `INCRBY`: adds this, and returns the sum.
    IncrBy(i64, Overflow),
}

/// One operation of a `BITFIELD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldOperation {
    /// The integer's type.
    pub field: FieldType,
    /// Its first bit.
    pub offset: u64,
    /// The action on it.
    pub action: FieldAction,
}

impl FieldOperation {
    fn end(&self) -> u64 {
        self.offset + u64::from(self.field.bits)
    }

    /// Applies the operation. Returns the answer, whether anything was written, and whether that
    /// changed anything.
    fn apply(&self, bytes: &mut [u8]) -> (Option<i64>, bool, bool) {
        let bits = self.field.bits;
        let before = self.field.read(bitmap::field(bytes, self.offset, bits));
        let after = match self.action {
            FieldAction::Get => return (Some(before), false, false),
            FieldAction::Set(value, overflow) => self.field.add(value, 0, overflow),
            FieldAction::IncrBy(by, overflow) => self.field.add(before, by, overflow),
        };
        let Some(after) = after else { return (None, false, false) };
        bitmap::set_field(bytes, self.offset, bits, after as u64);
        let answer = if let FieldAction::Set(..) = self.action { before } else { after };
        (Some(answer), true, before != after)
    }
}

impl Database {
    /// `GETBIT`: returns a bit of a string. Bits beyond its end are clear.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::BitOffset`].
    pub fn get_bit(&mut self, key: &[u8], offset: u64) -> Result<bool, CommandError> {
        self.check_bit_offset(offset)?;
        Ok(self.get(key)?.is_some_and(|bytes| bitmap::get(bytes, offset)))
    }

    /// `SETBIT`: sets or clears a bit of a string, which grows to hold it. Returns the previous
    /// bit.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::BitOffset`].
    pub fn set_bit(&mut self, key: &[u8], offset: u64, bit: bool) -> Result<bool, CommandError> {
        self.check_bit_offset(offset)?;
        let (bytes, grown) = self.bytes_up_to(key, offset + 1)?;
        let before = bitmap::set(bytes, offset, bit);
        if grown || before != bit {
            self.changed(key, EventClasses::STRING, "setbit", 1);
        }
        Ok(before)
    }

    fn check_bit_offset(&self, offset: u64) -> Result<(), CommandError> {
        if offset / 8 < self.limits.string { Ok(()) } else { Err(CommandError::BitOffset) }
    }

    /// Returns a string's bytes, extended to hold at least this many bits, and whether it had to be
    /// extended.
    fn bytes_up_to(&mut self, key: &[u8], bits: u64) -> Result<(&mut Vec<u8>, bool), CommandError> {
        if self.write::<StringValue>(key)?.is_none() {
            self.insert(key, Value::String(StringValue::raw(Vec::new())));
        }
        let string = self.again::<StringValue>(key)?.expect("the key was just added");
        let bytes = string.make_raw();
        let len = bits.div_ceil(8) as usize;
        let grown = bytes.len() < len;
        if grown {
            bytes.resize(len, 0);
        }
        Ok((bytes, grown))
    }

    /// `BITCOUNT`: returns the number of set bits in a part of a string.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn bitcount(&mut self, key: &[u8], range: BitRange) -> Result<u64, CommandError> {
        let Some(bytes) = self.get(key)? else { return Ok(0) };
        // When both are before the beginning of the string, they are compared before they are
        // clamped.
        if let BitRange { start, end: Some(end), .. } = range
            && start < 0
            && end < 0
            && start > end
        {
            return Ok(0);
        }
        Ok(range.bits(bytes.len()).map_or(0, |bits| bitmap::count_range(bytes, bits)))
    }

    /// `BITPOS`: returns the position of the first set bit, or of the first clear bit, in a part of
    /// a string. Clear bits follow the string, unless the part has an end.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn bitpos(
        &mut self,
        key: &[u8],
        bit: bool,
        range: BitRange,
    ) -> Result<Option<u64>, CommandError> {
        let Some(bytes) = self.get(key)? else { return Ok((!bit).then_some(0)) };
        let Some(bits) = range.bits(bytes.len()) else { return Ok(None) };
        let beyond = (!bit && range.end.is_none()).then_some(bits.end);
        Ok(bitmap::position(bytes, bit, bits).or(beyond))
    }

    /// `BITOP AND`, `OR`, `XOR`: combines strings bit by bit into a key, or deletes the key if the
    /// result is empty. Returns the length of the result.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn bitop(
        &mut self,
        operator: Operator,
        destination: &[u8],
        sources: &[&[u8]],
    ) -> Result<usize, CommandError> {
        for source in sources {
            self.get(source)?;
        }
        let bytes = |source: &&[u8]| match self.keyspace.get(source).map(|entry| &entry.value) {
            Some(Value::String(string)) => string.as_slice(),
            Some(_) | None => &[],
        };
        let sources: Vec<&[u8]> = sources.iter().map(bytes).collect();
        let combined = bitmap::combine(operator, &sources);
        Ok(self.store_bits(destination, combined))
    }

    /// `BITOP NOT`: inverts every bit of a string into a key, or deletes the key if the result is
    /// empty. Returns the length of the result.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn bitop_not(&mut self, destination: &[u8], source: &[u8]) -> Result<usize, CommandError> {
        let inverted = self.get(source)?.map(bitmap::invert).unwrap_or_default();
        Ok(self.store_bits(destination, inverted))
    }

    fn store_bits(&mut self, destination: &[u8], bytes: Vec<u8>) -> usize {
        let len = bytes.len();
        if len == 0 {
            self.del(destination);
        } else {
            self.put(destination, Value::String(StringValue::raw(bytes)));
            self.changed(destination, EventClasses::STRING, "set", 1);
        }
        len
    }

    /// `BITFIELD`: reads and writes integers of any width within a string. Returns the answer to
    /// each operation, `None` for a write that [`Overflow`] forbids.
    ///
    /// The string first grows to hold everything that is to be written, even if the write is then
    /// forbidden.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::BitOffset`].
    pub fn bitfield(
        &mut self,
        key: &[u8],
        operations: &[FieldOperation],
    ) -> Result<Vec<Option<i64>>, CommandError> {
        for operation in operations {
            self.check_bit_offset(operation.offset)?;
        }
        let writes = operations.iter().filter(|o| o.action != FieldAction::Get);
        let Some(end) = writes.map(FieldOperation::end).max() else {
            let bytes = self.get(key)?.unwrap_or_default();
            let read = |FieldOperation { field, offset, .. }: &FieldOperation| {
                Some(field.read(bitmap::field(bytes, *offset, field.bits)))
            };
            return Ok(operations.iter().map(read).collect());
        };
        let (bytes, grown) = self.bytes_up_to(key, end)?;
        let mut changes = 0;
        let mut answers = Vec::with_capacity(operations.len());
        for operation in operations {
            let (answer, written, changed) = operation.apply(bytes);
            answers.push(answer);
            changes += u64::from(written && (grown || changed));
        }
        if changes > 0 {
            self.changed(key, EventClasses::STRING, "setbit", changes);
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_bits_stay_within_the_string() {
        let bits = |start, end, unit| BitRange { start, end, unit }.bits(3);
        assert_eq!(bits(0, None, BitUnit::Byte), Some(0..24));
        assert_eq!(bits(1, Some(1), BitUnit::Byte), Some(8..16));
        assert_eq!(bits(-9, Some(99), BitUnit::Bit), Some(15..24));
        assert_eq!(bits(i64::MIN, Some(i64::MAX), BitUnit::Byte), Some(0..24));
        assert_eq!(bits(3, None, BitUnit::Byte), None);
        assert_eq!(BitRange::default().bits(0), None);
    }

    #[test]
    fn numbers_that_do_not_fit_wrap_saturate_or_fail() {
        let i8_ = FieldType::new(true, 8).expect("the type exists");
        assert_eq!(i8_.add(100, 28, Overflow::Wrap), Some(-128));
        assert_eq!(i8_.add(128, 0, Overflow::Saturate), Some(127));
        assert_eq!(i8_.add(-100, -100, Overflow::Saturate), Some(-128));
        assert_eq!(i8_.add(i64::MIN, 0, Overflow::Saturate), Some(127));
        assert_eq!(i8_.add(100, 28, Overflow::Fail), None);
        let i64_ = FieldType::new(true, 64).expect("the type exists");
        assert_eq!(i64_.add(i64::MAX, 1, Overflow::Wrap), Some(i64::MIN));
        assert_eq!(i64_.add(i64::MIN, -1, Overflow::Saturate), Some(i64::MIN));
        let u8_ = FieldType::new(false, 8).expect("the type exists");
        assert_eq!(u8_.add(-1, 0, Overflow::Saturate), Some(255));
        assert_eq!(u8_.add(5, -6, Overflow::Saturate), Some(0));
        assert_eq!(FieldType::new(false, 64), None);
        assert_eq!(FieldType::new(true, 0), None);
    }
}
