//! Ids: the numbers by which the world's tables speak of each other's entries.
//!
//! Each kind has its own type, and only the table that gives out a kind makes
//! one. An id means nothing in another world.

/// The number of a node, in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

/// The number of a link, in order of first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LinkId(pub(crate) u32);

/// A task of the world. The generation tells it from the others that had its
/// slot before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TaskId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl TaskId {
    /// One number for both halves: what traces and choices call the task.
    pub(crate) fn number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }
}
