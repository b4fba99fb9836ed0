//! Iteration over a rank tree, from both ends.

use super::RankTree;
use super::node::{Entry, Leaf};
use std::iter::FusedIterator;
use std::ops::Range;

/// The entries of a range of ranks, from both ends.
#[derive(Clone)]
pub(in super::super) struct Entries<'a> {
    pub(super) tree: &'a RankTree,
    pub(super) ranks: Range<usize>,
    /// Next position from the front, once known.
    pub(super) front: Option<Cursor<'a>>,
    /// Position after the next from the back, once known.
    pub(super) back: Option<Cursor<'a>>,
}

#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) leaf: &'a Leaf,
    pub(super) at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a Entry;

    #[inline]
    fn next(&mut self) -> Option<&'a Entry> {
        let rank = self.ranks.next()?;
        let Cursor { mut leaf, mut at } = self.front.unwrap_or_else(|| self.tree.seek(rank));
        if at == leaf.entries.len() {
            (leaf, at) = (self.tree.leaves.at(leaf.next), 0);
        }
        self.front = Some(Cursor { leaf, at: at + 1 });
        Some(&leaf.entries[at])
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }
}

impl<'a> DoubleEndedIterator for Entries<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<&'a Entry> {
        let rank = self.ranks.next_back()?;
        let Cursor { mut leaf, mut at } = self.back.unwrap_or_else(|| {
            let Cursor { leaf, at } = self.tree.seek(rank);
            Cursor { leaf, at: at + 1 }
        });
        if at == 0 {
            leaf = self.tree.leaves.at(leaf.prev);
            at = leaf.entries.len();
        }
        self.back = Some(Cursor { leaf, at: at - 1 });
        Some(&leaf.entries[at - 1])
    }
}

impl ExactSizeIterator for Entries<'_> {}
impl FusedIterator for Entries<'_> {}
