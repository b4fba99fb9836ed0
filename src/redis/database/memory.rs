//! Memory: what the real server would use for a key, as `MEMORY USAGE` shows it.
//!
//! This estimates Redis's own structures under its allocator (jemalloc), not the memory of this
//! process. For strings and streams it is exactly the real server's number; for other
//! collections it is close, since the real server samples. What counts against `maxmemory` is the
//! same number, except that it is extrapolated for large collections, so that a change of one costs
//! a bounded number of steps.
//!
//! Source: `object.c` (`objectComputeSize`), and experiments with the server.

use crate::redis::value::allocation::allocated;
use crate::redis::value::number;
use crate::redis::value::{
    Hash, HashEncoding, Sds, Set, SetEncoding, SortedSet, SortedSetEncoding, Stream,
    StringEncoding, StringValue, Value, radix,
};

/// An object's header.
const OBJECT: usize = 16;
/// An entry of a hash table.
const ENTRY: usize = 24;
/// The bytes of each key besides its name and its value's contents.
pub(crate) const KEY_OVERHEAD: usize = ENTRY + OBJECT;
/// A hash table with the headers of its two arrays.
const TABLE: usize = 56;

/// Returns the size of a string: a header that depends on its length, its bytes and a NUL.
fn sds(len: usize, short: bool) -> usize {
    let header = match len {
        0..32 if short => 1,
        0..256 => 3,
        256..65_536 => 5,
        _ => 9,
    };
    allocated(header + len + 1)
}

fn string(value: &StringValue) -> usize {
    match value.encoding() {
        StringEncoding::Int => OBJECT,
        StringEncoding::Embstr => allocated(OBJECT + 3 + value.len() + 1),
        StringEncoding::Raw => OBJECT + raw(value.len()),
    }
}

/// Returns the sizes of a key and of a string value, each with its header, for `DEBUG SDSLEN`, or
/// `None` if the value is not stored as text.
pub(crate) fn texts(key: &[u8], value: &Value) -> Option<(usize, usize)> {
    let Value::String(value) = value else { return None };
    let text = match value.encoding() {
        StringEncoding::Int => return None,
        StringEncoding::Embstr => string(value) - OBJECT,
        StringEncoding::Raw => raw(value.len()),
    };
    Some((sds(key.len(), true), text))
}

/// 255 bytes need the next larger header.
fn raw(len: usize) -> usize {
    if len == 255 { allocated(5 + len + 1) } else { sds(len, false) }
}

/// Returns the size of a listpack entry: its text or number, and a length at either end.
fn packed(element: &[u8]) -> usize {
    match number::parse_i64(element) {
        Some(0..=127) => 2,
        Some(-4_096..=4_095) => 3,
        Some(-32_768..=32_767) => 4,
        Some(-2_147_483_648..=2_147_483_647) => 6,
        Some(_) => 10,
        None if element.len() < 64 => element.len() + 2,
        None if element.len() < 4_096 => element.len() + 4,
        None => element.len() + 10,
    }
}

/// How many elements of a collection are measured.
#[derive(Clone, Copy)]
enum Measured {
    All,
    /// Those of small collections. Of others, some that are spread evenly.
    Some,
}

/// Number of elements of a small collection, and of those that are measured of a large one.
const SMALL: usize = 128;
const SPREAD: usize = 64;

impl Measured {
    /// Returns the sum of the sizes of a collection's elements.
    fn sum(self, len: usize, size: impl Fn(usize) -> Option<usize>) -> usize {
        let of = |index| size(index).unwrap_or_default();
        match self {
            Measured::Some if len > SMALL => {
                let spread: usize = (0..SPREAD).map(|nth| of(nth * len / SPREAD)).sum();
                spread * len / SPREAD
            }
            Measured::All | Measured::Some => (0..len).map(of).sum(),
        }
    }
}

/// Returns the size of the array of a hash table.
pub(crate) fn buckets(len: usize) -> usize {
    if len == 0 { 0 } else { 8 * len.next_power_of_two().max(4) }
}

/// Returns the size of the table of expiry times.
pub(crate) fn expiries(len: usize) -> usize {
    ENTRY * len + buckets(len)
}

fn table_of(len: usize) -> usize {
    TABLE + 8 * len.next_power_of_two().max(4)
}

fn hash(hash: &Hash, measured: Measured) -> usize {
    let len = hash.len();
    match hash.encoding() {
        HashEncoding::Listpack => {
            let size = |at| hash.get_index(at).map(|(f, v)| packed(f) + packed(v));
            OBJECT + allocated(7 + measured.sum(len, size))
        }
        HashEncoding::ListpackEx => {
            /// The header with the hash's next deadline, and the text of a deadline.
            const HEADER: usize = 40;
            const DEADLINE: usize = 10;
            let size = |at| {
                let (f, v) = hash.get_index(at)?;
                let deadline = if hash.deadline(f).is_some() { DEADLINE } else { 2 };
                Some(packed(f) + packed(v) + deadline)
            };
            OBJECT + HEADER + allocated(7 + measured.sum(len, size))
        }
        HashEncoding::Hashtable => {
            let size = |(f, v): (&Sds, &Sds)| ENTRY + sds(f.len(), true) + sds(v.len(), true);
            OBJECT + table_of(len) + measured.sum(len, |at| hash.get_index(at).map(size))
        }
    }
}

