//! Hashes as RDB, with the deadlines of their fields.
//!
//! Redis writes a hash with deadlines since 7.4: first the next deadline, or 0, in 8 bytes. A
//! compact hash is then a listpack of fields, values and deadlines, of which 0 is none. Of any
//! other, each field comes with its deadline, counted from the next one, where 0 is none and 1 is
//! the next one itself. Valkey writes, since 9.0, each field and value, and the deadline in 8
//! bytes, where -1 is none. A hash table without deadlines is written as ever.
//!
//! Source: `rdb.c` (`rdbSaveObject`, `rdbLoadObject`), and payloads of Valkey 9.

use super::kind;
use super::listpack::{self, Listpack};
use super::parts::{Read, duplicate, packed, pairs};
use super::reader::Reader;
use super::writer::Writer;
use crate::redis::value::{Hash, HashEncoding, Kind, Limits, Sds, Value, number};
use crate::redis::version::{Hashes, Rdb};

/// Marks a field without a deadline, in Valkey's format.
const NONE: i64 = -1;

/// Returns the number of a hash's type.
pub(super) fn kind_of(hash: &Hash, rdb: Rdb) -> u8 {
    match (hash.encoding(), rdb.hashes) {
        (HashEncoding::Listpack, _) => kind::HASH_LISTPACK,
        (HashEncoding::ListpackEx, _) => kind::HASH_LISTPACK_EX,
        (HashEncoding::Hashtable, _) if hash.deadlines() == 0 => kind::HASH,
        (HashEncoding::Hashtable, Hashes::Absolute) => kind::HASH_2,
        (HashEncoding::Hashtable, Hashes::Plain | Hashes::Relative) => kind::HASH_METADATA,
    }
}

pub(super) fn write(writer: &mut Writer, hash: &Hash, rdb: Rdb) {
    let next = hash.next_deadline().map_or(0, |(at, _)| at);
    match kind_of(hash, rdb) {
        kind::HASH_LISTPACK => write_packed(writer, hash, false),
        kind::HASH_LISTPACK_EX => {
            writer.raw(&next.to_le_bytes());
            write_packed(writer, hash, true);
        }
        kind::HASH_2 => {
            writer.count(hash.len());
            for (field, value) in hash.iter() {
                writer.string(field);
                writer.string(value);
                writer.raw(&hash.deadline(field).unwrap_or(NONE).to_le_bytes());
            }
        }
        kind::HASH_METADATA => {
            writer.raw(&next.to_le_bytes());
            writer.count(hash.len());
            for (field, value) in hash.iter() {
                let after_next = hash.deadline(field).map_or(0, |at| at - next + 1);
                writer.length(after_next as u64);
                writer.string(field);
                writer.string(value);
            }
        }
        _ => {
            writer.count(hash.len());
            for (field, value) in hash.iter() {
                writer.string(field);
                writer.string(value);
            }
        }
    }
}

fn write_packed(writer: &mut Writer, hash: &Hash, with_deadlines: bool) {
    let mut packed = Listpack::new();
    for (field, value) in hash.iter() {
        packed.push(field);
        packed.push(value);
        if with_deadlines {
            packed.push(&number::format_i64(hash.deadline(field).unwrap_or(0)));
        }
    }
    writer.string(&packed.finish());
}

fn finish(hash: Hash) -> Option<Value> {
    (!hash.is_empty()).then(|| hash.wrap())
}

/// Reads a hash without deadlines.
pub(super) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Read<Option<Value>> {
    let mut hash = Hash::default();
    for _ in 0..reader.length()? {
        let (field, value) = (Sds::new(&reader.string()?), Sds::new(&reader.string()?));
        hash.limit_value(field.len().max(value.len()), limits.hash);
        if hash.insert(field, value).is_some() {
            return Err(duplicate(reader));
        }
    }
    hash.limit_entries(limits.hash);
    Ok(finish(hash))
}

/// Reads a compact hash. The number of its fields is limited, and their length only on request.
pub(super) fn read_packed(
    reader: &mut Reader<'_>,
    read: fn(&[u8]) -> Option<Vec<Sds>>,
    limits_lengths: bool,
    limits: &Limits,
) -> Read<Option<Value>> {
    let elements = packed(reader, read)?;
    let mut hash = Hash::default();
    for (field, value) in pairs(reader, &elements)? {
        if limits_lengths {
            hash.limit_value(field.len().max(value.len()), limits.hash);
        }
        if hash.insert(field.clone(), value.clone()).is_some() {
            return Err(duplicate(reader));
        }
    }
    hash.limit_entries(limits.hash);
    Ok(finish(hash))
}

