//! Producers that send again: which entries each has added lately, by the ids that it gave them.
//!
//! A producer names its message (`IDMP`), or lets the content name it (`IDMPAUTO`). While a name is
//! known, the same message is not added again. A name is forgotten when it is older than the
//! stream's duration, by the time in the entry's id, or when its producer has given as many newer
//! ones as the stream keeps. Other settings forget all names.
//!
//! Invariant: the names of a producer are in the order in which they came, each once, and a
//! producer without names is gone.
//!
//! An index of the producers by the age of their oldest name spares a search: to look a name up, to
//! add one or to forget one costs O(log n) in the number of producers and names.
//!
//! Source: <https://redis.io/docs/latest/develop/data-types/streams/idempotency>, and experiments
//! with the server.

use super::StreamId;
use crate::invariant::ensure;
use crate::redis::value::Sds;
use crate::redis::value::allocation::allocated;
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_128;

/// How long, and how many, names of each producer are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerLimits {
    /// Seconds for which a name is known (`stream-idmp-duration`).
    pub duration: u64,
    /// Greatest number of names of a producer (`stream-idmp-maxsize`).
    pub max_size: u64,
}

impl ProducerLimits {
    /// Redis's defaults.
    const USUAL: ProducerLimits = ProducerLimits { duration: 100, max_size: 100 };

    /// Returns whether an entry is too old for its name to be known.
    fn is_old(self, entry: StreamId, now_ms: i64) -> bool {
        let duration = self.duration.saturating_mul(1_000);
        entry.ms.saturating_add(duration) <= u64::try_from(now_ms).unwrap_or(0)
    }
}

impl Default for ProducerLimits {
    fn default() -> ProducerLimits {
        ProducerLimits::USUAL
    }
}

/// What Redis asks of its allocator for a producer, and for a name beside its text.
const PRODUCER: usize = 24;
const NAME: usize = 32;

/// The names that one producer has given, with the entries that they belong to.
#[derive(Clone, Debug, Default)]
struct Producer {
    /// In the order in which they came, by their numbers.
    order: BTreeMap<u64, (Sds, StreamId)>,
    numbers: BTreeMap<Sds, u64>,
    /// Number of names that ever came.
    came: u64,
    /// Memory of the names.
    bytes: usize,
}

impl PartialEq for Producer {
    fn eq(&self, other: &Producer) -> bool {
        self.order.values().eq(other.order.values())
    }
}

impl Eq for Producer {}

impl Producer {
    fn find(&self, name: &[u8]) -> Option<StreamId> {
        self.order.get(self.numbers.get(name)?).map(|(_, entry)| *entry)
    }

    /// Returns the names with their entries, the oldest first.
    fn names(&self) -> impl Iterator<Item = (&Sds, StreamId)> {
        self.order.values().map(|(name, entry)| (name, *entry))
    }

    /// Returns the entry of the oldest name.
    fn first(&self) -> Option<StreamId> {
        self.order.first_key_value().map(|(_, (_, entry))| *entry)
    }

    fn memory(&self) -> usize {
        if self.order.is_empty() { 0 } else { allocated(PRODUCER) + self.bytes }
    }

    /// Adds a name as the latest. Returns whether it is new.
    fn push(&mut self, name: &[u8], entry: StreamId) -> bool {
        self.came += 1;
        let name = Sds::new(name);
        self.bytes += allocated(NAME + name.len());
        let before = self.numbers.insert(name.clone(), self.came);
        self.order.insert(self.came, (name, entry));
        match before.and_then(|number| self.order.remove(&number)) {
            Some((name, _)) => {
                self.bytes -= allocated(NAME + name.len());
                false
            }
            None => true,
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, (name, _))) = self.order.pop_first() {
            self.bytes -= allocated(NAME + name.len());
            self.numbers.remove(&name);
        }
    }
}

/// The producers of a stream; see the module.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    limits: ProducerLimits,
    by_name: BTreeMap<Sds, Producer>,
    /// The producers by the time in the id of their oldest name's entry.
    by_age: BTreeSet<(u64, Sds)>,
    /// Memory of the producers and their names.
    bytes: usize,
    /// Number of names that were ever added.
    pub(crate) added: u64,
    /// Number of messages that came again.
    pub(crate) duplicates: u64,
}

impl PartialEq for Producers {
    fn eq(&self, other: &Producers) -> bool {
        (self.limits, self.added, self.duplicates) == (other.limits, other.added, other.duplicates)
            && self.by_name == other.by_name
    }
}

impl Eq for Producers {}

/// Of a stream that knows nothing.
pub(super) static NONE: Producers = Producers {
    limits: ProducerLimits::USUAL,
    by_name: BTreeMap::new(),
    by_age: BTreeSet::new(),
    bytes: 0,
    added: 0,
    duplicates: 0,
};

/// Returns the name that the content of an entry has (`IDMPAUTO`), whatever the order of its
/// fields.
pub(crate) fn name_of_content(fields: &[(&[u8], &[u8])]) -> [u8; 16] {
    let (mut sums, mut differences) = ([0_u64; 2], [0_u64; 2]);
    for (field, value) in fields {
        let length = (field.len() as u64).to_le_bytes();
        let hash = xxh3_128(&[field, &length[..], value].concat());
        for (at, half) in [hash as u64, (hash >> 64) as u64].into_iter().enumerate() {
            sums[at] = sums[at].wrapping_add(half);
            differences[at] ^= half;
        }
    }
    let low = sums[0] ^ differences[1].rotate_left(1);
    let high = sums[1] ^ differences[0].rotate_left(1);
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}

