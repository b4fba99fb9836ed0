//! `INFO`: the server in numbers.
//!
//! Sections and fields are the real server's, in its order. Numbers that a client can check are
//! true (connections, commands, errors, hits, keys, evictions, saves). The others report that
//! nothing happened: nothing was replicated, commands took no time. Memory is what counts against
//! `maxmemory`, and its peak is the most that was ever found. The process, its build and its
//! machine are fixed values (`version.rs`). Bytes on the network are not counted. `run_id`
//! changes with each start.

mod sections;

use super::Row;
use crate::redis::command::flag::*;
use crate::redis::command::{Answer, Args, Caller, server};
use crate::redis::reply::Reply;
use crate::redis::server::Server;
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

type Section = (&'static str, fn(&Server) -> Lines);

/// The sections by name, in order.
static SECTIONS: [Section; 13] = [
    ("Server", sections::server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Modules", |_| Vec::new()),
    ("Commandstats", commandstats),
    ("Errorstats", errorstats),
    ("Latencystats", latencystats),
    ("Cluster", cluster),
    ("Keyspace", keyspace),
];

/// Sections that must be requested by name.
const NOT_BY_DEFAULT: [&str; 2] = ["Commandstats", "Latencystats"];

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
    static SENTINEL: [Section; 1] = [("Sentinel", sections::sentinel)];
    let is_sentinel = server.sentinel.is_some();
    let common =
        SECTIONS.iter().filter(move |(name, _)| !is_sentinel || OF_SENTINEL.contains(name));
    common.chain(SENTINEL.iter().filter(move |_| is_sentinel))
}

/// `[section …]`. Without any, the default sections.
fn info(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let words = if args.len() == 1 { &[&b"default"[..]] } else { &args[1..] };
    let mut text = String::new();
    for (name, section) in sections_of(server) {
        if !words.iter().any(|word| asks_for(word, name)) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str(&format!("# {name}\r\n"));
        for (name, value) in section(server) {
            text.push_str(&format!("{name}:{value}\r\n"));
        }
    }
    Ok(Reply::Verbatim("txt".into(), text.into()))
}
