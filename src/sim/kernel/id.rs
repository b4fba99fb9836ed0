//! Ids: the numbers with which the world's tables refer to each other's entries.
//!
//! Each kind has its own type, and only the table of that kind creates ids. An id has no meaning in
//! another world.

/// The number of a node, in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

/// The number of a link, in order of first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LinkId(pub(crate) u32);

/// A task of the world. The generation distinguishes it from earlier tasks in the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TaskId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl TaskId {
    /// Returns both halves as one number: the task's name in traces and choices.
    pub(crate) fn number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }
}
