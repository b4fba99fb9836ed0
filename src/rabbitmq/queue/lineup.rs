//! Consumers in an order, from which any of them can leave at once.
//!
//! A consumer that leaves from the middle is only noted, and passed over: so a death costs the same
//! among ten consumers as among a hundred thousand. The notes are cleared when half of the line is
//! gone. A consumer that was noted must not join again; a key never does once its consumer has
//! ended.
//!
//! The invariant: neither the first nor the last in the line is gone.

use crate::rabbitmq::key::ConsumerKey;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(crate) struct Lineup {
    line: VecDeque<ConsumerKey>,
    /// Those in the line that are gone. Boxed, because most lines never have any.
    gone: Option<Box<IndexSet<ConsumerKey, FxBuildHasher>>>,
}

impl Lineup {
    pub(crate) fn len(&self) -> usize {
        self.line.len() - self.gone.as_ref().map_or(0, |gone| gone.len())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ConsumerKey> {
        self.line.iter().copied().filter(|consumer| !self.is_gone(*consumer))
    }

    pub(crate) fn push_front(&mut self, consumer: ConsumerKey) {
        self.line.push_front(consumer);
    }

    pub(crate) fn push_back(&mut self, consumer: ConsumerKey) {
        self.line.push_back(consumer);
    }

    /// Adds a consumer in front of those at the end that pass.
    pub(crate) fn push_before(
        &mut self,
        consumer: ConsumerKey,
        passes: impl Fn(ConsumerKey) -> bool,
    ) {
        let yields = |other: &&ConsumerKey| self.is_gone(**other) || passes(**other);
        let behind = self.line.iter().rev().take_while(yields).count();
        self.line.insert(self.line.len() - behind, consumer);
    }

    pub(crate) fn pop_front(&mut self) -> Option<ConsumerKey> {
        let first = self.line.pop_front();
        if self.gone.is_some() {
            self.drop_gone_ends();
        }
        first
    }

    /// Removes a consumer that may join again, at a cost that grows with its distance from the end.
    /// Returns whether it was there.
    pub(crate) fn take(&mut self, consumer: ConsumerKey) -> bool {
        // The one that waits longest mostly leaves first.
        let first = (self.line.front() == Some(&consumer)).then_some(0);
        let at = first.or_else(|| self.line.iter().rposition(|other| *other == consumer));
        let Some(at) = at else { return false };
        self.line.remove(at);
        if self.gone.is_some() {
            self.drop_gone_ends();
        }
        true
    }

    /// Removes a consumer that is in the line and will never join again.
    pub(crate) fn leave(&mut self, consumer: ConsumerKey) {
        if self.line.back() == Some(&consumer) {
            self.line.pop_back();
        } else {
            self.gone.get_or_insert_default().insert(consumer);
        }
        if self.gone.is_some() {
            self.drop_gone_ends();
        }
        if let Some(gone) = &self.gone
            && gone.len() > self.line.len() / 2
        {
            self.line.retain(|consumer| !gone.contains(consumer));
            self.gone = None;
        }
    }

    /// Replaces a consumer by another one.
    pub(crate) fn replace(&mut self, former: ConsumerKey, by: ConsumerKey) {
        if let Some(place) = self.line.iter_mut().find(|there| **there == former) {
            *place = by;
        }
    }

    fn is_gone(&self, consumer: ConsumerKey) -> bool {
        self.gone.as_ref().is_some_and(|gone| gone.contains(&consumer))
    }

    fn drop_gone_ends(&mut self) {
        let Some(gone) = &mut self.gone else { return };
        while self.line.front().is_some_and(|first| gone.swap_remove(first)) {
            self.line.pop_front();
        }
        while self.line.back().is_some_and(|last| gone.swap_remove(last)) {
            self.line.pop_back();
        }
        if gone.is_empty() {
            self.gone = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::queue::ring::tests::consumers;

    fn all(lineup: &Lineup) -> Vec<ConsumerKey> {
        lineup.iter().collect()
    }

    #[test]
    fn whoever_leaves_is_passed_over() {
        let ([a, b, c, d], _) = consumers();
        let mut lineup = Lineup::default();
        [a, b, c, d].into_iter().for_each(|consumer| lineup.push_back(consumer));
        lineup.leave(b);
        assert_eq!((all(&lineup), lineup.len(), lineup.line.len()), (vec![a, c, d], 3, 4));
        lineup.leave(c);
        assert_eq!((all(&lineup), lineup.len()), (vec![a, d], 2));
        assert_eq!(lineup.pop_front(), Some(a));
        assert_eq!((all(&lineup), lineup.line.len()), (vec![d], 1), "the front is never gone");
    }

    #[test]
    fn the_ends_are_never_gone() {
        let ([a, b, c, d], _) = consumers();
        let mut lineup = Lineup::default();
        [a, b, c, d].into_iter().for_each(|consumer| lineup.push_back(consumer));
        lineup.leave(c);
        lineup.leave(d);
        assert_eq!((all(&lineup), lineup.line.len()), (vec![a, b], 2));
        assert!(lineup.take(a) && !lineup.take(d));
        lineup.leave(b);
        assert_eq!((all(&lineup), lineup.len(), lineup.pop_front()), (vec![], 0, None));
    }
}
