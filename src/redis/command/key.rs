//! The commands on keys of any type, and on databases as a whole.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{key, range};
use super::options::{integer, is};
use super::{Answer, Args, Command, container, describe, now};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Call;
use crate::redis::value::{StringEncoding, Value, number};

#[rustfmt::skip]
const OBJECT_SUBCOMMANDS: &[Command] = &[
    now("object|encoding", 3, READONLY, &["keyspace"], &[key(RO, 2)], "Inspect the internal encoding of a Redis object", object_encoding).tips(&["nondeterministic_output"]),
    now("object|freq", 3, READONLY, &["keyspace"], &[key(RO, 2)], "Get the logarithmic access frequency counter of a Redis object", object_freq).tips(&["nondeterministic_output"]),
    now("object|help", 2, LOADING | STALE, &["keyspace"], &[], "Show helpful text about the different subcommands", object_help),
    now("object|idletime", 3, READONLY, &["keyspace"], &[key(RO, 2)], "Get the time since a Redis object was last accessed", object_idletime).tips(&["nondeterministic_output"]),
    now("object|refcount", 3, READONLY, &["keyspace"], &[key(RO, 2)], "Get the number of references to the value of the key", object_refcount).tips(&["nondeterministic_output"]),
];

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    now("copy", -3, WRITE | DENYOOM, &["keyspace"], &[key(RO | ACCESS, 1), key(OW | UPDATE, 2)], "Copy a key", copy),
    now("del", -2, WRITE, &["keyspace"], &[range(RM | DELETE, 1, -1, 1)], "Delete a key", del).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    now("exists", -2, READONLY | FAST, &["keyspace"], &[range(RO, 1, -1, 1)], "Determine if a key exists", exists).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    now("keys", 2, READONLY, &["keyspace", "dangerous"], &[], "Find all keys matching the given pattern", keys).tips(&["request_policy:all_shards", "nondeterministic_output_order"]),
    now("move", 3, WRITE | FAST, &["keyspace"], &[key(RW | ACCESS | UPDATE, 1)], "Move a key to another database", move_key),
    container("object", -2, 0, &[], "A container for object introspection commands", OBJECT_SUBCOMMANDS),
    now("randomkey", 1, READONLY, &["keyspace"], &[], "Return a random key from the keyspace", randomkey).tips(&["request_policy:all_shards", "nondeterministic_output"]),
    now("rename", 3, WRITE, &["keyspace"], &[key(RW | ACCESS | DELETE, 1), key(OW | UPDATE, 2)], "Rename a key", rename),
    now("renamenx", 3, WRITE | FAST, &["keyspace"], &[key(RW | ACCESS | DELETE, 1), key(OW | INSERT, 2)], "Rename a key, only if the new key does not exist", renamenx),
    now("touch", -2, READONLY | FAST, &["keyspace"], &[range(RO, 1, -1, 1)], "Alters the last access time of a key(s). Returns the number of existing keys specified", touch).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    now("type", 2, READONLY | FAST, &["keyspace"], &[key(RO, 1)], "Determine the type stored at key", type_of),
    now("unlink", -2, WRITE | FAST, &["keyspace"], &[range(RM | DELETE, 1, -1, 1)], "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking", unlink).tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    now("select", 2, LOADING | STALE | FAST, &["connection"], &[], "Change the selected database for the current connection", select),
    now("swapdb", 3, WRITE | FAST, &["keyspace", "dangerous"], &[], "Swaps two Redis databases", swapdb),
    now("flushall", -1, WRITE, &["keyspace", "dangerous"], &[], "Remove all keys from all databases", flushall).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    now("flushdb", -1, WRITE, &["keyspace", "dangerous"], &[], "Remove all keys from the current database", flushdb).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    now("dbsize", 1, READONLY | FAST, &["keyspace"], &[], "Return the number of keys in the selected database", dbsize).tips(&["request_policy:all_shards", "response_policy:agg_sum"]),
];

/// How many of the keys a command works on.
fn count_of(args: Args<'_>, mut works: impl FnMut(&[u8]) -> bool) -> Answer {
    Ok(Reply::count(args[1..].iter().filter(|key| works(key)).count()))
}

fn del(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    count_of(args, |key| call.db().del(key))
}

fn unlink(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    del(call, args)
}

fn exists(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    count_of(args, |key| call.db().exists(key))
}

fn touch(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    count_of(args, |key| call.db().touch_key(key))
}

fn type_of(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::status(call.db().type_of(args[1]).unwrap_or("none")))
}

