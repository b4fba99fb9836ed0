//! The order of a sorted set: a B+-tree whose inner nodes count the entries below them.
//!
//! All entries lie in *leaves*, in order by score and then by member. The leaves are linked both
//! ways, so walking needs no path. An *inner* node has its children, the number of entries below
//! each, and between two children a *separator*: greater than every entry to its left, and not
//! greater than any to its right. The counts give the rank of an entry on the way down to it, and
//! the entry of a rank.
//!
//! ```text
//!            inner   5 | (3.0,c) | 4
//!                   /                \
//!   leaf  (1,x)(1,y)(2,a)(2,b)(2,c)  (3,c)(4,a)(4,z)(9,b)   each with prev, next
//! ```
//!
//! Leaves hold [`LEAF_MIN`] to [`LEAF_MAX`] entries, and inner nodes have [`FANOUT_MIN`] to
//! [`FANOUT_MAX`] children, except for the root. All leaves are equally deep. Nodes lie in two
//! arenas and are named by their index there; the height determines which arena an id belongs to.
//!
//! The alternative was a flat list of chunks of up to 256 entries with a Fenwick tree over their
//! lengths. Both were measured with a million members that were also put into a map; nanoseconds,
//! mean of two runs:
//!
//! | | list | tree |
//! |---|---|---|
//! | insertion | 950 | 890 |
//! | insertion, all scores equal | 1350 | 1070 |
//! | rank | 600 | 630 |
//! | rank, all scores equal | 825 | 790 |
//! | pop the lowest, insert it higher | 250 | 165 |
//! | a hundred entries from a rank | 490 | 1100 |
//!
//! The list reads ranges faster, but each of its splits is O(n / 256). The tree inserts as fast as
//! a bare `BTreeSet` (805, and 1030 with equal scores). Leaves of 32 entries read ranges two fifths
//! slower, leaves of 128 a quarter faster; insertion hardly differed. `benches/redis_sorted_set.rs`
//! keeps the comparison with the `BTreeSet`.
//!
//! An entry owns its member, a second copy beside the map's. An index into the map would be
//! smaller, but a comparison by members alone would then miss the cache every time, and every
//! removal would have to correct the index of another entry.

mod arena;
mod check;
mod iter;
mod node;

use crate::redis::value::score::Score;
pub(super) use iter::Entries;
pub(super) use node::Entry;

use arena::Arena;
use iter::Cursor;
use node::{
    Child, FANOUT_MAX, FANOUT_MIN, Inner, LEAF_MAX, LEAF_MIN, Leaf, NONE, Split, count, leading,
};
use std::fmt;
use std::ops::Range;

/// See the module.
#[derive(Clone)]
pub(super) struct RankTree {
    leaves: Arena<Leaf>,
    inners: Arena<Inner>,
    root: u32,
    /// Number of inner nodes above each leaf.
    height: u32,
    len: usize,
}

/// The target of a search: a known entry, or the one at a rank.
#[derive(Clone, Copy)]
enum Target<'a> {
    Key(Score, &'a [u8]),
    Rank(usize),
}

impl RankTree {
    /// Returns an empty tree: a single leaf.
    pub(super) fn new() -> RankTree {
        let mut leaves = Arena::new();
        let root = leaves.add(Leaf { entries: Vec::new(), prev: NONE, next: NONE });
        RankTree { leaves, inners: Arena::new(), root, height: 0, len: 0 }
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of leading entries for which `holds` is true. It must be true for all
    /// entries before some position, and false for all after it. O(log n).
    pub(super) fn partition_point(&self, holds: impl Fn(&Entry) -> bool) -> usize {
        self.partition(holds).0
    }

    /// Returns the entries after the leading ones for which `holds` is true, which is as in
    /// [`partition_point`](RankTree::partition_point). O(log n) for the first.
    pub(super) fn after(&self, holds: impl Fn(&Entry) -> bool) -> Entries<'_> {
        let (rank, front) = self.partition(holds);
        Entries { tree: self, ranks: rank..self.len, front: Some(front), back: None }
    }

