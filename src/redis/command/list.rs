//! The commands on lists; those that block are in `blocking_list`.

use super::blocking_list::{blmove, blmpop, blpop, brpop, brpoplpush};
use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, numbered, range};
use super::options::{count, integer, is, numbered_keys, pop_count};
use super::{Answer, Args, Command, flow, now};
use crate::redis::database::{Inserted, LposOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Call;
use crate::redis::value::{End, List, Sds};

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    flow("blmove", 6, WRITE | DENYOOM | NOSCRIPT | BLOCKING, &["list"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Pop an element from a list, push it to another list and return it; or block until one is available", blmove),
    flow("blmpop", -5, WRITE | BLOCKING | MOVABLEKEYS, &["list"], &[numbered(RW | ACCESS | DELETE, 2)], "Pop elements from a list, or block until one is available", blmpop),
    flow("blpop", -3, WRITE | NOSCRIPT | BLOCKING, &["list"], &[range(RW | ACCESS | DELETE, 1, -2, 1)], "Remove and get the first element in a list, or block until one is available", blpop),
    flow("brpop", -3, WRITE | NOSCRIPT | BLOCKING, &["list"], &[range(RW | ACCESS | DELETE, 1, -2, 1)], "Remove and get the last element in a list, or block until one is available", brpop),
    flow("brpoplpush", 4, WRITE | DENYOOM | NOSCRIPT | BLOCKING, &["list"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Pop an element from a list, push it to another list and return it; or block until one is available", brpoplpush),
    now("lindex", 3, READONLY, &["list"], &[key(RO | ACCESS, 1)], "Get an element from a list by its index", lindex),
    now("linsert", 5, WRITE | DENYOOM, &["list"], &[key(RW | INSERT, 1)], "Insert an element before or after another element in a list", linsert),
    now("llen", 2, READONLY | FAST, &["list"], &[key(RO, 1)], "Get the length of a list", llen),
    now("lmove", 5, WRITE | DENYOOM, &["list"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Pop an element from a list, push it to another list and return it", lmove),
    now("lmpop", -4, WRITE | MOVABLEKEYS, &["list"], &[numbered(RW | ACCESS | DELETE, 1)], "Pop elements from a list", lmpop),
    now("lpop", -2, WRITE | FAST, &["list"], &[key(RW | ACCESS | DELETE, 1)], "Remove and get the first elements in a list", lpop),
    now("lpos", -3, READONLY, &["list"], &[key(RO | ACCESS, 1)], "Return the index of matching elements on a list", lpos),
    now("lpush", -3, WRITE | DENYOOM | FAST, &["list"], &[key(RW | INSERT, 1)], "Prepend one or multiple elements to a list", lpush),
    now("lpushx", -3, WRITE | DENYOOM | FAST, &["list"], &[key(RW | INSERT, 1)], "Prepend an element to a list, only if the list exists", lpushx),
    now("lrange", 4, READONLY, &["list"], &[key(RO | ACCESS, 1)], "Get a range of elements from a list", lrange),
    now("lrem", 4, WRITE, &["list"], &[key(RW | DELETE, 1)], "Remove elements from a list", lrem),
    now("lset", 4, WRITE | DENYOOM, &["list"], &[key(RW | UPDATE, 1)], "Set the value of an element in a list by its index", lset),
    now("ltrim", 4, WRITE, &["list"], &[key(RW | DELETE, 1)], "Trim a list to the specified range", ltrim),
    now("rpop", -2, WRITE | FAST, &["list"], &[key(RW | ACCESS | DELETE, 1)], "Remove and get the last elements in a list", rpop),
    now("rpoplpush", 3, WRITE | DENYOOM, &["list"], &[key(RW | ACCESS | DELETE, 1), key(RW | INSERT, 2)], "Remove the last element in a list, prepend it to another list and return it", rpoplpush),
    now("rpush", -3, WRITE | DENYOOM | FAST, &["list"], &[key(RW | INSERT, 1)], "Append one or multiple elements to a list", rpush),
    now("rpushx", -3, WRITE | DENYOOM | FAST, &["list"], &[key(RW | INSERT, 1)], "Append an element to a list, only if the list exists", rpushx),
];

/// `LEFT | RIGHT`.
pub(super) fn end(word: &[u8]) -> Result<End, CommandError> {
    if is(word, "left") {
        Ok(End::Left)
    } else if is(word, "right") {
        Ok(End::Right)
    } else {
        Err(CommandError::Syntax)
    }
}

fn lpush(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().push(args[1], End::Left, &args[2..])?))
}

fn rpush(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().push(args[1], End::Right, &args[2..])?))
}

fn lpushx(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().push_existing(args[1], End::Left, &args[2..])?))
}

