//! Keys: how the parts of a broker point at each other.
//!
//! A queue points at its consumers, a consumer at its queue and channel, an unacknowledged message
//! at its queue. Each part stands in an [`Arena`] and is found by its [`Key`]. A key is a number
//! with a marker type, so that a file can name a part without importing it, and cannot mix two
//! kinds of key up.
//!
//! A key stays invalid forever once its value was removed, even when the slot is used again, so a
//! message may remember a queue that has been deleted.

pub(crate) mod arena;

pub(crate) use arena::{Arena, Stored};

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// Marker types: what a key is a key of.
pub(crate) mod marker {
    #[derive(Debug)]
    pub(crate) enum Queue {}

    #[derive(Debug)]
    pub(crate) enum Exchange {}

    #[derive(Debug)]
    pub(crate) enum Channel {}

    #[derive(Debug)]
    pub(crate) enum Consumer {}

    #[derive(Debug)]
    pub(crate) enum VHost {}
}

pub(crate) type QueueKey = Key<marker::Queue>;
pub(crate) type ExchangeKey = Key<marker::Exchange>;
pub(crate) type ChannelKey = Key<marker::Channel>;
pub(crate) type ConsumerKey = Key<marker::Consumer>;
pub(crate) type VHostKey = Key<marker::VHost>;

/// A place in an [`Arena`], of the values that the marker `M` stands for.
pub(crate) struct Key<M> {
    slot: u32,
    /// Counts from 1, so that an `Option` of a key takes no more room than the key.
    generation: NonZeroU32,
    of: PhantomData<fn() -> M>,
}

impl<M> Clone for Key<M> {
    fn clone(&self) -> Key<M> {
        *self
    }
}

impl<M> Copy for Key<M> {}

impl<M> PartialEq for Key<M> {
    fn eq(&self, other: &Key<M>) -> bool {
        self.packed() == other.packed()
    }
}

impl<M> Eq for Key<M> {}

impl<M> PartialOrd for Key<M> {
    fn partial_cmp(&self, other: &Key<M>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<M> Ord for Key<M> {
    fn cmp(&self, other: &Key<M>) -> Ordering {
        self.packed().cmp(&other.packed())
    }
}

impl<M> Hash for Key<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.packed());
    }
}

impl<M> fmt::Debug for Key<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

impl<M> Key<M> {
    fn packed(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.generation.get())
    }
}
