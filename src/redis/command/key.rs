//! The commands on keys of any type, and on databases as a whole.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, range};
use super::{Answer, Args, Command, Rows, container, database, databases, drawing, help};
use crate::choice::Stream;
use crate::redis::command::arguments::{integer, is};
use crate::redis::database::Database;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::{StringEncoding, Value, number};

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    const OBJECT: &'static [Command<S>] = &[
        database("object|encoding", 3, READONLY, &["keyspace"], &[key(RO, 2)], "Inspect the internal encoding of a Redis object", object_encoding).tips(&["nondeterministic_output"]),
        database("object|freq", 3, READONLY, &["keyspace"], &[key(RO, 2)], "Get the logarithmic access frequency counter of a Redis object", object_freq).tips(&["nondeterministic_output"]),
        help("object|help", 2, LOADING | STALE, &["keyspace"], &[], "Show helpful text about the different subcommands"),
        database("object|idletime", 3, READONLY, &["keyspace"], &[key(RO, 2)], "Get the time since a Redis object was last accessed", object_idletime).tips(&["nondeterministic_output"]),
        database("object|refcount", 3, READONLY, &["keyspace"], &[key(RO, 2)], "Get the number of references to the value of the key", object_refcount).tips(&["nondeterministic_output"]),
    ];
}

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const KEY: &'static [Command<S>] = &[
        databases("copy", -3, WRITE | DENYOOM, &["keyspace"], &[key(RO | ACCESS, 1), key(OW | UPDATE, 2)], "Copy a key", copy),
        database("del", -2, WRITE, &["keyspace"], &[range(RM | DELETE, 1, -1, 1)], "Delete a key", del).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
        database("exists", -2, READONLY | FAST, &["keyspace"], &[range(RO, 1, -1, 1)], "Determine if a key exists", exists).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
        database("keys", 2, READONLY, &["keyspace", "dangerous"], &[], "Find all keys matching the given pattern", keys).tips(&["request_policy:all_shards", "nondeterministic_output_order"]),
        databases("move", 3, WRITE | FAST, &["keyspace"], &[key(RW | ACCESS | UPDATE, 1)], "Move a key to another database", move_key),
        container("object", -2, 0, &[], "A container for object introspection commands", Rows::OBJECT),
        drawing("randomkey", 1, READONLY, &["keyspace"], &[], "Return a random key from the keyspace", randomkey).tips(&["request_policy:all_shards", "nondeterministic_output"]),
        database("rename", 3, WRITE, &["keyspace"], &[key(RW | ACCESS | DELETE, 1), key(OW | UPDATE, 2)], "Rename a key", rename),
        database("renamenx", 3, WRITE | FAST, &["keyspace"], &[key(RW | ACCESS | DELETE, 1), key(OW | INSERT, 2)], "Rename a key, only if the new key does not exist", renamenx),
        database("touch", -2, READONLY | FAST, &["keyspace"], &[range(RO, 1, -1, 1)], "Alters the last access time of a key(s). Returns the number of existing keys specified.", touch).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
        database("type", 2, READONLY | FAST, &["keyspace"], &[key(RO, 1)], "Determine the type stored at key", type_of),
        database("unlink", -2, WRITE | FAST, &["keyspace"], &[range(RM | DELETE, 1, -1, 1)], "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.", unlink).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
        databases("swapdb", 3, WRITE | FAST, &["keyspace", "dangerous"], &[], "Swaps two Redis databases", swapdb),
        database("flushdb", -1, WRITE, &["keyspace", "dangerous"], &[], "Remove all keys from the current database", flushdb).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
        database("dbsize", 1, READONLY | FAST, &["keyspace"], &[], "Return the number of keys in the selected database", dbsize).tips(&["request_policy:all_shards", "response_policy:agg_sum"]),
    ];
}

/// Counts the keys for which a function returns true.
fn count_of(args: Args<'_>, mut works: impl FnMut(&[u8]) -> bool) -> Answer {
    Ok(Reply::count(args[1..].iter().filter(|key| works(key)).count()))
}

fn del(db: &mut Database, args: Args<'_>) -> Answer {
    count_of(args, |key| db.del(key))
}

fn unlink(db: &mut Database, args: Args<'_>) -> Answer {
    del(db, args)
}

fn exists(db: &mut Database, args: Args<'_>) -> Answer {
    count_of(args, |key| db.exists(key))
}

fn touch(db: &mut Database, args: Args<'_>) -> Answer {
    count_of(args, |key| db.touch_key(key))
}

fn type_of(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::status(db.type_of(args[1]).unwrap_or("none")))
}

fn keys(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::bulks(db.keys(args[1])))
}

fn randomkey(db: &mut Database, random: &mut Stream, _args: Args<'_>) -> Answer {
    Ok(Reply::bulk_or_nil(db.random_key(random).as_deref()))
}

