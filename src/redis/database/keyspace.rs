//! The keyspace: one database's keys, their values and their expiry times.
//!
//! Entries lie densely in slots `0..len`, found through a table of slot numbers. A removal moves
//! the last entry into the gap, so an entry only ever moves from the end to a lower slot. A scan
//! that walks the slots downwards therefore returns every key that exists throughout, and needs no
//! state between its calls. Slots come in chunks, so that a growing database neither copies its
//! entries nor needs twice their memory.
//!
//! Keys with a time to live are also in an index ordered by it, so that due keys are found without
//! looking at the rest. The index has exactly the entries whose `expires_at` is not [`NEVER`].

pub(crate) use super::slot_table::Slot;
use super::slot_table::SlotTable;
use crate::invariant::ensure;
use crate::redis::value::{Sds, Value};
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::hint::black_box;

/// Expiry time of a key that has none.
pub(crate) const NEVER: i64 = i64::MAX;

/// Fewer keys fit into the processor's caches.
const LARGE: usize = 32_768;

/// Number of entries in a chunk.
const CHUNK: usize = 32_768;

/// A key with its value. One cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Entry {
    pub(crate) key: Sds,
    pub(crate) value: Value,
    /// Expiry time, in milliseconds since the Unix epoch.
    expires_at: i64,
    /// Time of the last use, in seconds since the Unix epoch.
    pub(crate) accessed: u32,
    hash: u32,
}

impl Entry {
    pub(crate) fn expires_at(&self) -> i64 {
        self.expires_at
    }

