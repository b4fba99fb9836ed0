//! The order of a sorted set: a B+-tree whose inner nodes count what lies below.
//!
//! All entries lie in *leaves*, in order by score and then by member; the leaves
//! are linked both ways, so walking needs no path. An *inner* node holds its
//! children, the number of entries below each, and between two children a
//! *separator*: above every entry to its left, not above any to its right. The
//! counts give the rank of a place on the way down to it, and the place of a rank.
//!
//! ```text
//!            inner   5 | (3.0,c) | 4
//!                   /                \
//!   leaf  (1,x)(1,y)(2,a)(2,b)(2,c)  (3,c)(4,a)(4,z)(9,b)   each with prev, next
//! ```
//!
//! Invariants: leaves hold [`LEAF_MIN`] to [`LEAF_MAX`] entries and inner nodes
//! [`FANOUT_MIN`] to [`FANOUT_MAX`] children, the root excepted; all leaves are
//! equally deep. Nodes lie in two arenas and are named by their index there; what
//! kind an id names follows from the height.
//!
//! Measured beside it, with a million members each also put into a map, was a flat
//! list of chunks of up to 256 entries with a Fenwick tree over their lengths. In
//! the mean of two runs, in nanoseconds, list and tree: insertion 950 and 890
//! (1350 and 1070 where all scores are equal), rank 600 and 630 (825 and 790),
//! the lowest popped and put back higher 250 and 165, a hundred entries from a
//! rank 490 and 1100. The list reads ranges faster, but every split in it costs
//! O(n / 256); the tree inserts as the bare `BTreeSet` does (805, and 1030).
//! Leaves of 32 entries read ranges some two fifths slower and those of 128 some
//! quarter faster; insertion differed by little more than the noise. `benches/redis_sorted_set.rs` keeps the comparison with the `BTreeSet`.
//!
//! An entry owns its member, a second copy beside the map's. An index into the map
//! would be smaller, but an order by members alone would then miss the cache at
//! every comparison, and every removal would have to mend the index of another.

use crate::redis::Sds;
use ordered_float::NotNan;
use std::cmp::Ordering;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::Range;

const LEAF_MAX: usize = 64;
const LEAF_MIN: usize = LEAF_MAX / 4;
const FANOUT_MAX: usize = 32;
const FANOUT_MIN: usize = FANOUT_MAX / 4;

/// The id of no leaf.
const NONE: u32 = u32::MAX;

/// A score, in the order of numbers: -0.0 equals 0.0.
pub(super) type Score = NotNan<f64>;

/// A member beside its score.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) score: Score,
    pub(super) member: Sds,
}

