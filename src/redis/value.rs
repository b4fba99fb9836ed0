//! Values: what a key holds. There are six types, each a data structure of its own that can be
//! used and measured without a server.
//!
//! | type | structure | `OBJECT ENCODING` |
//! |---|---|---|
//! | string | [`StringValue`] | `int`, `embstr`, `raw` |
//! | list | [`List`] | `quicklist` |
//! | hash | [`Hash`](struct@Hash) | `listpack`, `listpackex`, `hashtable` |
//! | set | [`Set`] | `intset`, `listpack`, `hashtable` |
//! | sorted set | [`SortedSet`] | `listpack`, `skiplist` |
//! | stream | [`Stream`] | `stream` |
//!
//! An encoding is modelled where a client can observe it: in `OBJECT ENCODING`, and in the order of
//! listings. The compact encodings list in a fixed order. The others list in an order that Redis
//! leaves unspecified and that is deterministic here. As in Redis, a value never returns to a
//! compact encoding until it is read from a snapshot.
//!
//! Below the types lie [`Sds`], the byte string that they all store, and the two kinds of numbers
//! in text, `number` and `long_double`.

pub(crate) mod allocation;
pub mod bitmap;
pub mod geo;
mod hash;
pub mod hyperloglog;
mod list;
pub(crate) mod listpack;
mod long_double;
pub(crate) mod number;
mod rank_tree;
pub(crate) mod score;
mod sds;
mod set;
mod sorted_set;
mod stream;
mod string;

use crate::invariant::ensure;
use crate::redis::version::Encodings;
pub use hash::{Hash, HashEncoding};
pub(crate) use list::ListLimits;
pub use list::{End, List, ListEncoding};
pub(crate) use long_double::LongDouble;
pub use sds::Sds;
pub use set::{Set, SetEncoding, SetLimits};
pub use sorted_set::{LexBound, SortedSet, SortedSetEncoding, SortedSetIter};
pub use stream::{
    AutoClaim, AutoClaimed, Claim, Claimed, ClaimedEntry, Consumer, Deletion, Delivery, Element,
    Entries, EntriesBack, Entry, Group, Pending, ProducerLimits, Producers, Redelivery, References,
    Stream, StreamCounters, StreamEntry, StreamId, StreamLimits, Trim, TrimTo,
};
pub(crate) use stream::{ReadCounting, name_of_content, radix};
pub use string::{StringEncoding, StringValue};

/// The sizes up to which a hash or a sorted set stays a `listpack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListpackLimits {
    /// Greatest number of entries (`hash-max-listpack-entries`, `zset-max-listpack-entries`).
    pub max_entries: usize,
    /// Greatest length of each field, value or member in bytes (`…-max-listpack-value`).
    pub max_value: usize,
}

/// The sizes up to which values keep their compact encodings, the greatest length of a string, and
/// which files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `hash-max-listpack-entries` and `-value`.
    pub hash: ListpackLimits,
    /// `zset-max-listpack-entries` and `-value`.
    pub sorted_set: ListpackLimits,
    /// `set-max-intset-entries`.
    pub intset: usize,
    /// `set-max-listpack-entries` and `-value`, in versions where sets have listpacks.
    pub set: ListpackLimits,
    /// `list-max-listpack-size`, in versions where lists are listpacks: a number of elements, or,
    /// from -1 to -5, 4 KiB to 64 KiB.
    pub list: i64,
    /// `hll-sparse-max-bytes`: greatest length of a sparse HyperLogLog.
    pub hll_sparse: u64,
    /// `stream-node-max-bytes` and `-entries`.
    pub stream: StreamLimits,
    /// `stream-idmp-duration` and `-maxsize`, which streams get when they are created.
    pub producers: ProducerLimits,
    /// `proto-max-bulk-len`: greatest length of a string in bytes.
    pub string: u64,
    /// `rdb-version-check relaxed`, in versions that have it: RDB files and payloads of `DUMP` are
    /// read whose version is later, and since Valkey 9.1 those of the other product.
    pub relaxed_rdb: bool,
}

/// Redis's defaults.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            hash: ListpackLimits { max_entries: 512, max_value: 64 },
            sorted_set: ListpackLimits { max_entries: 128, max_value: 64 },
            intset: 512,
            set: ListpackLimits { max_entries: 128, max_value: 64 },
            list: -2,
            hll_sparse: 3_000,
            stream: StreamLimits::default(),
            producers: ProducerLimits::default(),
            string: 512 << 20,
            relaxed_rdb: false,
        }
    }
}

impl Limits {
    /// Returns those of lists, in a version with these encodings.
    pub(crate) fn of_lists(&self, encodings: Encodings) -> Option<ListLimits> {
        encodings.list_listpack.then(|| ListLimits::of_parameter(self.list))
    }

    /// Returns those of sets, in a version with these encodings.
    pub(crate) fn of_sets(&self, encodings: Encodings) -> SetLimits {
        let listpack = encodings.set_listpack.then_some(self.set);
        SetLimits { intset: self.intset, listpack }
    }
}

/// The value of a key.
#[derive(Clone, Debug)]
pub enum Value {
    /// Bytes, also used as a number or as bits.
    String(StringValue),
    /// A list.
    List(Box<List>),
    /// A hash.
    Hash(Box<Hash>),
    /// A set.
    Set(Box<Set>),
    /// A sorted set.
    SortedSet(Box<SortedSet>),
    /// A stream.
    Stream(Box<Stream>),
}

