//! The hash: fields with values.
//!
//! While it is a `listpack` it is small and keeps the order in which fields
//! came; as a `hashtable` a removal moves the last field into the gap, so that
//! every operation is O(1). A field that stays is never moved to a higher
//! index, which is what a scan relies on that walks the indices downwards.

use super::{ListpackLimits, Sds};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// How Redis would keep a hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashEncoding {
    /// A short array in order of insertion.
    #[default]
    Listpack,
    /// A hash table.
    Hashtable,
}

impl HashEncoding {
    /// The name that `OBJECT ENCODING` gives.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            HashEncoding::Listpack => "listpack",
            HashEncoding::Hashtable => "hashtable",
        }
    }
}

/// A hash; see the module.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    fields: IndexMap<Sds, Sds, FxBuildHasher>,
    encoding: HashEncoding,
}

impl Hash {
    /// How many fields it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// How Redis would keep it.
    #[must_use]
    pub fn encoding(&self) -> HashEncoding {
        self.encoding
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &[u8]) -> Option<&Sds> {
        self.fields.get(field)
    }

    /// Whether it has this field.
    #[must_use]
    pub fn contains(&self, field: &[u8]) -> bool {
        self.fields.contains_key(field)
    }

    /// Sets a field; its former value.
    pub fn insert(&mut self, field: impl Into<Sds>, value: impl Into<Sds>) -> Option<Sds> {
        self.fields.insert(field.into(), value.into())
    }

    /// Becomes a hash table if it has more fields than a listpack may.
    pub fn limit_entries(&mut self, limits: ListpackLimits) {
        if self.len() > limits.max_entries {
            self.encoding = HashEncoding::Hashtable;
        }
    }

    /// Becomes a hash table if something of this length may not be in a
    /// listpack.
    pub fn limit_value(&mut self, len: usize, limits: ListpackLimits) {
        if len > limits.max_value {
            self.encoding = HashEncoding::Hashtable;
        }
    }

    /// The encoding it has when it is read from a snapshot: a listpack where it may
    /// be one, and what was one is asked only for its fields.
    pub(crate) fn reencode(&mut self, limits: ListpackLimits) {
        let short = |text: &Sds| text.len() <= limits.max_value;
        let may = self.len() <= limits.max_entries
            && (self.encoding == HashEncoding::Listpack
                || self.fields.iter().all(|(field, value)| short(field) && short(value)));
        self.encoding = if may { HashEncoding::Listpack } else { HashEncoding::Hashtable };
    }

    /// Removes a field; its value.
    pub fn remove(&mut self, field: &[u8]) -> Option<Sds> {
        match self.encoding {
            HashEncoding::Listpack => self.fields.shift_remove(field),
            HashEncoding::Hashtable => self.fields.swap_remove(field),
        }
    }

    /// The field at an index of the order it is kept in.
    #[must_use]
    pub fn get_index(&self, index: usize) -> Option<(&Sds, &Sds)> {
        self.fields.get_index(index)
    }

    /// The fields with their values, in the order they are kept in.
    #[must_use]
    pub fn iter(&self) -> indexmap::map::Iter<'_, Sds, Sds> {
        self.fields.iter()
    }
}