impl Entry {
    /// Where this lies as seen from there.
    pub(super) fn order(&self, score: Score, member: &[u8]) -> Ordering {
        self.score.cmp(&score).then_with(|| compare(&self.member, member))
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct RankTree {
    leaves: Arena<Leaf>,
    inners: Arena<Inner>,
    root: u32,
    /// How many inner nodes lie above each leaf.
    height: u32,
    len: usize,
}

#[derive(Clone)]
struct Leaf {
    entries: Vec<Entry>,
    prev: u32,
    next: u32,
}

#[derive(Clone)]
struct Inner {
    /// One fewer than children; `separators[i]` stands before `children[i + 1]`.
    separators: Vec<Entry>,
    children: Vec<Child>,
}

#[derive(Clone, Copy)]
struct Child {
    id: u32,
    count: u32,
}

/// A new right neighbour, to be entered in the parent.
struct Split {
    separator: Entry,
    right: Child,
}

/// What is looked for: a known entry, or the one at a rank.
#[derive(Clone, Copy)]
enum Target<'a> {
    Key(Score, &'a [u8]),
    Rank(usize),
}

impl RankTree {
    /// An empty one; it is a single leaf.
    pub(super) fn new() -> RankTree {
        let mut leaves = Arena::new();
        let root = leaves.add(Leaf { entries: Vec::new(), prev: NONE, next: NONE });
        RankTree { leaves, inners: Arena::new(), root, height: 0, len: 0 }
    }

    /// How many entries lead the order for which this holds; it must hold for all
    /// before some place and for none after. O(log n).
    pub(super) fn partition_point(&self, holds: impl Fn(&Entry) -> bool) -> usize {
        let (mut node, mut rank) = (self.root, 0);
        for _ in 0..self.height {
            let inner = self.inners.at(node);
            let child = leading(&inner.separators, &holds);
            rank += count(&inner.children[..child]);
            node = inner.children[child].id;
        }
        rank + leading(&self.leaves.at(node).entries, holds)
    }

    /// The entry at this rank, which must exist. O(log n).
    pub(super) fn select(&self, rank: usize) -> &Entry {
        let cursor = self.seek(rank);
        &cursor.leaf.entries[cursor.at]
    }

    /// The entries of these ranks, which must exist. O(log n) for the first from
    /// either end, O(1) for each further one.
    pub(super) fn range(&self, ranks: Range<usize>) -> Entries<'_> {
        debug_assert!(ranks.end <= self.len);
        Entries { tree: self, ranks, front: None, back: None }
    }

    /// Adds an entry that is not here yet. O(log n).
    pub(super) fn insert(&mut self, entry: Entry) {
        self.len += 1;
        if let Some(Split { separator, right }) = self.insert_below(self.root, self.height, entry) {
            let left = Child { id: self.root, count: self.len as u32 - right.count };
            self.root =
                self.inners.add(Inner { separators: vec![separator], children: vec![left, right] });
            self.height += 1;
        }
    }

    /// Takes out an entry that is here. O(log n).
    pub(super) fn remove(&mut self, score: Score, member: &[u8]) -> Entry {
        self.remove_target(Target::Key(score, member))
    }

    /// Takes out the entry at this rank, which must exist. O(log n).
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
        // Scores that only rise, as time stamps do, never come back to the left half.
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
        let separator = inner.separators.pop().expect("one stands before the middle child");
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

    /// Joins the children at `left` and `left + 1`, and parts them evenly if that
    /// is too many. A joined node keeps a quarter free, lest a few insertions split
    /// it again.
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

/// The entries alone, in order.
impl fmt::Debug for RankTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.range(0..self.len).map(|entry| (&entry.member, entry.score));
        f.debug_map().entries(entries).finish()
    }
}

impl Leaf {
    /// Adds an entry to a leaf that is not full, with room for no more than a leaf
    /// may hold.
    fn insert(&mut self, at: usize, entry: Entry) {
        let len = self.entries.len();
        if len == self.entries.capacity() {
            self.entries.reserve_exact((2 * len).clamp(4, LEAF_MAX) - len);
        }
        self.entries.insert(at, entry);
    }

    /// Where this is, or would go.
    fn position(&self, score: Score, member: &[u8]) -> usize {
        leading(&self.entries, |entry| entry.order(score, member) == Ordering::Less)
    }
}

impl Inner {
    /// Below which child this is, or would go.
    fn child_of_key(&self, score: Score, member: &[u8]) -> usize {
        leading(&self.separators, |entry| entry.order(score, member) != Ordering::Greater)
    }

    /// Below which child this rank is; leaves in it the rank among that child's.
    fn child_of_rank(&self, rank: &mut usize) -> usize {
        for (at, child) in self.children.iter().enumerate() {
            if *rank < child.count as usize {
                return at;
            }
            *rank -= child.count as usize;
        }
        unreachable!("the rank exists")
    }

    /// Makes room for what the child at `at` split off.
    fn enter(&mut self, at: usize, Split { separator, right }: Split) {
        self.children[at].count -= right.count;
        self.children.insert(at + 1, right);
        self.separators.insert(at, separator);
    }
}

/// As `memcmp`, but mostly decided by the first word without calling it.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    if let (Some(a), Some(b)) = (one.first_chunk(), other.first_chunk()) {
        let (a, b) = (u64::from_be_bytes(*a), u64::from_be_bytes(*b));
        if a != b {
            return a.cmp(&b);
        }
    }
    one.cmp(other)
}

