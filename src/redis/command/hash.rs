//! The commands on hashes.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, Rows, database, drawing};
use crate::choice::Stream;
use crate::redis::command::arguments::{integer, is, pairs};
use crate::redis::database::Database;
use crate::redis::database::draw;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const HASH: &'static [Command<S>] = &[
        database("hdel", -3, WRITE | FAST, &["hash"], &[key(RW | DELETE, 1)], "Delete one or more hash fields", hdel),
        database("hexists", 3, READONLY | FAST, &["hash"], &[key(RO, 1)], "Determine if a hash field exists", hexists),
        database("hget", 3, READONLY | FAST, &["hash"], &[key(RO | ACCESS, 1)], "Get the value of a hash field", hget),
        database("hgetall", 2, READONLY, &["hash"], &[key(RO | ACCESS, 1)], "Get all the fields and values in a hash", hgetall).tips(&["nondeterministic_output_order"]),
        database("hincrby", 4, WRITE | DENYOOM | FAST, &["hash"], &[key(RW | ACCESS | UPDATE, 1)], "Increment the integer value of a hash field by the given number", hincrby),
        database("hincrbyfloat", 4, WRITE | DENYOOM | FAST, &["hash"], &[key(RW | ACCESS | UPDATE, 1)], "Increment the float value of a hash field by the given amount", hincrbyfloat),
        database("hkeys", 2, READONLY, &["hash"], &[key(RO | ACCESS, 1)], "Get all the fields in a hash", hkeys).tips(&["nondeterministic_output_order"]),
        database("hlen", 2, READONLY | FAST, &["hash"], &[key(RO, 1)], "Get the number of fields in a hash", hlen),
        database("hmget", -3, READONLY | FAST, &["hash"], &[key(RO | ACCESS, 1)], "Get the values of all the given hash fields", hmget),
        database("hmset", -4, WRITE | DENYOOM | FAST, &["hash"], &[key(RW | UPDATE, 1)], "Set multiple hash fields to multiple values", hmset),
        drawing("hrandfield", -2, READONLY, &["hash"], &[key(RO | ACCESS, 1)], "Get one or multiple random fields from a hash", hrandfield).tips(&["nondeterministic_output"]),
        database("hset", -4, WRITE | DENYOOM | FAST, &["hash"], &[key(RW | UPDATE, 1)], "Set the string value of a hash field", hset),
        database("hsetnx", 4, WRITE | DENYOOM | FAST, &["hash"], &[key(RW | INSERT, 1)], "Set the value of a hash field, only if the field does not exist", hsetnx),
        database("hstrlen", 3, READONLY | FAST, &["hash"], &[key(RO, 1)], "Get the length of the value of a hash field", hstrlen),
        database("hvals", 2, READONLY, &["hash"], &[key(RO | ACCESS, 1)], "Get all the values in a hash", hvals).tips(&["nondeterministic_output_order"]),
    ];
}

fn hset(db: &mut Database, args: Args<'_>) -> Answer {
    let pairs = pairs(args, 2, "hset")?;
    Ok(Reply::count(db.hset(args[1], &pairs)?))
}

fn hmset(db: &mut Database, args: Args<'_>) -> Answer {
    let pairs = pairs(args, 2, "hmset")?;
    db.hset(args[1], &pairs)?;
    Ok(Reply::OK)
}

fn hsetnx(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.hsetnx(args[1], args[2], args[3])?))
}

fn hget(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::bulk_or_nil(db.hget(args[1], args[2])?))
}

fn hmget(db: &mut Database, args: Args<'_>) -> Answer {
    let (now, hash) = db.live_hash(args[1], &args[2..])?;
    let Some(hash) = hash else {
        return Ok(Reply::Array(vec![Reply::Nil; args.len() - 2]));
    };
    let value = |field: &&[u8]| Reply::bulk_or_nil(hash.get_live(field, now).map(|v| v.as_slice()));
    Ok(Reply::Array(args[2..].iter().map(value).collect()))
}

fn hdel(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.hdel(args[1], &args[2..])?))
}

fn hlen(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.hash(args[1])?.map_or(0, |hash| hash.len())))
}

fn hstrlen(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.hget(args[1], args[2])?.map_or(0, <[u8]>::len)))
}

fn hexists(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.hget(args[1], args[2])?.is_some()))
}

fn hkeys(db: &mut Database, args: Args<'_>) -> Answer {
    let (now, hash) = db.live_hash(args[1], &[])?;
    Ok(Reply::bulks(hash.into_iter().flat_map(|hash| hash.live(now)).map(|(field, _)| field)))
}

fn hvals(db: &mut Database, args: Args<'_>) -> Answer {
    let (now, hash) = db.live_hash(args[1], &[])?;
    Ok(Reply::bulks(hash.into_iter().flat_map(|hash| hash.live(now)).map(|(_, value)| value)))
}

fn hgetall(db: &mut Database, args: Args<'_>) -> Answer {
    let (now, hash) = db.live_hash(args[1], &[])?;
    let fields = hash.into_iter().flat_map(|hash| hash.live(now));
    Ok(Reply::Map(fields.map(|(f, v)| (Reply::bulk(f), Reply::bulk(v))).collect()))
}

fn hincrby(db: &mut Database, args: Args<'_>) -> Answer {
    let by = integer(args[3])?;
    Ok(Reply::Integer(db.hincrby(args[1], args[2], by)?))
}

fn hincrbyfloat(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::bulk(db.hincrbyfloat(args[1], args[2], args[3])?.as_bytes()))
}

/// `key [count [WITHVALUES]]`. With a negative count, a field may be drawn several times.
fn hrandfield(db: &mut Database, random: &mut Stream, args: Args<'_>) -> Answer {
    if args.len() < 3 {
        let drawn = db.hrandfield(args[1], 1, random)?;
        return Ok(drawn.first().map_or(Reply::Nil, |(field, _)| Reply::bulk(field)));
    }
    let count = draw::count(integer(args[2])?)?;
    let with_values = match args.get(3) {
        None => false,
        Some(word) if is(word, "withvalues") && args.len() == 4 => true,
        Some(_) => return Err(CommandError::Syntax),
    };
    let count = if with_values { draw::count_of_pairs(count)? } else { count };
    let drawn = db.hrandfield(args[1], count, random)?;
    if !with_values {
        return Ok(Reply::bulks(drawn.into_iter().map(|(field, _)| field)));
    }
    Ok(Reply::Pairs(drawn.iter().map(|(f, v)| (Reply::bulk(f), Reply::bulk(v))).collect()))
}
