//! The commands on lists. Those that block need the server, and are in
//! `server/command/blocking.rs`.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, numbered};
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{count, integer, is, numbered_keys, pop_count};
use crate::redis::database::Database;
use crate::redis::database::{Inserted, LposOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{End, List, Sds};

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const LIST: &'static [Command<S>] = &[
        database("lindex", 3, READONLY, &["list"], &[key(RO | ACCESS, 1)], "Get an element from a list by its index", lindex),
        database("linsert", 5, WRITE | DENYOOM, &["list"], &[key(RW | INSERT, 1)], "Insert an element before or after another element in a list", linsert),
        database("llen", 2, READONLY | FAST, &["list"], &[key(RO, 1)], "Get the length of a list", llen),
        database("lmove", 5, WRITE | DENYOOM, &["list"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Pop an element from a list, push it to another list and return it", lmove),
        database("lmpop", -4, WRITE | MOVABLEKEYS, &["list"], &[numbered(RW | ACCESS | DELETE, 1)], "Pop elements from a list", lmpop),
        database("lpop", -2, WRITE | FAST, &["list"], &[key(RW | ACCESS | DELETE, 1)], "Remove and get the first elements in a list", lpop),
        database("lpos", -3, READONLY, &["list"], &[key(RO | ACCESS, 1)], "Return the index of matching elements on a list", lpos),
        database("lpush", -3, WRITE | DENYOOM | FAST, &["list"], &[key(RW | INSERT, 1)], "Prepend one or multiple elements to a list", lpush),
        database("lpushx", -3, WRITE | DENYOOM | FAST, &["list"], &[key(RW | INSERT, 1)], "Prepend an element to a list, only if the list exists", lpushx),
        database("lrange", 4, READONLY, &["list"], &[key(RO | ACCESS, 1)], "Get a range of elements from a list", lrange),
        database("lrem", 4, WRITE, &["list"], &[key(RW | DELETE, 1)], "Remove elements from a list", lrem),
        database("lset", 4, WRITE | DENYOOM, &["list"], &[key(RW | UPDATE, 1)], "Set the value of an element in a list by its index", lset),
        database("ltrim", 4, WRITE, &["list"], &[key(RW | DELETE, 1)], "Trim a list to the specified range", ltrim),
        database("rpop", -2, WRITE | FAST, &["list"], &[key(RW | ACCESS | DELETE, 1)], "Remove and get the last elements in a list", rpop),
        database("rpoplpush", 3, WRITE | DENYOOM, &["list"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Remove the last element in a list, prepend it to another list and return it", rpoplpush),
        database("rpush", -3, WRITE | DENYOOM | FAST, &["list"], &[key(RW | INSERT, 1)], "Append one or multiple elements to a list", rpush),
        database("rpushx", -3, WRITE | DENYOOM | FAST, &["list"], &[key(RW | INSERT, 1)], "Append an element to a list, only if the list exists", rpushx),
    ];
}

/// `LEFT | RIGHT`.
pub(crate) fn end(word: &[u8]) -> Result<End, CommandError> {
    if is(word, "left") {
        Ok(End::Left)
    } else if is(word, "right") {
        Ok(End::Right)
    } else {
        Err(CommandError::Syntax)
    }
}

fn lpush(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.push(args[1], End::Left, &args[2..])?))
}

fn rpush(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.push(args[1], End::Right, &args[2..])?))
}

fn lpushx(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.push_existing(args[1], End::Left, &args[2..])?))
}

fn rpushx(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.push_existing(args[1], End::Right, &args[2..])?))
}

fn lpop(db: &mut Database, args: Args<'_>) -> Answer {
    pop(db, args, End::Left, "lpop")
}

fn rpop(db: &mut Database, args: Args<'_>) -> Answer {
    pop(db, args, End::Right, "rpop")
}

/// `key [count]`.
fn pop(db: &mut Database, args: Args<'_>, end: End, command: &'static str) -> Answer {
    match args {
        [_, key] => {
            let element = db.pop(key, end)?;
            Ok(Reply::bulk_or_nil(element.as_ref().map(Sds::as_slice)))
        }
        [_, key, n] => {
            let n = count(n)?;
            let elements = db.pop_many(key, end, n)?;
            Ok(elements.map_or(Reply::NilArray, Reply::bulks))
        }
        _ => Err(CommandError::Arity(command.into())),
    }
}

fn llen(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::count(db.llen(args[1])?))
}

/// The index is only checked if there is a list.
fn lindex(db: &mut Database, args: Args<'_>) -> Answer {
    let index = match integer(args[2]) {
        Ok(index) => index,
        Err(_) if db.list(args[1])?.is_none() => return Ok(Reply::Nil),
        Err(error) => return Err(error),
    };
    Ok(Reply::bulk_or_nil(db.lindex(args[1], index)?.map(Sds::as_slice)))
}