/// Reads a hash with deadlines, of a type that belongs to this format.
pub(super) fn read_with_deadlines(
    reader: &mut Reader<'_>,
    of: u8,
    limits: &Limits,
    format: Hashes,
) -> Read<Option<Value>> {
    match (of, format) {
        (kind::HASH_2, Hashes::Absolute) => read_absolute(reader, limits),
        (kind::HASH_METADATA, Hashes::Relative) => read_relative(reader, limits),
        (kind::HASH_LISTPACK_EX, Hashes::Relative) => read_packed_deadlines(reader, limits),
        _ => Err(reader.error(format!("values of type {of} are not known"))),
    }
}

/// A field that was read, with its value and deadline.
type Field = (Sds, Sds, Option<i64>);

/// Makes a hash of its fields. Of a compact one, the deadlines are given in the order in which the
/// last given comes first.
fn hash_of(reader: &Reader<'_>, mut hash: Hash, fields: &[Field]) -> Read<Option<Value>> {
    for (field, value, _) in fields {
        if hash.insert(field.clone(), value.clone()).is_some() {
            return Err(duplicate(reader));
        }
    }
    for (field, _, deadline) in fields.iter().rev() {
        if let Some(at) = deadline {
            hash.set_deadline(field, *at);
        }
    }
    Ok(finish(hash))
}

/// Returns a hash that is compact if these fields may be. `deadlines` says whether it may have
/// deadlines, and be compact with them.
fn empty_for(
    fields: &[Field],
    limits: &Limits,
    limits_lengths: bool,
    deadlines: Option<bool>,
) -> Hash {
    let mut hash = Hash::default();
    if let Some(compact) = deadlines {
        hash.allow_deadlines(compact);
    }
    let short = |text: &Sds| text.len() <= limits.hash.max_value;
    let are_short = || fields.iter().all(|(field, value, _)| short(field) && short(value));
    if fields.len() > limits.hash.max_entries || (limits_lengths && !are_short()) {
        hash.limit_value(usize::MAX, limits.hash);
    }
    hash
}

fn read_absolute(reader: &mut Reader<'_>, limits: &Limits) -> Read<Option<Value>> {
    let mut fields = Vec::new();
    for _ in 0..reader.length()? {
        let (field, value) = (Sds::new(&reader.string()?), Sds::new(&reader.string()?));
        let at = i64::from_le_bytes(reader.array()?);
        if at < NONE {
            return Err(reader.error("a deadline is negative"));
        }
        fields.push((field, value, (at != NONE).then_some(at)));
    }
    let deadlines = fields.iter().any(|(_, _, at)| at.is_some()).then_some(false);
    let hash = empty_for(&fields, limits, true, deadlines);
    hash_of(reader, hash, &fields)
}

fn read_relative(reader: &mut Reader<'_>, limits: &Limits) -> Read<Option<Value>> {
    let next = i64::from_le_bytes(reader.array()?);
    let mut fields = Vec::new();
    for _ in 0..reader.length()? {
        let after_next = reader.length()?;
        let (field, value) = (Sds::new(&reader.string()?), Sds::new(&reader.string()?));
        let at = match after_next {
            0 => None,
            after => Some(deadline(reader, next.saturating_sub_unsigned(1), after)?),
        };
        fields.push((field, value, at));
    }
    let hash = empty_for(&fields, limits, true, Some(true));
    hash_of(reader, hash, &fields)
}

/// Returns a deadline that may be one: of 48 bits, as in Redis.
fn deadline(reader: &Reader<'_>, from: i64, after: u64) -> Read<i64> {
    const LATEST: i64 = (1 << 48) - 2;
    let at = from.checked_add_unsigned(after).filter(|at| (0..=LATEST).contains(at));
    at.ok_or_else(|| reader.error("a deadline is out of range"))
}

fn read_packed_deadlines(reader: &mut Reader<'_>, limits: &Limits) -> Read<Option<Value>> {
    let _next: [u8; 8] = reader.array()?;
    let elements = packed(reader, listpack::elements)?;
    let (triples, rest) = elements.as_chunks::<3>();
    if !rest.is_empty() {
        return Err(reader.error("a compact hash has half a field"));
    }
    let mut fields = Vec::new();
    for [field, value, at] in triples {
        let at = number::parse_i64(at).and_then(|at| u64::try_from(at).ok());
        let at = at.ok_or_else(|| reader.error("a deadline is not a number"))?;
        let at = if at == 0 { None } else { Some(deadline(reader, 0, at)?) };
        fields.push((field.clone(), value.clone(), at));
    }
    let hash = empty_for(&fields, limits, false, Some(true));
    hash_of(reader, hash, &fields)
}
