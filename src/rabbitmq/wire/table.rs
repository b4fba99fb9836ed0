//! Field tables and arrays as bytes.
//!
//! Every type that RabbitMQ knows is read. Anything else makes the whole table unreadable, and so
//! do a length that does not fit and a float that is not finite, for which Erlang has no value.
//!
//! The server accepts any nesting that fits into a frame. Here values are read by recursion, so
//! everything deeper than [`MAX_DEPTH`] is checked in a loop and passed on without being decoded.
//!
//! Source: AMQP 0-9-1, section 4.2.5.5, with the type letters of "AMQP 0-9-1 Errata", section 3, as
//! RabbitMQ reads them.

use super::reader::{Reader, TooShort};
use super::text::text;
use super::writer::{short, with_length};
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use bytes::Bytes;

/// Tables and arrays are decoded up to this depth.
const MAX_DEPTH: u32 = 64;

/// The bytes are not a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadTable;

impl From<TooShort> for BadTable {
    fn from(_: TooShort) -> BadTable {
        BadTable
    }
}

/// Reads a table's fields, without the length in front.
pub(super) fn read_table(fields: &[u8]) -> Result<FieldTable, BadTable> {
    read_exactly(fields).map(|(table, _)| table)
}

/// As [`read_table`]; also returns whether encoding the table would produce the same bytes.
pub(super) fn read_exactly(fields: &[u8]) -> Result<(FieldTable, bool), BadTable> {
    let mut reading = Reading { depth: MAX_DEPTH, is_exact: true };
    let table = reading.fields(fields)?;
    Ok((table, reading.is_exact))
}

/// The state of reading one table.
#[derive(Debug)]
struct Reading {
    /// Number of levels that may still follow.
    depth: u32,
    /// Whether everything so far would be encoded as it was read.
    is_exact: bool,
}

impl Reading {
    fn fields(&mut self, fields: &[u8]) -> Result<FieldTable, BadTable> {
        let mut reader = Reader::new(fields);
        let mut read = Vec::new();
        while !reader.is_empty() {
            let name = text(reader.short()?);
            read.push((name, self.value(&mut reader)?));
        }
        Ok(FieldTable::from_fields(read))
    }

    fn array(&mut self, values: &[u8]) -> Result<Vec<FieldValue>, BadTable> {
        let mut reader = Reader::new(values);
        let mut read = Vec::new();
        while !reader.is_empty() {
            read.push(self.value(&mut reader)?);
        }
        Ok(read)
    }

    fn nested(&mut self, is_table: bool, octets: &[u8]) -> Result<FieldValue, BadTable> {
        let Some(deeper) = self.depth.checked_sub(1) else {
            check_nested(is_table, octets)?;
            return Ok(FieldValue::Nested { is_table, octets: Bytes::copy_from_slice(octets) });
        };
        self.depth = deeper;
        let value = match is_table {
            true => FieldValue::Table(self.fields(octets)?),
            false => FieldValue::Array(self.array(octets)?),
        };
        self.depth += 1;
        Ok(value)
    }

    fn value(&mut self, reader: &mut Reader<'_>) -> Result<FieldValue, BadTable> {
        Ok(match reader.u8()? {
            b't' => {
                let octet = reader.u8()?;
                self.is_exact &= octet < 2;
                FieldValue::Bool(octet != 0)
            }
            b'b' => FieldValue::I8(reader.u8()?.cast_signed()),
            b'B' => FieldValue::U8(reader.u8()?),
            b's' => FieldValue::I16(reader.u16()?.cast_signed()),
            b'u' => FieldValue::U16(reader.u16()?),
            b'I' => FieldValue::I32(reader.u32()?.cast_signed()),
            b'i' => FieldValue::U32(reader.u32()?),
            kind @ (b'l' | b'L') => {
                self.is_exact &= kind == b'l';
                FieldValue::I64(reader.u64()?.cast_signed())
            }
            b'f' => FieldValue::F32(finite(f32::from_bits(reader.u32()?), f32::is_finite)?),
            b'd' => FieldValue::F64(finite(f64::from_bits(reader.u64()?), f64::is_finite)?),
            b'D' => FieldValue::Decimal { scale: reader.u8()?, value: reader.u32()? },
            b'S' => FieldValue::String(Bytes::copy_from_slice(reader.long()?)),
            b'A' => self.nested(false, reader.long()?)?,
            b'T' => FieldValue::Timestamp(reader.u64()?),
            b'F' => self.nested(true, reader.long()?)?,
            b'V' => FieldValue::Void,
            b'x' => FieldValue::Bytes(Bytes::copy_from_slice(reader.long()?)),
            _ => return Err(BadTable),
        })
    }
}

