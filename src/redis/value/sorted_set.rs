//! Sorted sets: unique *members*, each with a *score*, in order by score and
//! then by the members' bytes.
//!
//! Every member is held twice, as in Redis: a map gives its score in O(1), and a
//! [`RankTree`] keeps the order and gives *ranks* (the first is 0) in O(log n).
//! The two hold the same members with the same scores; scores are never NaN. As
//! numbers compare, -0.0 equals 0.0, so neither replaces the other.
//!
//! A range by score or by member is first made a range of ranks
//! ([`SortedSet::rank_range_by_score`], [`SortedSet::rank_range_by_lex`]), which
//! can then be counted, walked both ways or drained.
//!
//! The map also gives each member an *index*, in no order that means anything.
//! A new member has the highest; removing one moves the highest into its place.
//! A member present all the while thus keeps or lowers its index, and a walk
//! down the indices misses none.

use super::ListpackLimits;
use super::Sds;
use super::rank_tree::{Entries, Entry, RankTree, Score};
use crate::redis::invariant::ensure;
use indexmap::IndexMap;
use indexmap::map;
use rustc_hash::FxBuildHasher;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Bound, Range};

/// Unique members in order by score; see the module.
///
/// Ranks that do not exist are left out of ranges, and `None` by themselves.
#[derive(Clone)]
pub struct SortedSet {
    scores: IndexMap<Sds, Score, FxBuildHasher>,
    order: RankTree,
    encoding: SortedSetEncoding,
}

/// What `OBJECT ENCODING` tells of a sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortedSetEncoding {
    /// Small: few members, and short ones.
    Listpack,
    /// No longer small; it does not go back.
    Skiplist,
}

impl SortedSetEncoding {
    /// The name that `OBJECT ENCODING` gives.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SortedSetEncoding::Listpack => "listpack",
            SortedSetEncoding::Skiplist => "skiplist",
        }
    }
}

/// An end of a range by member, which makes sense where all scores are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LexBound {
    /// Before every member; `-`.
    NegInf,
    /// After every member; `+`.
    PosInf,
    /// This member too; `[member`.
    Included(Sds),
    /// Not this member itself; `(member`.
    Excluded(Sds),
}

impl SortedSet {
    /// An empty one, a listpack.
    #[must_use]
    pub fn new() -> SortedSet {
        SortedSet {
            scores: IndexMap::default(),
            order: RankTree::new(),
            encoding: SortedSetEncoding::Listpack,
        }
    }

