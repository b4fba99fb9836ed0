//! The commands on sorted sets. Those that combine several are in `sorted_set_algebra`, those on
//! ranges in `sorted_set_range`, and those that block in `server/command/blocking.rs`.

use super::attempt::Attempt;
use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, numbered};
use super::{Answer, Args, Command, Rows, database, drawing};
use crate::choice::Stream;
use crate::redis::command::arguments::{
    count, integer, is, numbered_keys, pop_count, score, scored,
};
use crate::redis::database::Database;
use crate::redis::database::{ZaddComparison, ZaddCondition, ZaddOptions, draw};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::End;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const SORTED_SET: &'static [Command<S>] = &[
        database("zadd", -4, WRITE | DENYOOM | FAST, &["sortedset"], &[key(RW | UPDATE, 1)], "Add one or more members to a sorted set, or update its score if it already exists", zadd),
        database("zcard", 2, READONLY | FAST, &["sortedset"], &[key(RO, 1)], "Get the number of members in a sorted set", zcard),
        database("zincrby", 4, WRITE | DENYOOM | FAST, &["sortedset"], &[key(RW | ACCESS | UPDATE, 1)], "Increment the score of a member in a sorted set", zincrby),
        database("zmpop", -4, WRITE | MOVABLEKEYS, &["sortedset"], &[numbered(RW | ACCESS | DELETE, 1)], "Remove and return members with scores in a sorted set", zmpop),
        database("zmscore", -3, READONLY | FAST, &["sortedset"], &[key(RO | ACCESS, 1)], "Get the score associated with the given members in a sorted set", zmscore),
        database("zpopmax", -2, WRITE | FAST, &["sortedset"], &[key(RW | ACCESS | DELETE, 1)], "Remove and return members with the highest scores in a sorted set", zpopmax),
        database("zpopmin", -2, WRITE | FAST, &["sortedset"], &[key(RW | ACCESS | DELETE, 1)], "Remove and return members with the lowest scores in a sorted set", zpopmin),
        drawing("zrandmember", -2, READONLY, &["sortedset"], &[key(RO | ACCESS, 1)], "Get one or multiple random elements from a sorted set", zrandmember).tips(&["nondeterministic_output"]),
        database("zrank", 3, READONLY | FAST, &["sortedset"], &[key(RO | ACCESS, 1)], "Determine the index of a member in a sorted set", zrank),
        database("zrem", -3, WRITE | FAST, &["sortedset"], &[key(RW | DELETE, 1)], "Remove one or more members from a sorted set", zrem),
        database("zrevrank", 3, READONLY | FAST, &["sortedset"], &[key(RO | ACCESS, 1)], "Determine the index of a member in a sorted set, with scores ordered from high to low", zrevrank),
        database("zscore", 3, READONLY | FAST, &["sortedset"], &[key(RO | ACCESS, 1)], "Get the score associated with the given member in a sorted set", zscore),
    ];
}

/// The options of `ZADD`.
#[derive(Default)]
struct Zadd {
    options: ZaddOptions,
    changed: bool,
    increment: bool,
}

impl Zadd {
    /// Returns the options, and the position of the first score.
    fn parse(args: Args<'_>) -> Result<(Zadd, usize), CommandError> {
        let mut zadd = Zadd::default();
        let (mut if_absent, mut if_present, mut greater, mut less) = (false, false, false, false);
        let mut at = 2;
        while let Some(word) = args.get(at) {
            let option = match () {
                () if is(word, "nx") => &mut if_absent,
                () if is(word, "xx") => &mut if_present,
                () if is(word, "gt") => &mut greater,
                () if is(word, "lt") => &mut less,
                () if is(word, "ch") => &mut zadd.changed,
                () if is(word, "incr") => &mut zadd.increment,
                () => break,
            };
            *option = true;
            at += 1;
        }
        let scores = args.len() - at;
        if scores == 0 || scores % 2 == 1 {
            return Err(CommandError::Syntax);
        }
        if if_absent && if_present {
            return Err(CommandError::text(
                "ERR XX and NX options at the same time are not compatible",
            ));
        }
        if (if_absent && (greater || less)) || (greater && less) {
            return Err(CommandError::text(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if zadd.increment && scores > 2 {
            return Err(CommandError::text(
                "ERR INCR option supports a single increment-element pair",
            ));
        }
        let present = if_present.then_some(ZaddCondition::IfPresent);
        zadd.options.condition = if_absent.then_some(ZaddCondition::IfAbsent).or(present);
        let less = less.then_some(ZaddComparison::IfLess);
        zadd.options.comparison = greater.then_some(ZaddComparison::IfGreater).or(less);
        Ok((zadd, at))
    }
}

fn zadd(db: &mut Database, args: Args<'_>) -> Answer {
    let (zadd, at) = Zadd::parse(args)?;
    let mut members = Vec::with_capacity((args.len() - at) / 2);
    for pair in args[at..].chunks_exact(2) {
        members.push((score(pair[0], &db.profile.arguments)?, pair[1]));
    }
    if zadd.increment {
        let (by, member) = members[0];
        let score = db.zincrby(args[1], by, member, zadd.options)?;
        return Ok(score.map_or(Reply::Nil, Reply::Double));
    }
    let outcome = db.zadd(args[1], &members, zadd.options)?;
    let changed = if zadd.changed { outcome.updated } else { 0 };
    Ok(Reply::count(outcome.added + changed))
}

fn zincrby(db: &mut Database, args: Args<'_>) -> Answer {
    // Redis parses it as `ZADD`, so an option here leaves half a pair.
    if ["nx", "xx", "gt", "lt", "ch", "incr"].iter().any(|option| is(args[2], option)) {
        return Err(CommandError::Syntax);
    }
    let by = score(args[2], &db.profile.arguments)?;
    let score = db.zincrby(args[1], by, args[3], ZaddOptions::default())?;
    Ok(score.map_or(Reply::Nil, Reply::Double))
}

fn zrem(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.zrem(args[1], &args[2..])?))
}

fn zcard(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.zcard(args[1])?))
}