    pub(crate) fn expiry(&self) -> Option<i64> {
        (self.expires_at != NEVER).then_some(self.expires_at)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Keyspace {
    table: SlotTable,
    chunks: Vec<Vec<Entry>>,
    len: usize,
    expires: BTreeSet<(i64, Slot)>,
}

fn hash_of(key: &[u8]) -> u32 {
    FxBuildHasher.hash_one(key) as u32
}

impl Keyspace {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Number of keys with a time to live.
    pub(crate) fn expiring(&self) -> usize {
        self.expires.len()
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<Slot> {
        let chunks = &self.chunks;
        self.table.find(hash_of(key), |slot| at(chunks, slot).key.as_slice() == key)
    }

    /// Returns whether the keys do not all fit into the processor's caches.
    pub(crate) fn is_large(&self) -> bool {
        self.len >= LARGE
    }

    /// Reads what look-ups of these keys will read, so that it is in the processor's caches when
    /// they come. It changes nothing. The processor waits at once for all reads that do not depend
    /// on each other, so this pays if there are many keys.
    pub(crate) fn look_ahead(&self, keys: &[&[u8]]) {
        let hashes: SmallVec<[u32; 16]> = keys.iter().map(|key| hash_of(key)).collect();
        let read = hashes.iter().fold(0, |read, hash| read ^ self.table.first_cell(*hash));
        black_box(read);
        let slots = hashes.iter().filter_map(|hash| self.table.find(*hash, |_| true));
        black_box(slots.fold(0, |read, slot| read ^ self.entry(slot).accessed));
    }

    pub(crate) fn entry(&self, slot: Slot) -> &Entry {
        at(&self.chunks, slot)
    }

    pub(crate) fn entry_mut(&mut self, slot: Slot) -> &mut Entry {
        at_mut(&mut self.chunks, slot)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.find(key).map(|slot| self.entry(slot))
    }

    /// Adds a key that does not exist.
    pub(crate) fn insert(&mut self, key: &[u8], value: Value, accessed: u32) -> Slot {
        debug_assert!(self.find(key).is_none(), "a key exists only once");
        let hash = hash_of(key);
        let slot = Slot::try_from(self.len).expect("fewer than 2^32 keys fit into memory");
        if self.len.is_multiple_of(CHUNK) {
            // The first chunk grows on demand, since most databases are small.
            let room = if self.len == 0 { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let entry = Entry { key: Sds::new(key), value, expires_at: NEVER, accessed, hash };
        self.chunks.last_mut().expect("a chunk was just added").push(entry);
        self.len += 1;
        self.table.insert(hash, slot);
        slot
    }

    /// Removes an entry, which keeps its expiry time. The last entry moves to its slot.
    pub(crate) fn remove(&mut self, slot: Slot) -> Entry {
        let Entry { hash, expires_at, .. } = *self.entry(slot);
        if expires_at != NEVER {
            self.expires.remove(&(expires_at, slot));
        }
        self.table.remove(hash, slot);
        let last = self.chunks.last_mut().and_then(Vec::pop).expect("a slot belongs to an entry");
        if self.chunks.last().is_some_and(Vec::is_empty) {
            self.chunks.pop();
        }
        self.len -= 1;
        let from = self.len as Slot;
        if from == slot {
            return last;
        }
        self.table.moved(last.hash, from, slot);
        if last.expires_at != NEVER {
            self.expires.remove(&(last.expires_at, from));
            self.expires.insert((last.expires_at, slot));
        }
        std::mem::replace(self.entry_mut(slot), last)
    }

    /// Sets an expiry time, or removes it with [`NEVER`].
    pub(crate) fn set_expiry(&mut self, slot: Slot, at: i64) {
        let before = std::mem::replace(&mut self.entry_mut(slot).expires_at, at);
        if before == at {
            return;
        }
        if before != NEVER {
            self.expires.remove(&(before, slot));
        }
        if at != NEVER {
            self.expires.insert((at, slot));
        }
    }

    /// Returns expiry time and slot of the next key to expire. Of several due at the same time, it
    /// is the one in the lowest slot.
    pub(crate) fn next_expiry(&self) -> Option<(i64, Slot)> {
        self.expires.first().copied()
    }

    /// Checks that the entries lie densely, that the table finds each in its slot, and that the
    /// index has exactly the keys with a time to live. Returns what is wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        self.table.check_invariants()?;
        let full = |chunk: &Vec<Entry>| chunk.len() == CHUNK;
        let (last, before) = match &*self.chunks {
            [] => (0, &[][..]),
            [before @ .., last] => (last.len(), before),
        };
        let counted = before.len() * CHUNK + last;
        ensure(before.iter().all(full), || "a chunk has a gap".to_owned())?;
        ensure(self.chunks.is_empty() || last > 0, || "the last chunk is empty".to_owned())?;
        ensure(counted == self.len, || format!("{counted} entries, not {}", self.len))?;
        ensure(self.table.len() == self.len, || format!("{} slots", self.table.len()))?;
        let mut expiring = 0;
        for (slot, entry) in (0..).zip(self.iter()) {
            let key = &entry.key;
            let found = entry.hash == hash_of(key) && self.find(key) == Some(slot);
            ensure(found, || format!("key {key} is not found in its slot"))?;
            let expires = entry.expires_at != NEVER;
            expiring += usize::from(expires);
            let indexed = self.expires.contains(&(entry.expires_at, slot));
            ensure(indexed == expires, || format!("key {key} expires other than it is indexed"))?;
        }
        let indexed = self.expires.len();
        ensure(indexed == expiring, || format!("{indexed} keys are indexed, {expiring} expire"))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.chunks.iter().flatten()
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.chunks.iter_mut().flatten()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.chunks.iter_mut().flatten().map(|entry| &mut entry.value)
    }
}

fn at(chunks: &[Vec<Entry>], slot: Slot) -> &Entry {
    &chunks[slot as usize / CHUNK][slot as usize % CHUNK]
}

fn at_mut(chunks: &mut [Vec<Entry>], slot: Slot) -> &mut Entry {
    &mut chunks[slot as usize / CHUNK][slot as usize % CHUNK]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::value::StringValue;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_entry_is_a_cache_line() {
        assert_eq!(size_of::<Entry>(), 64);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u16),
        Remove(u16),
        Expire(u16, i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0..2_000_u16;
        prop_oneof![
            4 => key.clone().prop_map(Step::Insert),
            3 => key.clone().prop_map(Step::Remove),
            2 => (key, prop_oneof![0..5_i64, Just(NEVER)]).prop_map(|(k, at)| Step::Expire(k, at)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn keys_and_their_expiries_stay_together(
            steps in proptest::collection::vec(step(), 0..3_000),
        ) {
            let mut keyspace = Keyspace::default();
            let mut model = BTreeMap::new();
            let name = |k: u16| k.to_string();
            for step in steps {
                match step {
                    Step::Insert(k) => {
                        if model.insert(name(k), NEVER).is_some() {
                            model.insert(name(k), keyspace.get(name(k).as_bytes()).unwrap().expires_at());
                        } else {
                            let value = Value::String(StringValue::new(name(k).as_bytes()));
                            keyspace.insert(name(k).as_bytes(), value, 0);
                        }
                    }
                    Step::Remove(k) => {
                        let slot = keyspace.find(name(k).as_bytes());
                        prop_assert_eq!(slot.is_some(), model.remove(&name(k)).is_some());
                        if let Some(slot) = slot {
                            prop_assert_eq!(keyspace.remove(slot).key.to_string(), name(k));
                        }
                    }
                    Step::Expire(k, at) => {
                        if let Some(slot) = keyspace.find(name(k).as_bytes()) {
                            keyspace.set_expiry(slot, at);
                            model.insert(name(k), at);
                        }
                    }
                }
            }
            prop_assert_eq!(keyspace.len(), model.len());
            let kept: BTreeMap<String, i64> =
                keyspace.iter().map(|e| (e.key.to_string(), e.expires_at())).collect();
            prop_assert_eq!(&kept, &model);
            for (at, slot) in &keyspace.expires {
                prop_assert_eq!(keyspace.entry(*slot).expires_at(), *at);
            }
            prop_assert_eq!(keyspace.expiring(), model.values().filter(|at| **at != NEVER).count());
        }
    }
}
