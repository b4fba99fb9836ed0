//! Field tables and arrays as bytes.
//!
//! Every type that RabbitMQ knows is read; anything else makes the whole table
//! unreadable, as do a length that does not fit and a float that is not finite,
//! which Erlang has no value for.
//!
//! Source: AMQP 0-9-1, section 4.2.5.5, with the type letters of "AMQP 0-9-1
//! Errata", section 3, as RabbitMQ reads them.

use super::encode::short;
use super::reader::{Reader, TooShort};
use crate::rabbitmq::table::{FieldTable, FieldValue};
use bytes::Bytes;
use smol_str::SmolStr;

/// Tables and arrays may lie so deep in one another. The server has no limit;
/// here they are walked by recursion.
const MAX_DEPTH: u32 = 64;

/// The bytes are no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadTable;

impl From<TooShort> for BadTable {
    fn from(_: TooShort) -> BadTable {
        BadTable
    }
}

/// Text as it is kept here; see the module `wire` for what becomes of other
/// bytes.
pub(super) fn lossy(bytes: &[u8]) -> SmolStr {
    match std::str::from_utf8(bytes) {
        Ok(text) => SmolStr::new(text),
        Err(_) => SmolStr::from(String::from_utf8_lossy(bytes)),
    }
}

/// Reads a table's fields, without the length before them.
pub(super) fn read_table(fields: &[u8]) -> Result<FieldTable, BadTable> {
    read_fields(fields, MAX_DEPTH)
}

fn read_fields(fields: &[u8], depth: u32) -> Result<FieldTable, BadTable> {
    let mut reader = Reader::new(fields);
    let mut read = Vec::new();
    while !reader.is_empty() {
        let name = lossy(reader.short()?);
        read.push((name, read_value(&mut reader, depth)?));
    }
    Ok(FieldTable::from_fields(read))
}

fn read_array(values: &[u8], depth: u32) -> Result<Vec<FieldValue>, BadTable> {
    let mut reader = Reader::new(values);
    let mut read = Vec::new();
    while !reader.is_empty() {
        read.push(read_value(&mut reader, depth)?);
    }
    Ok(read)
}

fn read_value(reader: &mut Reader<'_>, depth: u32) -> Result<FieldValue, BadTable> {
    let deeper = |depth: u32| depth.checked_sub(1).ok_or(BadTable);
    Ok(match reader.u8()? {
        b't' => FieldValue::Bool(reader.u8()? != 0),
        b'b' => FieldValue::I8(reader.u8()?.cast_signed()),
        b'B' => FieldValue::U8(reader.u8()?),
        b's' => FieldValue::I16(reader.u16()?.cast_signed()),
        b'u' => FieldValue::U16(reader.u16()?),
        b'I' => FieldValue::I32(reader.u32()?.cast_signed()),
        b'i' => FieldValue::U32(reader.u32()?),
        b'l' | b'L' => FieldValue::I64(reader.u64()?.cast_signed()),
        b'f' => FieldValue::F32(finite(f32::from_bits(reader.u32()?), f32::is_finite)?),
        b'd' => FieldValue::F64(finite(f64::from_bits(reader.u64()?), f64::is_finite)?),
        b'D' => FieldValue::Decimal { scale: reader.u8()?, value: reader.u32()? },
        b'S' => FieldValue::String(Bytes::copy_from_slice(reader.long()?)),
        b'A' => FieldValue::Array(read_array(reader.long()?, deeper(depth)?)?),
        b'T' => FieldValue::Timestamp(reader.u64()?),
        b'F' => FieldValue::Table(read_fields(reader.long()?, deeper(depth)?)?),
        b'V' => FieldValue::Void,
        b'x' => FieldValue::Bytes(Bytes::copy_from_slice(reader.long()?)),
        _ => return Err(BadTable),
    })
}

fn finite<T: Copy>(value: T, is_finite: impl Fn(T) -> bool) -> Result<T, BadTable> {
    if is_finite(value) { Ok(value) } else { Err(BadTable) }
}

/// Writes a table with its length before it.
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
    }
}

fn tagged<const N: usize>(kind: u8, value: [u8; N], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&value);
}

/// Writes what `write` does, and its length in four octets before it.
pub(super) fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = out.len() - at - 4;
    let length = u32::try_from(length).expect("what is sent is far below 4 GiB");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_no_table() {
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

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: u32| {
            let mut value = FieldValue::Void;
            for _ in 0..depth {
                value = FieldValue::Array(vec![value]);
            }
            let mut out = Vec::new();
            write_table(&FieldTable::new().with("a", value), &mut out);
            read_table(&out[4..])
        };
        assert!(nested(MAX_DEPTH).is_ok());
        assert_eq!(nested(MAX_DEPTH + 1), Err(BadTable));
    }

    #[test]
    fn the_first_of_a_name_counts_however_many_there_are() {
        for count in [2, 300] {
            let fields = |i: u32| [&[1, b'a', b'i'], &i.to_be_bytes()[..]].concat();
            let bytes: Vec<u8> = (1..=count).flat_map(fields).collect();
            let table = read_table(&bytes).unwrap();
            assert_eq!((table.len(), table.get("a")), (1, Some(&FieldValue::U32(1))));
        }
    }
}
