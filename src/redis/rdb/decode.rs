//! Values from RDB, in every encoding since the first version. A compact value stays compact if the
//! current limits allow it, each type by its own rule.
//!
//! Source: `rdb.c` (`rdbLoadObject`).

use super::parts::{Read, duplicate, packed, pairs};
use super::reader::Reader;
use super::{encode, hash, intset, kind, listpack, stream, ziplist, zipmap};
use crate::redis::value::{
    End, Kind, Limits, List, Sds, Set, SetLimits, SortedSet, StringValue, Value, number,
};
use crate::redis::version::{Encodings, Profile, Streams};

/// Nodes of lists.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Reads a value of this type. Returns `None` for an empty collection, which is no value.
pub(super) fn value(
    reader: &mut Reader<'_>,
    of: u8,
    limits: &Limits,
    profile: &Profile,
) -> Read<Option<Value>> {
    let encodings = profile.encodings;
    let is_later = of >= kind::SET_LISTPACK && !encodings.set_listpack;
    match of {
        _ if is_later => Err(reader.error(format!("values of type {of} are not known"))),
        kind::STRING => Ok(Some(StringValue::new(&reader.string()?).wrap())),
        kind::LIST => list(reader).map(|read| encoded(read, limits, encodings)),
        kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => {
            nodes(reader, of).map(|read| encoded(read, limits, encodings))
        }
        kind::LIST_ZIPLIST => {
            let elements: List = packed(reader, ziplist::elements)?.into_iter().collect();
            let read = (!elements.is_empty()).then(|| elements.wrap());
            Ok(encoded(read, limits, encodings))
        }
        kind::SET => set(reader, limits.of_sets(encodings)),
        kind::SET_LISTPACK => members(reader, limits.of_sets(encodings)),
        kind::SET_INTSET => {
            let numbers = packed(reader, intset::numbers)?;
            let mut set = Set::default();
            for n in numbers {
                set.insert(&number::format_i64(n), limits.of_sets(encodings));
            }
            Ok(Some(set.wrap()))
        }
        kind::ZSET | kind::ZSET_2 => sorted_set(reader, of, limits),
        kind::ZSET_LISTPACK => scored(reader, listpack::elements, limits),
        kind::ZSET_ZIPLIST => scored(reader, ziplist::elements, limits),
        kind::HASH => hash::read(reader, limits),
        kind::HASH_LISTPACK => hash::read_packed(reader, listpack::elements, false, limits),
        kind::HASH_ZIPLIST => hash::read_packed(reader, ziplist::elements, false, limits),
        kind::HASH_ZIPMAP => hash::read_packed(reader, zipmap::elements, true, limits),
        kind::HASH_2 | kind::HASH_METADATA | kind::HASH_LISTPACK_EX => {
            hash::read_with_deadlines(reader, of, limits, profile.rdb.hashes)
        }
        kind::STREAM_LISTPACKS_4 if profile.rdb.streams != Streams::Idempotent => {
            Err(reader.error(format!("values of type {of} are not known")))
        }
        kind::STREAM_LISTPACKS
        | kind::STREAM_LISTPACKS_2
        | kind::STREAM_LISTPACKS_3
        | kind::STREAM_LISTPACKS_4 => stream::read(reader, of),
        _ => Err(reader.error(format!("values of type {of} are not known"))),
    }
}

/// Returns a list in the encoding of one that was read.
fn encoded(read: Option<Value>, limits: &Limits, encodings: Encodings) -> Option<Value> {
    read.map(|mut value| {
        value.reencode(limits, encodings);
        value
    })
}

fn list(reader: &mut Reader<'_>) -> Read<Option<Value>> {
    let mut list = List::default();
    for _ in 0..reader.length()? {
        list.push(End::Right, Sds::new(&reader.string()?));
    }
    Ok((!list.is_empty()).then(|| list.wrap()))
}

