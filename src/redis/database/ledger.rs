//! The ledger: the memory that each entry of a keyspace uses, and the sum.
//!
//! It exists only while there is a limit (`maxmemory`), so that a server without one pays for a
//! look at an empty option. A change of a value marks its entry, and the next question for the sum
//! measures the marked entries alone: a command that changed k keys costs O(k).
//!
//! The invariant: every entry that is not marked is recorded with its size, and the sum is that of
//! the recorded sizes. `keyspace` keeps the places in step with its slots.

use super::slot_table::Slot;
use crate::redis::value::Sds;

/// A recorded size; the entry may have changed since.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    bytes: u64,
    marked: bool,
}

/// The recorded sizes of a keyspace's entries, by slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    lines: Vec<Line>,
    sum: u64,
    /// The keys of the marked entries, and of some that are gone.
    changed: Vec<Sds>,
}

impl Ledger {
    /// Adds the next slot.
    pub(crate) fn push(&mut self, key: &Sds) {
        self.lines.push(Line { bytes: 0, marked: true });
        self.changed.push(key.clone());
    }

    /// Removes a slot. The last one moves there.
    pub(crate) fn remove(&mut self, slot: Slot) {
        let line = self.lines.swap_remove(slot as usize);
        self.sum -= line.bytes;
    }

    /// Marks an entry that is about to change.
    pub(crate) fn mark(&mut self, slot: Slot, key: &Sds) {
        let line = &mut self.lines[slot as usize];
        if !std::mem::replace(&mut line.marked, true) {
            self.changed.push(key.clone());
        }
    }

    /// Returns the keys that may be marked, of which no one is marked twice.
    pub(crate) fn take_changed(&mut self) -> Vec<Sds> {
        std::mem::take(&mut self.changed)
    }

    /// Records the size of a marked entry.
    pub(crate) fn record(&mut self, slot: Slot, bytes: u64) {
        let line = Line { bytes, marked: false };
        let former = std::mem::replace(&mut self.lines[slot as usize], line);
        self.sum = self.sum - former.bytes + bytes;
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns the recorded size of an entry that is not marked.
    pub(crate) fn recorded(&self, slot: Slot) -> Option<u64> {
        self.lines.get(slot as usize).filter(|line| !line.marked).map(|line| line.bytes)
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns whether the sum is that of the recorded sizes.
    pub(crate) fn is_balanced(&self) -> bool {
        self.sum == self.lines.iter().map(|line| line.bytes).sum::<u64>()
    }
}
