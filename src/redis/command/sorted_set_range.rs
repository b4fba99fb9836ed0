//! Ranges of sorted sets: `ZRANGE`, its older forms, and the commands that count or remove a range.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{integer, is, scored};
use crate::redis::database::Database;
use crate::redis::database::{ZRange, ZRangeOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{LexBound, Sds, number};
use crate::redis::version::Arguments;
use std::ops::Bound;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const SORTED_SET_RANGE: &'static [Command<S>] = &[
        database("zcount", 4, READONLY | FAST, &["sortedset"], &[key(RO | ACCESS, 1)], "Count the members in a sorted set with scores within the given values", zcount),
        database("zlexcount", 4, READONLY | FAST, &["sortedset"], &[key(RO | ACCESS, 1)], "Count the number of members in a sorted set between a given lexicographical range", zlexcount),
        database("zrange", -4, READONLY, &["sortedset"], &[key(RO | ACCESS, 1)], "Return a range of members in a sorted set", zrange),
        database("zrangebylex", -4, READONLY, &["sortedset"], &[key(RO | ACCESS, 1)], "Return a range of members in a sorted set, by lexicographical range", zrangebylex),
        database("zrangebyscore", -4, READONLY, &["sortedset"], &[key(RO | ACCESS, 1)], "Return a range of members in a sorted set, by score", zrangebyscore),
        database("zrangestore", -5, WRITE | DENYOOM, &["sortedset"], &[key(OW | UPDATE, 1), key(RO | ACCESS, 2)], "Store a range of members from sorted set into another key", zrangestore),
        database("zremrangebylex", 4, WRITE, &["sortedset"], &[key(RW | DELETE, 1)], "Remove all members in a sorted set between the given lexicographical range", zremrangebylex),
        database("zremrangebyrank", 4, WRITE, &["sortedset"], &[key(RW | DELETE, 1)], "Remove all members in a sorted set within the given indexes", zremrangebyrank),
        database("zremrangebyscore", 4, WRITE, &["sortedset"], &[key(RW | DELETE, 1)], "Remove all members in a sorted set within the given scores", zremrangebyscore),
        database("zrevrange", -4, READONLY, &["sortedset"], &[key(RO | ACCESS, 1)], "Return a range of members in a sorted set, by index, with scores ordered from high to low", zrevrange),
        database("zrevrangebylex", -4, READONLY, &["sortedset"], &[key(RO | ACCESS, 1)], "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower strings.", zrevrangebylex),
        database("zrevrangebyscore", -4, READONLY, &["sortedset"], &[key(RO | ACCESS, 1)], "Return a range of members in a sorted set, by score, with scores ordered from high to low", zrevrangebyscore),
    ];
}

/// The order of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// Reads a score, or `(` and an excluded score.
fn score_bound(arg: &[u8], rules: &Arguments) -> Result<Bound<f64>, CommandError> {
    let number = arg.strip_prefix(b"(").unwrap_or(arg);
    let spaced = number.first().is_some_and(|byte| number::is_space(*byte));
    if rules.bounds_are_decimal && (spaced || number::is_hexadecimal(arg)) {
        return Err(CommandError::ScoreBound);
    }
    let (score, exclusive) = number::parse_score_bound(arg).ok_or(CommandError::ScoreBound)?;
    Ok(if exclusive { Bound::Excluded(score) } else { Bound::Included(score) })
}

/// Reads `-`, `+`, `[` and a member, or `(` and an excluded member. After `-` or `+`, anything
/// behind a NUL is ignored.
fn lex_bound(arg: &[u8]) -> Result<LexBound, CommandError> {
    match arg {
        [b'-'] | [b'-', 0, ..] => Ok(LexBound::NegInf),
        [b'+'] | [b'+', 0, ..] => Ok(LexBound::PosInf),
        [b'[', member @ ..] => Ok(LexBound::Included(Sds::new(member))),
        [b'(', member @ ..] => Ok(LexBound::Excluded(Sds::new(member))),
        _ => Err(CommandError::LexBound),
    }
}

fn parse_range(by: By, min: &[u8], max: &[u8], rules: &Arguments) -> Result<ZRange, CommandError> {
    Ok(match by {
        By::Rank => ZRange::Ranks(integer(min)?, integer(max)?),
        By::Score => ZRange::Scores(score_bound(min, rules)?, score_bound(max, rules)?),
        By::Lex => ZRange::Lex(lex_bound(min)?, lex_bound(max)?),
    })
}

/// A requested range.
struct Asked {
    range: ZRange,
    options: ZRangeOptions,
    with_scores: bool,
}

