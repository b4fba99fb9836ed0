//! `SLOWLOG`, `LATENCY` and `MONITOR`.

use super::{Row, latency};
use crate::redis::command::arguments::is;
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, container, help, server, wrong_subcommand};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::slow::SlowEntry;
use crate::redis::value::number;
use crate::redis::version::Versions;
use std::collections::VecDeque;

const READ: u32 = ADMIN | LOADING | STALE;
const LATENCY: u32 = ADMIN | NOSCRIPT | LOADING | STALE;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    container("slowlog", -2, 0, &[], "A container for slow log commands", SLOWLOG),
    container("commandlog", -2, 0, &[], "A container for command log commands.", COMMANDLOG).in_versions(Versions::VALKEY_SINCE_8_1),
    container("latency", -2, 0, &[], "A container for latency diagnostics commands", LATENCIES),
    server("monitor", 1, LATENCY, &[], &[], "Listen for all requests received by the server in real time", monitor),
];

#[rustfmt::skip]
const SLOWLOG: &[Row] = &[
    server("slowlog|get", -2, READ, &[], &[], "Get the slow log's entries", slowlog_get).tips(&["request_policy:all_nodes", "nondeterministic_output"]),
    help("slowlog|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands"),
    server("slowlog|len", 2, READ, &[], &[], "Get the slow log's length", slowlog_len).tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]),
    server("slowlog|reset", 2, READ, &[], &[], "Clear all entries from the slow log", slowlog_reset).tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

#[rustfmt::skip]
const COMMANDLOG: &[Row] = &[
    server("commandlog|get", 4, READ, &[], &[], "Returns the specified command log's entries.", commandlog_get).tips(&["request_policy:all_nodes", "nondeterministic_output"]),
    help("commandlog|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands."),
    server("commandlog|len", 3, READ, &[], &[], "Returns the number of entries in the specified type of command log.", commandlog_len).tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]),
    server("commandlog|reset", 3, READ, &[], &[], "Clears all entries from the specified type of command log.", commandlog_reset).tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

#[rustfmt::skip]
const LATENCIES: &[Row] = &[
    server("latency|doctor", 2, LATENCY, &[], &[], "Return a human readable latency analysis report.", latency::doctor).tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    server("latency|graph", 3, LATENCY, &[], &[], "Return a latency graph for the event.", latency::graph).tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    help("latency|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands."),
    server("latency|histogram", -2, LATENCY, &[], &[], "Return the cumulative distribution of latencies of a subset of commands or all.", latency_histogram).tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    server("latency|history", 3, LATENCY, &[], &[], "Return timestamp-latency samples for the event.", latency_history).tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    server("latency|latest", 2, LATENCY, &[], &[], "Return the latest latency samples for all events.", latency_latest).tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    server("latency|reset", -2, LATENCY, &[], &[], "Reset latency data for one or more events.", latency_reset).tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

fn integer(n: u64) -> Reply {
    Reply::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Reads a number of entries, of which -1 is all.
fn entry_count(count: &[u8]) -> Result<usize, CommandError> {
    let wrong = CommandError::text("ERR count should be greater than or equal to -1");
    let count = number::parse_i64(count).filter(|count| *count >= -1).ok_or(wrong)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// `[count]`. -1 is all.
fn slowlog_get(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let count = match &args[2..] {
        [] => 10,
        [count] => entry_count(count)?,
        _ => {
            return Err(wrong_subcommand(args, "SLOWLOG"));
        }
    };
    Ok(entries(&server.watchers.slow_log, count))
}

fn entries(log: &VecDeque<SlowEntry>, count: usize) -> Reply {
    let entries = log.iter().take(count).map(|entry| {
        Reply::Array(vec![
            integer(entry.id),
            integer(entry.time),
            integer(entry.micros),
            Reply::bulks(&entry.args),
            Reply::bulk(entry.peer.as_bytes()),
            Reply::bulk(&entry.name),
        ])
    });
    Reply::Array(entries.collect())
}

/// Returns the log of a type.
fn log_of<'a>(
    server: &'a mut Server,
    kind: &[u8],
) -> Result<&'a mut VecDeque<SlowEntry>, CommandError> {
    let unknown = CommandError::text(
        "ERR type should be one of the following: slow, large-request, large-reply",
    );
    if is(kind, "slow") {
        return Ok(&mut server.watchers.slow_log);
    }
    let log = server.watchers.command_log.as_mut().ok_or(unknown.clone())?;
    match () {
        () if is(kind, "large-request") => Ok(&mut log.requests.entries),
        () if is(kind, "large-reply") => Ok(&mut log.replies.entries),
        () => Err(unknown),
    }
}

/// `count slow | large-request | large-reply`. -1 is all.
fn commandlog_get(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let count = entry_count(args[2])?;
    Ok(entries(log_of(server, args[3])?, count))
}

fn commandlog_len(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    Ok(Reply::count(log_of(server, args[2])?.len()))
}

fn commandlog_reset(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    log_of(server, args[2])?.clear();
    Ok(Reply::OK)
}

fn slowlog_len(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Ok(Reply::count(server.watchers.slow_log.len()))
}

fn slowlog_reset(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    server.watchers.slow_log.clear();
    Ok(Reply::OK)
}

fn latency_latest(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    let events = server.watchers.latency.iter().map(|(event, samples)| {
        let (second, millis) = samples.samples.back().copied().unwrap_or_default();
        Reply::Array(vec![
            Reply::bulk(event.as_bytes()),
            integer(second),
            integer(millis),
            integer(samples.longest),
        ])
    });
    Ok(Reply::Array(events.collect()))
}

fn latency_history(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let event = std::str::from_utf8(args[2]).unwrap_or_default();
    let samples = server.watchers.latency.get(event).map(|samples| &samples.samples);
    let samples = samples.into_iter().flatten();
    let pair =
        |(second, millis): &(u64, u64)| Reply::Array(vec![integer(*second), integer(*millis)]);
    Ok(Reply::Array(samples.map(pair).collect()))
}

/// `[event …]`.
fn latency_reset(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let latency = &mut server.watchers.latency;
    let before = latency.len();
    let names = &args[2..];
    let meant = |event: &str| names.is_empty() || names.iter().any(|name| is(name, event));
    latency.retain(|event, _| !meant(event));
    Ok(Reply::count(before - latency.len()))
}

/// `[command …]`. Each call counts in the lowest bucket, since commands take no time.
fn latency_histogram(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let names = &args[2..];
    let meant = |name: &str| {
        let container = name.split('|').next().unwrap_or(name);
        names.is_empty() || names.iter().any(|given| is(given, name) || is(given, container))
    };
    let counted = server.stats.by_command.iter();
    let counted = counted.filter(|(name, stats)| stats.calls > 0 && meant(name));
    let entries = counted.map(|(name, stats)| {
        let buckets = Reply::Map(vec![(Reply::Integer(1), integer(stats.calls))]);
        let fields = vec![
            (Reply::bulk(b"calls"), integer(stats.calls)),
            (Reply::bulk(b"histogram_usec"), buckets),
        ];
        (Reply::bulk(name.as_bytes()), Reply::Map(fields))
    });
    Ok(Reply::Map(entries.collect()))
}

/// From now on the client is shown every command.
fn monitor(server: &mut Server, caller: Caller, _: Args<'_>) -> Answer {
    if !server.watchers.monitors.contains(&caller.client) {
        server.watchers.monitors.push(caller.client);
    }
    Ok(Reply::OK)
}