fn zscore(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(db.zscore(args[1], args[2])?.map_or(Reply::Nil, Reply::Double))
}

fn zmscore(db: &mut Database, args: Args<'_>) -> Answer {
    let set = db.sorted_set(args[1])?;
    let score = |member: &&[u8]| set.and_then(|set| set.score(member));
    let scores = args[2..].iter().map(|m| score(m).map_or(Reply::Nil, Reply::Double));
    Ok(Reply::Array(scores.collect()))
}

fn rank(db: &mut Database, args: Args<'_>, reverse: bool) -> Answer {
    let with_score = match &args[3..] {
        [] => false,
        [_, _, ..] => {
            let name = if reverse { "zrevrank" } else { "zrank" };
            return Err(CommandError::Arity(name.into()));
        }
        [word] if is(word, "withscore") => true,
        _ => return Err(CommandError::Syntax),
    };
    let Some(rank) = db.zrank(args[1], args[2], reverse)? else {
        return Ok(if with_score { Reply::NilArray } else { Reply::Nil });
    };
    if !with_score {
        return Ok(Reply::count(rank));
    }
    let score = db.zscore(args[1], args[2])?.unwrap_or_default();
    Ok(Reply::Array(vec![Reply::count(rank), Reply::Double(score)]))
}

fn zrank(db: &mut Database, args: Args<'_>) -> Answer {
    rank(db, args, false)
}

fn zrevrank(db: &mut Database, args: Args<'_>) -> Answer {
    rank(db, args, true)
}

/// `key [count]`. Without a count, the reply is one member and its score side by side.
fn pop(db: &mut Database, args: Args<'_>, end: End) -> Answer {
    let most = match args {
        [_, _] => None,
        [_, _, most] => Some(count(most)?),
        _ => return Err(CommandError::Syntax),
    };
    let popped = db.zpop(args[1], end, most.unwrap_or(1))?;
    if most.is_some() {
        return Ok(scored(&popped, true));
    }
    let flat = popped.iter().flat_map(|(m, score)| [Reply::bulk(m), Reply::Double(*score)]);
    Ok(Reply::Array(flat.collect()))
}

fn zpopmin(db: &mut Database, args: Args<'_>) -> Answer {
    pop(db, args, End::Left)
}

fn zpopmax(db: &mut Database, args: Args<'_>) -> Answer {
    pop(db, args, End::Right)
}

/// Reads `numkeys key … MIN | MAX [COUNT count]`, from `at` on.
pub(crate) fn pop_many<'a>(args: Args<'a>, at: usize) -> Result<(Args<'a>, Attempt), CommandError> {
    let (keys, after) = numbered_keys(args, at)?;
    let end = match args.get(after) {
        Some(word) if is(word, "min") => End::Left,
        Some(word) if is(word, "max") => End::Right,
        Some(_) | None => return Err(CommandError::Syntax),
    };
    let most = pop_count(&args[after + 1..])?;
    Ok((keys, Attempt::PopManyScored(end, most)))
}

fn zmpop(db: &mut Database, args: Args<'_>) -> Answer {
    let (keys, attempt) = pop_many(args, 1)?;
    for key in keys {
        if let Some(reply) = attempt.on(db, key)? {
            return Ok(reply);
        }
    }
    Ok(Reply::NilArray)
}

/// `key [count [WITHSCORES]]`. With a negative count, a member may be drawn several times.
fn zrandmember(db: &mut Database, random: &mut Stream, args: Args<'_>) -> Answer {
    if args.len() < 3 {
        let drawn = db.zrandmember(args[1], 1, random)?;
        return Ok(drawn.first().map_or(Reply::Nil, |(member, _)| Reply::bulk(member)));
    }
    let count = draw::count(integer(args[2])?)?;
    let with_scores = match args.get(3) {
        None => false,
        Some(word) if is(word, "withscores") && args.len() == 4 => true,
        Some(_) => return Err(CommandError::Syntax),
    };
    let count = if with_scores { draw::count_of_pairs(count)? } else { count };
    Ok(scored(&db.zrandmember(args[1], count, random)?, with_scores))
}