fn nodes(reader: &mut Reader<'_>, of: u8) -> Read<Option<Value>> {
    let mut list = List::default();
    let mut counts = Vec::new();
    for _ in 0..reader.length()? {
        let container = if of == kind::LIST_QUICKLIST_2 { reader.length()? } else { PACKED };
        match container {
            PLAIN => {
                let element = reader.string()?;
                if element.is_empty() {
                    return Err(reader.error("a node of a list is empty"));
                }
                list.push(End::Right, Sds::new(&element));
                counts.push(1);
            }
            PACKED => {
                let read = if of == kind::LIST_QUICKLIST_2 {
                    listpack::elements
                } else {
                    ziplist::elements
                };
                let elements = packed(reader, read)?;
                if !elements.is_empty() {
                    counts.push(elements.len());
                }
                elements.into_iter().for_each(|element| list.push(End::Right, element));
            }
            _ => return Err(reader.error("a node of a list has an unknown kind")),
        }
    }
    // The nodes tell at which end the list began.
    if counts.len() > 1 && encode::nodes(&list) != counts {
        list.grow_leftwards(true);
    }
    Ok((!list.is_empty()).then(|| list.wrap()))
}

fn set(reader: &mut Reader<'_>, limits: SetLimits) -> Read<Option<Value>> {
    let mut set = Set::default();
    for _ in 0..reader.length()? {
        if !set.insert(&reader.string()?, limits) {
            return Err(duplicate(reader));
        }
    }
    Ok((!set.is_empty()).then(|| set.wrap()))
}

/// Reads a set that is a listpack.
fn members(reader: &mut Reader<'_>, limits: SetLimits) -> Read<Option<Value>> {
    let mut set = Set::to_append_to(limits);
    for member in packed(reader, listpack::elements)? {
        if !set.insert(&member, limits) {
            return Err(duplicate(reader));
        }
    }
    Ok((!set.is_empty()).then(|| set.wrap()))
}

fn sorted_set(reader: &mut Reader<'_>, of: u8, limits: &Limits) -> Read<Option<Value>> {
    let mut set = SortedSet::new();
    let mut longest = 0;
    for _ in 0..reader.length()? {
        let member = Sds::new(&reader.string()?);
        let score = if of == kind::ZSET_2 {
            f64::from_le_bytes(reader.array()?)
        } else {
            score_text(reader)?
        };
        longest = longest.max(member.len());
        insert(reader, &mut set, member, score)?;
    }
    let compact =
        set.len() <= limits.sorted_set.max_entries && longest <= limits.sorted_set.max_value;
    Ok(finish(set, compact))
}

/// Reads a score of the first version: its text, or a special length.
fn score_text(reader: &mut Reader<'_>) -> Read<f64> {
    match reader.byte()? {
        255 => Ok(f64::NEG_INFINITY),
        254 => Ok(f64::INFINITY),
        253 => Ok(f64::NAN),
        len => {
            let text = reader.take(len.into())?;
            number::parse_double(text).ok_or_else(|| reader.error("a score is not a number"))
        }
    }
}

fn insert(reader: &Reader<'_>, set: &mut SortedSet, member: Sds, score: f64) -> Read<()> {
    if score.is_nan() {
        return Err(reader.error("a score is not a number"));
    }
    match set.insert(member, score) {
        Some(_) => Err(duplicate(reader)),
        None => Ok(()),
    }
}

fn finish(mut set: SortedSet, compact: bool) -> Option<Value> {
    if !compact {
        set.force_skiplist();
    }
    (!set.is_empty()).then(|| set.wrap())
}

/// Returns the score at the beginning of a text, as `strtod` does: 0 if there is none.
fn packed_score(text: &[u8]) -> f64 {
    /// The server looks at no more bytes.
    const MOST: usize = 127;
    let text = &text[..text.len().min(MOST)];
    if text.first() == Some(&b'(') {
        return 0.0;
    }
    let prefixes = (0..=text.len()).rev().map(|end| &text[..end]);
    prefixes.filter_map(number::parse_score_bound).map(|(score, _)| score).next().unwrap_or(0.0)
}

/// Reads a compact sorted set. Only the number of its members is limited.
fn scored(
    reader: &mut Reader<'_>,
    read: fn(&[u8]) -> Option<Vec<Sds>>,
    limits: &Limits,
) -> Read<Option<Value>> {
    let elements = packed(reader, read)?;
    let mut set = SortedSet::new();
    for (member, score) in pairs(reader, &elements)? {
        insert(reader, &mut set, member.clone(), packed_score(score))?;
    }
    let compact = set.len() <= limits.sorted_set.max_entries;
    Ok(finish(set, compact))
}
