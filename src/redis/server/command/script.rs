//! The commands of scripts and functions. `server/scripting` runs them.

use super::Row;
use crate::redis::command::arguments::is;
use crate::redis::command::flag::*;
use crate::redis::command::key_spec::numbered;
use crate::redis::command::key_spec::usage::*;
use crate::redis::command::{
    Answer, Args, Caller, Origin, container, flow, help, server, wrong_subcommand,
};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::version::Versions;

const RUN: u32 = NOSCRIPT | STALE | SKIP_MONITOR | MAY_REPLICATE | NO_MANDATORY_KEYS | MOVABLEKEYS;
const RUN_RO: u32 = READONLY | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLEKEYS;
const UNKNOWN_RW: &str =
    "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
const UNKNOWN_RO: &str =
    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    flow("eval", -3, RUN, &["scripting"], &[numbered(RW | ACCESS | UPDATE, 2).noted(UNKNOWN_RW)], "Execute a Lua script server side", Server::eval),
    flow("evalsha", -3, RUN, &["scripting"], &[numbered(RW | ACCESS | UPDATE, 2)], "Execute a Lua script server side", Server::evalsha),
    flow("eval_ro", -3, RUN_RO, &["scripting"], &[numbered(RO | ACCESS, 2).noted(UNKNOWN_RO)], "Execute a read-only Lua script server side", Server::eval),
    flow("evalsha_ro", -3, RUN_RO, &["scripting"], &[numbered(RO | ACCESS, 2)], "Execute a read-only Lua script server side", Server::evalsha),
    flow("fcall", -3, RUN, &["scripting"], &[numbered(RW | ACCESS | UPDATE, 2).noted(UNKNOWN_RW)], "Invoke a function", Server::fcall),
    flow("fcall_ro", -3, RUN_RO, &["scripting"], &[numbered(RO | ACCESS, 2).noted(UNKNOWN_RO)], "Invoke a read-only function", Server::fcall),
    container("script", -2, 0, &[], "A container for Lua scripts management commands", SCRIPT),
    container("function", -2, 0, &[], "A container for function commands", FUNCTION),
];

#[rustfmt::skip]
const SCRIPT: &[Row] = &[
    server("script|debug", 3, NOSCRIPT, &["scripting"], &[], "Set the debug mode for executed scripts.", script_debug),
    help("script|help", 2, LOADING | STALE, &["scripting"], &[], "Show helpful text about the different subcommands"),
    server("script|exists", -3, NOSCRIPT, &["scripting"], &[], "Check existence of scripts in the script cache.", Server::script_exists).tips(&["request_policy:all_shards", "response_policy:agg_logical_and"]),
    server("script|flush", -2, NOSCRIPT, &["scripting"], &[], "Remove all the scripts from the script cache.", script_flush).tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    server("script|show", 3, NOSCRIPT, &["scripting"], &[], "Show server-side Lua script in the script cache.", Server::script_show).in_versions(Versions::VALKEY),
    server("script|load", 3, NOSCRIPT | STALE, &["scripting"], &[], "Load the specified Lua script into the script cache.", Server::script_load).tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    server("script|kill", 2, NOSCRIPT | ALLOW_BUSY, &["scripting"], &[], "Kill the script currently in execution.", Server::script_kill).tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
];

#[rustfmt::skip]
const FUNCTION: &[Row] = &[
    server("function|list", -2, NOSCRIPT, &["scripting"], &[], "List information about all the functions", Server::function_list).tips(&["nondeterministic_output_order"]),
    server("function|delete", 3, WRITE | NOSCRIPT, &["scripting"], &[], "Delete a function by name", Server::function_delete).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    server("function|flush", -2, WRITE | NOSCRIPT, &["scripting"], &[], "Deleting all functions", function_flush).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    server("function|restore", -3, WRITE | DENYOOM | NOSCRIPT, &["scripting"], &[], "Restore all the functions on the given payload", Server::function_restore).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    server("function|load", -3, WRITE | DENYOOM | NOSCRIPT, &["scripting"], &[], "Create a function with the given arguments (name, code, description)", Server::function_load).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    help("function|help", 2, LOADING | STALE, &["scripting"], &[], "Show helpful text about the different subcommands"),
    server("function|kill", 2, NOSCRIPT | ALLOW_BUSY, &["scripting"], &[], "Kill the function currently in execution.", Server::function_kill).tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
    server("function|dump", 2, NOSCRIPT, &["scripting"], &[], "Dump all functions into a serialized binary payload", Server::function_dump),
    server("function|stats", 2, NOSCRIPT | ALLOW_BUSY, &["scripting"], &[], "Return information about the function currently running (name, description, duration)", Server::function_stats).tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
];

/// `YES | SYNC | NO`, and since Valkey 9.1 the name of an engine. The debugger itself is not
/// modelled: a session would stop at each line.
fn script_debug(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    if caller.origin == Origin::Exec || server.outbox.has_pending(caller.client) {
        return Err(CommandError::text("ERR SCRIPT DEBUG must be called outside a pipeline"));
    }
    match &args[3..] {
        [] => {}
        [engine] if is(engine, "lua") => {}
        [engine] => {
            let name = String::from_utf8_lossy(engine);
            let text = format!("ERR No scripting engine found with name '{name}' to enable debug");
            return Err(CommandError::format(text));
        }
        [_, ..] => return Err(wrong_subcommand(args, "SCRIPT")),
    }
    if is(args[2], "no") {
        return Ok(Reply::OK);
    }
    if is(args[2], "yes") || is(args[2], "sync") {
        return Err(CommandError::text("ERR the debugger of Lua scripts is not modelled"));
    }
    Err(CommandError::text("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}

/// `[ASYNC | SYNC]`.
fn script_flush(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    match &args[2..] {
        [] => {}
        [how] if is(how, "sync") || is(how, "async") => {}
        _ => return Err(CommandError::text("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
    }
    server.flush_scripts();
    Ok(Reply::OK)
}

/// `[ASYNC | SYNC]`.
fn function_flush(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    match &args[2..] {
        [] => {}
        [how] if is(how, "sync") || is(how, "async") => {}
        [_] => {
            return Err(CommandError::text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
        }
        _ => {
            return Err(wrong_subcommand(args, "FUNCTION"));
        }
    }
    server.flush_functions();
    Ok(Reply::OK)
}
