//! `HOTKEYS`: which keys take most of the time and of the network.
//!
//! Commands take no time here, and bytes are not counted, so a session of tracking has its times
//! and its settings, and finds no key. It ends by the calendar. A jump of the clock beyond its end
//! ends it at once, so that it has lasted until then. A jump back afterwards does not revive it.
//!
//! Source: the replies of Redis 8.6.2.

use super::Row;
use crate::redis::command::arguments::is;
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, container, help, server};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::value::number::parse_i64;
use crate::redis::version::Versions;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    container("hotkeys", -2, 0, &[], "A container for hotkeys tracking commands.", HOTKEYS).in_versions(Versions::REDIS_8_6),
];

#[rustfmt::skip]
const HOTKEYS: &[Row] = &[
    server("hotkeys|get", 2, ADMIN | NOSCRIPT, &[], &[], "Returns lists of top K hotkeys depending on metrics chosen in HOTKEYS START command.", get).tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]),
    help("hotkeys|help", 2, LOADING | STALE, &[], &[], "Return helpful text about HOTKEYS command parameters."),
    server("hotkeys|reset", 2, ADMIN | NOSCRIPT, &[], &[], "Release the resources used for hotkey tracking.", reset).tips(&["request_policy:special"]),
    server("hotkeys|start", -2, ADMIN | NOSCRIPT, &[], &[], "Starts hotkeys tracking.", start).tips(&["request_policy:special"]),
    server("hotkeys|stop", 2, ADMIN | NOSCRIPT, &[], &[], "Stops hotkeys tracking.", stop).tips(&["request_policy:special"]),
];

/// A session of tracking. Times are calendar times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HotKeys {
    metrics: Metrics,
    /// One of how many keys is tracked.
    sample: i64,
    since: i64,
    /// When it ends, or has ended.
    until: Option<i64>,
    /// It has ended for good, whatever the clock shows.
    ended: bool,
}

/// The measures of a session.
#[derive(Clone, Copy, Debug, Default)]
struct Metrics {
    time: bool,
    bytes: bool,
}

impl HotKeys {
    fn is_active(&self, now: i64) -> bool {
        !self.ended && self.until.is_none_or(|until| until > now)
    }

    fn end(&mut self, at: i64) {
        self.until = Some(at);
        self.ended = true;
    }

    /// Notes that the clock jumps.
    pub(crate) fn clock_jumps(&mut self, from: i64, to: i64) {
        match self.until {
            Some(until) if !self.ended && until <= from => self.end(until),
            Some(until) if !self.ended && until <= to => self.end(to),
            _ => {}
        }
    }
}

fn now(server: &Server, caller: Caller) -> i64 {
    server.databases[caller.database].now_ms()
}

/// Reads `METRICS count metric …`. Returns also the words behind it. What is no metric counts as
/// one, unless there is no other.
fn metrics(words: Args<'_>) -> Result<(Metrics, Args<'_>), CommandError> {
    let [word, count, rest @ ..] = words else {
        return Err(CommandError::text("ERR METRICS parameter is required"));
    };
    if !is(word, "metrics") {
        return Err(CommandError::text("ERR METRICS parameter is required"));
    }
    let count = match parse_i64(count) {
        Some(count @ 1..=2) => count as usize,
        _ => return Err(CommandError::text("ERR METRICS count must be > 0 and <= 2")),
    };
    let named = rest.get(..count).ok_or(CommandError::text(
        "ERR METRICS count does not match number of metric types provided",
    ))?;
    let mut metrics = Metrics::default();
    for name in named {
        let (found, twice) = match () {
            () if is(name, "cpu") => (&mut metrics.time, "ERR METRICS CPU defined more than once!"),
            () if is(name, "net") => {
                (&mut metrics.bytes, "ERR METRICS NET defined more than once!")
            }
            () => continue,
        };
        if std::mem::replace(found, true) {
            return Err(CommandError::text(twice));
        }
    }
    if !metrics.time && !metrics.bytes {
        return Err(CommandError::text("ERR METRICS no valid metrics passed. Supported: CPU|NET"));
    }
    Ok((metrics, &rest[count..]))
}