    /// Returns the number of leading entries for which `holds` is true, and the place after them:
    /// in a leaf, or at the end of one.
    #[inline]
    fn partition(&self, holds: impl Fn(&Entry) -> bool) -> (usize, Cursor<'_>) {
        let (mut node, mut rank) = (self.root, 0);
        for _ in 0..self.height {
            let inner = self.inners.at(node);
            let child = leading(&inner.separators, &holds);
            rank += count(&inner.children[..child]);
            node = inner.children[child].id;
        }
        let leaf = self.leaves.at(node);
        let at = leading(&leaf.entries, holds);
        (rank + at, Cursor { leaf, at })
    }

    /// Returns the entry at this rank, which must exist. O(log n).
    pub(super) fn select(&self, rank: usize) -> &Entry {
        let cursor = self.seek(rank);
        &cursor.leaf.entries[cursor.at]
    }

    /// Returns the entries of these ranks, which must exist. O(log n) for the first from either
    /// end, O(1) for each further one.
    pub(super) fn range(&self, ranks: Range<usize>) -> Entries<'_> {
        debug_assert!(ranks.end <= self.len);
        Entries { tree: self, ranks, front: None, back: None }
    }

    /// Adds an entry that is not in the tree. O(log n).
    pub(super) fn insert(&mut self, entry: Entry) {
        self.len += 1;
        if let Some(Split { separator, right }) = self.insert_below(self.root, self.height, entry) {
            let left = Child { id: self.root, count: self.len as u32 - right.count };
            self.root =
                self.inners.add(Inner { separators: vec![separator], children: vec![left, right] });
            self.height += 1;
        }
    }

    /// Removes an entry that is in the tree. O(log n).
    pub(super) fn remove(&mut self, score: Score, member: &[u8]) -> Entry {
        self.remove_target(Target::Key(score, member))
    }

    /// Removes the entry at this rank, which must exist. O(log n).
    pub(super) fn remove_at(&mut self, rank: usize) -> Entry {
        self.remove_target(Target::Rank(rank))
    }

    fn seek(&self, mut rank: usize) -> Cursor<'_> {
        let mut node = self.root;
        for _ in 0..self.height {
            let inner = self.inners.at(node);
            let child = inner.child_of_rank(&mut rank);
            node = inner.children[child].id;
        }
        Cursor { leaf: self.leaves.at(node), at: rank }
    }

    fn insert_below(&mut self, node: u32, height: u32, entry: Entry) -> Option<Split> {
        if height == 0 {
            return self.insert_into_leaf(node, entry);
        }
        let inner = self.inners.at_mut(node);
        let at = inner.child_of_key(entry.score, &entry.member);
        inner.children[at].count += 1;
        let child = inner.children[at].id;
        let split = self.insert_below(child, height - 1, entry)?;
        let inner = self.inners.at_mut(node);
        inner.enter(at, split);
        (inner.children.len() > FANOUT_MAX).then(|| self.split_inner(node))
    }

    fn insert_into_leaf(&mut self, node: u32, entry: Entry) -> Option<Split> {
        let leaf = self.leaves.at_mut(node);
        let at = leaf.position(entry.score, &entry.member);
        if leaf.entries.len() < LEAF_MAX {
            leaf.insert(at, entry);
            return None;
        }
        // Scores that only rise, such as time stamps, never return to the left half.
        let rising = at == LEAF_MAX && leaf.next == NONE;
        let keep = if rising { LEAF_MAX - LEAF_MIN } else { LEAF_MAX / 2 };
        let mut split = self.split_leaf(node, keep);
        if at <= keep && !rising {
            self.leaves.at_mut(node).insert(at, entry);
        } else {
            self.leaves.at_mut(split.right.id).insert(at - keep, entry);
            split.right.count += 1;
        }
        Some(split)
    }

    fn split_leaf(&mut self, node: u32, keep: usize) -> Split {
        let leaf = self.leaves.at_mut(node);
        let entries = leaf.entries.split_off(keep);
        let next = leaf.next;
        let separator = entries[0].clone();
        let count = entries.len() as u32;
        let id = self.leaves.add(Leaf { entries, prev: node, next });
        self.leaves.at_mut(node).next = id;
        if next != NONE {
            self.leaves.at_mut(next).prev = id;
        }
        Split { separator, right: Child { id, count } }
    }

    fn split_inner(&mut self, node: u32) -> Split {
        let inner = self.inners.at_mut(node);
        let half = inner.children.len() / 2;
        let children = inner.children.split_off(half);
        let separators = inner.separators.split_off(half);
        let separator = inner.separators.pop().expect("a separator stands before the middle child");
        let count = count(&children) as u32;
        let id = self.inners.add(Inner { separators, children });
        Split { separator, right: Child { id, count } }
    }

    fn remove_target(&mut self, target: Target<'_>) -> Entry {
        self.len -= 1;
        let entry = self.remove_below(self.root, self.height, target);
        if self.height > 0 && self.inners.at(self.root).children.len() == 1 {
            self.root = self.inners.remove(self.root).children[0].id;
            self.height -= 1;
        }
        entry
    }

    fn remove_below(&mut self, node: u32, height: u32, mut target: Target<'_>) -> Entry {
        if height == 0 {
            let leaf = self.leaves.at_mut(node);
            let at = match target {
                Target::Key(score, member) => leaf.position(score, member),
                Target::Rank(rank) => rank,
            };
            return leaf.entries.remove(at);
        }
        let inner = self.inners.at_mut(node);
        let at = match &mut target {
            Target::Key(score, member) => inner.child_of_key(*score, member),
            Target::Rank(rank) => inner.child_of_rank(rank),
        };
        inner.children[at].count -= 1;
        let child = inner.children[at].id;
        let entry = self.remove_below(child, height - 1, target);
        let underfull = if height == 1 {
            self.leaves.at(child).entries.len() < LEAF_MIN
        } else {
            self.inners.at(child).children.len() < FANOUT_MIN
        };
        if underfull {
            self.refill(node, height, at.saturating_sub(1));
        }
        entry
    }

    /// Joins the children at `left` and `left + 1`, and splits them evenly if that is too many. A
    /// joined node keeps a quarter free, so that the next insertions do not split it again.
    fn refill(&mut self, node: u32, height: u32, left: usize) {
        let inner = self.inners.at_mut(node);
        let separator = inner.separators.remove(left);
        let right = inner.children.remove(left + 1);
        let kept = &mut inner.children[left];
        kept.count += right.count;
        let kept = kept.id;
        let split = if height == 1 {
            self.join_leaves(kept, right.id);
            let len = self.leaves.at(kept).entries.len();
            (len > LEAF_MAX - LEAF_MIN).then(|| {
                let split = self.split_leaf(kept, len / 2);
                self.leaves.at_mut(kept).entries.shrink_to(LEAF_MAX);
                split
            })
        } else {
            let Inner { separators, children } = self.inners.remove(right.id);
            let joined = self.inners.at_mut(kept);
            joined.separators.push(separator);
            joined.separators.extend(separators);
            joined.children.extend(children);
            (joined.children.len() > FANOUT_MAX - FANOUT_MIN).then(|| self.split_inner(kept))
        };
        if let Some(split) = split {
            self.inners.at_mut(node).enter(left, split);
        }
    }

    fn join_leaves(&mut self, left: u32, right: u32) {
        let Leaf { entries, next, .. } = self.leaves.remove(right);
        let leaf = self.leaves.at_mut(left);
        leaf.entries.reserve_exact(entries.len());
        leaf.entries.extend(entries);
        leaf.next = next;
        if next != NONE {
            self.leaves.at_mut(next).prev = left;
        }
    }
}

/// Shows the entries in order.
impl fmt::Debug for RankTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.range(0..self.len).map(|entry| (&entry.member, entry.score));
        f.debug_map().entries(entries).finish()
    }
}

#[cfg(test)]
mod tests;
