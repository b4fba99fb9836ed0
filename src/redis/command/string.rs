//! `GET`, `SET` and the other commands on strings.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, range};
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{ExpiryWords, Unit, expire_time, integer, is, pairs};
use crate::redis::database::Database;
use crate::redis::database::{Comparison, Expiry, SetCondition, SetOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::StringValue;
use crate::redis::version::Comparisons;

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const STRING: &'static [Command<S>] = &[
        database("append", 3, WRITE | DENYOOM | FAST, &["string"], &[key(RW | INSERT, 1)], "Append a value to a key", append),
        database("decr", 2, WRITE | DENYOOM | FAST, &["string"], &[key(RW | ACCESS | UPDATE, 1)], "Decrement the integer value of a key by one", decr),
        database("decrby", 3, WRITE | DENYOOM | FAST, &["string"], &[key(RW | ACCESS | UPDATE, 1)], "Decrement the integer value of a key by the given number", decrby),
        database("get", 2, READONLY | FAST, &["string"], &[key(RO | ACCESS, 1)], "Get the value of a key", get),
        database("getdel", 2, WRITE | FAST, &["string"], &[key(RW | ACCESS | DELETE, 1)], "Get the value of a key and delete the key", getdel),
        database("getex", -2, WRITE | FAST, &["string"], &[key(RW | ACCESS | UPDATE, 1).noted("RW and UPDATE because it changes the TTL")], "Get the value of a key and optionally set its expiration", getex),
        database("getrange", 4, READONLY, &["string"], &[key(RO | ACCESS, 1)], "Get a substring of the string stored at a key", getrange),
        database("getset", 3, WRITE | DENYOOM | FAST, &["string"], &[key(RW | ACCESS | UPDATE, 1)], "Set the string value of a key and return its old value", getset),
        database("incr", 2, WRITE | DENYOOM | FAST, &["string"], &[key(RW | ACCESS | UPDATE, 1)], "Increment the integer value of a key by one", incr),
        database("incrby", 3, WRITE | DENYOOM | FAST, &["string"], &[key(RW | ACCESS | UPDATE, 1)], "Increment the integer value of a key by the given amount", incrby),
        database("incrbyfloat", 3, WRITE | DENYOOM | FAST, &["string"], &[key(RW | ACCESS | UPDATE, 1)], "Increment the float value of a key by the given amount", incrbyfloat),
        database("mget", -2, READONLY | FAST, &["string"], &[range(RO | ACCESS, 1, -1, 1)], "Get the values of all the given keys", mget).tips(&["request_policy:multi_shard"]),
        database("mset", -3, WRITE | DENYOOM, &["string"], &[range(OW | UPDATE, 1, -1, 2)], "Set multiple keys to multiple values", mset).tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]),
        database("msetnx", -3, WRITE | DENYOOM, &["string"], &[range(OW | INSERT, 1, -1, 2)], "Set multiple keys to multiple values, only if none of the keys exist", msetnx).tips(&["request_policy:multi_shard", "response_policy:agg_min"]),
        database("psetex", 4, WRITE | DENYOOM, &["string"], &[key(OW | UPDATE, 1)], "Set the value and expiration in milliseconds of a key", psetex),
        database("set", -3, WRITE | DENYOOM, &["string"], &[key(RW | ACCESS | UPDATE | VARIABLE, 1).noted("RW and ACCESS due to the optional `GET` argument")], "Set the string value of a key", set),
        database("setex", 4, WRITE | DENYOOM, &["string"], &[key(OW | UPDATE, 1)], "Set the value and expiration of a key", setex),
        database("setnx", 3, WRITE | DENYOOM | FAST, &["string"], &[key(OW | INSERT, 1)], "Set the value of a key, only if the key does not exist", setnx),
        database("setrange", 4, WRITE | DENYOOM, &["string"], &[key(RW | UPDATE, 1)], "Overwrite part of a string at key starting at the specified offset", setrange),
        database("strlen", 2, READONLY | FAST, &["string"], &[key(RO, 1)], "Get the length of the value stored in a key", strlen),
        database("substr", 4, READONLY, &["string"], &[key(RO | ACCESS, 1)], "Get a substring of the string stored at a key", substr),
    ];
}

fn get(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::bulk_or_nil(db.get(args[1])?))
}

fn set(db: &mut Database, args: Args<'_>) -> Answer {
    let (options, comparison) = set_options(args, db.now_ms(), db.profile.comparisons)?;
    let outcome = match comparison {
        None => db.set(args[1], args[2], options)?,
        Some(comparison) => db.set_if(args[1], args[2], comparison, options)?,
    };
    Ok(match (options.get, outcome.set) {
        (true, _) => Reply::bulk_or_nil(outcome.former.as_deref()),
        (false, true) => Reply::OK,
        (false, false) => Reply::Nil,
    })
}

