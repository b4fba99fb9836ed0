//! The policies by which keys are evicted.

use std::fmt;

/// The choice of keys that the server removes when its memory reaches the limit
/// (`maxmemory-policy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EvictionPolicy {
    /// `noeviction`: none. Commands that may need memory are refused with `OOM`.
    #[default]
    NoEviction,
    /// `allkeys-lru`: keys that were not used for long.
    AllKeysLru,
    /// `allkeys-lfu`: keys that are rarely used.
    AllKeysLfu,
    /// `allkeys-lrm`: keys that were not written for long. Since Redis 8.6.
    AllKeysLrm,
    /// `allkeys-random`: any key.
    AllKeysRandom,
    /// `volatile-lru`: of the keys with a time to live, those that were not used for long.
    VolatileLru,
    /// `volatile-lfu`: of the keys with a time to live, those that are rarely used.
    VolatileLfu,
    /// `volatile-lrm`: of the keys with a time to live, those that were not written for long. Since
    /// Redis 8.6.
    VolatileLrm,
    /// `volatile-random`: any key with a time to live.
    VolatileRandom,
    /// `volatile-ttl`: the keys that expire next.
    VolatileTtl,
}

/// All policies with their names.
const NAMES: [(EvictionPolicy, &str); 10] = [
    (EvictionPolicy::NoEviction, "noeviction"),
    (EvictionPolicy::AllKeysLru, "allkeys-lru"),
    (EvictionPolicy::AllKeysLfu, "allkeys-lfu"),
    (EvictionPolicy::AllKeysLrm, "allkeys-lrm"),
    (EvictionPolicy::AllKeysRandom, "allkeys-random"),
    (EvictionPolicy::VolatileLru, "volatile-lru"),
    (EvictionPolicy::VolatileLfu, "volatile-lfu"),
    (EvictionPolicy::VolatileLrm, "volatile-lrm"),
    (EvictionPolicy::VolatileRandom, "volatile-random"),
    (EvictionPolicy::VolatileTtl, "volatile-ttl"),
];

impl EvictionPolicy {
    /// Returns the policy with this name.
    pub(crate) fn named(name: &str) -> Option<EvictionPolicy> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(policy, _)| *policy)
    }

    /// Returns the name, as `CONFIG GET maxmemory-policy` shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(policy, _)| *policy == self).map_or("noeviction", |(_, name)| name)
    }

    /// Returns whether it only removes keys with a time to live.
    pub(crate) fn is_volatile(self) -> bool {
        use EvictionPolicy::*;
        match self {
            VolatileLru | VolatileLfu | VolatileLrm | VolatileRandom | VolatileTtl => true,
            NoEviction | AllKeysLru | AllKeysLfu | AllKeysLrm | AllKeysRandom => false,
        }
    }

    /// Returns whether it depends on how often keys are used.
    pub(crate) fn counts_uses(self) -> bool {
        matches!(self, EvictionPolicy::AllKeysLfu | EvictionPolicy::VolatileLfu)
    }

    /// Returns whether only writes are uses.
    #[inline]
    pub(crate) fn counts_writes(self) -> bool {
        matches!(self, EvictionPolicy::AllKeysLrm | EvictionPolicy::VolatileLrm)
    }

    /// Returns whether it removes keys at random.
    pub(crate) fn is_random(self) -> bool {
        matches!(self, EvictionPolicy::AllKeysRandom | EvictionPolicy::VolatileRandom)
    }

    /// Returns whether it needs a clock for each value, so that no value is shared by keys.
    pub(crate) fn ages_values(self) -> bool {
        matches!(self, EvictionPolicy::AllKeysLru | EvictionPolicy::VolatileLru)
            || self.counts_uses()
            || self.counts_writes()
    }
}

impl fmt::Display for EvictionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
