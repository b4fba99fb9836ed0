//! Operations on sorted sets. Combining several is in `sorted_set_algebra`.
//!
//! Source: <https://redis.io/commands/?group=sorted-set>, `t_zset.c`.

use super::notify::EventClasses;
use super::{Database, draw};
use crate::choice::Stream;
use crate::redis::error::CommandError;
use crate::redis::value::{End, Kind, LexBound, ListpackLimits, Sds, SortedSet, SortedSetEncoding};
use crate::redis::version::Encodings;
use std::ops::{Bound, Range};

/// Limits which members `ZADD` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZaddCondition {
    /// `NX`: only new members.
    IfAbsent,
    /// `XX`: only existing members.
    IfPresent,
}

/// Limits which scores `ZADD` changes. New members are always added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZaddComparison {
    /// `GT`: only to a greater score.
    IfGreater,
    /// `LT`: only to a lesser score.
    IfLess,
}

/// The options of `ZADD`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZaddOptions {
    /// `NX` or `XX`.
    pub condition: Option<ZaddCondition>,
    /// `GT` or `LT`, which `NX` excludes.
    pub comparison: Option<ZaddComparison>,
}

/// The result of `ZADD`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZaddOutcome {
    /// Number of new members.
    pub added: usize,
    /// Number of members whose score changed.
    pub updated: usize,
}

/// A range of members.
#[derive(Clone, Debug, PartialEq)]
pub enum ZRange {
    /// From one rank to another, both inclusive. Negative ranks count from the end.
    Ranks(i64, i64),
    /// By score.
    Scores(Bound<f64>, Bound<f64>),
    /// By member, which makes sense if all scores are equal.
    Lex(LexBound, LexBound),
}

impl ZRange {
    /// Returns the ranks of the range, counted from the lowest, or from the highest for a reversed
    /// range of ranks.
    fn ranks(&self, set: &SortedSet, reverse: bool) -> Range<usize> {
        match self {
            ZRange::Scores(min, max) => set.rank_range_by_score(*min, *max),
            ZRange::Lex(min, max) => lex_ranks(set, min, max, reverse),
            ZRange::Ranks(start, end) => {
                let len = set.len() as i64;
                let at = |rank: i64| if rank < 0 { rank.saturating_add(len) } else { rank };
                let (start, end) = (at(*start).max(0), at(*end).min(len - 1));
                if start > end {
                    return 0..0;
                }
                let (start, end) =
                    if reverse { (len - 1 - end, len - 1 - start) } else { (start, end) };
                start as usize..end as usize + 1
            }
        }
    }
}

/// Returns the ranks of a range by member, found as the server finds them. The method matters where
/// scores differ and the range is ill-defined: if either end of the set is beyond the range, the
/// result is empty; in a listpack one end is searched for, and the range continues while members
/// are within the other.
fn lex_ranks(set: &SortedSet, min: &LexBound, max: &LexBound, reverse: bool) -> Range<usize> {
    let above = |member: &Sds| match min {
        LexBound::NegInf => true,
        LexBound::PosInf => false,
        LexBound::Included(bound) => member >= bound,
        LexBound::Excluded(bound) => member > bound,
    };
    let below = |member: &Sds| match max {
        LexBound::NegInf => false,
        LexBound::PosInf => true,
        LexBound::Included(bound) => member <= bound,
        LexBound::Excluded(bound) => member < bound,
    };
    let crossed = match (min, max) {
        (LexBound::Included(min), LexBound::Included(max)) => min > max,
        (
            LexBound::Included(min) | LexBound::Excluded(min),
            LexBound::Included(max) | LexBound::Excluded(max),
        ) => min >= max,
        (LexBound::NegInf | LexBound::PosInf, _) | (_, LexBound::NegInf | LexBound::PosInf) => {
            false
        }
    };
    let ends = set.get_by_rank(0).zip(set.len().checked_sub(1).and_then(|l| set.get_by_rank(l)));
    let reaches = ends.is_some_and(|((first, _), (last, _))| above(last) && below(first));
    if crossed || !reaches {
        return 0..0;
    }
    if set.encoding() == SortedSetEncoding::Skiplist {
        return set.rank_range_by_lex(min, max);
    }
    let mut members = set.iter().map(|(member, _)| member);
    if reverse {
        let Some(end) = members.rposition(below) else { return 0..0 };
        let within = set.range(0..end + 1).rev().take_while(|(member, _)| above(member)).count();
        end + 1 - within..end + 1
    } else {
        let Some(start) = members.position(above) else { return 0..0 };
        let within = set.range(start..set.len()).take_while(|(member, _)| below(member)).count();
        start..start + within
    }
}