/// How many entries lead for which this holds.
///
/// The standard `partition_point` waits for every probe before it chooses the
/// next. A node is seldom in the cache; branches let the processor guess and load
/// ahead, which made finding a rank among a million a quarter faster, and a third
/// where all scores are equal.
fn leading(entries: &[Entry], holds: impl Fn(&Entry) -> bool) -> usize {
    let (mut low, mut high) = (0, entries.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if holds(&entries[middle]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn count(children: &[Child]) -> usize {
    children.iter().map(|child| child.count as usize).sum()
}

/// The entries of a range of ranks, from both ends.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    tree: &'a RankTree,
    ranks: Range<usize>,
    /// The next place from the front, once sought.
    front: Option<Cursor<'a>>,
    /// The place after the next from the back, once sought.
    back: Option<Cursor<'a>>,
}

#[derive(Clone, Copy)]
struct Cursor<'a> {
    leaf: &'a Leaf,
    at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a Entry;

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

/// Nodes by id; ids of removed ones are used again.
#[derive(Clone)]
struct Arena<T> {
    nodes: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    fn new() -> Arena<T> {
        Arena { nodes: Vec::new(), free: Vec::new() }
    }

    fn add(&mut self, node: T) -> u32 {
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = Some(node);
            return id;
        }
        // Most trees are one leaf; `push` would make room for four.
        if self.nodes.is_empty() {
            self.nodes.reserve_exact(1);
        }
        self.nodes.push(Some(node));
        (self.nodes.len() - 1) as u32
    }

    fn remove(&mut self, id: u32) -> T {
        self.free.push(id);
        self.nodes[id as usize].take().expect("ids in the tree name live nodes")
    }

    fn at(&self, id: u32) -> &T {
        self.nodes[id as usize].as_ref().expect("ids in the tree name live nodes")
    }

    fn at_mut(&mut self, id: u32) -> &mut T {
        self.nodes[id as usize].as_mut().expect("ids in the tree name live nodes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl RankTree {
        /// Every invariant the module states.
        pub(in super::super) fn check(&self) {
            let mut leaves = Vec::new();
            assert_eq!(self.check_below(self.root, self.height, None, None, &mut leaves), self.len);
            assert_eq!(leaves.len(), self.leaves.live());
            let ids = || leaves.iter().copied();
            let prev: Vec<u32> = ids().map(|id| self.leaves.at(id).prev).collect();
            let next: Vec<u32> = ids().map(|id| self.leaves.at(id).next).collect();
            assert!(prev.into_iter().eq([NONE].into_iter().chain(ids()).take(leaves.len())));
            assert!(next.into_iter().eq(ids().skip(1).chain([NONE])));
            let ordered = |(a, b): (&Entry, &Entry)| a.order(b.score, &b.member).is_lt();
            let later = self.range(0..self.len).skip(1);
            assert!(self.range(0..self.len).zip(later).all(ordered));
        }

        fn check_below(
            &self,
            node: u32,
            height: u32,
            low: Option<&Entry>,
            high: Option<&Entry>,
            leaves: &mut Vec<u32>,
        ) -> usize {
            let root = node == self.root && height == self.height;
            if height == 0 {
                let entries = &self.leaves.at(node).entries;
                assert!(entries.len() <= LEAF_MAX && entries.capacity() <= LEAF_MAX);
                assert!(root || entries.len() >= LEAF_MIN);
                for entry in entries {
                    assert!(low.is_none_or(|low| low.order(entry.score, &entry.member).is_le()));
                    assert!(high.is_none_or(|high| high.order(entry.score, &entry.member).is_gt()));
                }
                leaves.push(node);
                return entries.len();
            }
            let Inner { separators, children } = self.inners.at(node);
            let fewest = if root { 2 } else { FANOUT_MIN };
            assert!((fewest..=FANOUT_MAX).contains(&children.len()));
            assert_eq!(separators.len() + 1, children.len());
            for (at, child) in children.iter().enumerate() {
                let low = if at == 0 { low } else { Some(&separators[at - 1]) };
                let high = separators.get(at).or(high);
                let below = self.check_below(child.id, height - 1, low, high, leaves);
                assert_eq!(below, child.count as usize);
            }
            count(children)
        }
    }

    impl<T> Arena<T> {
        fn live(&self) -> usize {
            let live = self.nodes.iter().flatten().count();
            assert_eq!(live + self.free.len(), self.nodes.len());
            live
        }
    }

    const MANY: usize = 20_000;

    fn entry(n: usize) -> Entry {
        // Three to a score, so that members decide too.
        Entry { score: Score::from((n / 3) as u32), member: Sds::from(format!("{n:08}")) }
    }

    fn tree_of(numbers: impl Iterator<Item = usize>) -> RankTree {
        let mut tree = RankTree::new();
        for (step, n) in numbers.enumerate() {
            tree.insert(entry(n));
            if step.is_multiple_of(501) {
                tree.check();
            }
        }
        tree.check();
        tree
    }

    /// Each number once, far from in order.
    fn scattered() -> impl Iterator<Item = usize> {
        (0..MANY).map(|n| n * 7_919 % MANY)
    }

    fn assert_holds(tree: &RankTree, numbers: Range<usize>) {
        let members = tree.range(0..tree.len).map(|entry| entry.member.to_string());
        assert!(members.eq(numbers.map(|n| format!("{n:08}"))));
    }

    #[test]
    fn it_grows_from_any_side() {
        for tree in [tree_of(0..MANY), tree_of((0..MANY).rev()), tree_of(scattered())] {
            assert_holds(&tree, 0..MANY);
            assert!(tree.height >= 2);
            for rank in 0..MANY {
                let Entry { score, member } = entry(rank);
                assert_eq!(tree.select(rank).member, member);
                assert_eq!(tree.partition_point(|e| e.order(score, &member).is_lt()), rank);
            }
        }
    }

    #[test]
    fn rising_entries_fill_their_leaves() {
        let leaves = tree_of(0..MANY).leaves.live();
        assert!(MANY / leaves >= LEAF_MAX - LEAF_MIN - 1);
    }

    #[test]
    fn it_shrinks_from_any_side() {
        let full = tree_of(scattered());
        let at_the_end = |tree: &RankTree| tree.len - 1;
        let amid = |tree: &RankTree| tree.len / 2;
        for rank in [|_: &RankTree| 0, at_the_end, amid] {
            let mut tree = full.clone();
            while tree.len > 0 {
                let rank = rank(&tree);
                let expected = tree.select(rank).member.clone();
                assert_eq!(tree.remove_at(rank).member, expected);
                if tree.len.is_multiple_of(501) || tree.len < 70 {
                    tree.check();
                }
            }
            assert_eq!((tree.leaves.live(), tree.inners.live(), tree.height), (1, 0, 0));
        }
    }

    #[test]
    fn it_shrinks_by_key_and_grows_again_in_the_same_places() {
        let mut tree = tree_of(scattered());
        let nodes = tree.leaves.nodes.len();
        for n in scattered().take(MANY - 5) {
            let Entry { score, member } = entry(n);
            assert_eq!(tree.remove(score, &member).member, member);
            if n.is_multiple_of(301) {
                tree.check();
            }
        }
        tree.check();
        for n in scattered().take(MANY - 5) {
            tree.insert(entry(n));
        }
        tree.check();
        assert_holds(&tree, 0..MANY);
        assert!(tree.leaves.nodes.len() <= nodes + nodes / 4);
    }

    #[test]
    fn a_range_is_walked_from_both_ends_at_once() {
        let tree = tree_of(scattered());
        for (start, end) in [(0, 0), (7, 7), (0, 1), (60, 70), (1_000, 5_001), (0, MANY)] {
            let mut range = tree.range(start..end);
            let (mut low, mut high) = (start, end);
            while low < high {
                assert_eq!(range.len(), high - low);
                assert_eq!(range.next().expect("one is left").member, entry(low).member);
                low += 1;
                if low < high {
                    high -= 1;
                    assert_eq!(range.next_back().expect("one is left").member, entry(high).member);
                }
            }
            assert!(range.next().is_none() && range.next_back().is_none());
        }
    }
}
