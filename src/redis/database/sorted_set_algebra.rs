//! Combining sorted sets: union, intersection and difference, with weights.
//!
//! Members of plain sets have a score of 1. Scores are combined in the order of the sets' sizes,
//! smallest first, which matters for floating-point numbers. Infinities that cancel each other make
//! 0.
//!
//! Source: <https://redis.io/commands/zunionstore/>, `t_zset.c` (`zunionInterDiffGenericCommand`).

use super::Database;
use crate::redis::error::CommandError;
use crate::redis::value::{Sds, Set, SortedSet, Value};
use crate::sort::sort_by_key;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// How the scores of one member are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregate {
    /// Their sum.
    #[default]
    Sum,
    /// The least of them.
    Min,
    /// The greatest of them.
    Max,
}

impl Aggregate {
    fn combine(self, a: f64, b: f64) -> f64 {
        match self {
            Aggregate::Sum => number_or_zero(a + b),
            Aggregate::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Aggregate::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

fn number_or_zero(x: f64) -> f64 {
    if x.is_nan() { 0.0 } else { x }
}

/// Selects the members of a combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// The members of any set.
    Union,
    /// The members of every set.
    Intersection,
    /// The members of the first set that are in no other. Weights do not matter.
    Difference,
}

/// A set or a sorted set.
#[derive(Clone, Debug)]
enum Source {
    Empty,
    Plain(Set),
    Sorted(SortedSet),
}

impl Source {
    fn len(&self) -> usize {
        match self {
            Source::Empty => 0,
            Source::Plain(set) => set.len(),
            Source::Sorted(set) => set.len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Empty => None,
            Source::Plain(set) => set.contains(member).then_some(1.0),
            Source::Sorted(set) => set.score(member),
        }
    }

    fn members(&self) -> Vec<(Sds, f64)> {
        match self {
            Source::Empty => Vec::new(),
            Source::Plain(set) => set.iter().map(|member| (member.into_owned(), 1.0)).collect(),
            Source::Sorted(set) => set.iter().map(|(member, s)| (member.clone(), s)).collect(),
        }
    }
}

/// Several sets, read for a combination.
#[derive(Clone, Debug)]
pub struct ZSources(Vec<Source>);

impl ZSources {
    /// Returns the members of the combination, in order of their scores.
    #[must_use]
    pub fn combine(
        &self,
        combination: Combination,
        weights: &[f64],
        aggregate: Aggregate,
    ) -> Vec<(Sds, f64)> {
        let weight = |index: usize| weights.get(index).copied().unwrap_or(1.0);
        let members = match combination {
            Combination::Union => self.union(weight, aggregate),
            Combination::Intersection => self.intersection(weight, aggregate),
            Combination::Difference => self.difference(),
        };
        let sorted: SortedSet = members.into_iter().collect();
        sorted.iter().map(|(member, score)| (member.clone(), score)).collect()
    }

    /// Returns the number of members in the intersection, counted up to `limit`.
    #[must_use]
    pub fn intersection_len(&self, limit: usize) -> usize {
        let Some((first, others)) = self.by_size().split_first().map(|(f, o)| (*f, o.to_vec()))
        else {
            return 0;
        };
        let in_all = |member: &Sds| others.iter().all(|i| self.0[*i].score(member).is_some());
        self.0[first].members().iter().filter(|(m, _)| in_all(m)).take(limit).count()
    }

    /// Returns the sets in order of size; sets of the same size keep their order.
    fn by_size(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        sort_by_key(&mut order, |index| self.0[*index].len());
        order
    }

    fn union(&self, weight: impl Fn(usize) -> f64, aggregate: Aggregate) -> Vec<(Sds, f64)> {
        let mut scores: IndexMap<Sds, f64, FxBuildHasher> = IndexMap::default();
        for index in self.by_size() {
            for (member, score) in self.0[index].members() {
                let score = number_or_zero(score * weight(index));
                scores
                    .entry(member)
                    .and_modify(|sum| *sum = aggregate.combine(*sum, score))
                    .or_insert(score);
            }
        }
        scores.into_iter().collect()
    }

    fn intersection(&self, weight: impl Fn(usize) -> f64, aggregate: Aggregate) -> Vec<(Sds, f64)> {
        let order = self.by_size();
        let Some((first, others)) = order.split_first() else { return Vec::new() };
        let combined = |member: &Sds, score: f64| {
            let mut sum = number_or_zero(score * weight(*first));
            for index in others {
                let score = self.0[*index].score(member)? * weight(*index);
                sum = aggregate.combine(sum, score);
            }
            Some(sum)
        };
        let members = self.0[*first].members().into_iter();
        members
            .filter_map(|(member, score)| Some((combined(&member, score)?, member)))
            .map(|(score, member)| (member, score))
            .collect()
    }

    fn difference(&self) -> Vec<(Sds, f64)> {
        let Some((first, others)) = self.0.split_first() else { return Vec::new() };
        let absent = |member: &Sds| others.iter().all(|other| other.score(member).is_none());
        first.members().into_iter().filter(|(member, _)| absent(member)).collect()
    }
}

impl Database {
    /// `ZUNION`, `ZINTER`, `ZDIFF`: reads the sets and sorted sets of these keys.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zsources(&mut self, keys: &[&[u8]]) -> Result<ZSources, CommandError> {
        let mut sources = Vec::with_capacity(keys.len());
        for key in keys {
            sources.push(match self.read_any(key) {
                None => Source::Empty,
                Some(Value::Set(set)) => Source::Plain((**set).clone()),
                Some(Value::SortedSet(set)) => Source::Sorted((**set).clone()),
                Some(Value::String(_) | Value::List(_) | Value::Hash(_) | Value::Stream(_)) => {
                    return Err(CommandError::WrongType);
                }
            });
        }
        Ok(ZSources(sources))
    }

    /// `ZUNIONSTORE`, `ZINTERSTORE`, `ZDIFFSTORE`: stores a combination in a key, or removes the
    /// key if it is empty. Returns the number of members.
    pub fn zstore(
        &mut self,
        destination: &[u8],
        combination: Combination,
        members: Vec<(Sds, f64)>,
    ) -> usize {
        let event = match combination {
            Combination::Union => "zunionstore",
            Combination::Intersection => "zinterstore",
            Combination::Difference => "zdiffstore",
        };
        self.store_sorted_set(destination, members, event)
    }
}