fn set(set: &Set, measured: Measured) -> usize {
    match set.encoding() {
        SetEncoding::Intset => {
            // The members are in order, so the widest is the first or the last.
            let ends = [0, set.len().saturating_sub(1)];
            let ends = ends.into_iter().filter_map(|at| set.get_index(at));
            let width = ends.filter_map(|end| number::parse_i64(&end)).map(|n| match n {
                -32_768..=32_767 => 2,
                -2_147_483_648..=2_147_483_647 => 4,
                _ => 8,
            });
            OBJECT + allocated(8 + width.max().unwrap_or(2) * set.len())
        }
        SetEncoding::Listpack => {
            let size = |at| set.get_index(at).map(|member| packed(&member));
            OBJECT + allocated(7 + measured.sum(set.len(), size))
        }
        SetEncoding::Hashtable => {
            let size = |at| set.get_index(at).map(|member| ENTRY + sds(member.len(), true));
            OBJECT + table_of(set.len()) + measured.sum(set.len(), size)
        }
    }
}

fn sorted_set(set: &SortedSet, measured: Measured) -> usize {
    let len = set.len();
    match set.encoding() {
        SortedSetEncoding::Listpack => {
            let size = |(member, score): (&Sds, f64)| {
                packed(member) + packed(&number::format_double(score))
            };
            OBJECT + allocated(7 + measured.sum(len, |at| set.get_index(at).map(size)))
        }
        // A node has a score, a member, a back pointer and 1.33 levels on average.
        SortedSetEncoding::Skiplist => {
            let size = |(member, _): (&Sds, f64)| ENTRY + sds(member.len(), true) + 48;
            OBJECT + table_of(len) + 32 + measured.sum(len, |at| set.get_index(at).map(size))
        }
    }
}

/// Returns the size of a radix tree of ids, as the server estimates it.
fn radix_tree(ids: usize, nodes: usize) -> usize {
    16 * ids + (4 + 8 * 30) * nodes
}

/// Number of nodes of a stream whose size is averaged by default.
const SAMPLES: usize = 5;

fn stream(stream: &Stream) -> usize {
    const STREAM: usize = 80;
    const GROUP: usize = 40;
    const PENDING: usize = 24;
    const CONSUMER: usize = 24;
    let count = stream.node_count();
    let sampled: usize = stream.allocations().take(SAMPLES).sum();
    let last = stream.allocations().next_back().unwrap_or_default();
    let nodes = if count <= SAMPLES { sampled } else { sampled / SAMPLES * (count - 1) + last };
    let groups = stream.groups().values().map(|group| {
        let pending = group.pending();
        let tree = radix_tree(pending.len(), radix::nodes(pending.keys().copied()));
        let consumers = group.consumers().map(|consumer| {
            let ids = consumer.pending();
            let tree = radix_tree(ids.len(), radix::nodes(ids.iter().copied()));
            CONSUMER + consumer.name().len() + tree
        });
        GROUP + tree + PENDING * pending.len() + consumers.sum::<usize>()
    });
    let tree = radix_tree(count, stream.radix_nodes());
    OBJECT + STREAM + tree + nodes + groups.sum::<usize>() + stream.producers().memory()
}

/// Returns the size of a key with its value.
pub(crate) fn usage(key: &[u8], value: &Value) -> usize {
    measure(key, value, Measured::All)
}

/// Returns the size of a key with its value, extrapolated for a large collection. O(1).
pub(crate) fn estimate(key: &[u8], value: &Value) -> usize {
    measure(key, value, Measured::Some)
}

fn measure(key: &[u8], value: &Value, measured: Measured) -> usize {
    let value = match value {
        Value::String(value) => string(value),
        Value::Hash(value) => hash(value, measured),
        Value::Set(value) => set(value, measured),
        Value::SortedSet(value) => sorted_set(value, measured),
        // A list is one or more listpacks of up to 8 KB, each with a node.
        Value::List(list) => {
            let size = |at| list.get(at).map(|element| packed(element));
            let bytes = measured.sum(list.len(), size);
            let nodes = (bytes / 8_192).max(1);
            OBJECT + 48 + nodes * 32 + allocated(7 + bytes)
        }
        Value::Stream(value) => stream(value),
    };
    value + sds(key.len(), true) + ENTRY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_use_as_much_memory_as_the_server_says() {
        let of = |key: usize, value: usize| {
            let value = Value::String(StringValue::new(&vec![b'x'; value]));
            usage(&vec![b'k'; key], &value)
        };
        let by_value = [
            (0, 64),
            (13, 80),
            (29, 96),
            (45, 112),
            (61, 128),
            (100, 160),
            (127, 208),
            (200, 272),
            (255, 368),
            (511, 688),
            (1_000, 1_072),
            (5_000, 5_168),
        ];
        for (len, bytes) in by_value {
            assert_eq!(of(1, len), bytes, "a value of {len} bytes");
        }
        let by_key = [(1, 64), (7, 72), (15, 88), (31, 104), (45, 120), (61, 136), (125, 216)];
        for (len, bytes) in by_key {
            assert_eq!(of(len, 1), bytes, "a key of {len} bytes");
        }
        assert_eq!(usage(b"i", &Value::String(StringValue::from_i64(123))), 48);
    }
}
