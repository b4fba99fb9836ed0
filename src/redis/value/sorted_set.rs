//! Sorted sets: unique *members*, each with a *score*, ordered by score and then by the members'
//! bytes.
//!
//! Every member is stored twice, as in Redis: a map returns its score in O(1), and a [`RankTree`]
//! keeps the order and returns *ranks* (the first is 0) in O(log n). Both have the same members
//! with the same scores. Scores are never NaN. -0.0 equals 0.0, so neither replaces the other.
//!
//! A range by score or by member is first converted to a range of ranks
//! ([`SortedSet::rank_range_by_score`], [`SortedSet::rank_range_by_lex`]), which can then be
//! counted, walked both ways or drained.
//!
//! The map also gives each member an *index*, in unspecified order. A new member has the highest
//! index; removing a member moves the highest one into its place. So a remaining member never moves
//! to a higher index, and a walk down the indices does not miss it.

use super::ListpackLimits;
use super::Sds;
use super::rank_tree::{Entries, Entry, RankTree};
use super::score::Score;
use crate::invariant::ensure;
use indexmap::IndexMap;
use indexmap::map;
use rustc_hash::FxBuildHasher;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Bound, Range};

/// Unique members in order by score; see the module.
///
/// Ranges ignore ranks that do not exist; a single rank that does not exist is `None`.
#[derive(Clone)]
pub struct SortedSet {
    scores: IndexMap<Sds, Score, FxBuildHasher>,
    order: RankTree,
    encoding: SortedSetEncoding,
}

/// The encoding of a sorted set in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortedSetEncoding {
    /// Small: few and short members.
    Listpack,
    /// Not small. It never returns to a listpack by itself.
    Skiplist,
}

impl SortedSetEncoding {
    /// Returns the name in `OBJECT ENCODING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SortedSetEncoding::Listpack => "listpack",
            SortedSetEncoding::Skiplist => "skiplist",
        }
    }
}

/// A bound of a range by member, which makes sense if all scores are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LexBound {
    /// Before every member; `-`.
    NegInf,
    /// After every member; `+`.
    PosInf,
    /// Including this member; `[member`.
    Included(Sds),
    /// Excluding this member; `(member`.
    Excluded(Sds),
}

impl SortedSet {
    /// Returns an empty set, which is a listpack.
    #[must_use]
    pub fn new() -> SortedSet {
        SortedSet {
            scores: IndexMap::default(),
            order: RankTree::new(),
            encoding: SortedSetEncoding::Listpack,
        }
    }

    /// Number of members. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Returns whether there is no member. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Returns a member's score. O(1).
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).map(|score| score.into_inner())
    }

    /// Returns the number of members before this one. O(log n).
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = *self.scores.get(member)?;
        Some(self.order.partition_point(|entry| entry.order(score, member).is_lt()))
    }

    /// Returns the member at this rank. O(log n).
    #[must_use]
    pub fn get_by_rank(&self, rank: usize) -> Option<(&Sds, f64)> {
        (rank < self.len()).then(|| pair(self.order.select(rank)))
    }

    /// Returns the member at this index, which is not its rank; see the module. O(1).
    #[must_use]
    pub fn get_index(&self, index: usize) -> Option<(&Sds, f64)> {
        self.scores.get_index(index).map(|(member, score)| (member, score.into_inner()))
    }

    /// Returns all members in order.
    #[must_use]
    pub fn iter(&self) -> SortedSetIter<'_> {
        self.range(0..self.len())
    }

    /// Returns the members of these ranks in order; `.rev()` reverses it. O(log n) for the first
    /// from either end, O(1) for each further one.
    #[must_use]
    pub fn range(&self, ranks: Range<usize>) -> SortedSetIter<'_> {
        SortedSetIter(self.order.range(self.existing(ranks)))
    }

    /// Returns the members from a score on, in order. O(log n) for the first, O(1) for each further
    /// one.
    #[must_use]
    pub fn from_score(&self, min: f64) -> SortedSetIter<'_> {
        SortedSetIter(self.order.after(|entry| entry.score.into_inner() < min))
    }

    /// Returns the ranks of the members whose scores lie between these bounds. The range is empty
    /// if there are none, or if the bounds are crossed. O(log n).
    #[must_use]
    pub fn rank_range_by_score(&self, min: Bound<f64>, max: Bound<f64>) -> Range<usize> {
        let below =
            |score: f64| self.order.partition_point(|entry| entry.score.into_inner() < score);
        let up_to =
            |score: f64| self.order.partition_point(|entry| entry.score.into_inner() <= score);
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

    /// Returns the ranks of the members that lie between these bounds. The range is empty if there
    /// are none, or if the bounds are crossed. As in Redis, it is unspecified unless all scores are
    /// equal. O(log n).
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

    /// Returns the encoding in Redis. O(1).
    #[must_use]
    pub fn encoding(&self) -> SortedSetEncoding {
        self.encoding
    }

    /// Sets a member's score. Returns the former score. O(log n).
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

    /// Sets a member's score as [`insert`](SortedSet::insert) does, but first becomes a skiplist if
    /// the member is new and there are too many, or if it is too long for a listpack. A listpack
    /// stores whole numbers as integers, so it has no negative zero. O(log n).
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

    /// Removes a member. Returns its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.swap_remove(member)?;
        self.order.remove(score, member);
        Some(score.into_inner())
    }

    /// Removes and returns the member with the lowest rank. O(log n).
    pub fn pop_first(&mut self) -> Option<(Sds, f64)> {
        (!self.is_empty()).then(|| self.remove_at(0))
    }

    /// Removes and returns the member with the highest rank. O(log n).
    pub fn pop_last(&mut self) -> Option<(Sds, f64)> {
        self.len().checked_sub(1).map(|last| self.remove_at(last))
    }

    /// Removes the members of these ranks. Returns their number m. O(m log n).
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

    /// Becomes a skiplist, whatever the size. O(1).
    pub fn force_skiplist(&mut self) {
        self.encoding = SortedSetEncoding::Skiplist;
    }

    /// Re-encodes the set as one read from a snapshot: a listpack if it may be one. If it was a
    /// listpack before, only the number of members is checked. O(n).
    pub(crate) fn reencode(&mut self, limits: ListpackLimits) {
        let may = self.len() <= limits.max_entries
            && (self.encoding == SortedSetEncoding::Listpack
                || self.iter().all(|(member, _)| member.len() <= limits.max_value));
        self.encoding = if may { SortedSetEncoding::Listpack } else { SortedSetEncoding::Skiplist };
    }

    /// Checks that the map and the tree have the same members with the same scores. Returns what is
    /// wrong otherwise.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        self.order.check_invariants()?;
        let (known, ordered) = (self.len(), self.order.len());
        ensure(known == ordered, || format!("{ordered} of {known} members are in order"))?;
        let same = |entry: &Entry| self.scores.get(&entry.member) == Some(&entry.score);
        ensure(self.order.range(0..self.len()).all(same), || "the map differs".to_owned())
    }

    /// Removes and returns the member at this rank, which must exist.
    fn remove_at(&mut self, rank: usize) -> (Sds, f64) {
        let Entry { member, score } = self.order.remove_at(rank);
        self.scores.swap_remove(&member).expect("the map and the tree have the same members");
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

/// Shows members and scores in order.
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

/// Members and their scores by rank, from both ends; returned by [`SortedSet::range`].
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

/// Shows the remaining members.
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
