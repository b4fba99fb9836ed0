//! `INFO`: the server in figures.
//!
//! The lines are Redis's, in its sections, as far as there is something to say:
//! a line about processors, sockets or the allocator would be invented.

use super::super::database::Usage;
use super::super::reply::Reply;
use super::super::server::{Call, Server};
use super::server::VERSION;
use super::{Answer, Args};
use std::fmt::Write;

type Section = fn(&Server) -> String;

/// Sections by name, in order.
const SECTIONS: [(&str, Section); 7] = [
    ("Server", server),
    ("Clients", clients),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", |_| "role:master\r\nconnected_slaves:0\r\n".to_owned()),
    ("Cluster", |_| "cluster_enabled:0\r\n".to_owned()),
    ("Keyspace", keyspace),
];

fn server(server: &Server) -> String {
    let uptime = (server.now - server.started).as_secs();
    format!(
        "redis_version:{VERSION}\r\nredis_mode:standalone\r\narch_bits:64\r\ntcp_port:6379\r\n\
         server_time_usec:{}\r\nuptime_in_seconds:{uptime}\r\nuptime_in_days:{}\r\n",
        server.calendar(server.now).as_micros(),
        uptime / 86_400,
    )
}

fn clients(server: &Server) -> String {
    format!(
        "connected_clients:{}\r\nmaxclients:10000\r\nblocked_clients:{}\r\n",
        server.sessions.len(),
        server.blocked_clients(),
    )
}

fn persistence(server: &Server) -> String {
    format!(
        "loading:{}\r\nrdb_changes_since_last_save:{}\r\nrdb_bgsave_in_progress:0\r\n\
         rdb_last_save_time:{}\r\nrdb_last_bgsave_status:ok\r\nrdb_saves:{}\r\nrdb_last_load_keys_expired:{}\r\n\
         rdb_last_load_keys_loaded:{}\r\naof_enabled:{}\r\n\
         aof_rewrite_in_progress:0\r\n",
        u8::from(server.refusals.is_loading(server.now)),
        server.unsaved_changes(),
        server.calendar(server.persistence.last_save).as_secs(),
        server.persistence.saves,
        server.persistence.loaded.expired,
        server.persistence.loaded.kept,
        u8::from(server.config.append_only),
    )
}

fn stats(server: &Server) -> String {
    let sum = |of: fn(&Usage) -> u64| server.databases.iter().map(|d| of(&d.usage)).sum::<u64>();
    format!(
        "total_connections_received:{}\r\ntotal_commands_processed:{}\r\nexpired_keys:{}\r\n\
         evicted_keys:0\r\nkeyspace_hits:{}\r\nkeyspace_misses:{}\r\npubsub_channels:{}\r\n\
         pubsub_patterns:{}\r\ntotal_error_replies:{}\r\n",
        server.stats.connections,
        server.stats.commands,
        sum(|usage| usage.expired),
        sum(|usage| usage.hits),
        sum(|usage| usage.misses),
        server.pubsub.active(super::super::pubsub::Kind::Channel, None).len(),
        server.pubsub.patterns(),
        server.stats.errors,
    )
}

/// A database without keys has no line.
fn keyspace(server: &Server) -> String {
    let mut text = String::new();
    for (number, db) in server.databases.iter().enumerate().filter(|(_, db)| !db.is_empty()) {
        let ttl = db.average_ttl_ms();
        let line =
            format!("db{number}:keys={},expires={},avg_ttl={ttl}\r\n", db.len(), db.expiring());
        text.push_str(&line);
    }
    text
}

/// `[section …]`; all without any.
pub(super) fn info(call: &mut Call<'_>, args: Args<'_>) -> Answer {
    let wanted = |name: &str| {
        args.len() == 1
            || args[1..].iter().any(|word| {
                let all: [&str; 3] = ["all", "default", "everything"];
                word.eq_ignore_ascii_case(name.as_bytes())
                    || all.iter().any(|all| word.eq_ignore_ascii_case(all.as_bytes()))
            })
    };
    let mut text = String::new();
    for (name, section) in SECTIONS.iter().filter(|(name, _)| wanted(name)) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        let _ = write!(text, "# {name}\r\n{}", section(call.server));
    }
    Ok(Reply::Verbatim("txt".into(), text.into()))
}
