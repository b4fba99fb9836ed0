//! `DEBUG`: the commands for tests of a server.
//!
//! Those that end the process end it as in life: `ASSERT`, `OOM`, `PANIC` and `SEGFAULT` like a
//! kill, `RESTART` like a stop. The modules below have what takes more than a few lines: `inspect`
//! shows how values are stored, `reload` reads the keys again, `protocol` shows one reply of each
//! kind.
//!
//! Source: `debug.c`.

mod inspect;
mod protocol;
mod reload;

use super::{Flow, Row};
use crate::redis::command::arguments::{integer, is, shown};
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, Origin, describe, flow, wrong_subcommand};
use crate::redis::database::Database;
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::value::{Sds, StringValue, Value, number};
use crate::redis::version::Versions;
use smol_str::SmolStr;
use std::time::Duration;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    flow("debug", -2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "A container for debugging commands", debug),
];

/// The needs of a subcommand, and the function that runs it.
enum Run {
    /// Nothing. It changes nothing.
    Alone(fn(Args<'_>) -> Answer),
    /// The selected database.
    Database(fn(&mut Database, Args<'_>) -> Answer),
    /// The server.
    Server(fn(&mut Server, Args<'_>) -> Answer),
    /// The server and the caller. It may answer later, or answers by itself.
    Flow(fn(&mut Server, Caller, Args<'_>) -> Flow),
}

/// A subcommand: its name, least and greatest number of arguments, and function.
struct Debug {
    name: &'static str,
    arguments: (usize, usize),
    run: Run,
    versions: Versions,
}

const fn row(name: &'static str, arguments: (usize, usize), run: Run) -> Debug {
    Debug { name, arguments, run, versions: Versions::ALL }
}

impl Debug {
    const fn of(self, versions: Versions) -> Debug {
        Debug { versions, ..self }
    }
}

const ANY: usize = usize::MAX;

#[rustfmt::skip]
const SUBCOMMANDS: &[Debug] = &[
    row("aof-flush-sleep", (1, 1), Run::Alone(ok)),
    row("assert", (0, ANY), Run::Flow(crash)),
    row("change-repl-id", (0, 0), Run::Server(change_replication_id)),
    row("client-eviction", (0, 0), Run::Server(client_eviction)),
    row("clusterlink", (3, 3), Run::Alone(cluster_link)),
    row("config-rewrite-force-all", (0, 0), Run::Alone(config_rewrite)),
    row("crash-and-recover", (0, ANY), Run::Flow(crash_and_recover)),
    row("digest", (0, 0), Run::Server(inspect::digest)),
    row("digest-value", (0, ANY), Run::Database(inspect::digest_value)),
    row("drop-cluster-packet-filter", (1, 1), Run::Alone(packet_filter)),
    row("error", (1, 1), Run::Alone(error)),
    row("htstats", (1, 1), Run::Server(inspect::htstats)),
    row("htstats", (2, ANY), Run::Server(inspect::htstats)).of(Versions::SINCE_7_2),
    row("htstats-key", (1, 1), Run::Database(inspect::htstats_key)),
    row("htstats-key", (2, ANY), Run::Database(inspect::htstats_key)).of(Versions::SINCE_7_2),
    row("leak", (1, 1), Run::Alone(ok)),
    row("listpack", (1, 1), Run::Database(inspect::listpack)),
    row("loadaof", (0, ANY), Run::Server(reload::loadaof)),
    row("log", (1, 1), Run::Alone(ok)),
    row("mallctl", (1, ANY), Run::Alone(mallctl)),
    row("mallctl-str", (1, ANY), Run::Alone(mallctl)),
    row("object", (1, 1), Run::Database(inspect::object)),
    row("oom", (0, ANY), Run::Flow(crash)),
    row("panic", (0, ANY), Run::Flow(crash)),
    row("pause-cron", (1, 1), Run::Server(pause_cron)),
    row("populate", (1, 3), Run::Database(populate)),
    row("protocol", (1, 1), Run::Flow(protocol::protocol)),
    row("quicklist", (1, 2), Run::Database(inspect::quicklist)),
    row("quicklist-packed-threshold", (1, 1), Run::Alone(packed_threshold)),
    row("reload", (0, ANY), Run::Server(reload::reload)),
    row("replicate", (1, ANY), Run::Server(replicate)),
    row("replybuffer", (2, 2), Run::Alone(replybuffer)),
    row("restart", (0, ANY), Run::Flow(restart)),
    row("sdslen", (1, 1), Run::Database(inspect::sdslen)),
    row("segfault", (0, ANY), Run::Flow(crash)),
    row("set-active-expire", (1, 1), Run::Server(set_active_expire)),
    row("set-disable-deny-scripts", (1, 1), Run::Server(set_disable_deny_scripts)),
    row("set-skip-checksum-validation", (1, 1), Run::Server(set_skip_checksums)),
    row("sleep", (1, 1), Run::Flow(sleep)),
    row("stringmatch-test", (0, 0), Run::Alone(stringmatch_test)),
    row("structsize", (0, 0), Run::Alone(structsize)),
];

fn debug(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    let arguments = args.len() - 2;
    if arguments == 0 && is(args[1], "help") {
        return describe::help(server.table, args).map(Some);
    }
    let version = server.profile().version;
    let called = |row: &&Debug| {
        let (least, most) = row.arguments;
        is(args[1], row.name) && (least..=most).contains(&arguments) && row.versions.has(version)
    };
    match SUBCOMMANDS.iter().find(called) {
        Some(row) => match row.run {
            Run::Alone(run) => run(args).map(Some),
            Run::Database(run) => run(&mut server.databases[caller.database], args).map(Some),
            Run::Server(run) => run(server, args).map(Some),
            Run::Flow(run) => run(server, caller, args),
        },
        None => Err(wrong_subcommand(args, "DEBUG")),
    }
}

fn ok(_: Args<'_>) -> Answer {
    Ok(Reply::OK)
}

/// The reply is an error, but the call has not failed.
fn error(args: Args<'_>) -> Answer {
    Ok(CommandError::format(shown(args[2])).into())
}

/// The process dies, and nobody hears of it.
fn crash(server: &mut Server, _: Caller, _: Args<'_>) -> Flow {
    server.crash();
    Ok(None)
}

/// Milliseconds until the process is there again.
fn delay(args: Args<'_>) -> Result<Duration, CommandError> {
    let millis = args.get(2).map_or(Ok(0), |millis| integer(millis))?;
    Ok(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// `[milliseconds]`. The process dies and is started again.
fn crash_and_recover(server: &mut Server, _: Caller, args: Args<'_>) -> Flow {
    let delay = delay(args)?;
    server.crash();
    server.start_after(delay);
    Ok(None)
}

/// `[milliseconds]`. The process saves its keys, ends, and is started again.
fn restart(server: &mut Server, _: Caller, args: Args<'_>) -> Flow {
    let delay = delay(args)?;
    server.shut_down(false, false);
    server.start_after(delay);
    Ok(None)
}

/// The clients that may be evicted, in classes by their memory.
fn client_eviction(server: &mut Server, _: Args<'_>) -> Answer {
    let Some(classes) = server.client_classes() else {
        return Err(CommandError::text("ERR maxmemory-clients is disabled."));
    };
    let last = classes.len() - 1;
    let line = |(at, (bytes, clients)): (usize, (usize, usize))| {
        let least = if at == 0 { 0 } else { 1_u64 << (at + 14) };
        let most = (1_u64 << (at + 15)) - 1;
        let until = match at == last {
            true => "+            : ".to_owned(),
            false => format!(" - {most:>10}: "),
        };
        format!("bucket {least:>10}{until}tot-mem: {bytes:>10}, clients: {clients}\n")
    };
    let text: String = classes.into_iter().enumerate().map(line).collect();
    Ok(Reply::Verbatim(*b"txt", text.into()))
}

/// The server forgets with whom it shared its history.
fn change_replication_id(server: &mut Server, _: Args<'_>) -> Answer {
    server.replication.change_id();
    Ok(Reply::OK)
}

/// `command …`. Replicas are sent this command.
fn replicate(server: &mut Server, args: Args<'_>) -> Answer {
    let words: Vec<Sds> = args[2..].iter().map(|word| Sds::new(word)).collect();
    server.feed(None, &words);
    Ok(Reply::OK)
}

fn cluster_link(args: Args<'_>) -> Answer {
    if is(args[2], "kill") {
        let text = "ERR Debug option only available for cluster mode enabled setup!";
        return Err(CommandError::text(text));
    }
    Err(wrong_subcommand(args, "DEBUG"))
}

fn config_rewrite(_: Args<'_>) -> Answer {
    Err(CommandError::text("ERR CONFIG-REWRITE-FORCE-ALL failed: Bad address"))
}

fn packet_filter(args: Args<'_>) -> Answer {
    integer(args[2]).map(|_| Reply::OK)
}

/// The memory of this process is not jemalloc's, so it knows no key.
fn mallctl(_: Args<'_>) -> Answer {
    Err(CommandError::text("ERR No such file or directory"))
}

fn stringmatch_test(_: Args<'_>) -> Answer {
    Ok(Reply::Simple(SmolStr::new_static("Apparently Redis did not crash: test passed")))
}

/// The sizes on a machine of 64 bits.
fn structsize(_: Args<'_>) -> Answer {
    const SIZES: &[u8] =
        b"bits:64 robj:16 dictentry:24 sdshdr5:1 sdshdr8:3 sdshdr16:5 sdshdr32:9 sdshdr64:17 ";
    Ok(Reply::bulk(SIZES))
}

/// Nobody is served for this many seconds; then the command is answered.
fn sleep(server: &mut Server, caller: Caller, args: Args<'_>) -> Flow {
    // Like C's `strtod`, text that is not a number is 0.
    let seconds = std::str::from_utf8(args[2]).ok().and_then(|text| text.parse::<f64>().ok());
    let seconds = seconds.filter(|s| s.is_finite() && *s > 0.0).unwrap_or(0.0);
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    // An operator's command takes no time.
    if duration.is_zero() || caller.origin == Origin::Operator {
        return Ok(Some(Reply::OK));
    }
    let until = server.now + duration;
    server.fall_asleep(caller.client, until);
    // Within a transaction, this is one of its replies.
    Ok((caller.origin == Origin::Exec).then_some(Reply::OK))
}

/// Reads a number as C's `atoi` does: text that is not a number is 0.
fn is_on(arg: &[u8]) -> bool {
    integer(arg).unwrap_or(0) != 0
}

fn set_active_expire(server: &mut Server, args: Args<'_>) -> Answer {
    let on = is_on(args[2]);
    server.databases.iter_mut().for_each(|database| database.set_active_expiry(on));
    Ok(Reply::OK)
}

fn pause_cron(server: &mut Server, args: Args<'_>) -> Answer {
    server.cron_paused = is_on(args[2]);
    let runs = !server.cron_paused;
    server.databases.iter_mut().for_each(|database| database.set_cron(runs));
    Ok(Reply::OK)
}

/// Lets scripts call commands that they otherwise must not.
fn set_disable_deny_scripts(server: &mut Server, args: Args<'_>) -> Answer {
    server.scripting.allows_every_command = is_on(args[2]);
    Ok(Reply::OK)
}

/// Lets `RESTORE` take payloads with any version and checksum.
fn set_skip_checksums(server: &mut Server, args: Args<'_>) -> Answer {
    let skips = is_on(args[2]);
    server.databases.iter_mut().for_each(|database| database.skips_checksums = skips);
    Ok(Reply::OK)
}

fn replybuffer(args: Args<'_>) -> Answer {
    if is(args[2], "peak-reset-time") {
        let words = ["never", "reset"];
        if !words.iter().any(|word| is(args[3], word)) {
            integer(args[3])?;
        }
        Ok(Reply::OK)
    } else if is(args[2], "resizing") {
        Ok(Reply::OK)
    } else {
        Err(wrong_subcommand(args, "DEBUG"))
    }
}

fn packed_threshold(args: Args<'_>) -> Answer {
    // A node is smaller than 4 GB by a margin.
    const MOST: u64 = (1 << 32) - (1 << 20);
    let size = number::parse_memory(args[2]).filter(|size| *size <= MOST);
    size.map(|_| Reply::OK).ok_or(CommandError::text(
        "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
    ))
}

/// `count [prefix [size]]`. Adds keys `prefix:0`, `prefix:1` and so on with values `value:0`,
/// `value:1` and so on, padded with zeros or cut to the size. Existing keys stay.
fn populate(db: &mut Database, args: Args<'_>) -> Answer {
    let positive = |word: &[u8]| {
        let number = integer(word).ok().and_then(|number| usize::try_from(number).ok());
        number.ok_or(CommandError::text("ERR value is out of range, must be positive"))
    };
    let count = positive(args[2])?;
    let prefix = args.get(3).copied().unwrap_or(b"key");
    let size = args.get(4).map(|size| positive(size)).transpose()?;
    let size = size.filter(|size| *size > 0);
    for i in 0..count {
        let key = [prefix, format!(":{i}").as_bytes()].concat();
        if db.stored(&key).is_none() {
            let mut value = format!("value:{i}").into_bytes();
            value.resize(size.unwrap_or(value.len()), 0);
            db.insert(&key, Value::String(StringValue::plain(&value)));
        }
    }
    Ok(Reply::OK)
}
