//! The index of hashes whose fields have deadlines, by the next of these.
//!
//! A keyspace has one as soon as a hash with a deadline is in it, so that a database without any
//! pays for a look at an empty option. The invariant: exactly the hashes with deadlines are in it,
//! each with that of its field that ends next. Whoever changes the deadlines of a hash calls
//! `Keyspace::reschedule`; `keyspace` keeps the index in step with its slots.
//!
//! Source: `t_hash.c` (`hashTypeAddToExpires`), where a hash may stand for a while with a deadline
//! that it no longer has.

use super::slot_table::Slot;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::BTreeSet;

/// The hashes with deadlines, by slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldIndex {
    of: IndexMap<Slot, i64, FxBuildHasher>,
    queue: BTreeSet<(i64, Slot)>,
}

impl FieldIndex {
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// The next deadline, and the slot of its hash.
    pub(crate) fn first(&self) -> Option<(i64, Slot)> {
        self.queue.first().copied()
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<i64> {
        self.of.get(&slot).copied()
    }

    /// Notes the next deadline in a slot.
    pub(crate) fn set(&mut self, slot: Slot, at: Option<i64>) {
        if self.get(slot) == at {
            return;
        }
        if let Some(before) = self.of.swap_remove(&slot) {
            self.queue.remove(&(before, slot));
        }
        if let Some(at) = at {
            self.of.insert(slot, at);
            self.queue.insert((at, slot));
        }
    }

    /// Notes that an entry has moved to another slot.
    pub(crate) fn moved(&mut self, from: Slot, to: Slot) {
        let at = self.get(from);
        self.set(from, None);
        self.set(to, at);
    }
}
