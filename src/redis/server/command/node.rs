//! The commands of a server among others: replication, cluster, modules. This server is alone: it
//! is a master without replicas, in no cluster, and has no modules.
//!
//! Source: `replication.c`, `cluster.c`, `module.c`, `lolwut.c`, and the replies of redis-server
//! 7.0.15.

use super::{Flow, Row};
use crate::redis::command::arguments::{integer, is};
use crate::redis::command::attempt::Attempt;
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, container, flow, help, server};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::value::number;
use crate::redis::version::VERSION;
use std::time::Duration;

const INTERNAL: u32 = ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI;
const MODULES: u32 = ADMIN | NOSCRIPT | NO_ASYNC_LOADING;
const ANY_TIME: u32 = LOADING | STALE | FAST;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    server("role", 1, NOSCRIPT | LOADING | STALE | FAST, &["admin", "dangerous"], &[], "Return the role of the instance in the context of replication", role),
    server("failover", -1, ADMIN | NOSCRIPT | STALE, &[], &[], "Start a coordinated failover between this server and one of its replicas.", failover),
    server("replicaof", 3, ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING, &[], &[], "Make the server a replica of another instance, or promote it as master.", replicaof),
    server("slaveof", 3, ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING, &[], &[], "Make the server a replica of another instance, or promote it as master.", replicaof),
    server("psync", -3, INTERNAL, &[], &[], "Internal command used for replication", not_modelled),
    server("sync", 1, INTERNAL, &[], &[], "Internal command used for replication", not_modelled),
    server("replconf", -1, ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY, &[], &[], "An internal command for configuring the replication stream", replconf),
    flow("wait", 3, NOSCRIPT, &["connection"], &[], "Wait for the synchronous replication of all the write commands sent in the context of the current connection", wait).tips(&["request_policy:all_shards", "response_policy:agg_min"]),
    flow("shutdown", -1, ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY, &[], &[], "Synchronously save the dataset to disk and then shut down the server", shutdown),
    server("asking", 1, FAST, &["connection"], &[], "Sent by cluster clients after an -ASK redirect", no_cluster),
    server("readonly", 1, ANY_TIME, &["connection"], &[], "Enables read queries for a connection to a cluster replica node", no_cluster),
    server("readwrite", 1, ANY_TIME, &["connection"], &[], "Disables read queries for a connection to a cluster replica node", no_cluster),
    container("module", -2, 0, &[], "A container for module commands", MODULE),
    server("lolwut", -1, READONLY | FAST, &[], &[], "Display some computer art and the Redis version", lolwut),
];

#[rustfmt::skip]
const MODULE: &[Row] = &[
    help("module|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands"),
    server("module|list", 2, ADMIN | NOSCRIPT, &[], &[], "List all modules loaded by the server", module_list).tips(&["nondeterministic_output_order"]),
    server("module|load", -3, MODULES, &[], &[], "Load a module", no_modules),
    server("module|loadex", -3, MODULES, &[], &[], "Load a module with extended parameters", no_modules),
    server("module|unload", 3, MODULES, &[], &[], "Unload a module", no_modules),
];

fn role(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Ok(Reply::Array(vec![Reply::bulk(b"master"), Reply::Integer(0), Reply::Array(Vec::new())]))
}

/// `[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]`.
fn failover(_: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    if let [word] = &args[1..]
        && is(word, "abort")
    {
        return Err(CommandError::text("ERR No failover in progress."));
    }
    let mut words = &args[1..];
    let (mut to, mut timeout, mut force) = (false, false, false);
    loop {
        words = match words {
            [] => break,
            [word, millis, rest @ ..] if is(word, "timeout") && !timeout => {
                if integer(millis)? <= 0 {
                    return Err(CommandError::text("ERR FAILOVER timeout must be greater than 0"));
                }
                timeout = true;
                rest
            }
            [word, _, port, rest @ ..] if is(word, "to") && !to => {
                integer(port)?;
                to = true;
                rest
            }
            [word, rest @ ..] if is(word, "force") && !force => {
                force = true;
                rest
            }
            _ => return Err(CommandError::Syntax),
        };
    }
    Err(CommandError::text("ERR FAILOVER requires connected replicas."))
}

/// `numreplicas milliseconds`. There are no replicas, so a client that waits for one waits in vain.
fn wait(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let replicas = integer(args[1])?;
    let millis = number::parse_i64(args[2])
        .ok_or(CommandError::text("ERR timeout is not an integer or out of range"))?;
    let millis =
        u64::try_from(millis).map_err(|_| CommandError::text("ERR timeout is negative"))?;
    if replicas <= 0 {
        return Ok(Some(Reply::Integer(0)));
    }
    let deadline = (millis > 0).then(|| server.now + Duration::from_millis(millis));
    Ok(server.block(caller, &[], Attempt::Replicas, deadline))
}

/// `[NOSAVE | SAVE] [NOW] [FORCE] | ABORT`. The process ends, and all connections with it. A test
/// starts it again.
fn shutdown(server: &mut Server, _: Caller, args: Args<'_>) -> Flow {
    let (mut save, mut no_save, mut abort) = (false, false, false);
    for word in &args[1..] {
        if is(word, "nosave") {
            no_save = true;
        } else if is(word, "save") {
            save = true;
        } else if is(word, "abort") {
            abort = true;
        } else if !is(word, "now") && !is(word, "force") {
            return Err(CommandError::Syntax);
        }
    }
    if (abort && args.len() > 2) || (save && no_save) {
        return Err(CommandError::Syntax);
    }
    if abort {
        return Err(CommandError::text("ERR No shutdown in progress."));
    }
    if let Some(busy) = server.busy_error().filter(|_| !no_save) {
        return Err(busy);
    }
    server.shut_down(save, no_save);
    Ok(None)
}

/// `NO ONE`, or `host port`. Only the first is modelled.
fn replicaof(_: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    if is(args[1], "no") && is(args[2], "one") {
        return Ok(Reply::OK);
    }
    let port = number::parse_i64(args[2]).filter(|port| (0..=65_535).contains(port));
    port.ok_or(CommandError::text("ERR Invalid master port"))?;
    Err(NOT_MODELLED)
}

const NOT_MODELLED: CommandError =
    CommandError::text("ERR replication between servers is not modelled");

fn not_modelled(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Err(NOT_MODELLED)
}

/// Pairs of an option and its value.
fn replconf(_: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    const OPTIONS: [&str; 5] = ["listening-port", "ip-address", "capa", "ack", "getack"];
    for pair in args[1..].chunks_exact(2) {
        if !OPTIONS.iter().any(|option| is(pair[0], option)) {
            let option = String::from_utf8_lossy(pair[0]);
            return Err(CommandError::format(format!(
                "ERR Unrecognized REPLCONF option: {option}"
            )));
        }
        if is(pair[0], "listening-port") {
            integer(pair[1])?;
        }
    }
    Ok(Reply::OK)
}

pub(super) fn no_cluster(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Err(CommandError::text("ERR This instance has cluster support disabled"))
}

fn module_list(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Ok(Reply::Array(Vec::new()))
}

fn no_modules(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Err(CommandError::text(
        "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", \
         you can run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server.",
    ))
}

/// `[VERSION version …]`. The computer art of versions 5 and 6 is not drawn.
fn lolwut(_: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    if let [_, word, version, ..] = args
        && is(word, "version")
    {
        integer(version)?;
    }
    let text = format!("Redis ver. {}\n", VERSION.number);
    Ok(Reply::Verbatim("txt".into(), text.into()))
}
