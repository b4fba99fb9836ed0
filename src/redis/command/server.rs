//! The commands on the server as a whole: saving, times, memory.

use super::flag::*;
use super::key_spec::key;
use super::key_spec::usage::*;
use super::options::{integer, is};
use super::{Answer, Args, Command, container, debug, describe, flow, info, now};
use crate::redis::database::memory;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Call;

/// The version that is modelled.
pub(super) const VERSION: &str = "7.0.15";

#[rustfmt::skip]
const MEMORY_SUBCOMMANDS: &[Command] = &[
    now("memory|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands", memory_help),
    now("memory|usage", -3, READONLY, &[], &[key(RO, 2)], "Estimate the memory usage of a key", memory_usage),
];

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    now("info", -1, LOADING | STALE, &["dangerous"], &[], "Get information and statistics about the server", info::info).tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    now("time", 1, LOADING | STALE | FAST, &[], &[], "Return the current server time", time).tips(&["nondeterministic_output"]),
    now("lastsave", 1, LOADING | STALE | FAST, &["admin", "dangerous"], &[], "Get the UNIX time stamp of the last successful save to disk", lastsave).tips(&["nondeterministic_output"]),
    now("save", 1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI, &[], &[], "Synchronously save the dataset to disk", save),
    now("bgsave", -1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING, &[], &[], "Asynchronously save the dataset to disk", bgsave),
    now("bgrewriteaof", 1, ADMIN | NOSCRIPT | NO_ASYNC_LOADING, &[], &[], "Asynchronously rewrite the append-only file", bgrewriteaof),
    container("memory", -2, 0, &[], "A container for memory diagnostics commands", MEMORY_SUBCOMMANDS),
    flow("debug", -2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "A container for debugging commands", debug::debug),
];

/// Seconds and microseconds since the Unix epoch.
fn time(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    let now = call.server.calendar(call.now());
    let parts = [now.as_secs().to_string(), now.subsec_micros().to_string()];
    Ok(Reply::bulks(parts))
}

fn lastsave(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    let saved = call.server.calendar(call.server.persistence.last_save);
    Ok(Reply::Integer(saved.as_secs() as i64))
}

fn save(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    call.server.save();
    Ok(Reply::OK)
}

/// `[SCHEDULE]`. A save takes no time, so one is never in progress; it does not begin
/// within a transaction.
fn bgsave(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    match args {
        [_] => {}
        [_, word] if is(word, "schedule") => {}
        _ => return Err(CommandError::Syntax),
    }
    if call.server.in_exec {
        call.server.scheduled.save = true;
        return Ok(Reply::status("Background saving scheduled"));
    }
    call.server.save_in_background();
    Ok(Reply::status("Background saving started"))
}

fn bgrewriteaof(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    if call.server.in_exec {
        call.server.scheduled.rewrite = true;
        return Ok(Reply::status("Background append only file rewriting scheduled"));
    }
    call.server.rewrite_append_only();
    Ok(Reply::status("Background append only file rewriting started"))
}

/// `key [SAMPLES count]`.
fn memory_usage(call: &mut Call<'_>, args: Args<'_>) -> Answer {
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
    let usage = call.db().stored(args[2]).map(|entry| memory::usage(args[2], &entry.value));
    Ok(usage.map_or(Reply::Nil, Reply::count))
}

fn memory_help(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    describe::help(call, args)
}
