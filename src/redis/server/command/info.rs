//! `INFO`: the server in figures.
//!
//! Sections and fields are the real server's, in its order. A figure that a client can check
//! against what it did (connections, commands, errors, hits, keys, saves) is true. One about
//! what is not modelled has the value of a server that has not needed it: nothing was
//! evicted or replicated, nothing is tracked, no time was used by commands and processors.
//! Memory is the sum of what `MEMORY USAGE` says, beside what an empty server takes, and was
//! never more; the process, its build and its machine are made up, the same everywhere. Bytes
//! are not counted. `run_id` is another one after each start.

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

/// What a section has, line by line.
pub(super) type Lines = Vec<(String, String)>;

type Section = (&'static str, fn(&Server) -> Lines);

/// Sections by name, in order.
const SECTIONS: [Section; 13] = [
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

/// Only where they are asked for.
const NOT_BY_DEFAULT: [&str; 2] = ["Commandstats", "Latencystats"];

/// Whether a word of the request asks for a section.
fn asks_for(word: &[u8], section: &str) -> bool {
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    is(section)
        || is("all")
        || is("everything")
        || (is("default") && !NOT_BY_DEFAULT.contains(&section))
}

/// `[section …]`; the default ones without any.
fn info(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let words = if args.len() == 1 { &[&b"default"[..]] } else { &args[1..] };
    let mut text = String::new();
    for (name, section) in &SECTIONS {
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
