//! The commands of a process: its end, modules, clusters. This server is in no cluster, and has no
//! modules.
//!
//! Source: `cluster.c`, `module.c`, `lolwut.c`, and the replies of redis-server
//! 7.0.15.

use super::{Flow, Row};
use crate::redis::command::arguments::{double, integer, is};
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, container, flow, help, server};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::version::Arguments;

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

/// Returns the modules that the server has from the start.
pub(super) fn modules(server: &Server) -> Reply {
    if !server.profile().lua.is_a_module {
        return Reply::Array(Vec::new());
    }
    let text = |text: &str| Reply::bulk(text.as_bytes());
    Reply::Array(vec![Reply::Map(vec![
        (text("name"), text("lua")),
        (text("ver"), Reply::Integer(1)),
        (text("path"), text("lua")),
        (text("args"), Reply::Array(Vec::new())),
    ])])
}

fn module_list(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Ok(modules(server))
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

/// `[columns rows] [real imaginary]`.
fn check_fractal(words: Args<'_>, rules: &Arguments) -> Result<(), CommandError> {
    let (size, constant) = match words {
        [] => return Ok(()),
        [_, _] => (words, &[][..]),
        [_, _, real, imaginary] => (&words[..2], &[*real, *imaginary][..]),
        _ => {
            let text = "ERR Syntax error. Use: LOLWUT [columns rows] [real imaginary]";
            return Err(CommandError::text(text));
        }
    };
    size.iter().try_for_each(|n| integer(n).map(drop))?;
    let are_numbers = constant.iter().all(|n| double(n, rules).is_some());
    are_numbers.then_some(()).ok_or(CommandError::text("ERR value is not a valid float"))
}

/// `[VERSION version] …`. No computer art is drawn, but the arguments of those that other versions
/// draw too are checked.
fn lolwut(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let product = &server.profile().product;
    let (version, rest) = match args {
        [_, word, version, rest @ ..] if is(word, "version") => (Some(integer(version)?), rest),
        _ => (None, &args[1..]),
    };
    let integers = |most: usize| rest.iter().take(most).try_for_each(|n| integer(n).map(drop));
    let is_drawn = match version {
        Some(5) => integers(3).map(|()| true)?,
        Some(6) => integers(2).map(|()| true)?,
        None | Some(9) if product.draws_fractals => {
            check_fractal(rest, &server.profile().arguments)?;
            true
        }
        _ => false,
    };
    let ver = product.lolwut;
    let (ver, space) = if is_drawn { (ver.trim_end(), " ") } else { (ver, "") };
    let text = format!("{ver}{space}{}\n", product.number);
    Ok(Reply::Verbatim(*b"txt", text.into()))
}
