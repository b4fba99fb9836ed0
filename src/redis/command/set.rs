//! The commands on sets, except for `SSCAN`.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, numbered, range};
use super::{Answer, Args, Command, Rows, database, drawing};
use crate::choice::Stream;
use crate::redis::command::arguments::{count, integer, limit};
use crate::redis::database::Database;
use crate::redis::database::draw;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{Set, number};

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const SET: &'static [Command<S>] = &[
        database("sadd", -3, WRITE | DENYOOM | FAST, &["set"], &[key(RW | INSERT, 1)], "Add one or more members to a set", sadd),
        database("scard", 2, READONLY | FAST, &["set"], &[key(RO, 1)], "Get the number of members in a set", scard),
        database("sdiff", -2, READONLY, &["set"], &[range(RO | ACCESS, 1, -1, 1)], "Subtract multiple sets", sdiff).tips(&["nondeterministic_output_order"]),
        database("sdiffstore", -3, WRITE | DENYOOM, &["set"], &[key(OW | UPDATE, 1), range(RO | ACCESS, 2, -1, 1)], "Subtract multiple sets and store the resulting set in a key", sdiffstore),
        database("sinter", -2, READONLY, &["set"], &[range(RO | ACCESS, 1, -1, 1)], "Intersect multiple sets", sinter).tips(&["nondeterministic_output_order"]),
        database("sintercard", -3, READONLY | MOVABLEKEYS, &["set"], &[numbered(RO | ACCESS, 1)], "Intersect multiple sets and return the cardinality of the result", sintercard),
        database("sinterstore", -3, WRITE | DENYOOM, &["set"], &[key(RW | UPDATE, 1), range(RO | ACCESS, 2, -1, 1)], "Intersect multiple sets and store the resulting set in a key", sinterstore),
        database("sismember", 3, READONLY | FAST, &["set"], &[key(RO, 1)], "Determine if a given value is a member of a set", sismember),
        database("smembers", 2, READONLY, &["set"], &[key(RO | ACCESS, 1)], "Get all the members in a set", smembers).tips(&["nondeterministic_output_order"]),
        database("smismember", -3, READONLY | FAST, &["set"], &[key(RO | ACCESS, 1)], "Returns the membership associated with the given elements for a set", smismember),
        database("smove", 4, WRITE | FAST, &["set"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Move a member from one set to another", smove),
        drawing("spop", -2, WRITE | FAST, &["set"], &[key(RW | ACCESS | DELETE, 1)], "Remove and return one or multiple random members from a set", spop).tips(&["nondeterministic_output"]),
        drawing("srandmember", -2, READONLY, &["set"], &[key(RO | ACCESS, 1)], "Get one or multiple random members from a set", srandmember).tips(&["nondeterministic_output"]),
        database("srem", -3, WRITE | FAST, &["set"], &[key(RW | DELETE, 1)], "Remove one or more members from a set", srem),
        database("sunion", -2, READONLY, &["set"], &[range(RO | ACCESS, 1, -1, 1)], "Add multiple sets", sunion).tips(&["nondeterministic_output_order"]),
        database("sunionstore", -3, WRITE | DENYOOM, &["set"], &[key(OW | UPDATE, 1), range(RO | ACCESS, 2, -1, 1)], "Add multiple sets and store the resulting set in a key", sunionstore),
    ];
}

/// Returns the members in their stored order.
fn listed(set: &Set) -> Reply {
    Reply::Set(set.iter().map(|member| Reply::bulk(&member)).collect())
}

fn sadd(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.sadd(args[1], &args[2..])?))
}

fn srem(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.srem(args[1], &args[2..])?))
}

fn smove(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.smove(args[1], args[2], args[3])?))
}

fn scard(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.scard(args[1])?))
}

fn sismember(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.sismember(args[1], args[2])?))
}

fn smismember(db: &mut Database, args: Args<'_>) -> Answer {
    let set = db.members(args[1])?;
    let has = |member: &&[u8]| Reply::flag(set.is_some_and(|set| set.contains(member)));
    Ok(Reply::Array(args[2..].iter().map(has).collect()))
}

fn smembers(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(db.members(args[1])?.map_or(Reply::Set(Vec::new()), listed))
}

/// `key [count]`.
fn spop(db: &mut Database, random: &mut Stream, args: Args<'_>) -> Answer {
    match args {
        [_, key] => {
            let popped = db.spop(key, 1, random)?;
            Ok(popped.first().map_or(Reply::Nil, |member| Reply::bulk(member)))
        }
        [_, key, n] => {
            let popped = db.spop(key, count(n)?, random)?;
            Ok(Reply::Set(popped.iter().map(|member| Reply::bulk(member)).collect()))
        }
        _ => Err(CommandError::Syntax),
    }
}

/// `key [count]`. With a negative count, a member may be drawn several times.
fn srandmember(db: &mut Database, random: &mut Stream, args: Args<'_>) -> Answer {
    match args {
        [_, key] => {
            let drawn = db.srandmember(key, 1, random)?;
            Ok(drawn.first().map_or(Reply::Nil, |member| Reply::bulk(member)))
        }
        [_, key, n] => {
            let n = draw::count(integer(n)?)?;
            Ok(Reply::bulks(db.srandmember(key, n, random)?))
        }
        _ => Err(CommandError::Syntax),
    }
}

fn sinter(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(listed(&db.sinter(&args[1..])?))
}

fn sunion(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(listed(&db.sunion(&args[1..])?))
}

fn sdiff(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(listed(&db.sdiff(&args[1..])?))
}

fn sinterstore(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.sinterstore(args[1], &args[2..])?))
}

fn sunionstore(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.sunionstore(args[1], &args[2..])?))
}

fn sdiffstore(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.sdiffstore(args[1], &args[2..])?))
}

/// `numkeys key … [LIMIT limit]`. Too many keys have an error of their own.
fn sintercard(db: &mut Database, args: Args<'_>) -> Answer {
    let n = number::parse_i64(args[1]).filter(|n| *n > 0).ok_or(CommandError::NumKeys)?;
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    let Some((keys, options)) = args[2..].split_at_checked(n) else {
        return Err(CommandError::text("ERR Number of keys can't be greater than number of args"));
    };
    let limit = limit(options)?;
    Ok(Reply::count(db.sintercard(keys, limit)?))
}
