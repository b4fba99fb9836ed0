//! `CONFIG`: the parameters of the server.
//!
//! A parameter of Redis's is one of three kinds here. Those that change what a
//! client can observe are read and set through [`PARAMETERS`]. Those that tune what
//! is not modelled (threads, defragmentation, the log) are in [`INERT`]: they have
//! Redis's default, may be set to anything of its kind, and do nothing. Those that would
//! matter but cannot be followed, such as `maxmemory`, are in [`FIXED`]: they have
//! Redis's default and may only be set to it.
//!
//! Source: <https://redis.io/docs/management/config/>, `config.c`.

use super::super::config::{AppendFsync, Config, SavePoint};
use super::super::error::Error;
use super::super::glob;
use super::super::notify::EventClasses;
use super::super::number;
use super::super::reply::Reply;
use super::super::sds::Sds;
use super::super::server::Call;
use super::flag::*;
use super::{Answer, Args, Command, container, describe, now};
use std::time::Duration;

#[rustfmt::skip]
const CONFIG_SUBCOMMANDS: &[Command] = &[
    now("config|get", -3, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Get the values of configuration parameters", config_get),
    now("config|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands", config_help),
    now("config|resetstat", 2, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Reset the stats returned by INFO", config_resetstat),
    now("config|set", -4, ADMIN | NOSCRIPT | LOADING | STALE, &[], &[], "Set configuration parameters to the given values", config_set).tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    container("config", -2, 0, &[], "A container for server configuration commands", CONFIG_SUBCOMMANDS),
];

/// A parameter that has an effect.
struct Parameter {
    name: &'static str,
    get: fn(&Config) -> String,
    /// Says what is wrong with a value.
    set: fn(&mut Config, &str) -> Result<(), String>,
}

const fn parameter(
    name: &'static str,
    get: fn(&Config) -> String,
    set: fn(&mut Config, &str) -> Result<(), String>,
) -> Parameter {
    Parameter { name, get, set }
}

#[rustfmt::skip]
const PARAMETERS: &[Parameter] = &[
    parameter("appendfsync", |c| FSYNC[c.fsync as usize].to_owned(), set_fsync),
    parameter("appendonly", |c| yes_or_no(c.append_only), |c, v| { c.append_only = flag(v)?; Ok(()) }),
    parameter("client-query-buffer-limit", |c| c.query_buffer_limit.to_string(), |c, v| { c.query_buffer_limit = bytes(v, 1 << 20)?; Ok(()) }),
    parameter("hash-max-listpack-entries", |c| c.limits.hash.max_entries.to_string(), |c, v| { c.limits.hash.max_entries = size(v)?; Ok(()) }),
    parameter("hash-max-listpack-value", |c| c.limits.hash.max_value.to_string(), |c, v| { c.limits.hash.max_value = value_size(v)?; Ok(()) }),
    parameter("hash-max-ziplist-entries", |c| c.limits.hash.max_entries.to_string(), |c, v| { c.limits.hash.max_entries = size(v)?; Ok(()) }),
    parameter("hash-max-ziplist-value", |c| c.limits.hash.max_value.to_string(), |c, v| { c.limits.hash.max_value = value_size(v)?; Ok(()) }),
    parameter("notify-keyspace-events", |c| c.events.to_string(), set_events),
    parameter("proto-max-bulk-len", |c| c.limits.string.to_string(), |c, v| { c.limits.string = bytes(v, 1 << 20)?; Ok(()) }),
    parameter("requirepass", |c| c.password().map_or_else(String::new, Sds::to_string), set_password),
    parameter("save", |c| save_text(&c.save_points), set_save),
    parameter("set-max-intset-entries", |c| c.limits.intset.to_string(), |c, v| { c.limits.intset = size(v)?; Ok(()) }),
    parameter("zset-max-listpack-entries", |c| c.limits.sorted_set.max_entries.to_string(), |c, v| { c.limits.sorted_set.max_entries = size(v)?; Ok(()) }),
    parameter("zset-max-listpack-value", |c| c.limits.sorted_set.max_value.to_string(), |c, v| { c.limits.sorted_set.max_value = value_size(v)?; Ok(()) }),
    parameter("zset-max-ziplist-entries", |c| c.limits.sorted_set.max_entries.to_string(), |c, v| { c.limits.sorted_set.max_entries = size(v)?; Ok(()) }),
    parameter("zset-max-ziplist-value", |c| c.limits.sorted_set.max_value.to_string(), |c, v| { c.limits.sorted_set.max_value = value_size(v)?; Ok(()) }),
];

/// What does nothing here.
const INERT: &[(&str, &str)] = &[
    ("activedefrag", "no"),
    ("active-expire-effort", "1"),
    ("activerehashing", "yes"),
    ("appendfilename", "appendonly.aof"),
    ("auto-aof-rewrite-min-size", "67108864"),
    ("auto-aof-rewrite-percentage", "100"),
    ("busy-reply-threshold", "5000"),
    ("dbfilename", "dump.rdb"),
    ("dir", "/"),
    ("dynamic-hz", "yes"),
    ("hz", "10"),
    ("io-threads", "1"),
    ("latency-monitor-threshold", "0"),
    ("latency-tracking", "yes"),
    ("lazyfree-lazy-eviction", "no"),
    ("lazyfree-lazy-expire", "no"),
    ("lazyfree-lazy-server-del", "no"),
    ("lazyfree-lazy-user-del", "no"),
    ("lazyfree-lazy-user-flush", "no"),
    ("list-compress-depth", "0"),
    ("list-max-listpack-size", "-2"),
    ("list-max-ziplist-size", "-2"),
    ("logfile", ""),
    ("loglevel", "notice"),
    ("lua-time-limit", "5000"),
    ("no-appendfsync-on-rewrite", "no"),
    ("rdbchecksum", "yes"),
    ("rdbcompression", "yes"),
    ("slowlog-log-slower-than", "10000"),
    ("slowlog-max-len", "128"),
    ("stop-writes-on-bgsave-error", "yes"),
    ("stream-node-max-bytes", "4096"),
    ("stream-node-max-entries", "100"),
    ("tcp-keepalive", "300"),
];

/// What would matter and is not modelled.
const FIXED: &[(&str, &str)] = &[
    ("cluster-enabled", "no"),
    ("maxclients", "10000"),
    ("maxmemory", "0"),
    ("maxmemory-clients", "0"),
    ("maxmemory-policy", "noeviction"),
    ("maxmemory-samples", "5"),
    ("timeout", "0"),
];

/// Of these, those whose value is a memory size.
const MEMORY: [&str; 3] = ["auto-aof-rewrite-min-size", "maxmemory", "stream-node-max-bytes"];

const POLICIES: [&str; 8] = [
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

const FSYNC: [&str; 3] = ["always", "everysec", "no"];

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn flag(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".to_owned()),
    }
}

fn size(value: &str) -> Result<usize, String> {
    let n = number::parse_i64(value.as_bytes())
        .ok_or_else(|| "argument couldn't be parsed into an integer".to_owned())?;
    usize::try_from(n).map_err(|_| format!("argument must be between 0 and {} inclusive", i64::MAX))
}

/// A memory size of at least so much.
fn bytes(value: &str, least: u64) -> Result<u64, String> {
    let total = memory(value)?;
    if total < least || i64::try_from(total).is_err() {
        return Err(format!("argument must be between {least} and {} inclusive", i64::MAX));
    }
    Ok(total)
}

/// The size of a value that still has its compact encoding.
fn value_size(value: &str) -> Result<usize, String> {
    bytes(value, 0).map(|total| usize::try_from(total).unwrap_or(usize::MAX))
}

/// A memory size, with a unit such as `mb` (of 1,024) or `m` (of 1,000). As in Redis
/// no digits are 0, and what does not fit is as much as does before the unit, and
/// wraps with it.
fn memory(value: &str) -> Result<u64, String> {
    let value = value.split('\0').next().unwrap_or_default().to_ascii_lowercase();
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &value[..value.len() - unit.len()];
    let unit: Option<u64> = match unit {
        "" | "b" => Some(1),
        "k" => Some(1_000),
        "kb" => Some(1 << 10),
        "m" => Some(1_000_000),
        "mb" => Some(1 << 20),
        "g" => Some(1_000_000_000),
        "gb" => Some(1 << 30),
        _ => None,
    };
    let most = |digits: &str| if digits.is_empty() { 0 } else { u64::MAX };
    let total = unit
        .filter(|_| digits.len() < 128)
        .map(|unit| digits.parse().unwrap_or_else(|_| most(digits)).wrapping_mul(unit));
    total.ok_or_else(|| "argument must be a memory value".to_owned())
}

/// Whether a parameter without effect could have a value, going by its default.
fn check(name: &str, default: &str, value: &str) -> Result<(), String> {
    if name == "maxmemory-policy" {
        if !POLICIES.contains(&value.to_ascii_lowercase().as_str()) {
            let names = POLICIES.join(", ");
            return Err(format!("argument(s) must be one of the following: {names}"));
        }
    } else if ["yes", "no"].contains(&default) {
        flag(value)?;
    } else if MEMORY.contains(&name) {
        memory(value)?;
    } else if number::parse_i64(default.as_bytes()).is_some() {
        number::parse_i64(value.as_bytes())
            .ok_or_else(|| "argument couldn't be parsed into an integer".to_owned())?;
    }
    Ok(())
}

fn set_fsync(config: &mut Config, value: &str) -> Result<(), String> {
    config.fsync = match value.to_ascii_lowercase().as_str() {
        "always" => AppendFsync::Always,
        "everysec" => AppendFsync::EverySec,
        "no" => AppendFsync::No,
        _ => {
            let names = "argument(s) must be one of the following: everysec, always, no";
            return Err(names.to_owned());
        }
    };
    Ok(())
}

fn set_events(config: &mut Config, value: &str) -> Result<(), String> {
    config.events = EventClasses::parse(value)
        .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned())?;
    Ok(())
}

fn set_password(config: &mut Config, value: &str) -> Result<(), String> {
    config.password = Some(Sds::from(value)).filter(|password| !password.is_empty());
    Ok(())
}

fn save_text(points: &[SavePoint]) -> String {
    let point = |p: &SavePoint| format!("{} {}", p.after.as_secs(), p.changes);
    points.iter().map(point).collect::<Vec<_>>().join(" ")
}

fn set_save(config: &mut Config, value: &str) -> Result<(), String> {
    let numbers: Option<Vec<u64>> = value
        .split_ascii_whitespace()
        .map(|word| number::parse_i64(word.as_bytes()).and_then(|n| u64::try_from(n).ok()))
        .collect();
    let valid = numbers.filter(|n| n.len().is_multiple_of(2) && n.chunks(2).all(|p| p[0] > 0));
    let numbers = valid.ok_or_else(|| "Invalid save parameters".to_owned())?;
    config.save_points = numbers
        .chunks_exact(2)
        .map(|pair| SavePoint { after: Duration::from_secs(pair[0]), changes: pair[1] })
        .collect();
    Ok(())
}

/// Every parameter that a word or pattern names, with its value; as it was
/// asked for where it is no pattern.
fn matching(call: &Call<'_>, pattern: &[u8]) -> Vec<(Vec<u8>, String)> {
    let config = &call.server.config;
    let databases = call.server.databases.len().to_string();
    let set = |name: &str, default: &str| {
        config.inert.get(name.as_bytes()).map_or_else(|| default.to_owned(), Sds::to_string)
    };
    let all = PARAMETERS
        .iter()
        .map(|p| (p.name, (p.get)(config)))
        .chain(INERT.iter().map(|(name, default)| (*name, set(name, default))))
        .chain(FIXED.iter().map(|(name, value)| (*name, (*value).to_owned())))
        .chain([("databases", databases)]);
    if pattern.iter().any(|byte| b"*?[".contains(byte)) {
        let matching = all.filter(|(name, _)| glob::matches(pattern, name.as_bytes(), true));
        return matching.map(|(name, value)| (name.as_bytes().to_vec(), value)).collect();
    }
    let named = all.filter(|(name, _)| pattern.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, value)| (pattern.to_vec(), value)).collect()
}

