//! `MULTI`, `EXEC` and the other commands of transactions.

use super::{Flow, Row};
use crate::redis::command::flag::*;
use crate::redis::command::key_spec::range;
use crate::redis::command::key_spec::usage::*;
use crate::redis::command::{Answer, Args, Caller, flow, server};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::transaction::Exec;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    server("multi", 1, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, &["transaction"], &[], "Mark the start of a transaction block", multi),
    flow("exec", 1, NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG, &["transaction"], &[], "Execute all commands issued after MULTI", exec),
    server("discard", 1, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, &["transaction"], &[], "Discard all commands issued after MULTI", discard),
    server("watch", -2, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, &["transaction"], &[range(RO, 1, -1, 1)], "Watch the given keys to determine execution of the MULTI/EXEC block", watch),
    server("unwatch", 1, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, &["transaction"], &[], "Forget about all watched keys", unwatch),
];

fn multi(server: &mut Server, caller: Caller, _args: Args<'_>) -> Answer {
    let session = server.session_mut(caller.client);
    if session.multi.is_some() {
        return Err(CommandError::text("ERR MULTI calls can not be nested"));
    }
    session.multi = Some(Box::default());
    session.has_queue = true;
    Ok(Reply::OK)
}

fn discard(server: &mut Server, caller: Caller, _args: Args<'_>) -> Answer {
    if server.session_mut(caller.client).multi.take().is_none() {
        return Err(CommandError::text("ERR DISCARD without MULTI"));
    }
    server.unwatch(caller.client);
    Ok(Reply::OK)
}

/// Runs the queued commands. Returns an error if one of them was refused, and a null if a watched
/// key has changed.
fn exec(server: &mut Server, caller: Caller, _args: Args<'_>) -> Flow {
    let client = caller.client;
    let Some(multi) = server.session_mut(caller.client).multi.take() else {
        return Err(CommandError::text("ERR EXEC without MULTI"));
    };
    let broken = server.watch_is_broken(client);
    server.unwatch(client);
    if multi.failed {
        return Err(CommandError::text(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    if broken {
        return Ok(Some(Reply::NilArray));
    }
    server.session_mut(client).executing = Some(Box::new(multi.size()));
    server.note_transaction(client, multi.queued.len());
    server.run_transaction(Exec::new(client, multi.queued));
    Ok(None)
}

fn watch(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let session = server.session_mut(caller.client);
    if session.multi.is_some() {
        return Err(CommandError::text("ERR WATCH inside MULTI is not allowed"));
    }
    session.has_queue = true;
    server.watch(caller.client, caller.database, &args[1..]);
    Ok(Reply::OK)
}

fn unwatch(server: &mut Server, caller: Caller, _args: Args<'_>) -> Answer {
    server.unwatch(caller.client);
    Ok(Reply::OK)
}
