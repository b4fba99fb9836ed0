//! The hash: fields with values.
//!
//! A `listpack` is small and keeps the order of insertion. In a `hashtable`, a removal moves the
//! last field into the gap, so that every operation is O(1). A remaining field never moves to a
//! higher index, on which a scan that walks the indices downwards depends.

use super::{ListpackLimits, Sds};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// The encoding of a hash in Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashEncoding {
    /// A short array in order of insertion.
    #[default]
    Listpack,
    /// A hash table.
    Hashtable,
}

impl HashEncoding {
    /// Returns the name in `OBJECT ENCODING`.
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
    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns the encoding in Redis.
    #[must_use]
    pub fn encoding(&self) -> HashEncoding {
        self.encoding
    }

    /// Returns the value of a field.
    #[must_use]
    pub fn get(&self, field: &[u8]) -> Option<&Sds> {
        self.fields.get(field)
    }

    /// Returns whether a field exists.
    #[must_use]
    pub fn contains(&self, field: &[u8]) -> bool {
        self.fields.contains_key(field)
    }

    /// Sets a field. Returns its former value.
    pub fn insert(&mut self, field: impl Into<Sds>, value: impl Into<Sds>) -> Option<Sds> {
        self.fields.insert(field.into(), value.into())
    }

    /// Becomes a hash table if it has more fields than a listpack may have.
    pub fn limit_entries(&mut self, limits: ListpackLimits) {
        if self.len() > limits.max_entries {
            self.encoding = HashEncoding::Hashtable;
        }
    }

    /// Becomes a hash table if a field or value of this length may not be in a listpack.
    pub fn limit_value(&mut self, len: usize, limits: ListpackLimits) {
        if len > limits.max_value {
            self.encoding = HashEncoding::Hashtable;
        }
    }

    /// Re-encodes the hash as one read from a snapshot: a listpack if it may be one. If it was a
    /// listpack before, only the number of fields is checked.
    pub(crate) fn reencode(&mut self, limits: ListpackLimits) {
        let short = |text: &Sds| text.len() <= limits.max_value;
        let may = self.len() <= limits.max_entries
            && (self.encoding == HashEncoding::Listpack
                || self.fields.iter().all(|(field, value)| short(field) && short(value)));
        self.encoding = if may { HashEncoding::Listpack } else { HashEncoding::Hashtable };
    }

    /// Removes a field. Returns its value.
    pub fn remove(&mut self, field: &[u8]) -> Option<Sds> {
        match self.encoding {
            HashEncoding::Listpack => self.fields.shift_remove(field),
            HashEncoding::Hashtable => self.fields.swap_remove(field),
        }
    }

    /// Returns the field at an index of the stored order.
    #[must_use]
    pub fn get_index(&self, index: usize) -> Option<(&Sds, &Sds)> {
        self.fields.get_index(index)
    }

    /// Returns the fields with their values, in stored order.
    #[must_use]
    pub fn iter(&self) -> indexmap::map::Iter<'_, Sds, Sds> {
        self.fields.iter()
    }
}