impl Value {
    /// Checks that a collection other than a stream is not empty, and the invariants of its type.
    /// Returns what is wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let empty = match self {
            Value::String(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => {
                hash.check_invariants()?;
                hash.is_empty()
            }
            Value::Set(set) => set.is_empty(),
            Value::SortedSet(set) => {
                set.check_invariants()?;
                set.is_empty()
            }
            Value::Stream(stream) => {
                stream.check_invariants()?;
                false
            }
        };
        ensure(!empty, || format!("an empty {}", self.type_name()))
    }

    /// Returns whether clients can block until a key has a value of this type. A write that creates
    /// such a key must call `Database::fed`.
    pub(crate) fn feeds_blocked_clients(&self) -> bool {
        match self {
            Value::List(_) | Value::SortedSet(_) | Value::Stream(_) => true,
            Value::String(_) | Value::Hash(_) | Value::Set(_) => false,
        }
    }

    /// Returns whether clients that wait for such a value are told when it is gone. A write that
    /// removes or replaces such a value must call `Database::fed`.
    pub(crate) fn is_missed_by_blocked_clients(&self) -> bool {
        matches!(self, Value::Stream(_))
    }

    /// Returns the name of the type, as in `TYPE`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Hash(_) => "hash",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
            Value::Stream(_) => "stream",
        }
    }

    /// Returns the name of the encoding, as in `OBJECT ENCODING`.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self {
            Value::String(string) => string.encoding().name(),
            Value::List(list) => list.encoding().name(),
            Value::Hash(hash) => hash.encoding().name(),
            Value::Set(set) => set.encoding().name(),
            Value::SortedSet(set) => set.encoding().name(),
            Value::Stream(_) => "stream",
        }
    }

    /// Re-encodes the value as a new process does that reads a snapshot: in the most compact
    /// encoding that its type allows. Nothing else returns a value to a compact encoding.
    pub(crate) fn reencode(&mut self, limits: &Limits, encodings: Encodings) {
        match self {
            Value::String(string) => {
                *string = StringValue::within(string, encodings.embedding.most);
            }
            Value::List(list) => list.reencode(limits.of_lists(encodings)),
            Value::Hash(hash) => hash.reencode(limits.hash, encodings.hash_listpackex),
            Value::Set(set) => set.reencode(limits.of_sets(encodings)),
            Value::SortedSet(set) => set.reencode(limits.sorted_set),
            Value::Stream(stream) => stream.shrink(),
        }
    }

    /// Re-encodes the value as a new process does that runs the commands of an append-only file.
    /// Unlike in a snapshot, a computed text keeps its encoding. Texts of up to `most` bytes may be
    /// `embstr`.
    pub(crate) fn replay(&mut self, most: usize) {
        if let Value::String(string) = self
            && string.encoding() == StringEncoding::Embstr
        {
            *string = StringValue::within(string, most);
        }
    }
}

/// A type of value. The keyspace looks values up and checks their type in one place.
pub(crate) trait Kind: Sized {
    /// Returns the value, if it is of this type.
    fn of(value: &Value) -> Option<&Self>;
    /// Returns the value, if it is of this type.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// Returns the value as a [`Value`].
    fn wrap(self) -> Value;
}

impl Kind for StringValue {
    fn of(value: &Value) -> Option<&StringValue> {
        if let Value::String(string) = value { Some(string) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut StringValue> {
        if let Value::String(string) = value { Some(string) } else { None }
    }

    fn wrap(self) -> Value {
        Value::String(self)
    }
}

impl Kind for List {
    fn of(value: &Value) -> Option<&List> {
        if let Value::List(list) = value { Some(list) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut List> {
        if let Value::List(list) = value { Some(list) } else { None }
    }

    fn wrap(self) -> Value {
        Value::List(Box::new(self))
    }
}

impl Kind for Hash {
    fn of(value: &Value) -> Option<&Hash> {
        if let Value::Hash(hash) = value { Some(hash) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Hash> {
        if let Value::Hash(hash) = value { Some(hash) } else { None }
    }

    fn wrap(self) -> Value {
        Value::Hash(Box::new(self))
    }
}

impl Kind for Set {
    fn of(value: &Value) -> Option<&Set> {
        if let Value::Set(set) = value { Some(set) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Set> {
        if let Value::Set(set) = value { Some(set) } else { None }
    }

    fn wrap(self) -> Value {
        Value::Set(Box::new(self))
    }
}

impl Kind for SortedSet {
    fn of(value: &Value) -> Option<&SortedSet> {
        if let Value::SortedSet(set) = value { Some(set) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut SortedSet> {
        if let Value::SortedSet(set) = value { Some(set) } else { None }
    }

    fn wrap(self) -> Value {
        Value::SortedSet(Box::new(self))
    }
}

impl Kind for Stream {
    fn of(value: &Value) -> Option<&Stream> {
        if let Value::Stream(stream) = value { Some(stream) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Stream> {
        if let Value::Stream(stream) = value { Some(stream) } else { None }
    }

    fn wrap(self) -> Value {
        Value::Stream(Box::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_no_larger_than_a_short_string() {
        assert_eq!(size_of::<Value>(), 24);
    }
}