fn rpushx(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().push_existing(args[1], End::Right, &args[2..])?))
}

fn lpop(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    pop(call, args, End::Left, "lpop")
}

fn rpop(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    pop(call, args, End::Right, "rpop")
}

/// `key [count]`.
fn pop(call: &mut Call<'_>, args: Args<'_>, end: End, command: &'static str) -> Answer {
    match args {
        [_, key] => {
            let element = call.db().pop(key, end)?;
            Ok(Reply::bulk_or_nil(element.as_ref().map(Sds::as_slice)))
        }
        [_, key, n] => {
            let n = count(n)?;
            let elements = call.db().pop_many(key, end, n)?;
            Ok(elements.map_or(Reply::NilArray, Reply::bulks))
        }
        _ => Err(CommandError::Arity(command.into())),
    }
}

fn llen(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().llen(args[1])?))
}

/// The index is looked at only if there is a list.
fn lindex(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let index = match integer(args[2]) {
        Ok(index) => index,
        Err(_) if call.db().list(args[1])?.is_none() => return Ok(Reply::Nil),
        Err(error) => return Err(error),
    };
    Ok(Reply::bulk_or_nil(call.db().lindex(args[1], index)?.map(Sds::as_slice)))
}

fn lrange(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    Ok(Reply::bulks(call.db().lrange(args[1], start, stop)?))
}

/// The index is looked at only if there is a list.
fn lset(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let index = match integer(args[2]) {
        Ok(index) => index,
        Err(error) => {
            let list = call.db().write::<List>(args[1])?;
            return Err(if list.is_some() { error } else { CommandError::NoSuchKey });
        }
    };
    call.db().lset(args[1], index, args[3])?;
    Ok(Reply::OK)
}

/// `key BEFORE | AFTER pivot element`.
fn linsert(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let before = is(args[2], "before");
    if !before && !is(args[2], "after") {
        return Err(CommandError::Syntax);
    }
    Ok(match call.db().linsert(args[1], before, args[3], args[4])? {
        Inserted::Length(len) => Reply::count(len),
        Inserted::NoKey => Reply::Integer(0),
        Inserted::NoPivot => Reply::Integer(-1),
    })
}

fn lrem(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let count = integer(args[2])?;
    Ok(Reply::count(call.db().lrem(args[1], count, args[3])?))
}

fn ltrim(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    call.db().ltrim(args[1], start, stop)?;
    Ok(Reply::OK)
}

/// `key element [RANK rank] [COUNT count] [MAXLEN len]`; with a count, even of
/// 1, the answer is an array.
fn lpos(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let mut options = LposOptions::default();
    let mut many = false;
    for option in args[3..].chunks(2) {
        let &[word, value] = option else { return Err(CommandError::Syntax) };
        if is(word, "rank") {
            options.rank = integer(value)?;
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
    let found = call.db().lpos(args[1], args[2], options)?;
    let mut found = found.into_iter().map(Reply::count);
    Ok(if many { Reply::Array(found.collect()) } else { found.next().unwrap_or(Reply::Nil) })
}

const RANK_0: &str = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                      second ... or use negative to start from the end of the list";

/// `source destination LEFT | RIGHT LEFT | RIGHT`.
fn lmove(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let (from, to) = (end(args[3])?, end(args[4])?);
    moved(call, args, from, to)
}

fn rpoplpush(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    moved(call, args, End::Right, End::Left)
}

fn moved(call: &mut Call<'_>, args: Args<'_>, from: End, to: End) -> Answer {
    let element = call.db().lmove(args[1], args[2], from, to)?;
    Ok(Reply::bulk_or_nil(element.as_ref().map(Sds::as_slice)))
}

/// `numkeys key … LEFT | RIGHT [COUNT count]`.
fn lmpop(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let (keys, from, n) = several(args, 1)?;
    Ok(match call.db().lmpop(keys, from, n)? {
        Some((at, elements)) => Reply::Array(vec![Reply::bulk(keys[at]), Reply::bulks(elements)]),
        None => Reply::NilArray,
    })
}

/// The keys, the end and the count of `LMPOP` and `BLMPOP`, from `at` on.
pub(super) fn several<'a>(
    args: Args<'a>,
    at: usize,
) -> Result<(Args<'a>, End, usize), CommandError> {
    let (keys, at) = numbered_keys(args, at)?;
    let from = end(args.get(at).ok_or(CommandError::Syntax)?)?;
    Ok((keys, from, pop_count(&args[at + 1..])?))
}
