//! `MEMORY`: what the server and its keys use, in the model of a real server's memory.
//!
//! Source: `object.c` (`memoryCommand`, `getMemoryDoctorReport`).

use super::Row;
use crate::redis::command::arguments::{integer, is};
use crate::redis::command::flag::*;
use crate::redis::command::key_spec::key;
use crate::redis::command::key_spec::usage::*;
use crate::redis::command::{Answer, Args, Caller, container, database, help, server};
use crate::redis::database::{Database, memory};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::server::eviction::MemoryUse;
use crate::redis::version::{Version, Versions};

#[rustfmt::skip]
const MEMORY_SUBCOMMANDS: &[Row] = &[
    server("memory|doctor", 2, 0, &[], &[], "Outputs memory problems report", memory_doctor).tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    help("memory|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands"),
    server("memory|malloc-stats", 2, 0, &[], &[], "Show allocator internal stats", memory_malloc_stats).tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    server("memory|purge", 2, 0, &[], &[], "Ask the allocator to release memory", memory_purge).tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    server("memory|stats", 2, 0, &[], &[], "Show memory usage details", memory_stats).tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    database("memory|usage", -3, READONLY, &[], &[key(RO, 2)], "Estimate the memory usage of a key", memory_usage),
];

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    container("memory", -2, 0, &[], "A container for memory diagnostics commands", MEMORY_SUBCOMMANDS),
];

const SAID_LITTLE: &str = "Hi Sam, this instance is empty or is using very little memory, my issues \
    detector can't be used in these conditions. Please, leave for your mission on Earth and fill it \
    with some data. The new Sam and I will be back to our programming as soon as I finished \
    rebooting.\n";
const SAID_NOTHING: &str = "Hi Sam, I can't find any memory issue in your instance. I can only \
    account for what occurs on this base.\n";
const SAID_FIRST: &str =
    "Sam, I detected a few issues in this {title} instance memory implants:\n\n";
const SAID_PEAK: &str = " * Peak memory: In the past this instance used more than 150% the memory \
    that is currently using. The allocator is normally not able to release memory after a peak, so \
    you can expect to see a big fragmentation ratio, however this is actually harmless and is only \
    due to the memory peak, and if the {title} instance Resident Set Size (RSS) is currently bigger \
    than expected, the memory will be used as soon as you fill the {title} instance with more data. \
    If the memory peak was only occasional and you want to try to reclaim memory, please try the \
    MEMORY PURGE command, otherwise the only other option is to shutdown and restart the \
    instance.\n\n";
const SAID_CLIENTS: &str = " * Big client buffers: The clients output buffers in this instance are \
    greater than 200K per client (on average). This may result from different causes, like Pub/Sub \
    clients subscribed to channels bot not receiving data fast enough, so that data piles on the \
    {title} instance output buffer, or clients sending commands with large replies or very large \
    sequences of commands in the same pipeline. Please use the CLIENT LIST command in order to \
    investigate the issue if it causes problems in your instance, or to understand better why \
    certain clients are using a big amount of memory.\n\n";
const SAID_SCRIPTS: &str = " * Many scripts: There seem to be many cached scripts in this instance \
    (more than 1000). This may be because scripts are generated and `EVAL`ed, instead of being \
    parameterized (with KEYS and ARGV), `SCRIPT LOAD`ed and `EVALSHA`ed. Unless `SCRIPT FLUSH` is \
    called periodically, the scripts' caches may end up consuming most of your memory.\n\n";
const SAID_LAST: &str = "I'm here to keep you safe, Sam. I want to help you.\n";

/// The model has no fragmentation, and replicas take what they are sent at once, so it never
/// advises on these.
fn memory_doctor(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    let MemoryUse { used, peak, .. } = MemoryUse::of(server);
    let clients = (server.sessions.len() - server.replication.replicas.len()).max(1);
    let advice: String = [
        (peak as f64 / used as f64 > 1.5, SAID_PEAK),
        (server.memory_of_clients() / clients > 200 * 1_024, SAID_CLIENTS),
        (server.scripting.sizes().scripts > 1_000, SAID_SCRIPTS),
    ]
    .into_iter()
    .filter(|(given, _)| *given)
    .map(|(_, text)| text)
    .collect();
    let text = if used < 5 << 20 {
        SAID_LITTLE.to_owned()
    } else if advice.is_empty() {
        SAID_NOTHING.to_owned()
    } else {
        let title = server.profile().product.title;
        format!("{SAID_FIRST}{advice}{SAID_LAST}").replace("{title}", title)
    };
    Ok(Reply::Verbatim(*b"txt", text.into()))
}

/// The real server computes ratios in single precision.
fn ratio(part: usize, of: usize) -> Reply {
    Reply::Double(f64::from(part as f32 / of.max(1) as f32))
}

fn percentage(part: usize, of: usize) -> Reply {
    Reply::Double(f64::from(part as f32 * 100.0 / of.max(1) as f32))
}

