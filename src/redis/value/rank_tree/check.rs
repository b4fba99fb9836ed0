//! The check of a rank tree's invariants.

use super::RankTree;
use super::node::{Entry, FANOUT_MAX, FANOUT_MIN, Inner, LEAF_MAX, LEAF_MIN, NONE, count};
use crate::invariant::ensure;

impl RankTree {
    /// Checks every invariant of the module. Returns the first that is broken.
    pub(in super::super) fn check_invariants(&self) -> Result<(), String> {
        let mut leaves = Vec::new();
        let below = self.check_below(self.root, self.height, (None, None), &mut leaves)?;
        ensure(below == self.len, || format!("{below} entries, not {}", self.len))?;
        let live = (self.leaves.live(), self.inners.live());
        ensure(live.0 == Some(leaves.len()), || "a leaf is lost, or its id is".to_owned())?;
        ensure(live.1.is_some(), || "the id of an inner node is lost".to_owned())?;
        for (at, id) in leaves.iter().enumerate() {
            let leaf = self.leaves.at(*id);
            let prev = at.checked_sub(1).map_or(NONE, |at| leaves[at]);
            let next = leaves.get(at + 1).copied().unwrap_or(NONE);
            ensure((leaf.prev, leaf.next) == (prev, next), || format!("leaf {id} is unlinked"))?;
        }
        let ordered = |(a, b): (&Entry, &Entry)| a.order(b.score, &b.member).is_lt();
        let later = self.range(0..self.len).skip(1);
        ensure(self.range(0..self.len).zip(later).all(ordered), || "out of order".to_owned())
    }

    /// Checks a node between two separators, collects its leaves, and returns the number of
    /// entries below it.
    fn check_below(
        &self,
        node: u32,
        height: u32,
        (low, high): (Option<&Entry>, Option<&Entry>),
        leaves: &mut Vec<u32>,
    ) -> Result<usize, String> {
        let root = node == self.root && height == self.height;
        if height == 0 {
            let entries = &self.leaves.at(node).entries;
            let fewest = if root { 0 } else { LEAF_MIN };
            let fits = (fewest..=LEAF_MAX).contains(&entries.len());
            ensure(fits && entries.capacity() <= LEAF_MAX, || format!("leaf {node} is ill-sized"))?;
            let between = |entry: &Entry| {
                low.is_none_or(|low| low.order(entry.score, &entry.member).is_le())
                    && high.is_none_or(|high| high.order(entry.score, &entry.member).is_gt())
            };
            ensure(entries.iter().all(between), || format!("leaf {node} leaves its separators"))?;
            leaves.push(node);
            return Ok(entries.len());
        }
        let Inner { separators, children } = self.inners.at(node);
        let fewest = if root { 2 } else { FANOUT_MIN };
        let fits = (fewest..=FANOUT_MAX).contains(&children.len());
        ensure(fits && separators.len() + 1 == children.len(), || {
            format!("inner node {node} is ill-sized")
        })?;
        for (at, child) in children.iter().enumerate() {
            let low = if at == 0 { low } else { Some(&separators[at - 1]) };
            let high = separators.get(at).or(high);
            let below = self.check_below(child.id, height - 1, (low, high), leaves)?;
            ensure(below == child.count as usize, || {
                format!("inner node {node} counts {} below a child, not {below}", child.count)
            })?;
        }
        Ok(count(children))
    }
}
