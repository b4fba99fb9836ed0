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
//! Source: <https://redis.io/docs/latest/develop/data-types/streams/idempotency>, and experiments
//! with the server.

use super::StreamId;
use crate::invariant::ensure;
use crate::redis::value::Sds;
use std::collections::{BTreeMap, VecDeque};
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

/// The names that one producer has given, with the entries that they belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Producer {
    order: VecDeque<Sds>,
    entries: BTreeMap<Sds, StreamId>,
}

impl Producer {
    fn forget_first(&mut self) {
        if let Some(name) = self.order.pop_front() {
            self.entries.remove(&name);
        }
    }

    /// Returns the names with their entries, the oldest first.
    fn names(&self) -> impl Iterator<Item = (&Sds, StreamId)> {
        self.order.iter().filter_map(|name| Some((name, *self.entries.get(name)?)))
    }
}

/// The producers of a stream; see the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producers {
    limits: ProducerLimits,
    by_name: BTreeMap<Sds, Producer>,
    /// Number of names that were ever added.
    pub(crate) added: u64,
    /// Number of messages that came again.
    pub(crate) duplicates: u64,
}

/// Of a stream that knows nothing.
pub(super) static NONE: Producers =
    Producers { limits: ProducerLimits::USUAL, by_name: BTreeMap::new(), added: 0, duplicates: 0 };

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
        self.by_name.clear();
        self.limits = limits;
    }

    /// Returns the entry that a producer has added under this name, as of this time. Without one,
    /// names do not age.
    pub(crate) fn find(
        &self,
        producer: &[u8],
        name: &[u8],
        now_ms: Option<i64>,
    ) -> Option<StreamId> {
        let entry = *self.by_name.get(producer)?.entries.get(name)?;
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
        let names = self.by_name.entry(Sds::new(producer)).or_default();
        if names.entries.insert(Sds::new(name), entry).is_some() {
            names.order.retain(|known| known.as_slice() != name);
            names.order.push_back(Sds::new(name));
            return false;
        }
        names.order.push_back(Sds::new(name));
        if names.order.len() as u64 > self.limits.max_size {
            names.forget_first();
        }
        true
    }

    fn forget_old(&mut self, now_ms: i64) {
        let limits = self.limits;
        self.by_name.retain(|_, names| {
            while names.names().next().is_some_and(|(_, id)| limits.is_old(id, now_ms)) {
                names.forget_first();
            }
            !names.order.is_empty()
        });
    }

    /// Returns how many producers, and how many names, are known as of this time.
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
        for (producer, names) in &self.by_name {
            let (ordered, known) = (names.order.len(), names.entries.len());
            ensure(ordered == known && names.names().count() == known && known > 0, || {
                format!("producer {producer} has {known} names, {ordered} in order")
            })?;
        }
        Ok(())
    }
}