fn keys(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::bulks(call.db().keys(args[1])))
}

fn randomkey(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    let (db, random) = call.db_and_random();
    Ok(Reply::bulk_or_nil(db.random_key(random).as_deref()))
}

fn rename(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    call.db().rename(args[1], args[2])?;
    Ok(Reply::OK)
}

fn renamenx(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(Reply::flag(call.db().renamenx(args[1], args[2])?))
}

/// A database's number, of 32 bits.
fn database_index(call: &Call<'_>, arg: &[u8]) -> Result<usize, CommandError> {
    let index = integer(arg)?;
    if i32::try_from(index).is_err() {
        return Err(CommandError::text(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    in_range(call, index)
}

fn in_range(call: &Call<'_>, index: i64) -> Result<usize, CommandError> {
    let index = usize::try_from(index).ok();
    index.filter(|i| *i < call.server.databases.len()).ok_or(CommandError::DatabaseIndex)
}

/// `source destination [DB index] [REPLACE]`.
fn copy(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let (mut target, mut replace) = (call.database, false);
    let mut rest = args[3..].iter();
    while let Some(word) = rest.next() {
        if is(word, "replace") {
            replace = true;
        } else if is(word, "db") {
            target = database_index(call, rest.next().ok_or(CommandError::Syntax)?)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if target == call.database {
        return Ok(Reply::flag(call.db().copy(args[1], args[2], replace)?));
    }
    let Some((value, expires_at)) = call.db().copied(args[1]) else {
        return Ok(Reply::flag(false));
    };
    let target = &mut call.server.databases[target];
    Ok(Reply::flag(target.paste(args[2], value, expires_at, replace)))
}

fn move_key(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let target = database_index(call, args[2])?;
    let source = call.database;
    let [source, target] = call
        .server
        .databases
        .get_disjoint_mut([source, target])
        .map_err(|_| CommandError::SameObject)?;
    Ok(Reply::flag(source.move_to(args[1], target)))
}

fn select(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let index = database_index(call, args[1])?;
    call.session().database = index;
    Ok(Reply::OK)
}

fn swapdb(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let index = |arg| number::parse_i64(arg).filter(|n| i32::try_from(*n).is_ok());
    let first = index(args[1]).ok_or(CommandError::text("ERR invalid first DB index"))?;
    let second = index(args[2]).ok_or(CommandError::text("ERR invalid second DB index"))?;
    let (first, second) = (in_range(call, first)?, in_range(call, second)?);
    if let Ok([one, other]) = call.server.databases.get_disjoint_mut([first, second]) {
        one.swap(other);
    }
    Ok(Reply::OK)
}

/// `[ASYNC | SYNC]`, which is the same here.
fn check_flush(args: Args<'_>) -> Result<(), CommandError> {
    match args {
        [_] => Ok(()),
        [_, how] if is(how, "async") || is(how, "sync") => Ok(()),
        _ => Err(CommandError::Syntax),
    }
}

fn flushdb(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    check_flush(args)?;
    call.db().flush();
    Ok(Reply::OK)
}

fn flushall(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    check_flush(args)?;
    for database in &mut call.server.databases {
        database.flush();
    }
    // The server counts the flush itself as a change.
    call.db().usage.changes += 1;
    call.server.save_if_configured();
    Ok(Reply::OK)
}

fn dbsize(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    Ok(Reply::count(call.db().len()))
}

fn object_encoding(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    Ok(call.db().object_encoding(args[2]).map_or(Reply::Nil, |name| Reply::bulk(name.as_bytes())))
}

fn object_idletime(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let idle = call.db().object_idletime(args[2]);
    Ok(idle.map_or(Reply::Nil, |time| Reply::Integer(time.as_secs() as i64)))
}

/// Redis shares the small integers, whose count of references is the largest.
fn object_refcount(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let Some(entry) = call.db().inspect(args[2]) else { return Ok(Reply::Nil) };
    let shared = match &entry.value {
        Value::String(string) if string.encoding() == StringEncoding::Int => {
            number::parse_i64(string).is_some_and(|n| (0..10_000).contains(&n))
        }
        _ => false,
    };
    Ok(Reply::Integer(if shared { i32::MAX.into() } else { 1 }))
}

/// Frequencies are counted only under a policy of eviction, and there is none.
fn object_freq(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    match call.db().inspect(args[2]) {
        None => Ok(Reply::Nil),
        Some(_) => Err(CommandError::text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        )),
    }
}

fn object_help(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    describe::help(call, args)
}
