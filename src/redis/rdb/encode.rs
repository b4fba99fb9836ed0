//! Values as RDB: each type in the encoding that it has in memory.
//!
//! Source: `rdb.c` (`rdbSaveObject`), `quicklist.c`.

use super::listpack::Listpack;
use super::writer::Writer;
use super::{hash, intset, kind, stream};
use crate::redis::value::{List, Set, SetEncoding, SortedSet, SortedSetEncoding, Value, number};
use crate::redis::version::{Numbers, Profile, Rdb, Streams};

/// A node of a list holds elements up to this many bytes, unless it has only one
/// (`list-max-listpack-size -2`).
const NODE: usize = 8_192;
/// Number of bytes that the server adds to the length of an element to see whether it fits.
const OVERHEAD: usize = 8;
/// A node that is a listpack.
const PACKED: usize = 2;

/// Returns the number of a value's type.
pub(super) fn kind_of(value: &Value, rdb: Rdb) -> u8 {
    match value {
        Value::String(_) => kind::STRING,
        Value::List(_) => kind::LIST_QUICKLIST_2,
        Value::Set(set) => match set.encoding() {
            SetEncoding::Intset => kind::SET_INTSET,
            SetEncoding::Listpack => kind::SET_LISTPACK,
            SetEncoding::Hashtable => kind::SET,
        },
        Value::SortedSet(set) => match set.encoding() {
            SortedSetEncoding::Listpack => kind::ZSET_LISTPACK,
            SortedSetEncoding::Skiplist => kind::ZSET_2,
        },
        Value::Hash(hash) => hash::kind_of(hash, rdb),
        Value::Stream(_) => match rdb.streams {
            Streams::Seen => kind::STREAM_LISTPACKS_2,
            Streams::Active => kind::STREAM_LISTPACKS_3,
            Streams::Idempotent => kind::STREAM_LISTPACKS_4,
        },
    }
}

/// Writes a value, without its type.
pub(super) fn value(writer: &mut Writer, value: &Value, profile: &Profile) {
    match value {
        Value::String(string) => writer.string(string),
        Value::List(value) => list(writer, value),
        Value::Set(value) => set(writer, value),
        Value::SortedSet(value) => sorted_set(writer, value, profile.numbers),
        Value::Hash(value) => hash::write(writer, value, profile.rdb),
        Value::Stream(value) => stream::write(writer, value, profile.rdb.streams),
    }
}

/// Writes the nodes that a list has after pushes at one end.
fn list(writer: &mut Writer, list: &List) {
    let nodes = nodes(list);
    writer.count(nodes.len());
    let mut elements = list.iter();
    for count in nodes {
        let mut node = Listpack::new();
        elements.by_ref().take(count).for_each(|element| node.push(element));
        writer.count(PACKED);
        writer.string(&node.finish());
    }
}

/// Returns the number of elements of each node.
pub(super) fn nodes(list: &List) -> Vec<usize> {
    let sizes = |element: &[u8]| {
        let mut alone = Listpack::new();
        let empty = alone.size();
        alone.push(element);
        (element.len(), alone.size() - empty)
    };
    let mut nodes = Vec::new();
    let mut size = 0;
    let mut add = |element: &[u8]| {
        let (length, added) = sizes(element);
        match nodes.last_mut() {
            Some(count) if size + length + OVERHEAD <= NODE => {
                *count += 1;
                size += added;
            }
            Some(_) | None => {
                nodes.push(1);
                size = Listpack::new().size() + added;
            }
        }
    };
    if list.grows_leftwards() {
        list.iter().rev().for_each(|element| add(element));
        nodes.reverse();
    } else {
        list.iter().for_each(|element| add(element));
    }
    nodes
}

fn set(writer: &mut Writer, set: &Set) {
    match set.encoding() {
        SetEncoding::Intset => {
            let numbers: Vec<i64> =
                set.iter().filter_map(|member| number::parse_i64(&member)).collect();
            writer.string(&intset::bytes(&numbers));
        }
        SetEncoding::Listpack => {
            let mut members = Listpack::new();
            set.iter().for_each(|member| members.push(&member));
            writer.string(&members.finish());
        }
        SetEncoding::Hashtable => {
            writer.count(set.len());
            set.iter().for_each(|member| writer.string(&member));
        }
    }
}

/// A skiplist is written from the highest member to the lowest.
fn sorted_set(writer: &mut Writer, set: &SortedSet, numbers: Numbers) {
    match set.encoding() {
        SortedSetEncoding::Listpack => {
            let mut pairs = Listpack::new();
            for (member, score) in set {
                pairs.push(member);
                pairs.push(&packed_score(score, numbers));
            }
            writer.string(&pairs.finish());
        }
        SortedSetEncoding::Skiplist => {
            writer.count(set.len());
            for (member, score) in set.iter().rev() {
                writer.string(member);
                writer.raw(&score.to_le_bytes());
            }
        }
    }
}

/// Returns the text of a score in a listpack. Whole numbers are written in full, and there is no
/// negative zero.
fn packed_score(score: f64, numbers: Numbers) -> number::Text {
    const WHOLE: f64 = 4_611_686_018_427_387_904.0;
    if score.fract() == 0.0 && score.abs() <= WHOLE {
        number::format_i64(score as i64)
    } else {
        number::format_score(score, numbers)
    }
}
