//! The slot table: finds the slots of a keyspace's entries by the hashes of their keys.
//!
//! It is a flat array of cells, each with a 32-bit hash and a slot. Look-ups probe linearly, and
//! removals shift cells back. With the hash beside the slot, a look-up accesses memory once here
//! and once for the entry; a table that stores its tags separately needs one more. With a million
//! keys each access misses the cache, so that is most of the cost of a look-up.
//!
//! At most three quarters of the cells are used, and there is no gap between a cell and the home of
//! its hash.

use crate::choice::Stream;
use crate::invariant::ensure;

/// Index of an entry in the keyspace.
pub(crate) type Slot = u32;

/// The empty cell. Slots are stored incremented by one.
const EMPTY: u64 = 0;

#[derive(Clone, Debug, Default)]
pub(crate) struct SlotTable {
    /// The length is a power of two, or 0.
    cells: Vec<u64>,
    len: usize,
    /// Where the next sample begins, if its draw is calm.
    cursor: usize,
}

fn cell(hash: u32, slot: Slot) -> u64 {
    u64::from(hash) << 32 | (u64::from(slot) + 1)
}

fn hash_in(cell: u64) -> u32 {
    (cell >> 32) as u32
}

fn slot_in(cell: u64) -> Slot {
    (cell as u32).wrapping_sub(1)
}

impl SlotTable {
    fn home(&self, hash: u32) -> usize {
        let spread = u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> (64 - self.cells.len().trailing_zeros())) as usize
    }

    /// Reads the first cell that a look-up of this hash reads.
    pub(crate) fn first_cell(&self, hash: u32) -> u64 {
        if self.len == 0 { EMPTY } else { self.cells[self.home(hash)] }
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.cells.len() - 1)
    }

    /// Returns the slot with this hash that `is_it` accepts.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        if self.len == 0 {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let cell = self.cells[at];
            if cell == EMPTY {
                return None;
            }
            if hash_in(cell) == hash && is_it(slot_in(cell)) {
                return Some(slot_in(cell));
            }
            at = self.next(at);
        }
    }

    /// Adds a slot that is not in the table.
    pub(crate) fn insert(&mut self, hash: u32, slot: Slot) {
        if (self.len + 1) * 4 > self.cells.len() * 3 {
            let larger = vec![EMPTY; (self.cells.len() * 2).max(8)];
            for cell in std::mem::replace(&mut self.cells, larger) {
                if cell != EMPTY {
                    self.put(cell);
                }
            }
        }
        self.put(cell(hash, slot));
        self.len += 1;
    }

    fn put(&mut self, cell: u64) {
        let mut at = self.home(hash_in(cell));
        while self.cells[at] != EMPTY {
            at = self.next(at);
        }
        self.cells[at] = cell;
    }

    /// Returns the position of a slot with this hash, which must be in the table.
    fn position(&self, hash: u32, slot: Slot) -> usize {
        let wanted = cell(hash, slot);
        let mut at = self.home(hash);
        while self.cells[at] != wanted {
            assert!(self.cells[at] != EMPTY, "the slot of every entry is in the table");
            at = self.next(at);
        }
        at
    }

    /// Removes a slot, which must be in the table.
    pub(crate) fn remove(&mut self, hash: u32, slot: Slot) {
        let mut gap = self.position(hash, slot);
        let mut at = gap;
        loop {
            at = self.next(at);
            let cell = self.cells[at];
            if cell == EMPTY {
                break;
            }
            // A cell may fill the gap if the gap lies between its home and itself.
            let mask = self.cells.len() - 1;
            let home = self.home(hash_in(cell));
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.cells[gap] = cell;
                gap = at;
            }
        }
        self.cells[gap] = EMPTY;
        self.len -= 1;
    }

    /// Draws up to this many slots: those of neighbouring cells, from a random cell on. The order
    /// of cells does not depend on when a key was added. A calm draw begins where the last one
    /// ended, so that calm samples differ. Like the real server's, a sample looks at ten cells for
    /// each slot, and may be smaller; it is empty only if the table is.
    pub(crate) fn sample(&mut self, count: usize, random: &mut Stream) -> Vec<Slot> {
        let mut drawn = Vec::new();
        if self.len == 0 || count == 0 {
            return drawn;
        }
        let cells = self.cells.len();
        let wanted = count.min(self.len);
        let from = self.cursor.wrapping_add(random.choose(cells as u64) as usize);
        let most = count.saturating_mul(10);
        for step in 0..cells {
            let at = from.wrapping_add(step) & (cells - 1);
            if self.cells[at] != EMPTY {
                drawn.push(slot_in(self.cells[at]));
            }
            self.cursor = at + 1;
            if drawn.len() == wanted || (step >= most && !drawn.is_empty()) {
                break;
            }
        }
        drawn
    }

    /// Checks the invariants of the module. Returns what is wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let used = self.cells.iter().filter(|cell| **cell != EMPTY).count();
        ensure(used == self.len, || format!("{used} cells are used, not {}", self.len))?;
        ensure(used * 4 <= self.cells.len() * 3, || format!("{used} cells are too many"))?;
        for (at, cell) in self.cells.iter().enumerate().filter(|(_, cell)| **cell != EMPTY) {
            let mut probe = self.home(hash_in(*cell));
            while probe != at {
                ensure(self.cells[probe] != EMPTY, || format!("a gap before cell {at}"))?;
                probe = self.next(probe);
            }
        }
        Ok(())
    }

    /// Number of slots.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Changes a slot, which must be in the table, after its entry has moved.
    pub(crate) fn moved(&mut self, hash: u32, from: Slot, to: Slot) {
        let at = self.position(hash, from);
        self.cells[at] = cell(hash, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// With few hashes, runs of cells grow long and wrap around.
        #[test]
        fn it_behaves_like_a_set_of_pairs(
            steps in proptest::collection::vec((0..3_u8, 0..40_u32, 0..40_u32), 0..400),
        ) {
            let mut table = SlotTable::default();
            let mut model = BTreeSet::new();
            for (what, hash, slot) in steps {
                // Some hashes are neighbours, some share a home.
                let hash = if hash < 20 { hash } else { u32::MAX - hash };
                let there = model.contains(&(hash, slot));
                match what {
                    0 if !there => {
                        table.insert(hash, slot);
                        model.insert((hash, slot));
                    }
                    1 if there => {
                        table.remove(hash, slot);
                        model.remove(&(hash, slot));
                    }
                    2 if there && !model.contains(&(hash, slot + 100)) => {
                        table.moved(hash, slot, slot + 100);
                        model.remove(&(hash, slot));
                        model.insert((hash, slot + 100));
                    }
                    _ => {}
                }
                prop_assert_eq!(table.len, model.len());
                for (hash, slot) in &model {
                    prop_assert_eq!(table.find(*hash, |s| s == *slot), Some(*slot));
                }
                prop_assert_eq!(table.find(hash, |s| s == 999), None);
                let used = table.cells.iter().filter(|cell| **cell != EMPTY).count();
                prop_assert_eq!(used, model.len());
            }
        }
    }
}