/// A number of `MEMORY STATS`, and the versions that tell it.
type Count = (&'static str, usize, Versions);

fn counts(
    version: Version,
    counts: impl IntoIterator<Item = Count>,
) -> impl Iterator<Item = (Reply, Reply)> {
    let told = counts.into_iter().filter(move |(_, _, versions)| versions.has(version));
    told.map(|(name, n, _)| (Reply::bulk(name.as_bytes()), Reply::count(n)))
}

/// The overhead of one database.
fn overhead_of((number, db): (usize, &Database)) -> (Reply, Reply) {
    let (main, expires) = db.keyspace.overhead();
    let fields = [
        ("overhead.hashtable.main", main, Versions::ALL),
        ("overhead.hashtable.expires", expires, Versions::ALL),
        ("overhead.hashtable.slot-to-keys", 0, Versions::UNTIL_7_2),
    ];
    let fields = counts(db.profile.version, fields).collect();
    (Reply::bulk(format!("db.{number}").as_bytes()), Reply::Map(fields))
}

/// The parts of the server beside its keys.
fn parts_of(server: &Server, used: usize, peak: usize) -> [Count; 15] {
    const ALL: Versions = Versions::ALL;
    let facts = &server.profile().memory;
    [
        ("peak.allocated", peak, ALL),
        ("total.allocated", used, ALL),
        ("startup.allocated", facts.at_start, ALL),
        ("replication.backlog", 0, ALL),
        ("replica.fullsync.buffer", 0, Versions::REDIS_SINCE_8_0),
        ("replicas.repl.buffer", 0, Versions::VALKEY_9_1),
        ("clients.slaves", 0, ALL),
        ("clients.normal", 0, ALL),
        ("cluster.links", 0, ALL),
        ("cluster.slot_import", 0, Versions::VALKEY_9_1),
        ("cluster.slot_export", 0, Versions::VALKEY_9_1),
        ("aof.buffer", 0, ALL),
        ("lua.caches", server.scripting.sizes().bytes, ALL),
        ("functions.caches", facts.tables, ALL),
        ("script.VMs", facts.scripts + facts.functions, Versions::REDIS_SINCE_8_0),
    ]
}

fn memory_stats(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    const ALL: Versions = Versions::ALL;
    let version = server.profile().version;
    let facts = &server.profile().memory;
    let MemoryUse { used, peak, overhead, keys } = MemoryUse::of(server);
    let (dataset, net) = (used - overhead, (used - facts.at_start).max(1));
    let (allocated, resident) = (used + facts.allocator, used + facts.resident);
    let mut fields: Vec<_> = counts(version, parts_of(server, used, peak)).collect();
    let is_listed = |db: &Database| facts.lists_empty_databases || !db.is_empty();
    let listed = server.databases.iter().enumerate().filter(|(_, db)| is_listed(db));
    fields.extend(listed.map(overhead_of));
    let named = |name: &str, reply| (Reply::bulk(name.as_bytes()), reply);
    let totals = [
        ("overhead.db.hashtable.lut", 0, Versions::SINCE_7_4),
        ("overhead.db.hashtable.rehashing", 0, Versions::SINCE_7_4),
        ("overhead.total", overhead, ALL),
        ("db.dict.rehashing.count", 0, Versions::SINCE_7_4),
        ("keys.count", keys, ALL),
        ("keys.bytes-per-key", net.checked_div(keys).unwrap_or(0), ALL),
        ("dataset.bytes", dataset, ALL),
    ];
    fields.extend(counts(version, totals));
    fields.push(named("dataset.percentage", percentage(dataset, net)));
    fields.push(named("peak.percentage", percentage(used, peak)));
    let of_allocator = [
        ("allocator.allocated", allocated, ALL),
        ("allocator.active", allocated, ALL),
        ("allocator.resident", resident, ALL),
        ("allocator.muzzy", 0, Versions::SINCE_7_4),
    ];
    fields.extend(counts(version, of_allocator));
    let count = |name: &str, n: usize| named(name, Reply::count(n));
    fields.extend([
        named("allocator-fragmentation.ratio", ratio(allocated, allocated)),
        count("allocator-fragmentation.bytes", 0),
        named("allocator-rss.ratio", ratio(resident, allocated)),
        count("allocator-rss.bytes", resident - allocated),
        named("rss-overhead.ratio", ratio(resident, resident)),
        count("rss-overhead.bytes", 0),
        named("fragmentation", ratio(resident, used)),
        count("fragmentation.bytes", resident - used),
    ]);
    Ok(Reply::Map(fields))
}

/// The allocator is not modelled.
fn memory_malloc_stats(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    let text = "Stats not supported for the current allocator";
    Ok(Reply::Verbatim(*b"txt", text.into()))
}

fn memory_purge(_: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    Ok(Reply::OK)
}

/// `key [SAMPLES count]`.
fn memory_usage(db: &mut Database, args: Args<'_>) -> Answer {
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
    let usage = db.stored(args[2]).map(|entry| memory::usage(args[2], &entry.value));
    Ok(usage.map_or(Reply::Nil, Reply::count))
}
