//! The commands on the server as a whole: flushing, saving, time, memory.

use super::Row;
use crate::redis::command::arguments::{integer, is};
use crate::redis::command::flag::*;
use crate::redis::command::key::check_flush;
use crate::redis::command::key_spec::key;
use crate::redis::command::key_spec::usage::*;
use crate::redis::command::{Answer, Args, Caller, container, database, help, server};
use crate::redis::database::{Database, memory};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;

#[rustfmt::skip]
const MEMORY_SUBCOMMANDS: &[Row] = &[
    server("memory|doctor", 2, 0, &[], &[], "Outputs memory problems report", memory_doctor).tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    help("memory|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands"),
    server("memory|malloc-stats", 2, 0, &[], &[], "Show allocator internal stats", memory_malloc_stats).tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    server("memory|purge", 2, 0, &[], &[], "Ask the allocator to release memory", memory_purge).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    database("memory|usage", -3, READONLY, &[], &[key(RO, 2)], "Estimate the memory usage of a key", memory_usage),
];

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    server("flushall", -1, WRITE, &["keyspace", "dangerous"], &[], "Remove all keys from all databases", flushall).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    server("time", 1, LOADING | STALE | FAST, &[], &[], "Return the current server time", time).tips(&["nondeterministic_output"]),
    server("lastsave", 1, LOADING | STALE | FAST, &["admin", "dangerous"], &[], "Get the UNIX time stamp of the last successful save to disk", lastsave).tips(&["nondeterministic_output"]),
    server("save", 1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI, &[], &[], "Synchronously save the dataset to disk", save),
    server("bgsave", -1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING, &[], &[], "Asynchronously save the dataset to disk", bgsave),
    server("bgrewriteaof", 1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING, &[], &[], "Asynchronously rewrite the append-only file", bgrewriteaof),
    container("memory", -2, 0, &[], "A container for memory diagnostics commands", MEMORY_SUBCOMMANDS),
];

/// The report of a server that uses little memory.
fn memory_doctor(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    let text = "Hi Sam, this instance is empty or is using very little memory, my issues detector \
                can't be used in these conditions. Please, leave for your mission on Earth and fill \
                it with some data. The new Sam and I will be back to our programming as soon as I \
                finished rebooting.\n";
    Ok(Reply::Verbatim("txt".into(), text.into()))
}

/// The allocator is not modelled.
fn memory_malloc_stats(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    let text = "Stats not supported for the current allocator";
    Ok(Reply::Verbatim("txt".into(), text.into()))
}

fn memory_purge(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Ok(Reply::OK)
}

fn flushall(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    check_flush(args)?;
    for database in &mut server.databases {
        database.flush();
    }
    // The server counts the flush itself as a change.
    server.databases[caller.database].usage.changes += 1;
    server.disk().save_if_configured();
    Ok(Reply::OK)
}

/// The reply is seconds and microseconds since the Unix epoch.
fn time(server: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    let now = server.calendar(server.now);
    let parts = [now.as_secs().to_string(), now.subsec_micros().to_string()];
    Ok(Reply::bulks(parts))
}

fn lastsave(server: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    let saved = server.calendar(server.persistence.last_save);
    Ok(Reply::Integer(saved.as_secs() as i64))
}

fn save(server: &mut Server, _: Caller, _args: Args<'_>) -> Answer {
    server.disk().save();
    Ok(Reply::OK)
}

/// `[SCHEDULE]`. A save takes no time, so none is ever in progress. Within a transaction it is put
/// off.
fn bgsave(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    match args {
        [_] => {}
        [_, word] if is(word, "schedule") => {}
        _ => return Err(CommandError::Syntax),
    }
    if server.is_in_transaction(caller) {
        server.scheduled.save = true;
        return Ok(Reply::status("Background saving scheduled"));
    }
    server.disk().save_in_background();
    Ok(Reply::status("Background saving started"))
}

fn bgrewriteaof(server: &mut Server, caller: Caller, _args: Args<'_>) -> Answer {
    if server.is_in_transaction(caller) {
        server.scheduled.rewrite = true;
        return Ok(Reply::status("Background append only file rewriting scheduled"));
    }
    server.disk().rewrite_append_only();
    Ok(Reply::status("Background append only file rewriting started"))
}

/// `key [SAMPLES count]`.
fn memory_usage(db: &mut Database, args: Args<'_>) -> Answer {
    let mut rest = &args[3..];
    while let [word, after @ ..] = rest {
        rest = match after {
            [count, after @ ..] if is(word, "samples") => {
                if integer(count)? < 0 {
                    return Err(CommandError::Syntax);
                }
                after
            }
            _ => return Err(CommandError::Syntax),
        };
    }
    let usage = db.stored(args[2]).map(|entry| memory::usage(args[2], &entry.value));
    Ok(usage.map_or(Reply::Nil, Reply::count))
}
