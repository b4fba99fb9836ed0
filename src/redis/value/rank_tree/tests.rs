//! A tree of twenty thousand entries grows and shrinks from every side.

use super::*;
use crate::redis::value::Sds;

const MANY: usize = 20_000;

fn entry(n: usize) -> Entry {
    // Three entries share a score, so that members decide too.
    Entry { score: Score::new((n / 3) as f64).unwrap(), member: Sds::from(format!("{n:08}")) }
}

fn tree_of(numbers: impl Iterator<Item = usize>) -> RankTree {
    let mut tree = RankTree::new();
    for (step, n) in numbers.enumerate() {
        tree.insert(entry(n));
        if step.is_multiple_of(501) {
            assert_eq!(tree.check_invariants(), Ok(()));
        }
    }
    assert_eq!(tree.check_invariants(), Ok(()));
    tree
}

/// Each number once, in scattered order.
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
    let leaves = tree_of(0..MANY).leaves.live().unwrap();
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
                assert_eq!(tree.check_invariants(), Ok(()));
            }
        }
        assert_eq!(
            (tree.leaves.live().unwrap(), tree.inners.live().unwrap(), tree.height),
            (1, 0, 0)
        );
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
            assert_eq!(tree.check_invariants(), Ok(()));
        }
    }
    assert_eq!(tree.check_invariants(), Ok(()));
    for n in scattered().take(MANY - 5) {
        tree.insert(entry(n));
    }
    assert_eq!(tree.check_invariants(), Ok(()));
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