impl Asked {
    /// Reads `min max` and options from `at` on. A command may fix what the range is by and its
    /// direction, which are then not options. With `store`, `WITHSCORES` is not an option.
    fn parse(
        args: Args<'_>,
        at: usize,
        (by, reverse): (Option<By>, Option<bool>),
        store: bool,
        rules: &Arguments,
    ) -> Result<Asked, CommandError> {
        let (mut chosen, mut rev) = (by, reverse);
        let (mut limit, mut with_scores) = (None, false);
        let mut rest = &args[at + 2..];
        while let [word, after @ ..] = rest {
            rest = match after {
                after if !store && is(word, "withscores") => {
                    with_scores = true;
                    after
                }
                [offset, count, after @ ..] if is(word, "limit") => {
                    limit = Some((integer(offset)?, integer(count)?));
                    after
                }
                after if rev.is_none() && is(word, "rev") => {
                    rev = Some(true);
                    after
                }
                after if chosen.is_none() && is(word, "bylex") => {
                    chosen = Some(By::Lex);
                    after
                }
                after if chosen.is_none() && is(word, "byscore") => {
                    chosen = Some(By::Score);
                    after
                }
                _ => return Err(CommandError::Syntax),
            };
        }
        let by = chosen.unwrap_or(By::Rank);
        let reverse = rev.unwrap_or(false);
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(CommandError::text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or \
                 BYLEX",
            ));
        }
        if by == By::Lex && with_scores {
            return Err(CommandError::text(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        // In a reversed range the greater bound comes first.
        let (min, max) = match (by, reverse) {
            (By::Score | By::Lex, true) => (args[at + 1], args[at]),
            (By::Rank, _) | (_, false) => (args[at], args[at + 1]),
        };
        let limit = limit.filter(|_| by != By::Rank);
        let range = parse_range(by, min, max, rules)?;
        Ok(Asked { range, options: ZRangeOptions { reverse, limit }, with_scores })
    }
}

fn answer(db: &mut Database, args: Args<'_>, by: Option<By>, reverse: Option<bool>) -> Answer {
    let asked = Asked::parse(args, 2, (by, reverse), false, &db.profile.arguments)?;
    let members = db.zrange(args[1], &asked.range, asked.options)?;
    Ok(scored(&members, asked.with_scores))
}

/// `key min max [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`.
fn zrange(db: &mut Database, args: Args<'_>) -> Answer {
    answer(db, args, None, None)
}

fn zrevrange(db: &mut Database, args: Args<'_>) -> Answer {
    answer(db, args, Some(By::Rank), Some(true))
}

fn zrangebyscore(db: &mut Database, args: Args<'_>) -> Answer {
    answer(db, args, Some(By::Score), Some(false))
}

fn zrevrangebyscore(db: &mut Database, args: Args<'_>) -> Answer {
    answer(db, args, Some(By::Score), Some(true))
}

fn zrangebylex(db: &mut Database, args: Args<'_>) -> Answer {
    answer(db, args, Some(By::Lex), Some(false))
}

fn zrevrangebylex(db: &mut Database, args: Args<'_>) -> Answer {
    answer(db, args, Some(By::Lex), Some(true))
}

/// `destination source`, and the arguments of `ZRANGE`.
fn zrangestore(db: &mut Database, args: Args<'_>) -> Answer {
    let asked = Asked::parse(args, 3, (None, None), true, &db.profile.arguments)?;
    let stored = db.zrangestore(args[1], args[2], &asked.range, asked.options)?;
    Ok(Reply::count(stored))
}

fn count(db: &mut Database, args: Args<'_>, by: By) -> Answer {
    let range = parse_range(by, args[2], args[3], &db.profile.arguments)?;
    Ok(Reply::count(db.zcount(args[1], &range)?))
}

fn zcount(db: &mut Database, args: Args<'_>) -> Answer {
    count(db, args, By::Score)
}

fn zlexcount(db: &mut Database, args: Args<'_>) -> Answer {
    count(db, args, By::Lex)
}

fn remove(db: &mut Database, args: Args<'_>, by: By) -> Answer {
    let range = parse_range(by, args[2], args[3], &db.profile.arguments)?;
    Ok(Reply::count(db.zremrange(args[1], &range)?))
}

fn zremrangebyrank(db: &mut Database, args: Args<'_>) -> Answer {
    remove(db, args, By::Rank)
}

fn zremrangebyscore(db: &mut Database, args: Args<'_>) -> Answer {
    remove(db, args, By::Score)
}

fn zremrangebylex(db: &mut Database, args: Args<'_>) -> Answer {
    remove(db, args, By::Lex)
}