impl Producers {
    pub(crate) fn new(limits: ProducerLimits) -> Producers {
        Producers { limits, ..Producers::default() }
    }

    /// Returns how much is remembered.
    #[must_use]
    pub fn limits(&self) -> ProducerLimits {
        self.limits
    }

    /// Changes how much is remembered, which forgets all names.
    pub(crate) fn set_limits(&mut self, limits: ProducerLimits) {
        let (added, duplicates) = (self.added, self.duplicates);
        *self = Producers { added, duplicates, ..Producers::new(limits) };
    }

    /// Returns the entry that a producer has added under this name, as of this time. Without one,
    /// names do not age.
    pub(crate) fn find(
        &self,
        producer: &[u8],
        name: &[u8],
        now_ms: Option<i64>,
    ) -> Option<StreamId> {
        let entry = self.by_name.get(producer)?.find(name)?;
        (!now_ms.is_some_and(|now| self.limits.is_old(entry, now))).then_some(entry)
    }

    /// Notes that a producer has added an entry under this name. What is too old is forgotten, as
    /// of this time. Without one, names do not age.
    pub(crate) fn add(
        &mut self,
        producer: &[u8],
        name: &[u8],
        entry: StreamId,
        now_ms: Option<i64>,
    ) {
        if let Some(now) = now_ms {
            self.forget_old(now);
        }
        self.put(producer, name, entry);
        self.added = self.added.wrapping_add(1);
    }

    /// Adds a name that was read from elsewhere. Returns whether it is new.
    pub(crate) fn put(&mut self, producer: &[u8], name: &[u8], entry: StreamId) -> bool {
        let limit = self.limits.max_size;
        self.change(&Sds::new(producer), |names| {
            let is_new = names.push(name, entry);
            if names.order.len() as u64 > limit {
                names.forget_first();
            }
            is_new
        })
    }

    /// Changes the names of a producer, and then what depends on them.
    fn change<T>(&mut self, producer: &Sds, change: impl FnOnce(&mut Producer) -> T) -> T {
        let names = self.by_name.entry(producer.clone()).or_default();
        let (oldest, memory) = (names.first(), names.memory());
        let result = change(names);
        self.bytes = self.bytes - memory + names.memory();
        let first = names.first();
        if first.map(|entry| entry.ms) != oldest.map(|entry| entry.ms) {
            if let Some(entry) = oldest {
                self.by_age.remove(&(entry.ms, producer.clone()));
            }
            self.by_age.extend(first.map(|entry| (entry.ms, producer.clone())));
        }
        if first.is_none() {
            self.by_name.remove(producer);
        }
        result
    }

    /// Forgets the names that are too old, up to the first of each producer that is not.
    fn forget_old(&mut self, now_ms: i64) {
        let limits = self.limits;
        while let Some((ms, producer)) = self.by_age.first()
            && limits.is_old(StreamId::new(*ms, 0), now_ms)
        {
            self.change(&producer.clone(), |names| {
                while names.first().is_some_and(|entry| limits.is_old(entry, now_ms)) {
                    names.forget_first();
                }
            });
        }
    }

    /// Returns the memory that the producers and their names take in Redis.
    pub(crate) fn memory(&self) -> usize {
        self.bytes
    }

    /// Returns how many producers, and how many names, are known as of this time. O(n) in the
    /// number of names.
    pub(crate) fn known(&self, now_ms: i64) -> (usize, usize) {
        let of_each = self.by_name.values();
        let of_each =
            of_each.map(|names| names.names().filter(|(_, id)| !self.limits.is_old(*id, now_ms)));
        of_each.map(Iterator::count).filter(|n| *n > 0).fold((0, 0), |(p, n), of| (p + 1, n + of))
    }

    /// Number of producers, those included whose names are too old.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Returns the producers in order, each with how many names it has, and those.
    pub(crate) fn iter(
        &self,
    ) -> impl Iterator<Item = (&Sds, usize, impl Iterator<Item = (&Sds, StreamId)>)> {
        self.by_name.iter().map(|(name, names)| (name, names.order.len(), names.names()))
    }

    /// Checks that names are in order. Returns what is wrong otherwise.
    pub(super) fn check_invariants(&self) -> Result<(), String> {
        let mut memory = 0;
        for (producer, names) in &self.by_name {
            let found = names.names().filter(|(name, id)| names.find(name) == Some(*id)).count();
            ensure(found == names.numbers.len() && found == names.order.len(), || {
                format!("producer {producer} has {} names, {found} in order", names.numbers.len())
            })?;
            let aged = names.first().map(|entry| (entry.ms, producer.clone()));
            ensure(aged.is_some_and(|aged| self.by_age.contains(&aged)), || {
                format!("producer {producer} has no age")
            })?;
            memory += names.memory();
        }
        ensure(self.by_age.len() == self.by_name.len(), || "a producer has two ages".to_owned())?;
        ensure(memory == self.bytes, || format!("producers take {memory} bytes"))?;
        Ok(())
    }
}