/// How a range is returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZRangeOptions {
    /// `REV`: from the highest to the lowest.
    pub reverse: bool,
    /// `LIMIT`: an offset, where a negative one makes the range empty, and a count, where a
    /// negative one is unlimited.
    pub limit: Option<(i64, i64)>,
}

impl Database {
    /// Returns a sorted set to be read, or `None` if the key does not exist.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sorted_set(&mut self, key: &[u8]) -> Result<Option<&SortedSet>, CommandError> {
        self.read::<SortedSet>(key)
    }

    /// `ZADD`: sets scores of members.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; [`CommandError::NotAFloat`] for a score that is not a
    /// number.
    pub fn zadd(
        &mut self,
        key: &[u8],
        members: &[(f64, &[u8])],
        options: ZaddOptions,
    ) -> Result<ZaddOutcome, CommandError> {
        if members.iter().any(|(score, _)| score.is_nan()) {
            return Err(CommandError::NotAFloat);
        }
        if members.is_empty() {
            return self.check_type::<SortedSet>(key).map(|()| ZaddOutcome::default());
        }
        let encodings = self.profile.encodings;
        let Some(set) = self.set_for_zadd(key, options)? else { return Ok(ZaddOutcome::default()) };
        let (set, limits) = set;
        make_room(set, members.iter().map(|(_, member)| *member), limits, encodings);
        let mut outcome = ZaddOutcome::default();
        for (score, member) in members {
            match put(set, member, *score, options, limits) {
                Some(Put::Added) => outcome.added += 1,
                Some(Put::Updated) => outcome.updated += 1,
                Some(Put::Same) | None => {}
            }
        }
        let changes = outcome.added + outcome.updated;
        if changes > 0 {
            self.changed(key, EventClasses::SORTED_SET, "zadd", changes as u64);
        }
        Ok(outcome)
    }

    /// `ZINCRBY`, `ZADD … INCR`: adds to a member's score, which is 0 if missing. Returns the sum,
    /// or `None` if a condition does not hold.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::NotAFloat`], [`CommandError::ScoreNaN`].
    pub fn zincrby(
        &mut self,
        key: &[u8],
        by: f64,
        member: &[u8],
        options: ZaddOptions,
    ) -> Result<Option<f64>, CommandError> {
        if by.is_nan() {
            return Err(CommandError::NotAFloat);
        }
        let encodings = self.profile.encodings;
        let Some((set, limits)) = self.set_for_zadd(key, options)? else { return Ok(None) };
        make_room(set, std::iter::once(member), limits, encodings);
        let before = set.score(member);
        if before.is_some() && options.condition == Some(ZaddCondition::IfAbsent) {
            return Ok(None);
        }
        // Not 0 + by, which would turn -0 into 0.
        let sum = before.map_or(by, |score| score + by);
        if sum.is_nan() {
            return Err(CommandError::ScoreNaN);
        }
        let put = put(set, member, sum, options, limits);
        if matches!(put, Some(Put::Added | Put::Updated)) {
            self.changed(key, EventClasses::SORTED_SET, "zincr", 1);
        }
        Ok(put.map(|_| sum))
    }

    /// Returns the set that `ZADD` works on, or `None` if it is missing and must not be created.
    fn set_for_zadd(
        &mut self,
        key: &[u8],
        options: ZaddOptions,
    ) -> Result<Option<(&mut SortedSet, ListpackLimits)>, CommandError> {
        let limits = self.limits.sorted_set;
        if options.condition == Some(ZaddCondition::IfPresent) {
            return Ok(self.write::<SortedSet>(key)?.map(|set| (set, limits)));
        }
        Ok(Some((self.write_or_insert::<SortedSet>(key)?, limits)))
    }

    /// `ZREM`: removes members. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zrem(&mut self, key: &[u8], members: &[&[u8]]) -> Result<usize, CommandError> {
        let Some(set) = self.write::<SortedSet>(key)? else { return Ok(0) };
        let removed = members.iter().filter(|member| set.remove(member).is_some()).count();
        let emptied = set.is_empty();
        if removed > 0 {
            self.changed(key, EventClasses::SORTED_SET, "zrem", removed as u64);
            self.remove_emptied(emptied, key);
        }
        Ok(removed)
    }

    /// `ZREMRANGEBYRANK`, `ZREMRANGEBYSCORE`, `ZREMRANGEBYLEX`: removes a range. Returns how many
    /// members it had.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zremrange(&mut self, key: &[u8], range: &ZRange) -> Result<usize, CommandError> {
        let Some(set) = self.write::<SortedSet>(key)? else { return Ok(0) };
        let removed = set.drain_range(range.ranks(set, false));
        let emptied = set.is_empty();
        if removed > 0 {
            let event = match range {
                ZRange::Ranks(..) => "zremrangebyrank",
                ZRange::Scores(..) => "zremrangebyscore",
                ZRange::Lex(..) => "zremrangebylex",
            };
            self.changed(key, EventClasses::SORTED_SET, event, removed as u64);
            self.remove_emptied(emptied, key);
        }
        Ok(removed)
    }

    /// `ZSCORE`: returns a member's score.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zscore(&mut self, key: &[u8], member: &[u8]) -> Result<Option<f64>, CommandError> {
        Ok(self.sorted_set(key)?.and_then(|set| set.score(member)))
    }

    /// `ZRANK`, `ZREVRANK`: returns the number of members before this one, from either end. O(log
    /// n).
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zrank(
        &mut self,
        key: &[u8],
        member: &[u8],
        reverse: bool,
    ) -> Result<Option<usize>, CommandError> {
        let Some(set) = self.sorted_set(key)? else { return Ok(None) };
        let rank = set.rank(member);
        Ok(rank.map(|rank| if reverse { set.len() - 1 - rank } else { rank }))
    }

    /// `ZCARD`: returns the number of members.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zcard(&mut self, key: &[u8]) -> Result<usize, CommandError> {
        Ok(self.sorted_set(key)?.map_or(0, SortedSet::len))
    }

    /// `ZCOUNT`, `ZLEXCOUNT`: returns the number of members in a range. O(log n).
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zcount(&mut self, key: &[u8], range: &ZRange) -> Result<usize, CommandError> {
        Ok(self.sorted_set(key)?.map_or(0, |set| range.ranks(set, false).len()))
    }

    /// `ZRANGE`: returns the members of a range with their scores. O(log n + m).
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zrange(
        &mut self,
        key: &[u8],
        range: &ZRange,
        options: ZRangeOptions,
    ) -> Result<Vec<(Sds, f64)>, CommandError> {
        let Some(set) = self.sorted_set(key)? else { return Ok(Vec::new()) };
        let ranks = range.ranks(set, options.reverse);
        let (offset, count) = options.limit.unwrap_or((0, -1));
        // A negative offset is after the end.
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(ranks.len());
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(ranks.len() - offset);
        let copy = |(member, score): (&Sds, f64)| (member.clone(), score);
        Ok(if options.reverse {
            let end = ranks.end - offset;
            set.range(end - count..end).rev().map(copy).collect()
        } else {
            let start = ranks.start + offset;
            set.range(start..start + count).map(copy).collect()
        })
    }

    /// `ZRANGESTORE`: stores a range in another key, or removes that key if the range is empty.
    /// Returns the number of members.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zrangestore(
        &mut self,
        destination: &[u8],
        source: &[u8],
        range: &ZRange,
        options: ZRangeOptions,
    ) -> Result<usize, CommandError> {
        let members = self.zrange(source, range, options)?;
        Ok(self.store_sorted_set(destination, members, "zrangestore"))
    }

    /// Sets a key to a sorted set of these members, or removes it if there are none. Returns their
    /// number.
    pub(super) fn store_sorted_set(
        &mut self,
        destination: &[u8],
        members: Vec<(Sds, f64)>,
        event: &'static str,
    ) -> usize {
        let limits = self.limits.sorted_set;
        let mut set = SortedSet::new();
        for (member, score) in members {
            set.insert_within(&member, score, limits);
        }
        let len = set.len();
        if len == 0 {
            self.del(destination);
            return 0;
        }
        self.put(destination, set.wrap());
        self.changed(destination, EventClasses::SORTED_SET, event, 1);
        len
    }

    /// `ZPOPMIN` (from the left), `ZPOPMAX`: removes and returns up to this many members at an end,
    /// in order of removal.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn zpop(
        &mut self,
        key: &[u8],
        end: End,
        count: usize,
    ) -> Result<Vec<(Sds, f64)>, CommandError> {
        let Some(set) = self.write::<SortedSet>(key)? else { return Ok(Vec::new()) };
        let pop = |set: &mut SortedSet| match end {
            End::Left => set.pop_first(),
            End::Right => set.pop_last(),
        };
        let count = count.min(set.len());
        let popped: Vec<(Sds, f64)> = (0..count).filter_map(|_| pop(set)).collect();
        let emptied = set.is_empty();
        if !popped.is_empty() {
            let event = match end {
                End::Left => "zpopmin",
                End::Right => "zpopmax",
            };
            self.changed(key, EventClasses::SORTED_SET, event, popped.len() as u64);
            self.remove_emptied(emptied, key);
        }
        Ok(popped)
    }

    /// `ZRANDMEMBER`: draws members at random, with their scores: up to `count` distinct ones, or
    /// exactly `-count`, which may repeat.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; [`CommandError::OutOfRange`] for more draws than fit into
    /// memory.
    pub fn zrandmember(
        &mut self,
        key: &[u8],
        count: i64,
        random: &mut Stream,
    ) -> Result<Vec<(Sds, f64)>, CommandError> {
        let Some(set) = self.sorted_set(key)? else { return Ok(Vec::new()) };
        let copy = |(member, score): (&Sds, f64)| (member.clone(), score);
        if usize::try_from(count).is_ok_and(|count| count >= set.len()) {
            // All members, listed as the server lists them in this case: from the highest.
            return Ok(set.iter().rev().map(copy).collect());
        }
        let drawn = draw::by_count(random, set.len(), count)?.into_iter();
        Ok(drawn.filter_map(|index| set.get_index(index)).map(copy).collect())
    }
}

