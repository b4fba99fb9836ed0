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
//! Hashes whose fields have deadlines are in another index ([`FieldIndex`]).

use super::field_index::FieldIndex;
use super::ledger::Ledger;
use super::memory;
pub(crate) use super::slot_table::Slot;
use super::slot_table::SlotTable;
use crate::choice::Stream;
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
    /// When it was last used, or how often; see `aging`.
    pub(crate) clock: u32,
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
    /// The hashes whose fields have deadlines, if there are or were any.
    fields: Option<Box<FieldIndex>>,
    /// The keys with a time to live once more, to draw from, if a policy evicts these alone.
    volatile: Option<Box<SlotTable>>,
    /// The entries' sizes, while there is a limit.
    ledger: Option<Box<Ledger>>,
}

fn hash_of(key: &[u8]) -> u32 {
    FxBuildHasher.hash_one(key) as u32
}

impl Keyspace {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Number of hashes whose fields have deadlines.
    pub(crate) fn hashes_with_deadlines(&self) -> usize {
        self.fields.as_ref().map_or(0, |fields| fields.len())
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
        black_box(slots.fold(0, |read, slot| read ^ self.entry(slot).clock));
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
    pub(crate) fn insert(&mut self, key: &[u8], value: Value, clock: u32) -> Slot {
        debug_assert!(self.find(key).is_none(), "a key exists only once");
        let hash = hash_of(key);
        let slot = Slot::try_from(self.len).expect("fewer than 2^32 keys fit into memory");
        if self.len.is_multiple_of(CHUNK) {
            // The first chunk grows on demand, since most databases are small.
            let room = if self.len == 0 { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let entry = Entry { key: Sds::new(key), value, expires_at: NEVER, clock, hash };
        if let Some(ledger) = &mut self.ledger {
            ledger.push(&entry.key);
        }
        let has_deadlines = next_deadline(&entry.value).is_some();
        self.chunks.last_mut().expect("a chunk was just added").push(entry);
        self.len += 1;
        self.table.insert(hash, slot);
        if has_deadlines {
            self.reschedule(slot);
        }
        slot
    }

    /// Removes an entry, which keeps its expiry time. The last entry moves to its slot.
    pub(crate) fn remove(&mut self, slot: Slot) -> Entry {
        let Entry { hash, expires_at, .. } = *self.entry(slot);
        if expires_at != NEVER {
            self.expires.remove(&(expires_at, slot));
            if let Some(volatile) = &mut self.volatile {
                volatile.remove(hash, slot);
            }
        }
        self.table.remove(hash, slot);
        if let Some(fields) = &mut self.fields {
            fields.set(slot, None);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.remove(slot);
        }
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
        if let Some(fields) = &mut self.fields {
            fields.moved(from, slot);
        }
        if last.expires_at != NEVER {
            self.expires.remove(&(last.expires_at, from));
            self.expires.insert((last.expires_at, slot));
            if let Some(volatile) = &mut self.volatile {
                volatile.moved(last.hash, from, slot);
            }
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
        if let Some(volatile) = &mut self.volatile {
            let hash = self.chunks[slot as usize / CHUNK][slot as usize % CHUNK].hash;
            match (before, at) {
                (NEVER, _) => volatile.insert(hash, slot),
                (_, NEVER) => volatile.remove(hash, slot),
                _ => {}
            }
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

    /// Returns whether neither a key nor a field has a time at which it ends.
    #[inline]
    pub(crate) fn nothing_ends(&self) -> bool {
        self.expires.is_empty() && self.fields.is_none()
    }

    /// Returns deadline and slot of the hash whose field is the next to end.
    pub(crate) fn next_field(&self) -> Option<(i64, Slot)> {
        self.fields.as_ref()?.first()
    }

    /// Notes that the deadlines of the hash in a slot may have changed, or that its value was
    /// replaced.
    pub(crate) fn reschedule(&mut self, slot: Slot) {
        let at = next_deadline(&self.entry(slot).value);
        if self.fields.is_some() || at.is_some() {
            self.fields.get_or_insert_default().set(slot, at);
        }
    }

    /// Returns whether any hash has, or had, fields with deadlines.
    #[inline]
    pub(crate) fn knows_deadlines(&self) -> bool {
        self.fields.is_some()
    }

    /// Notes that a value changes its size.
    #[inline]
    pub(crate) fn resized(&mut self, slot: Slot) {
        if self.ledger.is_some() {
            self.mark(slot);
        }
    }

    #[cold]
    fn mark(&mut self, slot: Slot) {
        let key = &at(&self.chunks, slot).key;
        if let Some(ledger) = &mut self.ledger {
            ledger.mark(slot, key);
        }
    }

    /// Returns the memory that all entries use, and records their sizes from now on. O(n) for the
    /// first time, then in proportion to the changes since the last time.
    pub(crate) fn memory(&mut self) -> u64 {
        let mut ledger = self.ledger.take().unwrap_or_else(|| {
            let mut ledger = Ledger::default();
            self.iter().for_each(|entry| ledger.push(&entry.key));
            Box::new(ledger)
        });
        for key in ledger.take_changed() {
            if let Some(slot) = self.find(&key)
                && ledger.recorded(slot).is_none()
            {
                ledger.record(slot, memory::estimate(&key, &self.entry(slot).value) as u64);
            }
        }
        let sum = ledger.sum();
        self.ledger = Some(ledger);
        sum + self.tables() as u64
    }

    /// Returns the memory that all entries use. O(n).
    pub(crate) fn measured(&self) -> u64 {
        let sizes = self.iter().map(|entry| memory::estimate(&entry.key, &entry.value));
        (sizes.sum::<usize>() + self.tables()) as u64
    }

    /// Returns the memory of the tables that are not counted with the entries.
    pub(crate) fn tables(&self) -> usize {
        memory::buckets(self.len) + memory::expiries(self.expires.len())
    }

    /// Returns what the tables of keys and of expiry times use, as the real server counts it.
    pub(crate) fn overhead(&self) -> (usize, usize) {
        let main = memory::KEY_OVERHEAD * self.len + memory::buckets(self.len);
        (main, memory::expiries(self.expires.len()))
    }

    /// Ends to record sizes, and to keep a table of the keys with a time to live.
    pub(crate) fn forget_limits(&mut self) {
        self.ledger = None;
        self.volatile = None;
    }

    /// Draws up to this many entries, of all or of those with a time to live.
    pub(crate) fn sample(
        &mut self,
        volatile: bool,
        count: usize,
        random: &mut Stream,
    ) -> Vec<Slot> {
        if !volatile {
            return self.table.sample(count, random);
        }
        if self.volatile.is_none() {
            let mut table = SlotTable::default();
            for (_, slot) in &self.expires {
                table.insert(self.entry(*slot).hash, *slot);
            }
            self.volatile = Some(Box::new(table));
        }
        self.volatile.as_mut().map_or_else(Vec::new, |table| table.sample(count, random))
    }

    fn check_limits(&self) -> Result<(), String> {
        if let Some(volatile) = &self.volatile {
            volatile.check_invariants()?;
            let (drawn, indexed) = (volatile.len(), self.expires.len());
            ensure(drawn == indexed, || format!("{drawn} keys can be drawn, {indexed} expire"))?;
            for (_, slot) in &self.expires {
                let found = volatile.find(self.entry(*slot).hash, |other| other == *slot);
                ensure(found.is_some(), || format!("slot {slot} expires and cannot be drawn"))?;
            }
        }
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let lines = ledger.len();
        ensure(lines == self.len, || format!("{lines} sizes are recorded"))?;
        ensure(ledger.is_balanced(), || "the sum of sizes is wrong".to_owned())?;
        for (slot, entry) in (0..).zip(self.iter()) {
            let bytes = memory::estimate(&entry.key, &entry.value) as u64;
            if let Some(recorded) = ledger.recorded(slot) {
                ensure(recorded == bytes, || {
                    format!("key {} uses {bytes} bytes, not {recorded}", entry.key)
                })?;
            }
        }
        Ok(())
    }

    /// Checks that exactly the hashes with deadlines are indexed, each by the next.
    fn check_fields(&self) -> Result<(), String> {
        let indexed = |slot| self.fields.as_ref().and_then(|fields| fields.get(slot));
        let mut hashes = 0;
        for (slot, entry) in (0..).zip(self.iter()) {
            let at = next_deadline(&entry.value);
            hashes += usize::from(at.is_some());
            ensure(indexed(slot) == at, || {
                format!("fields of key {} end other than they are indexed", entry.key)
            })?;
        }
        let counted = self.hashes_with_deadlines();
        ensure(counted == hashes, || {
            format!("{counted} hashes are indexed, {hashes} have deadlines")
        })
    }

    /// Checks that the entries lie densely, that the table finds each in its slot, and that the
    /// index has exactly the keys with a time to live. Returns what is wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        self.table.check_invariants()?;
        self.check_limits()?;
        self.check_fields()?;
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
        self.ledger = None;
        self.chunks.iter_mut().flatten()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.ledger = None;
        self.chunks.iter_mut().flatten().map(|entry| &mut entry.value)
    }
}

/// Returns when the next field of a hash ends.
fn next_deadline(value: &Value) -> Option<i64> {
    let Value::Hash(hash) = value else { return None };
    hash.next_deadline().map(|(at, _)| at)
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
