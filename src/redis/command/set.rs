//! The commands on sets, but for `SSCAN`.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, numbered, range};
use super::options::{count, integer, limit};
use super::{Answer, Args, Command, now};
use crate::redis::database::draw;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Call;
use crate::redis::value::{Set, number};

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    now("sadd", -3, WRITE | DENYOOM | FAST, &["set"], &[key(RW | INSERT, 1)], "Add one or more members to a set", sadd),
    now("scard", 2, READONLY | FAST, &["set"], &[key(RO, 1)], "Get the number of members in a set", scard),
    now("sdiff", -2, READONLY, &["set"], &[range(RO | ACCESS, 1, -1, 1)], "Subtract multiple sets", sdiff).tips(&["nondeterministic_output_order"]),
    now("sdiffstore", -3, WRITE | DENYOOM, &["set"], &[key(OW | UPDATE, 1), range(RO | ACCESS, 2, -1, 1)], "Subtract multiple sets and store the resulting set in a key", sdiffstore),
    now("sinter", -2, READONLY, &["set"], &[range(RO | ACCESS, 1, -1, 1)], "Intersect multiple sets", sinter).tips(&["nondeterministic_output_order"]),
    now("sintercard", -3, READONLY | MOVABLEKEYS, &["set"], &[numbered(RO | ACCESS, 1)], "Intersect multiple sets and return the cardinality of the result", sintercard),
    now("sinterstore", -3, WRITE | DENYOOM, &["set"], &[key(RW | UPDATE, 1), range(RO | ACCESS, 2, -1, 1)], "Intersect multiple sets and store the resulting set in a key", sinterstore),
    now("sismember", 3, READONLY | FAST, &["set"], &[key(RO, 1)], "Determine if a given value is a member of a set", sismember),
    now("smembers", 2, READONLY, &["set"], &[key(RO | ACCESS, 1)], "Get all the members in a set", smembers).tips(&["nondeterministic_output_order"]),
    now("smismember", -3, READONLY | FAST, &["set"], &[key(RO | ACCESS, 1)], "Returns the membership associated with the given elements for a set", smismember),
    now("smove", 4, WRITE | FAST, &["set"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Move a member from one set to another", smove),
    now("spop", -2, WRITE | FAST, &["set"], &[key(RW | ACCESS | DELETE, 1)], "Remove and return one or multiple random members from a set", spop).tips(&["nondeterministic_output"]),
    now("srandmember", -2, READONLY, &["set"], &[key(RO | ACCESS, 1)], "Get one or multiple random members from a set", srandmember).tips(&["nondeterministic_output"]),
    now("srem", -3, WRITE | FAST, &["set"], &[key(RW | DELETE, 1)], "Remove one or more members from a set", srem),
    now("sunion", -2, READONLY, &["set"], &[range(RO | ACCESS, 1, -1, 1)], "Add multiple sets", sunion).tips(&["nondeterministic_output_order"]),
    now("sunionstore", -3, WRITE | DENYOOM, &["set"], &[key(OW | UPDATE, 1), range(RO | ACCESS, 2, -1, 1)], "Add multiple sets and store the resulting set in a key", sunionstore),
];

/// Members, in the order they are kept in.
fn listed(set: &Set) -> Reply {
    Reply::Set(set.iter().map(|member| Reply::bulk(&member)).collect())
}

fn sadd(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().sadd(args[1], &args[2..])?))
}

fn srem(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().srem(args[1], &args[2..])?))
}

fn smove(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::flag(call.db().smove(args[1], args[2], args[3])?))
}

fn scard(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().scard(args[1])?))
}

fn sismember(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::flag(call.db().sismember(args[1], args[2])?))
}

fn smismember(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let set = call.db().members(args[1])?;
    let has = |member: &&[u8]| Reply::flag(set.is_some_and(|set| set.contains(member)));
    Ok(Reply::Array(args[2..].iter().map(has).collect()))
}

fn smembers(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(call.db().members(args[1])?.map_or(Reply::Set(Vec::new()), listed))
}

/// `key [count]`.
fn spop(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let (db, random) = call.db_and_random();
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

/// `key [count]`. A negative count may name a member several times.
fn srandmember(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let (db, random) = call.db_and_random();
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

fn sinter(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(listed(&call.db().sinter(&args[1..])?))
}

fn sunion(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(listed(&call.db().sunion(&args[1..])?))
}

fn sdiff(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(listed(&call.db().sdiff(&args[1..])?))
}

fn sinterstore(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().sinterstore(args[1], &args[2..])?))
}

fn sunionstore(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().sunionstore(args[1], &args[2..])?))
}

fn sdiffstore(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().sdiffstore(args[1], &args[2..])?))
}

/// `numkeys key … [LIMIT limit]`. Too many keys have an error of their own.
fn sintercard(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let n = number::parse_i64(args[1]).filter(|n| *n > 0).ok_or(CommandError::NumKeys)?;
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    let Some((keys, options)) = args[2..].split_at_checked(n) else {
        return Err(CommandError::text("ERR Number of keys can't be greater than number of args"));
    };
    let limit = limit(options)?;
    Ok(Reply::count(call.db().sintercard(keys, limit)?))
}