/// Refuses bytes that are not a table or an array, without recursion: nested values are checked
/// after the one around them.
fn check_nested(is_table: bool, octets: &[u8]) -> Result<(), BadTable> {
    let mut left = vec![(is_table, octets)];
    while let Some((is_table, octets)) = left.pop() {
        let mut reader = Reader::new(octets);
        while !reader.is_empty() {
            if is_table {
                reader.short()?;
            }
            match reader.u8()? {
                b't' | b'b' | b'B' => drop(reader.u8()?),
                b's' | b'u' => drop(reader.u16()?),
                b'I' | b'i' => drop(reader.u32()?),
                b'l' | b'L' | b'T' => drop(reader.u64()?),
                b'f' => drop(finite(f32::from_bits(reader.u32()?), f32::is_finite)?),
                b'd' => drop(finite(f64::from_bits(reader.u64()?), f64::is_finite)?),
                b'D' => drop(reader.take(5)?),
                b'S' | b'x' => drop(reader.long()?),
                b'A' => left.push((false, reader.long()?)),
                b'F' => left.push((true, reader.long()?)),
                b'V' => {}
                _ => return Err(BadTable),
            }
        }
    }
    Ok(())
}

fn finite<T: Copy>(value: T, is_finite: impl Fn(T) -> bool) -> Result<T, BadTable> {
    if is_finite(value) { Ok(value) } else { Err(BadTable) }
}

/// Writes a table with its length in front.
pub(super) fn write_table(table: &FieldTable, out: &mut Vec<u8>) {
    with_length(out, |out| {
        for (name, value) in table.iter() {
            short(name, out);
            write_value(value, out);
        }
    });
}

fn write_value(value: &FieldValue, out: &mut Vec<u8>) {
    match value {
        FieldValue::Bool(v) => out.extend_from_slice(&[b't', u8::from(*v)]),
        FieldValue::I8(v) => tagged(b'b', v.to_be_bytes(), out),
        FieldValue::U8(v) => tagged(b'B', v.to_be_bytes(), out),
        FieldValue::I16(v) => tagged(b's', v.to_be_bytes(), out),
        FieldValue::U16(v) => tagged(b'u', v.to_be_bytes(), out),
        FieldValue::I32(v) => tagged(b'I', v.to_be_bytes(), out),
        FieldValue::U32(v) => tagged(b'i', v.to_be_bytes(), out),
        FieldValue::I64(v) => tagged(b'l', v.to_be_bytes(), out),
        FieldValue::F32(v) => tagged(b'f', v.to_be_bytes(), out),
        FieldValue::F64(v) => tagged(b'd', v.to_be_bytes(), out),
        FieldValue::Decimal { scale, value } => {
            tagged(b'D', [*scale], out);
            out.extend_from_slice(&value.to_be_bytes());
        }
        FieldValue::String(v) => {
            out.push(b'S');
            with_length(out, |out| out.extend_from_slice(v));
        }
        FieldValue::Array(values) => {
            out.push(b'A');
            with_length(out, |out| values.iter().for_each(|value| write_value(value, out)));
        }
        FieldValue::Timestamp(v) => tagged(b'T', v.to_be_bytes(), out),
        FieldValue::Table(table) => {
            out.push(b'F');
            write_table(table, out);
        }
        FieldValue::Void => out.push(b'V'),
        FieldValue::Bytes(v) => {
            out.push(b'x');
            with_length(out, |out| out.extend_from_slice(v));
        }
        FieldValue::Nested { is_table, octets } => {
            out.push(if *is_table { b'F' } else { b'A' });
            with_length(out, |out| out.extend_from_slice(octets));
        }
    }
}