fn config_get(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let mut found: Vec<(Vec<u8>, String)> = Vec::new();
    for pattern in &args[2..] {
        for (name, value) in matching(call, pattern) {
            if !found.iter().any(|(known, _)| *known == name) {
                found.push((name, value));
            }
        }
    }
    let pair = |(name, value): (Vec<u8>, String)| {
        (Reply::Bulk(name.into()), Reply::bulk(value.as_bytes()))
    };
    Ok(Reply::Map(found.into_iter().map(pair).collect()))
}

fn failed(name: &str, why: &str) -> Error {
    Error::format(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"))
}

/// Sets one parameter in a configuration.
fn set_one(config: &mut Config, name: &str, value: &str) -> Result<(), Error> {
    let lower = name.to_ascii_lowercase();
    if let Some(parameter) = PARAMETERS.iter().find(|p| p.name == lower) {
        return (parameter.set)(config, value).map_err(|why| failed(name, &why));
    }
    if let Some((name, default)) = INERT.iter().find(|(inert, _)| *inert == lower) {
        check(name, default, value).map_err(|why| failed(name, &why))?;
        config.inert.insert(Sds::from(*name), Sds::from(value));
        return Ok(());
    }
    match FIXED.iter().find(|(fixed, _)| *fixed == lower) {
        Some((_, default)) if *default == value => Ok(()),
        Some((name, default)) => {
            let why = check(name, default, value).err();
            Err(failed(name, why.as_deref().unwrap_or("not modelled, only its default is")))
        }
        None => Err(failed(name, "can't set immutable config")),
    }
}

fn is_known(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut names = PARAMETERS
        .iter()
        .map(|p| p.name)
        .chain(INERT.iter().chain(FIXED).map(|(name, _)| *name))
        .chain(["databases"]);
    names.any(|known| known == lower)
}

/// All of them, or none.
fn config_set(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let words: Vec<String> =
        args[2..].iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let pairs = words.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(Error::Arity("config|set".into()));
    }
    for (i, pair) in pairs.clone().enumerate() {
        if !is_known(&pair[0]) {
            return Err(Error::format(format!(
                "ERR Unknown option or number of arguments for CONFIG SET - '{}'",
                pair[0]
            )));
        }
        if pairs.clone().take(i).any(|other| other[0].eq_ignore_ascii_case(&pair[0])) {
            return Err(failed(&pair[0], "duplicate parameter"));
        }
    }
    let mut config = call.server.config.clone();
    for pair in pairs {
        set_one(&mut config, &pair[0], &pair[1])?;
    }
    call.server.reconfigure(config);
    Ok(Reply::OK)
}

fn config_resetstat(call: &mut Call<'_>, _args: Args<'_>) -> Answer {
    call.server.reset_stats();
    Ok(Reply::OK)
}

fn config_help(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    describe::help(call, args)
}
