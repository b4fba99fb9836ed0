//! The commands of a process: its end, modules, clusters. This server is in no cluster, and has no
//! modules.
//!
//! Source: `cluster.c`, `module.c`, `lolwut.c`, and the replies of redis-server
//! 7.0.15.

use super::{Flow, Row};
use crate::redis::command::arguments::{integer, is};
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, container, flow, help, server};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;

const MODULES: u32 = ADMIN | NOSCRIPT | NO_ASYNC_LOADING;
const ANY_TIME: u32 = LOADING | STALE | FAST;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    flow("shutdown", -1, ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY, &[], &[], "Synchronously save the dataset to disk and then shut down the server", shutdown),
    server("asking", 1, FAST, &["connection"], &[], "Sent by cluster clients after an -ASK redirect", no_cluster),
    server("readonly", 1, ANY_TIME, &["connection"], &[], "Enables read queries for a connection to a cluster replica node", outside_cluster),
    server("readwrite", 1, ANY_TIME, &["connection"], &[], "Disables read queries for a connection to a cluster replica node", outside_cluster),
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

/// `[NOSAVE | SAVE] [NOW] [FORCE] [SAFE] [FAILOVER] | ABORT`. The process ends, and all connections
/// with it. A test starts it again.
fn shutdown(server: &mut Server, _: Caller, args: Args<'_>) -> Flow {
    let (mut save, mut no_save, mut abort, mut fails_over) = (false, false, false, false);
    let takes_more = server.profile().arguments.shutdown_takes_safe;
    for word in &args[1..] {
        if is(word, "nosave") {
            no_save = true;
        } else if is(word, "save") {
            save = true;
        } else if is(word, "abort") {
            abort = true;
        } else if takes_more && is(word, "failover") {
            fails_over = true;
        } else if !(is(word, "now") || is(word, "force") || takes_more && is(word, "safe")) {
            return Err(CommandError::Syntax);
        }
    }
    if (abort && args.len() > 2) || (save && no_save) {
        return Err(CommandError::Syntax);
    }
    if fails_over {
        let text = "ERR SHUTDOWN FAILOVER is only supported in cluster mode.";
        return Err(CommandError::text(text));
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

/// Some versions accept these commands, which have no effect outside of a cluster.
fn outside_cluster(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    if server.profile().arguments.readonly_outside_cluster {
        return Ok(Reply::OK);
    }
    no_cluster(server, caller, args)
}

/// `[VERSION version …]`. The computer art of versions 5 and 6 is not drawn.
fn lolwut(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    if let [_, word, version, ..] = args
        && is(word, "version")
    {
        integer(version)?;
    }
    let product = &server.profile().product;
    let text = format!("{} ver. {}\n", product.title, product.number);
    Ok(Reply::Verbatim("txt".into(), text.into()))
}
