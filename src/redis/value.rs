//! Values: what a key holds, one of five types, each a data structure of its
//! own that can be used and measured without a server.
//!
//! | type | structure | `OBJECT ENCODING` |
//! |---|---|---|
//! | string | [`StringValue`] | `int`, `embstr`, `raw` |
//! | list | [`List`] | `quicklist` |
//! | hash | [`Hash`](struct@Hash) | `listpack`, `hashtable` |
//! | set | [`Set`] | `intset`, `hashtable` |
//! | sorted set | [`SortedSet`] | `listpack`, `skiplist` |
//!
//! An encoding is kept where a client can tell: by `OBJECT ENCODING`, and by the
//! order of what it lists. The compact ones list in a fixed order; the others in
//! an order that Redis leaves open and that is deterministic here. A value never
//! goes back to a compact encoding, as there, until it is read from a snapshot.

pub mod bitmap;
mod hash;
mod list;
mod long_double;
pub(crate) mod number;
mod rank_tree;
mod sds;
mod set;
mod sorted_set;
mod string;

use crate::redis::invariant::ensure;
pub use hash::{Hash, HashEncoding};
pub use list::{End, List};
pub(crate) use long_double::LongDouble;
pub use sds::Sds;
pub use set::{Set, SetEncoding};
pub use sorted_set::{LexBound, SortedSet, SortedSetEncoding, SortedSetIter};
pub use string::{StringEncoding, StringValue};

/// Up to which size a hash or a sorted set stays a `listpack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListpackLimits {
    /// Entries (`hash-max-listpack-entries`, `zset-max-listpack-entries`).
    pub max_entries: usize,
    /// Bytes of each field, value or member (`…-max-listpack-value`).
    pub max_value: usize,
}

/// Up to which sizes values keep their compact encodings, and how long a string
/// may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `hash-max-listpack-entries` and `-value`.
    pub hash: ListpackLimits,
    /// `zset-max-listpack-entries` and `-value`.
    pub sorted_set: ListpackLimits,
    /// `set-max-intset-entries`.
    pub intset: usize,
    /// `proto-max-bulk-len`: bytes of a string.
    pub string: u64,
}

/// Redis's defaults.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            hash: ListpackLimits { max_entries: 512, max_value: 64 },
            sorted_set: ListpackLimits { max_entries: 128, max_value: 64 },
            intset: 512,
            string: 512 << 20,
        }
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
}

impl Value {
    /// Checks that a collection is not empty, and what else holds of its type. Returns what is
    /// wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let empty = match self {
            Value::String(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::SortedSet(set) => {
                set.check_invariants()?;
                set.is_empty()
            }
        };
        ensure(!empty, || format!("an empty {}", self.type_name()))
    }

    /// Returns whether clients may be waiting for a key to have a value of this type. A write that
    /// makes such a key come to be must say so ([`Database::fed`]).
    ///
    /// [`Database::fed`]: crate::redis::database::Database
    pub(crate) fn feeds_blocked_clients(&self) -> bool {
        match self {
            Value::List(_) | Value::SortedSet(_) => true,
            Value::String(_) | Value::Hash(_) | Value::Set(_) => false,
        }
    }

    /// The type, as `TYPE` answers it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Hash(_) => "hash",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
        }
    }

    /// The encoding, as `OBJECT ENCODING` answers it.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self {
            Value::String(string) => string.encoding().name(),
            Value::List(_) => "quicklist",
            Value::Hash(hash) => hash.encoding().name(),
            Value::Set(set) => set.encoding().name(),
            Value::SortedSet(set) => set.encoding().name(),
        }
    }

    /// What a new process makes of it that reads a snapshot: each type has the most
    /// compact encoding that it may have. This is the one way back to one.
    pub(crate) fn reencode(&mut self, limits: &Limits) {
        match self {
            Value::String(string) => *string = StringValue::new(string),
            Value::List(_) => {}
            Value::Hash(hash) => hash.reencode(limits.hash),
            Value::Set(set) => set.reencode(limits.intset),
            Value::SortedSet(set) => set.reencode(limits.sorted_set),
        }
    }

    /// What a new process makes of it that runs the commands of an append-only file
    /// again: the same, but a text that was computed is set there as it is.
    pub(crate) fn replay(&mut self) {
        if let Value::String(string) = self
            && string.encoding() == StringEncoding::Embstr
        {
            *string = StringValue::new(string);
        }
    }
}

/// A type of value, so that the keyspace can look one up and check it in one
/// place.
pub(crate) trait Kind: Sized {
    /// The value, if it is of this type.
    fn of(value: &Value) -> Option<&Self>;
    /// The value, if it is of this type.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// A value of this type.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_no_larger_than_a_short_string() {
        assert_eq!(size_of::<Value>(), 24);
    }
}