fn tagged<const N: usize>(kind: u8, value: [u8; N], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_bytes_are_not_a_table() {
        let long = [b"\x01aS".as_slice(), &u32::MAX.to_be_bytes()].concat();
        let nan = [b"\x01ad".as_slice(), &f64::NAN.to_be_bytes()].concat();
        let infinite = [b"\x01af".as_slice(), &f32::INFINITY.to_be_bytes()].concat();
        let table: [&[u8]; 8] = [
            b"\xff",
            b"\x01a",
            b"\x01aZ",
            b"\x01aI\0",
            b"\x01aF\0\0\0\x01\x05",
            &long,
            &nan,
            &infinite,
        ];
        for bytes in table {
            assert_eq!(read_table(bytes), Err(BadTable), "{}", bytes.escape_ascii());
        }
    }

    /// A table with an array, or a table, nested to this depth.
    fn nested(kind: u8, depth: usize) -> Vec<u8> {
        let mut value = vec![b'V'];
        for _ in 0..depth {
            let name: &[u8] = if kind == b'F' { b"\x01k" } else { b"" };
            let length = u32::try_from(name.len() + value.len()).unwrap();
            value = [&[kind], &length.to_be_bytes()[..], name, &value].concat();
        }
        [b"\x01d", &value[..]].concat()
    }

    #[test]
    fn nesting_ends_with_the_frame_and_comes_out_as_it_went_in() {
        for (kind, depth) in [(b'A', 1), (b'A', 64), (b'A', 65), (b'A', 25_000), (b'F', 18_000)] {
            let bytes = nested(kind, depth);
            let (table, is_exact) = read_exactly(&bytes).unwrap();
            assert!(is_exact);
            let mut out = Vec::new();
            write_table(&table, &mut out);
            assert_eq!(out[4..], bytes, "{depth}");
            assert_eq!(table.clone(), table);
            assert!(table.to_string().len() < 2_000);
        }
    }

    #[test]
    fn errors_in_deep_nesting_are_found() {
        for kind in [b'A', b'F'] {
            let mut bytes = nested(kind, 10_000);
            *bytes.last_mut().unwrap() = b'?';
            assert_eq!(read_table(&bytes), Err(BadTable));
        }
    }

    #[test]
    fn the_first_of_a_name_counts_and_all_of_them_are_passed_on() {
        for count in [2, 300] {
            let fields = |i: u32| [&[1, b'a', b'i'], &i.to_be_bytes()[..]].concat();
            let bytes: Vec<u8> = (1..=count).flat_map(fields).collect();
            let table = read_table(&bytes).unwrap();
            assert_eq!(table.get("a"), Some(&FieldValue::U32(1)));
            let mut out = Vec::new();
            write_table(&table, &mut out);
            assert_eq!(out[4..], bytes);
        }
    }

    #[test]
    fn some_values_are_not_written_as_they_were_read() {
        for (bytes, exact) in [
            (&b"\x01al\0\0\0\0\0\0\0\x05"[..], true),
            (b"\x01aL\0\0\0\0\0\0\0\x05", false),
            (b"\x01at\x01", true),
            (b"\x01at\x07", false),
            (b"\x01aA\0\0\0\x09L\0\0\0\0\0\0\0\x05", false),
            (b"\x02\xff\xfeV", true),
        ] {
            assert_eq!(read_exactly(bytes).unwrap().1, exact, "{}", bytes.escape_ascii());
        }
    }
}