    /// How many members it has. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether it has none. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// A member's score. O(1).
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).map(|score| score.into_inner())
    }

    /// How many members come before this one. O(log n).
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = *self.scores.get(member)?;
        Some(self.order.partition_point(|entry| entry.order(score, member).is_lt()))
    }

    /// The member at this rank. O(log n).
    #[must_use]
    pub fn get_by_rank(&self, rank: usize) -> Option<(&Sds, f64)> {
        (rank < self.len()).then(|| pair(self.order.select(rank)))
    }

    /// The member at this index, not rank; see the module. O(1).
    #[must_use]
    pub fn get_index(&self, index: usize) -> Option<(&Sds, f64)> {
        self.scores.get_index(index).map(|(member, score)| (member, score.into_inner()))
    }

    /// All members in order.
    #[must_use]
    pub fn iter(&self) -> SortedSetIter<'_> {
        self.range(0..self.len())
    }

    /// The members of these ranks in order; `.rev()` walks down. Either end is
    /// found in O(log n), each further step is O(1).
    #[must_use]
    pub fn range(&self, ranks: Range<usize>) -> SortedSetIter<'_> {
        SortedSetIter(self.order.range(self.existing(ranks)))
    }

    /// The ranks of the members whose scores lie between these bounds; empty if
    /// none does, or if the bounds are crossed. O(log n).
    #[must_use]
    pub fn rank_range_by_score(&self, min: Bound<f64>, max: Bound<f64>) -> Range<usize> {
        let below = |score: f64| self.order.partition_point(|entry| *entry.score < score);
        let up_to = |score: f64| self.order.partition_point(|entry| *entry.score <= score);
        let start = match min {
            Bound::Unbounded => 0,
            Bound::Included(score) => below(score),
            Bound::Excluded(score) => up_to(score),
        };
        let end = match max {
            Bound::Unbounded => self.len(),
            Bound::Included(score) => up_to(score),
            Bound::Excluded(score) => below(score),
        };
        start..end.max(start)
    }

    /// The ranks of the members that lie between these bounds; empty if none does,
    /// or if the bounds are crossed. Which they are is unspecified unless all
    /// scores are equal, as in Redis. O(log n).
    #[must_use]
    pub fn rank_range_by_lex(&self, min: &LexBound, max: &LexBound) -> Range<usize> {
        let below = |bound: &Sds| self.order.partition_point(|entry| entry.member < *bound);
        let up_to = |bound: &Sds| self.order.partition_point(|entry| entry.member <= *bound);
        let start = match min {
            LexBound::NegInf => 0,
            LexBound::PosInf => self.len(),
            LexBound::Included(member) => below(member),
            LexBound::Excluded(member) => up_to(member),
        };
        let end = match max {
            LexBound::NegInf => 0,
            LexBound::PosInf => self.len(),
            LexBound::Included(member) => up_to(member),
            LexBound::Excluded(member) => below(member),
        };
        start..end.max(start)
    }

    /// How it is said to be encoded. O(1).
    #[must_use]
    pub fn encoding(&self) -> SortedSetEncoding {
        self.encoding
    }

    /// Gives the member this score, and tells the one it had. O(log n).
    ///
    /// The encoding stays; see [`insert_within`](SortedSet::insert_within).
    ///
    /// # Panics
    ///
    /// If the score is NaN.
    pub fn insert(&mut self, member: impl Into<Sds>, score: f64) -> Option<f64> {
        let score = Score::new(score).expect("a score is a number");
        match self.scores.entry(member.into()) {
            map::Entry::Vacant(vacant) => {
                self.order.insert(Entry { score, member: vacant.key().clone() });
                vacant.insert(score);
                None
            }
            map::Entry::Occupied(mut occupied) => {
                let old = *occupied.get();
                if old != score {
                    let entry = self.order.remove(old, occupied.key());
                    self.order.insert(Entry { score, ..entry });
                    occupied.insert(score);
                }
                Some(old.into_inner())
            }
        }
    }

    /// As [`insert`](SortedSet::insert), but it becomes a skiplist first where a new
    /// member makes it more, or is itself longer, than a listpack may have. A listpack
    /// keeps a whole number as an integer, and so no negative zero. O(log n).
    ///
    /// # Panics
    ///
    /// If the score is NaN.
    pub fn insert_within(
        &mut self,
        member: &[u8],
        score: f64,
        limits: ListpackLimits,
    ) -> Option<f64> {
        let beyond = self.len() >= limits.max_entries || member.len() > limits.max_value;
        if beyond && self.score(member).is_none() {
            self.force_skiplist();
        }
        let listpack = self.encoding == SortedSetEncoding::Listpack;
        self.insert(member, if listpack && score == 0.0 { 0.0 } else { score })
    }

    /// Takes a member out, and tells the score it had. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.swap_remove(member)?;
        self.order.remove(score, member);
        Some(score.into_inner())
    }

    /// Takes out the member with the lowest rank. O(log n).
    pub fn pop_first(&mut self) -> Option<(Sds, f64)> {
        (!self.is_empty()).then(|| self.remove_at(0))
    }

    /// Takes out the member with the highest rank. O(log n).
    pub fn pop_last(&mut self) -> Option<(Sds, f64)> {
        self.len().checked_sub(1).map(|last| self.remove_at(last))
    }

    /// Takes out the members of these ranks, and tells how many they were.
    /// O(m log n) for m of them.
    pub fn drain_range(&mut self, ranks: Range<usize>) -> usize {
        let ranks = self.existing(ranks);
        if ranks.len() == self.len() {
            self.scores.clear();
            self.order = RankTree::new();
        } else {
            for _ in ranks.clone() {
                self.remove_at(ranks.start);
            }
        }
        ranks.len()
    }

    /// Makes it a skiplist, whatever its size. O(1).
    pub fn force_skiplist(&mut self) {
        self.encoding = SortedSetEncoding::Skiplist;
    }

    /// The encoding it has when it is read from a snapshot: a listpack where it may
    /// be one, and what was one is asked only for its members' number. O(n).
    pub(crate) fn reencode(&mut self, limits: ListpackLimits) {
        let may = self.len() <= limits.max_entries
            && (self.encoding == SortedSetEncoding::Listpack
                || self.iter().all(|(member, _)| member.len() <= limits.max_value));
        self.encoding = if may { SortedSetEncoding::Listpack } else { SortedSetEncoding::Skiplist };
    }

    /// Checks that the map and the tree hold the same members with the same scores, and returns
    /// what is wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        self.order.check_invariants()?;
        let (known, ordered) = (self.len(), self.order.len());
        ensure(known == ordered, || format!("{ordered} of {known} members are in order"))?;
        let same = |entry: &Entry| self.scores.get(&entry.member) == Some(&entry.score);
        ensure(self.order.range(0..self.len()).all(same), || "the map differs".to_owned())
    }

    /// Takes out the member at this rank, which must exist.
    fn remove_at(&mut self, rank: usize) -> (Sds, f64) {
        let Entry { member, score } = self.order.remove_at(rank);
        self.scores.swap_remove(&member).expect("both hold the same members");
        (member, score.into_inner())
    }

    fn existing(&self, ranks: Range<usize>) -> Range<usize> {
        let end = ranks.end.min(self.len());
        ranks.start.min(end)..end
    }
}

impl Default for SortedSet {
    fn default() -> SortedSet {
        SortedSet::new()
    }
}

/// Members and scores, in order.
impl fmt::Debug for SortedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.order.fmt(f)
    }
}

impl<'a> IntoIterator for &'a SortedSet {
    type Item = (&'a Sds, f64);
    type IntoIter = SortedSetIter<'a>;

    fn into_iter(self) -> SortedSetIter<'a> {
        self.iter()
    }
}

impl<M: Into<Sds>> FromIterator<(M, f64)> for SortedSet {
    fn from_iter<I: IntoIterator<Item = (M, f64)>>(members: I) -> SortedSet {
        let mut set = SortedSet::new();
        for (member, score) in members {
            set.insert(member, score);
        }
        set
    }
}

/// Members and their scores by rank, from both ends; [`SortedSet::range`] makes it.
#[derive(Clone)]
pub struct SortedSetIter<'a>(Entries<'a>);

impl<'a> Iterator for SortedSetIter<'a> {
    type Item = (&'a Sds, f64);

    fn next(&mut self) -> Option<(&'a Sds, f64)> {
        self.0.next().map(pair)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for SortedSetIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(pair)
    }
}

impl ExactSizeIterator for SortedSetIter<'_> {}
impl FusedIterator for SortedSetIter<'_> {}

/// What is still to come.
impl fmt::Debug for SortedSetIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

fn pair(entry: &Entry) -> (&Sds, f64) {
    (&entry.member, entry.score.into_inner())
}

#[cfg(test)]
mod tests;
