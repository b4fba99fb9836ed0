//! `MULTI`, `EXEC` and the other commands of transactions.

use super::flag::*;
use super::key_spec::range;
use super::key_spec::usage::*;
use super::{Answer, Args, Command, flow, now};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::transaction::Exec;
use crate::redis::server::{Call, Multi};

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    now("multi", 1, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, &["transaction"], &[], "Mark the start of a transaction block", multi),
    flow("exec", 1, NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG, &["transaction"], &[], "Execute all commands issued after MULTI", exec),
    now("discard", 1, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, &["transaction"], &[], "Discard all commands issued after MULTI", discard),
    now("watch", -2, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, &["transaction"], &[range(RO, 1, -1, 1)], "Watch the given keys to determine execution of the MULTI/EXEC block", watch),
    now("unwatch", 1, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, &["transaction"], &[], "Forget about all watched keys", unwatch),
];

fn multi(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    let multi = &mut call.session().multi;
    if multi.is_some() {
        return Err(CommandError::text("ERR MULTI calls can not be nested"));
    }
    *multi = Some(Multi::default());
    Ok(Reply::OK)
}

fn discard(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    if call.session().multi.take().is_none() {
        return Err(CommandError::text("ERR DISCARD without MULTI"));
    }
    call.server.unwatch(call.client);
    Ok(Reply::OK)
}

/// Runs what was queued, if nothing spoiled it: a refused command is an error,
/// a watched key that was changed an answer of nothing.
fn exec(call: &mut Call<'_>, _args: Args<'_>) -> Result<Option<Reply>, CommandError> {
    let client = call.client;
    let Some(multi) = call.session().multi.take() else {
        return Err(CommandError::text("ERR EXEC without MULTI"));
    };
    let broken = call.server.watch_is_broken(client);
    call.server.unwatch(client);
    if multi.failed {
        return Err(CommandError::text(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    if broken {
        return Ok(Some(Reply::NilArray));
    }
    call.server.run_transaction(Exec::new(client, multi.queued));
    Ok(None)
}

fn watch(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    if call.session().multi.is_some() {
        return Err(CommandError::text("ERR WATCH inside MULTI is not allowed"));
    }
    for key in &args[1..] {
        call.server.watch(call.client, call.database, key);
    }
    Ok(Reply::OK)
}

fn unwatch(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    call.server.unwatch(call.client);
    Ok(Reply::OK)
}