/// `[NX | XX | IFEQ value …] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`, in any order.
fn set_options<'a>(
    args: Args<'a>,
    now: i64,
    comparisons: Comparisons,
) -> Result<(SetOptions, Option<Comparison<'a>>), CommandError> {
    let mut options = SetOptions::default();
    let (mut expiry, mut comparison) = (ExpiryWords::default(), None);
    let mut rest = args[3..].iter();
    while let Some(word) = rest.next() {
        // After a comparison some versions take these words all the same.
        let free = comparison.is_none() || comparisons.join_conditions;
        if is(word, "nx") && free && options.condition != Some(SetCondition::IfPresent) {
            options.condition = Some(SetCondition::IfAbsent);
        } else if is(word, "xx") && free && options.condition != Some(SetCondition::IfAbsent) {
            options.condition = Some(SetCondition::IfPresent);
        } else if is(word, "get") {
            options.get = true;
        } else if expiry.take(word, "keepttl", &mut rest)? {
            // It is read.
        } else if let Some(found) = comparisons.read(word, rest.as_slice().first().copied())
            && options.condition.is_none()
            && free
            && comparison.is_none_or(|earlier| found.is_like(earlier))
        {
            rest.next();
            comparison = Some(found);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    options.expiry = stored_expiry(expiry, now, "set")?;
    Ok((options, comparison))
}

/// Returns the expiry of a value that is stored.
pub(super) fn stored_expiry(
    words: ExpiryWords<'_>,
    now: i64,
    command: &'static str,
) -> Result<Expiry, CommandError> {
    match words.time {
        Some((arg, unit)) => Ok(Expiry::At(expire_time(arg, unit, now, command)?)),
        None => Ok(if words.own { Expiry::Keep } else { Expiry::Clear }),
    }
}

fn setnx(db: &mut Database, args: Args<'_>) -> Answer {
    let condition = Some(SetCondition::IfAbsent);
    let options = SetOptions { condition, ..SetOptions::default() };
    Ok(Reply::flag(db.set(args[1], args[2], options)?.set))
}

fn setex(db: &mut Database, args: Args<'_>) -> Answer {
    set_expiring(db, args, true, "setex")
}

fn psetex(db: &mut Database, args: Args<'_>) -> Answer {
    set_expiring(db, args, false, "psetex")
}

fn set_expiring(db: &mut Database, args: Args<'_>, seconds: bool, command: &'static str) -> Answer {
    let unit = Unit { seconds, absolute: false };
    let at = expire_time(args[2], unit, db.now_ms(), command)?;
    let options = SetOptions { expiry: Expiry::At(at), ..SetOptions::default() };
    db.set(args[1], args[3], options)?;
    Ok(Reply::OK)
}

fn getset(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::bulk_or_nil(db.getset(args[1], args[2])?.as_deref()))
}

fn getdel(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::bulk_or_nil(db.getdel(args[1])?.as_deref()))
}

/// `[EX s | PX ms | EXAT s | PXAT ms | PERSIST]`. The type of the value is checked before the time.
fn getex(db: &mut Database, args: Args<'_>) -> Answer {
    let mut words = ExpiryWords::default();
    let mut rest = args[2..].iter();
    while let Some(word) = rest.next() {
        if !words.take(word, "persist", &mut rest)? {
            return Err(CommandError::Syntax);
        }
    }
    let mut expiry = if words.own { Expiry::Clear } else { Expiry::Keep };
    if let Some((arg, unit)) = words.time.filter(|_| db.profile.arguments.getex_expiry_first) {
        expire_time(arg, unit, db.now_ms(), "getex")?;
    }
    db.check_type::<StringValue>(args[1])?;
    // Without a key the time is not checked.
    if let Some((arg, unit)) = words.time.filter(|_| db.value(args[1]).is_some()) {
        expiry = Expiry::At(expire_time(arg, unit, db.now_ms(), "getex")?);
    }
    Ok(Reply::bulk_or_nil(db.getex(args[1], expiry)?.as_deref()))
}

/// A key of another type counts as missing.
fn mget(db: &mut Database, args: Args<'_>) -> Answer {
    let values = args[1..].iter().map(|key| Reply::bulk_or_nil(db.get(key).unwrap_or(None)));
    Ok(Reply::Array(values.collect()))
}

fn mset(db: &mut Database, args: Args<'_>) -> Answer {
    db.mset(pairs(args, 1, "mset")?);
    Ok(Reply::OK)
}

fn msetnx(db: &mut Database, args: Args<'_>) -> Answer {
    let pairs = pairs(args, 1, "msetnx")?;
    Ok(Reply::flag(db.msetnx(&pairs)))
}

fn strlen(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.strlen(args[1])?))
}

fn append(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.append(args[1], args[2])?))
}

fn getrange(db: &mut Database, args: Args<'_>) -> Answer {
    let (start, end) = (integer(args[2])?, integer(args[3])?);
    Ok(Reply::bulk(db.getrange(args[1], start, end)?))
}

fn substr(db: &mut Database, args: Args<'_>) -> Answer {
    getrange(db, args)
}

fn setrange(db: &mut Database, args: Args<'_>) -> Answer {
    let offset = integer(args[2])?;
    let offset = u64::try_from(offset).map_err(|_| CommandError::Offset)?;
    Ok(Reply::count(db.setrange(args[1], offset, args[3])?))
}

fn incr(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::Integer(db.incrby(args[1], 1)?))
}

fn decr(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::Integer(db.incrby(args[1], -1)?))
}

fn incrby(db: &mut Database, args: Args<'_>) -> Answer {
    let by = integer(args[2])?;
    Ok(Reply::Integer(db.incrby(args[1], by)?))
}

fn decrby(db: &mut Database, args: Args<'_>) -> Answer {
    let by = integer(args[2])?.checked_neg().ok_or(CommandError::DecrementOverflow)?;
    Ok(Reply::Integer(db.incrby(args[1], by)?))
}

fn incrbyfloat(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::bulk(db.incrbyfloat(args[1], args[2])?.as_bytes()))
}
