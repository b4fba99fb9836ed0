//! The commands on the server as a whole: flushing, saving, time.

use super::Row;
use crate::redis::command::arguments::is;
use crate::redis::command::flag::*;
use crate::redis::command::key::check_flush;
use crate::redis::command::{Answer, Args, Caller, server};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use std::time::Duration;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    server("flushall", -1, WRITE, &["keyspace", "dangerous"], &[], "Remove all keys from all databases", flushall).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    server("time", 1, LOADING | STALE | FAST, &[], &[], "Return the current server time", time).tips(&["nondeterministic_output"]),
    server("lastsave", 1, LOADING | STALE | FAST, &["admin", "dangerous"], &[], "Get the UNIX time stamp of the last successful save to disk", lastsave).tips(&["nondeterministic_output"]),
    server("save", 1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI, &[], &[], "Synchronously save the dataset to disk", save),
    server("bgsave", -1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING, &[], &[], "Asynchronously save the dataset to disk", bgsave),
    server("bgrewriteaof", 1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING, &[], &[], "Asynchronously rewrite the append-only file", bgrewriteaof),
];

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
    let elapsed = Duration::from_millis(server.scripting.elapsed);
    let now = server.calendar(server.now + elapsed);
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
        [_, word] if is(word, "cancel") && server.profile().arguments.bgsave_takes_cancel => {
            if std::mem::take(&mut server.scheduled.save) {
                return Ok(Reply::status("Scheduled background saving cancelled"));
            }
            return Err(CommandError::text(
                "ERR Background saving is currently not in progress or scheduled",
            ));
        }
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
