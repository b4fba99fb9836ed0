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
use super::rank_tree::{Entries, Entry, RankTree, Score};
use crate::redis::Sds;
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, naively: a vector kept in order.
    #[derive(Default)]
    struct Model(Vec<(Vec<u8>, f64)>);

    impl Model {
        fn find(&self, member: &[u8]) -> Option<usize> {
            self.0.iter().position(|(m, _)| m == member)
        }

        fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
            let at = self.find(member);
            let old = at.map(|at| self.0[at].1);
            if old == Some(score) {
                return old;
            }
            if let Some(at) = at {
                self.0.remove(at);
            }
            self.0.push((member.to_vec(), score));
            self.0
                .sort_by(|a, b| a.1.partial_cmp(&b.1).expect("no NaN").then_with(|| a.0.cmp(&b.0)));
            old
        }

        fn ranks(&self, within: impl Fn(&(Vec<u8>, f64)) -> bool) -> Vec<usize> {
            (0..self.0.len()).filter(|&rank| within(&self.0[rank])).collect()
        }
    }

    fn above(min: Bound<f64>, score: f64) -> bool {
        match min {
            Bound::Unbounded => true,
            Bound::Included(min) => score >= min,
            Bound::Excluded(min) => score > min,
        }
    }

    fn check(set: &SortedSet, model: &Model) {
        set.order.check();
        assert_eq!(set.len(), model.0.len());
        assert!(set.iter().zip(&model.0).all(|((member, score), expected)| {
            *member == expected.0[..] && score.to_bits() == expected.1.to_bits()
        }));
        for index in 0..set.len() {
            let (member, score) = set.get_index(index).expect("it exists");
            let rank = set.rank(member).expect("it is there");
            assert_eq!(model.find(member), Some(rank));
            assert_eq!(set.get_by_rank(rank), Some((member, score)));
        }
        assert_eq!(set.get_index(set.len()), None);
        assert_eq!(set.get_by_rank(set.len()), None);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Insert(Vec<u8>, f64),
        Remove(Vec<u8>),
        PopFirst,
        PopLast,
        Drain(usize, usize),
        Range(usize, usize),
        ByScore(Bound<f64>, Bound<f64>),
    }

    fn member() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(prop::sample::select(b"\0a\xff".to_vec()), 0..4),
            (0..300u32).prop_map(|n| format!("a-member-of-some-length:{n}").into_bytes()),
        ]
    }

    fn score() -> impl Strategy<Value = f64> {
        let few = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, f64::MIN_POSITIVE, 1.0, f64::INFINITY];
        prop::sample::select(few.to_vec())
    }

    fn bound() -> impl Strategy<Value = Bound<f64>> {
        prop_oneof![
            Just(Bound::Unbounded),
            score().prop_map(Bound::Included),
            score().prop_map(Bound::Excluded),
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            12 => (member(), score()).prop_map(|(member, score)| Op::Insert(member, score)),
            4 => member().prop_map(Op::Remove),
            1 => Just(Op::PopFirst),
            1 => Just(Op::PopLast),
            1 => (0..200usize, 0..20usize).prop_map(|(start, len)| Op::Drain(start, start + len)),
            2 => (0..200usize, 0..200usize).prop_map(|(start, end)| Op::Range(start, end)),
            2 => (bound(), bound()).prop_map(|(min, max)| Op::ByScore(min, max)),
        ]
    }

    fn apply(set: &mut SortedSet, model: &mut Model, op: Op) {
        match op {
            Op::Insert(member, score) => {
                assert_eq!(set.insert(&member[..], score), model.insert(&member, score));
            }
            Op::Remove(member) => {
                let expected = model.find(&member).map(|at| model.0.remove(at).1);
                assert_eq!(set.score(&member), expected);
                assert_eq!(set.remove(&member), expected);
                assert_eq!(set.rank(&member), None);
            }
            Op::PopFirst => {
                let expected = (!model.0.is_empty()).then(|| model.0.remove(0));
                assert_eq!(set.pop_first().map(|(m, s)| (m.to_vec(), s)), expected);
            }
            Op::PopLast => {
                assert_eq!(set.pop_last().map(|(m, s)| (m.to_vec(), s)), model.0.pop());
            }
            Op::Drain(start, end) => {
                let end = end.min(model.0.len());
                let start = start.min(end);
                model.0.drain(start..end);
                assert_eq!(set.drain_range(start..end), end - start);
            }
            Op::Range(start, end) => {
                let expected = model.0.iter().take(end).skip(start);
                let expected: Vec<_> = expected.map(|(m, s)| (Sds::new(m), *s)).collect();
                let owned = |(member, score): (&Sds, f64)| (member.clone(), score);
                let up: Vec<_> = set.range(start..end).map(owned).collect();
                let mut down: Vec<_> = set.range(start..end).rev().map(owned).collect();
                down.reverse();
                assert_eq!((&up, &down), (&expected, &expected));
            }
            Op::ByScore(min, max) => {
                let max_holds = |score: f64| match max {
                    Bound::Unbounded => true,
                    Bound::Included(max) => score <= max,
                    Bound::Excluded(max) => score < max,
                };
                let expected = model.ranks(|(_, score)| above(min, *score) && max_holds(*score));
                let ranks: Vec<usize> = set.rank_range_by_score(min, max).collect();
                assert_eq!(ranks, expected);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn it_does_as_a_sorted_vector(ops in prop::collection::vec(op(), 0..400)) {
            let (mut set, mut model) = (SortedSet::new(), Model::default());
            for op in ops {
                apply(&mut set, &mut model, op);
                check(&set, &model);
            }
        }

        #[test]
        fn lexicographic_ranges(
            members in prop::collection::btree_set(member(), 0..200),
            min in member(),
            max in member(),
        ) {
            let set: SortedSet = members.iter().map(|m| (&m[..], 1.0)).collect();
            let expect = |min: LexBound, max: LexBound, within: &dyn Fn(&Vec<u8>) -> bool| {
                let expected: Vec<_> = members.iter().filter(|m| within(m)).collect();
                let got: Vec<_> = set.range(set.rank_range_by_lex(&min, &max)).collect();
                assert_eq!(got.len(), expected.len());
                assert!(got.iter().zip(expected).all(|((got, _), m)| **got == m[..]));
            };
            use LexBound::{Excluded, Included, NegInf, PosInf};
            let (low, high) = (Sds::new(&min), Sds::new(&max));
            expect(Included(low.clone()), Included(high.clone()), &|m| *m >= min && *m <= max);
            expect(Excluded(low.clone()), Excluded(high.clone()), &|m| *m > min && *m < max);
            expect(NegInf, Excluded(high.clone()), &|m| *m < max);
            expect(Included(low.clone()), PosInf, &|m| *m >= min);
            expect(NegInf, PosInf, &|_| true);
            expect(PosInf, NegInf, &|_| false);
            expect(PosInf, Included(high), &|_| false);
            expect(Excluded(low), NegInf, &|_| false);
        }
    }

    #[test]
    fn an_equal_score_changes_nothing_not_even_the_sign_of_zero() {
        let mut set = SortedSet::new();
        set.insert("a", -0.0);
        assert_eq!(set.insert("a", 0.0), Some(0.0));
        assert!(set.score(b"a").expect("it is there").is_sign_negative());
    }

    #[test]
    fn the_encoding_turns_once() {
        let limits = ListpackLimits { max_entries: 2, max_value: 3 };
        let mut set = SortedSet::new();
        set.insert_within(b"a", 1.0, limits);
        set.insert_within(b"abc", -0.0, limits);
        set.insert_within(b"a", 3.0, limits);
        assert_eq!(set.encoding(), SortedSetEncoding::Listpack);
        assert!(set.score(b"abc").expect("it is there").is_sign_positive());
        let mut longer = SortedSet::new();
        longer.insert_within(b"abcd", -0.0, limits);
        assert_eq!(longer.encoding(), SortedSetEncoding::Skiplist);
        assert!(longer.score(b"abcd").expect("it is there").is_sign_negative());
        set.insert_within(b"b", 1.0, limits);
        set.drain_range(0..2);
        set.insert_within(b"a", 1.0, limits);
        assert_eq!(set.encoding(), SortedSetEncoding::Skiplist);
    }

    #[test]
    fn a_walk_down_the_indices_misses_no_member_that_stays() {
        let mut set: SortedSet = (0..100).map(|n| (format!("{n}"), 0.0)).collect();
        let mut seen = Vec::new();
        let mut index = set.len();
        for step in 0.. {
            index = index.min(set.len());
            let Some(below) = index.checked_sub(1) else { break };
            index = below;
            seen.push(set.get_index(index).expect("it exists").0.to_string());
            set.remove(format!("{}", step * 2).as_bytes());
            set.insert(format!("new {step}"), 0.0);
        }
        assert!((0..50).all(|n| seen.contains(&format!("{}", n * 2 + 1))));
    }

    #[test]
    #[should_panic(expected = "a score is a number")]
    fn a_score_is_never_nan() {
        SortedSet::new().insert("a", f64::NAN);
    }
}
