//! The hash: fields with values.
//!
//! A `listpack` is small and keeps the order of insertion. In a `hashtable`, a removal moves the
//! last field into the gap, so that every operation is O(1). A remaining field never moves to a
//! higher index, on which a scan that walks the indices downwards depends.
//!
//! Since Redis 7.4 a field may have a deadline. The deadlines are a table of their own
//! (`deadlines`), which a plain hash does not have. A listpack with deadlines is a `listpackex`: it
//! begins with the fields that end, the next to end first; a field that gets a deadline, or loses
//! it, moves.

mod deadlines;

use super::{ListpackLimits, Sds};
use crate::invariant::ensure;
use deadlines::Deadlines;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// The encoding of a hash in Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashEncoding {
    /// A short array in order of insertion.
    #[default]
    Listpack,
    /// A short array whose fields may have deadlines: those that end come first, the next to end at
    /// the front.
    ListpackEx,
    /// A hash table.
    Hashtable,
}

impl HashEncoding {
    /// Returns the name in `OBJECT ENCODING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            HashEncoding::Listpack => "listpack",
            HashEncoding::ListpackEx => "listpackex",
            HashEncoding::Hashtable => "hashtable",
        }
    }
}

/// A hash; see the module.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    fields: IndexMap<Sds, Sds, FxBuildHasher>,
    encoding: HashEncoding,
    deadlines: Option<Box<Deadlines>>,
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

    /// Sets a field, which loses its deadline. Returns its former value.
    pub fn insert(&mut self, field: impl Into<Sds>, value: impl Into<Sds>) -> Option<Sds> {
        let field = field.into();
        if self.deadlines.is_some() {
            self.clear_deadline(&field);
        }
        self.fields.insert(field, value.into())
    }

    /// Sets a field, which keeps its deadline. Returns its former value.
    pub fn insert_keeping(&mut self, field: impl Into<Sds>, value: impl Into<Sds>) -> Option<Sds> {
        self.fields.insert(field.into(), value.into())
    }

    /// Returns when a field ends, in milliseconds since the Unix epoch, if it has a deadline.
    #[must_use]
    pub fn deadline(&self, field: &[u8]) -> Option<i64> {
        self.deadlines.as_ref()?.get(field)
    }

    /// Returns the field that ends next, and when. Of several, it is the one whose deadline was
    /// set last.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(i64, &Sds)> {
        self.deadlines.as_ref()?.first()
    }

    /// Number of fields with deadlines.
    #[must_use]
    pub fn deadlines(&self) -> usize {
        self.deadlines.as_ref().map_or(0, |deadlines| deadlines.len())
    }

    /// Returns whether a field's deadline is not after this time.
    #[must_use]
    pub fn is_due(&self, field: &[u8], now: i64) -> bool {
        self.deadlines.is_some() && self.deadline(field).is_some_and(|at| at <= now)
    }

    /// Returns the value of a field that is not due.
    #[must_use]
    pub fn get_live(&self, field: &[u8], now: i64) -> Option<&Sds> {
        if self.is_due(field, now) { None } else { self.get(field) }
    }

    /// Returns the fields that are not due, with their values, in stored order.
    pub fn live(&self, now: i64) -> impl Iterator<Item = (&Sds, &Sds)> {
        self.iter().filter(move |(field, _)| !self.is_due(field, now))
    }

    /// Returns the fields that are due, the first to end first.
    pub(crate) fn due(&self, now: i64) -> Vec<Sds> {
        self.deadlines.as_ref().map_or_else(Vec::new, |deadlines| deadlines.due(now))
    }

    /// Returns whether any field's deadline is not after this time.
    pub(crate) fn has_due(&self, now: i64) -> bool {
        self.deadlines.is_some() && self.next_deadline().is_some_and(|(at, _)| at <= now)
    }

    /// Takes the encoding in which fields may have deadlines: a listpack becomes a `listpackex`,
    /// or, in versions without that, a hash table.
    pub(crate) fn allow_deadlines(&mut self, compact: bool) {
        if self.encoding == HashEncoding::Listpack {
            self.encoding =
                if compact { HashEncoding::ListpackEx } else { HashEncoding::Hashtable };
        }
    }

    /// Sets the deadline of a field that exists. The encoding must allow deadlines.
    pub(crate) fn set_deadline(&mut self, field: &[u8], at: i64) {
        let Some((from, name, _)) = self.fields.get_full(field) else { return };
        let name = name.clone();
        let deadlines = self.deadlines.get_or_insert_default();
        deadlines.set(&name, at);
        if self.encoding == HashEncoding::ListpackEx {
            let to = deadlines.before(at);
            self.fields.move_index(from, to);
        }
    }

    /// Removes the deadline of a field. Returns whether it had one.
    pub(crate) fn clear_deadline(&mut self, field: &[u8]) -> bool {
        let Some(deadlines) = &mut self.deadlines else { return false };
        let had_one = deadlines.remove(field);
        if had_one
            && self.encoding == HashEncoding::ListpackEx
            && let Some(from) = self.fields.get_index_of(field)
        {
            self.fields.move_index(from, self.fields.len() - 1);
        }
        self.forget_no_deadlines();
        had_one
    }

    /// Gives up the table of deadlines if there are none.
    fn forget_no_deadlines(&mut self) {
        if self.deadlines() == 0 {
            self.deadlines = None;
        }
    }

    /// Checks that deadlines belong to fields, and that a compact hash is in their order.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let Some(deadlines) = &self.deadlines else { return Ok(()) };
        deadlines.check(|field| self.contains(field))?;
        ensure(self.encoding != HashEncoding::Listpack, || "a listpack has deadlines".to_owned())?;
        ensure(deadlines.len() > 0, || "a table of deadlines is empty".to_owned())
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
    /// `compact` says whether a listpack may have deadlines.
    pub(crate) fn reencode(&mut self, limits: ListpackLimits, compact: bool) {
        let short = |text: &Sds| text.len() <= limits.max_value;
        let may = self.len() <= limits.max_entries
            && (self.encoding != HashEncoding::Hashtable
                || self.fields.iter().all(|(field, value)| short(field) && short(value)));
        self.encoding = match self.encoding {
            _ if !may => HashEncoding::Hashtable,
            HashEncoding::ListpackEx => HashEncoding::ListpackEx,
            HashEncoding::Hashtable if self.deadlines() > 0 => self.packed_again(compact),
            HashEncoding::Listpack | HashEncoding::Hashtable => HashEncoding::Listpack,
        };
    }

    /// A table with deadlines becomes compact, with the fields in the order of their deadlines, if
    /// a compact hash may have some.
    fn packed_again(&mut self, compact: bool) -> HashEncoding {
        if !compact {
            return HashEncoding::Hashtable;
        }
        let mut fields = std::mem::take(&mut self.fields);
        let rank = |field: &Sds| self.deadline(field).unwrap_or(i64::MAX);
        fields.sort_by(|one, _, other, _| rank(one).cmp(&rank(other)));
        self.fields = fields;
        HashEncoding::ListpackEx
    }

    /// Removes a field. Returns its value.
    pub fn remove(&mut self, field: &[u8]) -> Option<Sds> {
        if let Some(deadlines) = &mut self.deadlines {
            deadlines.remove(field);
            self.forget_no_deadlines();
        }
        match self.encoding {
            HashEncoding::Listpack | HashEncoding::ListpackEx => self.fields.shift_remove(field),
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