/// Reads a number in a range, or returns this error.
fn number(
    word: &[u8],
    range: std::ops::RangeInclusive<i64>,
    error: &'static str,
) -> Result<i64, CommandError> {
    parse_i64(word).filter(|n| range.contains(n)).ok_or(CommandError::text(error))
}

/// `METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio]`.
fn start(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    let now = now(server, caller);
    if server.watchers.hot_keys.is_some_and(|session| session.is_active(now)) {
        return Err(CommandError::text("ERR hotkey tracking session already in progress"));
    }
    let (metrics, mut words) = metrics(&args[2..])?;
    let mut session = HotKeys { metrics, sample: 1, since: now, until: None, ended: false };
    while let [word, value, rest @ ..] = words {
        words = rest;
        if is(word, "count") {
            number(value, 1..=64, "ERR COUNT must be between 1 and 64")?;
        } else if is(word, "duration") {
            let error = "ERR DURATION must be between 1 and 1000000";
            let seconds = number(value, 1..=1_000_000, error)?;
            session.until = Some(now.saturating_add(seconds * 1_000));
        } else if is(word, "sample") {
            let greatest = i64::from(i32::MAX);
            session.sample = number(value, 1..=greatest, "ERR SAMPLE ratio must be positive")?;
        } else if is(word, "slots") {
            return Err(CommandError::text(
                "ERR SLOTS parameter cannot be used in non-cluster mode",
            ));
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if !words.is_empty() {
        return Err(CommandError::Syntax);
    }
    server.watchers.hot_keys = Some(session);
    Ok(Reply::OK)
}

fn stop(server: &mut Server, caller: Caller, _: Args<'_>) -> Answer {
    let now = now(server, caller);
    match &mut server.watchers.hot_keys {
        Some(session) if session.is_active(now) => {
            session.end(now);
            Ok(Reply::OK)
        }
        Some(_) | None => Ok(Reply::Nil),
    }
}

fn reset(server: &mut Server, caller: Caller, _: Args<'_>) -> Answer {
    let now = now(server, caller);
    if server.watchers.hot_keys.is_some_and(|session| session.is_active(now)) {
        return Err(CommandError::text(
            "ERR hotkey tracking session in progress, stop tracking first",
        ));
    }
    server.watchers.hot_keys = None;
    Ok(Reply::OK)
}

fn get(server: &mut Server, caller: Caller, _: Args<'_>) -> Answer {
    let now = now(server, caller);
    let Some(session) = &server.watchers.hot_keys else { return Ok(Reply::Nil) };
    let all_slots = Reply::Array(vec![Reply::Integer(0), Reply::Integer(16_383)]);
    let until = match session.until {
        Some(until) if session.ended => until,
        until => until.map_or(now, |until| until.min(now)),
    };
    let zero = Reply::Integer(0);
    let none = Reply::Array(Vec::new());
    let mut fields = vec![
        ("tracking-active", Reply::flag(session.is_active(now))),
        ("sample-ratio", Reply::Integer(session.sample)),
        ("selected-slots", Reply::Array(vec![all_slots])),
        ("all-commands-all-slots-us", zero.clone()),
        ("net-bytes-all-commands-all-slots", zero.clone()),
        ("collection-start-time-unix-ms", Reply::Integer(session.since)),
        ("collection-duration-ms", Reply::Integer(until - session.since)),
    ];
    let Metrics { time, bytes } = session.metrics;
    if time {
        fields.push(("total-cpu-time-user-ms", zero.clone()));
        fields.push(("total-cpu-time-sys-ms", zero.clone()));
    }
    if bytes {
        fields.push(("total-net-bytes", zero));
    }
    if time {
        fields.push(("by-cpu-time-us", none.clone()));
    }
    if bytes {
        fields.push(("by-net-bytes", none));
    }
    let field = |(name, value): (&'static str, Reply)| (Reply::bulk(name.as_bytes()), value);
    Ok(Reply::Array(vec![Reply::Map(fields.into_iter().map(field).collect())]))
}
