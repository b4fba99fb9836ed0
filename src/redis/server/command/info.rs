//! `INFO`: the server in numbers.
//!
//! Sections and fields are the real server's, in its order. Numbers that a client can check are
//! true (connections, commands, errors, hits, keys, evictions, saves). The others report that
//! nothing happened: nothing was replicated, commands took no time. Memory is what counts against
//! `maxmemory`, and its peak is the most that was ever found. The process, its build and its
//! machine are fixed values (`version.rs`). Bytes on the network are not counted. `run_id`
//! changes with each start.

mod additions;
mod keysizes;
mod sections;

use super::Row;
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, server};
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::version::Versions;
use sections::{
    clients, cluster, commandstats, cpu, errorstats, keyspace, latencystats, memory, persistence,
    replication, stats,
};

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    server("info", -1, LOADING | STALE, &["dangerous"], &[], "Get information and statistics about the server", info).tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
];

/// The fields of a section, in order.
pub(super) type Lines = Vec<(String, String)>;

/// A section: its name, its fields, and the versions that have it.
type Section = (&'static str, fn(&Server) -> Lines, Versions);

/// The sections by name, in order.
static SECTIONS: [Section; 19] = [
    ("Server", sections::server, Versions::ALL),
    ("TLS", additions::tls, Versions::VALKEY_9_1),
    ("Clients", clients, Versions::ALL),
    ("Memory", memory, Versions::ALL),
    ("Persistence", persistence, Versions::ALL),
    ("Threads", additions::threads, Versions::REDIS_SINCE_8_0),
    ("Stats", stats, Versions::ALL),
    ("Replication", replication, Versions::ALL),
    ("CPU", cpu, Versions::ALL),
    ("Hotkeys", |_| Vec::new(), Versions::REDIS_8_6),
    ("Modules", sections::modules, Versions::ALL),
    ("Commandstats", commandstats, Versions::ALL),
    ("Errorstats", errorstats, Versions::ALL),
    ("Latencystats", latencystats, Versions::ALL),
    ("Cluster", cluster, Versions::ALL),
    ("Cluster Info", |_| Vec::new(), Versions::VALKEY_9_1),
    ("Scripting Engines", additions::engines, Versions::VALKEY_9_1),
    ("Keyspace", keyspace, Versions::ALL),
    ("Keysizes", keysizes::keysizes, Versions::REDIS_SINCE_8_0),
];

/// Sections that must be requested by name.
const NOT_BY_DEFAULT: [&str; 5] =
    ["Commandstats", "Latencystats", "TLS", "Cluster Info", "Scripting Engines"];

/// Returns whether a word of the request selects a section.
fn asks_for(word: &[u8], section: &str) -> bool {
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    is(section)
        || is("all")
        || is("everything")
        || (is("default") && !NOT_BY_DEFAULT.contains(&section))
}

/// Returns the sections that a server has.
fn sections_of(server: &Server) -> impl Iterator<Item = &'static Section> + use<> {
    const OF_SENTINEL: [&str; 4] = ["Server", "Clients", "Stats", "CPU"];
    static SENTINEL: [Section; 1] = [("Sentinel", sections::sentinel, Versions::ALL)];
    let is_sentinel = server.sentinel.is_some();
    let version = server.profile().version;
    let common = SECTIONS
        .iter()
        .filter(move |(.., versions)| versions.has(version))
        .filter(move |(name, ..)| !is_sentinel || OF_SENTINEL.contains(name));
    common.chain(SENTINEL.iter().filter(move |_| is_sentinel))
}

/// `[section …]`. Without any, the default sections.
fn info(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let words = if args.len() == 1 { &[&b"default"[..]] } else { &args[1..] };
    let mut text = String::new();
    for (name, section, _) in sections_of(server) {
        if !words.iter().any(|word| asks_for(word, name)) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str(&format!("# {name}\r\n"));
        let mut lines = section(server);
        additions::add(server, name, &mut lines);
        for (name, value) in lines {
            text.push_str(&format!("{name}:{value}\r\n"));
        }
    }
    Ok(Reply::Verbatim(*b"txt", text.into()))
}
