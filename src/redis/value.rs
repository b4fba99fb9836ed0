//! The data structures behind the keys, each public in its own right.

mod rank_tree;
mod sorted_set;

pub use sorted_set::{LexBound, SortedSet, SortedSetEncoding, SortedSetIter};

/// Up to where Redis keeps a small hash or sorted set as one flat *listpack*.
/// Here the encoding is only told, by `OBJECT ENCODING`; nothing is stored so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListpackLimits {
    /// The most entries a listpack holds.
    pub max_entries: usize,
    /// The most bytes a member, field or value in a listpack has.
    pub max_value: usize,
}