fn lrange(db: &mut Database, args: Args<'_>) -> Answer {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    Ok(Reply::bulks(db.lrange(args[1], start, stop)?))
}

/// The index is only checked if there is a list.
fn lset(db: &mut Database, args: Args<'_>) -> Answer {
    let index = match integer(args[2]) {
        Ok(index) if db.profile.arguments.lset_cuts_index => (index as i32).into(),
        Ok(index) => index,
        Err(error) => {
            let list = db.write::<List>(args[1])?;
            return Err(if list.is_some() { error } else { CommandError::NoSuchKey });
        }
    };
    db.lset(args[1], index, args[3])?;
    Ok(Reply::OK)
}

/// `key BEFORE | AFTER pivot element`.
fn linsert(db: &mut Database, args: Args<'_>) -> Answer {
    let before = is(args[2], "before");
    if !before && !is(args[2], "after") {
        return Err(CommandError::Syntax);
    }
    Ok(match db.linsert(args[1], before, args[3], args[4])? {
        Inserted::Length(len) => Reply::count(len),
        Inserted::NoKey => Reply::Integer(0),
        Inserted::NoPivot => Reply::Integer(-1),
    })
}

fn lrem(db: &mut Database, args: Args<'_>) -> Answer {
    let count = integer(args[2])?;
    if count == i64::MIN && db.profile.arguments.lrem_refuses_least {
        return Err(CommandError::text(NOT_LEAST));
    }
    Ok(Reply::count(db.lrem(args[1], count, args[3])?))
}

fn ltrim(db: &mut Database, args: Args<'_>) -> Answer {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    db.ltrim(args[1], start, stop)?;
    Ok(Reply::OK)
}

/// `key element [RANK rank] [COUNT count] [MAXLEN len]`. With a count, even 1, the reply is an
/// array.
fn lpos(db: &mut Database, args: Args<'_>) -> Answer {
    let mut options = LposOptions::default();
    let mut many = false;
    for option in args[3..].chunks(2) {
        let &[word, value] = option else { return Err(CommandError::Syntax) };
        if is(word, "rank") {
            options.rank = integer(value)?;
            if options.rank == i64::MIN && db.profile.arguments.lpos_refuses_least {
                return Err(CommandError::text(NOT_LEAST));
            }
            if options.rank == 0 {
                return Err(CommandError::text(RANK_0));
            }
        } else if is(word, "count") {
            options.count =
                count(value).map_err(|_| CommandError::text("ERR COUNT can't be negative"))?;
            many = true;
        } else if is(word, "maxlen") {
            options.max_len =
                count(value).map_err(|_| CommandError::text("ERR MAXLEN can't be negative"))?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let found = db.lpos(args[1], args[2], options)?;
    let mut found = found.into_iter().map(Reply::count);
    Ok(if many { Reply::Array(found.collect()) } else { found.next().unwrap_or(Reply::Nil) })
}

const NOT_LEAST: &str = "ERR value is out of range, value must between -9223372036854775807 and \
                         9223372036854775807";

const RANK_0: &str = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                      second ... or use negative to start from the end of the list";

/// `source destination LEFT | RIGHT LEFT | RIGHT`.
fn lmove(db: &mut Database, args: Args<'_>) -> Answer {
    let (from, to) = (end(args[3])?, end(args[4])?);
    moved(db, args, from, to)
}

fn rpoplpush(db: &mut Database, args: Args<'_>) -> Answer {
    moved(db, args, End::Right, End::Left)
}

fn moved(db: &mut Database, args: Args<'_>, from: End, to: End) -> Answer {
    let element = db.lmove(args[1], args[2], from, to)?;
    Ok(Reply::bulk_or_nil(element.as_ref().map(Sds::as_slice)))
}

/// `numkeys key … LEFT | RIGHT [COUNT count]`.
fn lmpop(db: &mut Database, args: Args<'_>) -> Answer {
    let (keys, from, n) = several(args, 1)?;
    Ok(match db.lmpop(keys, from, n)? {
        Some((at, elements)) => Reply::Array(vec![Reply::bulk(keys[at]), Reply::bulks(elements)]),
        None => Reply::NilArray,
    })
}

/// Returns the keys, the end and the count of `LMPOP` and `BLMPOP`, read from `at` on.
pub(crate) fn several<'a>(
    args: Args<'a>,
    at: usize,
) -> Result<(Args<'a>, End, usize), CommandError> {
    let (keys, at) = numbered_keys(args, at)?;
    let from = end(args.get(at).ok_or(CommandError::Syntax)?)?;
    Ok((keys, from, pop_count(&args[at + 1..])?))
}