fn rename(db: &mut Database, args: Args<'_>) -> Answer {
    db.rename(args[1], args[2])?;
    Ok(Reply::OK)
}

fn renamenx(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(Reply::flag(db.renamenx(args[1], args[2])?))
}

/// Reads the number of a database, a 32-bit integer less than `databases`.
pub(crate) fn database_index(arg: &[u8], databases: usize) -> Result<usize, CommandError> {
    let index = integer(arg)?;
    if i32::try_from(index).is_err() {
        return Err(CommandError::text(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    in_range(index, databases)
}

fn in_range(index: i64, databases: usize) -> Result<usize, CommandError> {
    let index = usize::try_from(index).ok();
    index.filter(|i| *i < databases).ok_or(CommandError::DatabaseIndex)
}

/// `source destination [DB index] [REPLACE]`.
fn copy(databases: &mut [Database], selected: usize, args: Args<'_>) -> Answer {
    let (mut target, mut replace) = (selected, false);
    let mut rest = args[3..].iter();
    while let Some(word) = rest.next() {
        if is(word, "replace") {
            replace = true;
        } else if is(word, "db") {
            let index = rest.next().ok_or(CommandError::Syntax)?;
            target = database_index(index, databases.len())?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if target == selected {
        return Ok(Reply::flag(databases[selected].copy(args[1], args[2], replace)?));
    }
    let Some((value, expires_at)) = databases[selected].copied(args[1]) else {
        return Ok(Reply::flag(false));
    };
    Ok(Reply::flag(databases[target].paste(args[2], value, expires_at, replace)))
}

fn move_key(databases: &mut [Database], selected: usize, args: Args<'_>) -> Answer {
    let target = database_index(args[2], databases.len())?;
    let both = databases.get_disjoint_mut([selected, target]);
    let [source, target] = both.map_err(|_| CommandError::SameObject)?;
    Ok(Reply::flag(source.move_to(args[1], target)))
}

fn swapdb(databases: &mut [Database], _: usize, args: Args<'_>) -> Answer {
    let index = |arg| number::parse_i64(arg).filter(|n| i32::try_from(*n).is_ok());
    let first = index(args[1]).ok_or(CommandError::text("ERR invalid first DB index"))?;
    let second = index(args[2]).ok_or(CommandError::text("ERR invalid second DB index"))?;
    let (first, second) = (in_range(first, databases.len())?, in_range(second, databases.len())?);
    if let Ok([one, other]) = databases.get_disjoint_mut([first, second]) {
        one.swap(other);
    }
    Ok(Reply::OK)
}

/// `[ASYNC | SYNC]`, which makes no difference here.
pub(crate) fn check_flush(args: Args<'_>) -> Result<(), CommandError> {
    match args {
        [_] => Ok(()),
        [_, how] if is(how, "async") || is(how, "sync") => Ok(()),
        _ => Err(CommandError::Syntax),
    }
}

fn flushdb(db: &mut Database, args: Args<'_>) -> Answer {
    check_flush(args)?;
    db.flush();
    Ok(Reply::OK)
}

fn dbsize(db: &mut Database, _args: Args<'_>) -> Answer {
    Ok(Reply::count(db.len()))
}

fn object_encoding(db: &mut Database, args: Args<'_>) -> Answer {
    Ok(db.object_encoding(args[2]).map_or(Reply::Nil, |name| Reply::bulk(name.as_bytes())))
}

fn object_idletime(db: &mut Database, args: Args<'_>) -> Answer {
    let idle = db.object_idletime(args[2]);
    if idle.is_some() && db.counts_uses() {
        return Err(CommandError::text(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    Ok(idle.map_or(Reply::Nil, |time| Reply::Integer(time.as_secs() as i64)))
}

/// Redis shares small integers, whose reference count is the greatest integer.
fn object_refcount(db: &mut Database, args: Args<'_>) -> Answer {
    let shares = db.shares_integers && db.profile.encodings.shares_integers;
    let Some(entry) = db.inspect(args[2]) else { return Ok(Reply::Nil) };
    let shared = match &entry.value {
        Value::String(string) if string.encoding() == StringEncoding::Int => {
            shares && number::parse_i64(string).is_some_and(|n| (0..10_000).contains(&n))
        }
        Value::String(_)
        | Value::List(_)
        | Value::Hash(_)
        | Value::Set(_)
        | Value::SortedSet(_)
        | Value::Stream(_) => false,
    };
    Ok(Reply::Integer(if shared { i32::MAX.into() } else { 1 }))
}

/// Uses are only counted under an LFU policy.
fn object_freq(db: &mut Database, args: Args<'_>) -> Answer {
    if db.counts_uses() {
        return Ok(db.object_freq(args[2]).map_or(Reply::Nil, |n| Reply::Integer(n.into())));
    }
    match db.inspect(args[2]) {
        None => Ok(Reply::Nil),
        Some(_) => Err(CommandError::text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        )),
    }
}
