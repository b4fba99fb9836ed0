//! A sorted set behaves like a sorted vector.

use super::*;
use proptest::prelude::*;

/// The naive model: a sorted vector.
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
        self.0.sort_by(|a, b| a.1.partial_cmp(&b.1).expect("no NaN").then_with(|| a.0.cmp(&b.0)));
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
    assert_eq!(set.check_invariants(), Ok(()));
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
    fn it_behaves_like_a_sorted_vector(ops in prop::collection::vec(op(), 0..400)) {
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