/// Chooses the encoding by what a command names, whether it adds that or not.
fn make_room(
    set: &mut SortedSet,
    mut members: impl ExactSizeIterator<Item: AsRef<[u8]>>,
    limits: ListpackLimits,
    encodings: Encodings,
) {
    if encodings.zadd_counts_members && members.len() > limits.max_entries {
        set.force_skiplist();
    }
    if encodings.zadd_measures_members
        && members.any(|member| member.as_ref().len() > limits.max_value)
    {
        set.force_skiplist();
    }
}

/// The result of setting one member's score.
enum Put {
    Added,
    Updated,
    Same,
}

/// Sets a member's score. Returns `None` if a condition does not hold.
fn put(
    set: &mut SortedSet,
    member: &[u8],
    score: f64,
    options: ZaddOptions,
    limits: ListpackLimits,
) -> Option<Put> {
    let before = set.score(member);
    let holds = match (before, options.condition) {
        (Some(_), Some(ZaddCondition::IfAbsent)) => false,
        (None, Some(ZaddCondition::IfPresent)) => false,
        (None, _) => true,
        (Some(before), _) => match options.comparison {
            Some(ZaddComparison::IfGreater) => score > before,
            Some(ZaddComparison::IfLess) => score < before,
            None => true,
        },
    };
    if !holds {
        return None;
    }
    Some(match before {
        None => {
            set.insert_within(member, score, limits);
            Put::Added
        }
        Some(before) if before != score => {
            set.insert_within(member, score, limits);
            Put::Updated
        }
        Some(_) => Put::Same,
    })
}
