//! The fields and sections that later versions have in `INFO` beside those of 7.0. The fields are
//! data: after which field each stands. Most report that nothing happened.
//!
//! Source: the replies to `INFO everything` of the real servers.

use super::Lines;
use crate::redis::server::Server;
use crate::redis::server::acl::check::Lacks;
use crate::redis::server::acl::log::Reason;
use crate::redis::version::Versions;

/// A field that some versions have.
struct Addition {
    section: &'static str,
    after: &'static str,
    name: &'static str,
    value: Text,
    versions: Versions,
}

/// A value of a field.
enum Text {
    Fixed(&'static str),
    Of(fn(&Server) -> String),
}

const fn fixed(
    section: &'static str,
    after: &'static str,
    name: &'static str,
    value: &'static str,
    versions: Versions,
) -> Addition {
    Addition { section, after, name, value: Text::Fixed(value), versions }
}

const fn of(
    section: &'static str,
    after: &'static str,
    name: &'static str,
    value: fn(&Server) -> String,
    versions: Versions,
) -> Addition {
    Addition { section, after, name, value: Text::Of(value), versions }
}

/// In the order in which they are added.
#[rustfmt::skip]
const ADDITIONS: &[Addition] = &[
    of("Server", "io_threads_active", "listener0", listener, Versions::SINCE_7_2),
    of("Clients", "clients_in_timeout_table", "total_blocking_keys", blocking_keys, Versions::SINCE_7_2),
    fixed("Clients", "total_blocking_keys", "total_blocking_keys_on_nokey", "0", Versions::SINCE_7_2),
    fixed("Stats", "reply_buffer_expands", "eventloop_cycles", "0", Versions::SINCE_7_2),
    fixed("Stats", "eventloop_cycles", "eventloop_duration_sum", "0", Versions::SINCE_7_2),
    fixed("Stats", "eventloop_duration_sum", "eventloop_duration_cmd_sum", "0", Versions::SINCE_7_2),
    fixed("Stats", "eventloop_duration_cmd_sum", "instantaneous_eventloop_cycles_per_sec", "0", Versions::SINCE_7_2),
    fixed("Stats", "instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_duration_usec", "0", Versions::SINCE_7_2),
    of("Stats", "instantaneous_eventloop_duration_usec", "acl_access_denied_auth", denied_auth, Versions::SINCE_7_2),
    of("Stats", "acl_access_denied_auth", "acl_access_denied_cmd", denied_cmd, Versions::SINCE_7_2),
    of("Stats", "acl_access_denied_cmd", "acl_access_denied_key", denied_key, Versions::SINCE_7_2),
    of("Stats", "acl_access_denied_key", "acl_access_denied_channel", denied_channel, Versions::SINCE_7_2),
    of("Clients", "tracking_clients", "pubsub_clients", pubsub_clients, Versions::SINCE_7_4),
    of("Clients", "pubsub_clients", "watching_clients", watching_clients, Versions::SINCE_7_4),
    of("Clients", "clients_in_timeout_table", "total_watched_keys", watched_keys, Versions::SINCE_7_4),
    fixed("Memory", "allocator_resident", "allocator_muzzy", "0", Versions::SINCE_7_4),
    fixed("Memory", "mem_allocator", "mem_overhead_db_hashtable_rehashing", "0", Versions::SINCE_7_4),
    of("Stats", "sync_partial_err", "expired_subkeys", expired_fields, Versions::REDIS_SINCE_7_4),
    fixed("Stats", "evicted_clients", "evicted_scripts", "0", Versions::SINCE_7_4),
    fixed("Stats", "io_threaded_writes_processed", "client_query_buffer_limit_disconnections", "0", Versions::SINCE_7_4),
    fixed("Stats", "client_query_buffer_limit_disconnections", "client_output_buffer_limit_disconnections", "0", Versions::SINCE_7_4),
    fixed("Memory", "mem_total_replication_buffers", "mem_replica_full_sync_buffer", "0", Versions::REDIS_SINCE_8_0),
    of("Memory", "used_memory_peak_human", "used_memory_peak_time", seconds, Versions::REDIS_SINCE_8_2),
    fixed("Stats", "io_threaded_writes_processed", "io_threaded_total_prefetch_batches", "0", Versions::SINCE_8_2),
    fixed("Stats", "io_threaded_total_prefetch_batches", "io_threaded_total_prefetch_entries", "0", Versions::SINCE_8_2),
    fixed("Memory", "mem_clients_normal", "mem_cluster_slot_migration_output_buffer", "0", Versions::REDIS_8_6),
    fixed("Memory", "mem_cluster_slot_migration_output_buffer", "mem_cluster_slot_migration_input_buffer", "0", Versions::REDIS_8_6),
    fixed("Memory", "mem_cluster_slot_migration_input_buffer", "mem_cluster_slot_migration_input_buffer_peak", "0", Versions::REDIS_8_6),
    fixed("Persistence", "rdb_saves", "rdb_saves_consecutive_failures", "0", Versions::REDIS_8_6),
    fixed("Stats", "expired_subkeys", "expired_subkeys_active", "0", Versions::REDIS_8_6),
    fixed("Stats", "expired_keys", "expired_keys_active", "0", Versions::REDIS_8_6),
    fixed("Stats", "acl_access_denied_channel", "acl_access_denied_tls_cert", "0", Versions::REDIS_8_6_VALKEY_9_1),
    fixed("Server", "redis_version", "server_name", "valkey", Versions::VALKEY),
    of("Server", "server_name", "valkey_version", number, Versions::VALKEY),
    of("Server", "io_threads_active", "availability_zone", availability_zone, Versions::VALKEY),
    fixed("Stats", "io_threaded_writes_processed", "io_threaded_freed_objects", "0", Versions::VALKEY),
    fixed("Stats", "io_threaded_freed_objects", "io_threaded_poll_processed", "0", Versions::VALKEY),
    fixed("Replication", "connected_slaves", "replicas_waiting_psync", "0", Versions::VALKEY),
    fixed("Server", "valkey_version", "valkey_release_stage", "ga", Versions::VALKEY_SINCE_8_1),
    fixed("Server", "configured_hz", "clients_hz", "10", Versions::VALKEY_SINCE_8_1),
    fixed("Clients", "total_blocking_keys_on_nokey", "paused_reason", "none", Versions::VALKEY_SINCE_8_1),
    fixed("Clients", "paused_reason", "paused_actions", "none", Versions::VALKEY_SINCE_8_1),
    fixed("Clients", "paused_actions", "paused_timeout_milliseconds", "0", Versions::VALKEY_SINCE_8_1),
    fixed("Stats", "io_threaded_freed_objects", "io_threaded_accept_processed", "0", Versions::VALKEY_SINCE_8_1),
    fixed("Memory", "mem_total_replication_buffers", "mem_replicas_repl_buffer", "0", Versions::VALKEY_9_1),
    fixed("Memory", "mem_cluster_links", "mem_cluster_slot_import", "0", Versions::VALKEY_9_1),
    fixed("Memory", "mem_cluster_slot_import", "mem_cluster_slot_export", "0", Versions::VALKEY_9_1),
    fixed("Persistence", "module_fork_last_cow_size", "slot_migration_fork_in_progress", "0", Versions::VALKEY_9_1),
    fixed("Stats", "total_net_repl_output_bytes", "total_net_cluster_slot_import_bytes", "0", Versions::VALKEY_9_1),
    fixed("Stats", "total_net_cluster_slot_import_bytes", "total_net_cluster_slot_export_bytes", "0", Versions::VALKEY_9_1),
    of("Stats", "expired_keys", "expired_fields", expired_fields, Versions::VALKEY_9_1),
    fixed("Stats", "expired_stale_perc", "expired_keys_with_volatile_items_stale_perc", "0.00", Versions::VALKEY_9_1),
    of("Stats", "acl_access_denied_tls_cert", "acl_access_denied_db", denied_db, Versions::VALKEY_9_1),
    fixed("CPU", "used_cpu_user_main_thread", "used_active_time_main_thread", "0.000000", Versions::VALKEY_9_1),
];

fn listener(server: &Server) -> String {
    format!("name=tcp,bind=127.0.0.1,port={}", server.config.port)
}

fn number(server: &Server) -> String {
    server.profile().product.number.to_owned()
}

fn availability_zone(server: &Server) -> String {
    server.config.word("availability-zone").unwrap_or_default().to_owned()
}

/// Nobody has noted when the memory was at its peak.
fn seconds(server: &Server) -> String {
    server.calendar(server.now).as_secs().to_string()
}

fn blocking_keys(server: &Server) -> String {
    let keys = server.databases.iter().map(|db| db.observers.awaited.len());
    keys.sum::<usize>().to_string()
}

fn watched_keys(server: &Server) -> String {
    let keys = server.databases.iter().map(|db| db.observers.watched.len());
    keys.sum::<usize>().to_string()
}

fn watching_clients(server: &Server) -> String {
    let watching = server.sessions.values().filter(|session| !session.watches.is_empty());
    watching.count().to_string()
}

fn expired_fields(server: &Server) -> String {
    server.databases.iter().map(|db| db.usage.expired_fields).sum::<u64>().to_string()
}

fn pubsub_clients(server: &Server) -> String {
    let clients = server.sessions.keys().filter(|client| server.pubsub.is_subscriber(**client));
    clients.count().to_string()
}

fn denied(server: &Server, reason: Reason) -> String {
    server.acl.log.denied(reason).to_string()
}

fn denied_auth(server: &Server) -> String {
    denied(server, Reason::Login)
}

fn denied_cmd(server: &Server) -> String {
    denied(server, Reason::Lacks(Lacks::Command))
}

fn denied_key(server: &Server) -> String {
    denied(server, Reason::Lacks(Lacks::Key))
}

fn denied_channel(server: &Server) -> String {
    denied(server, Reason::Lacks(Lacks::Channel))
}

fn denied_db(server: &Server) -> String {
    denied(server, Reason::Lacks(Lacks::Database))
}

/// Adds the fields that the server's version has in this section.
pub(super) fn add(server: &Server, section: &str, lines: &mut Lines) {
    let version = server.profile().version;
    let own = ADDITIONS.iter().filter(|field| field.section == section);
    for field in own.filter(|field| field.versions.has(version)) {
        let Some(at) = lines.iter().position(|(name, _)| name == field.after) else { continue };
        let value = match field.value {
            Text::Fixed(value) => value.to_owned(),
            Text::Of(value) => value(server),
        };
        lines.insert(at + 1, (field.name.to_owned(), value));
    }
}

/// The fields of the section of threads: the main one.
pub(super) fn threads(server: &Server) -> Lines {
    let clients = server.connected_clients();
    vec![("io_thread_0".to_owned(), format!("clients={clients},reads=0,writes=0"))]
}

/// The fields of the section of certificates: there are none.
pub(super) fn tls(_: &Server) -> Lines {
    ["server_cert", "client_cert", "ca_cert"]
        .into_iter()
        .flat_map(|of| {
            let serial = (format!("tls_{of}_serial"), "none".to_owned());
            [serial, (format!("tls_{of}_expires_in_seconds"), "0".to_owned())]
        })
        .collect()
}

/// The fields of the section of scripting engines: Lua.
pub(super) fn engines(server: &Server) -> Lines {
    let facts = &server.profile().memory;
    let (used, overhead) = (facts.scripts + facts.functions, 64);
    let engine =
        format!("name=LUA,module=lua,abi_version=4,used_memory={used},memory_overhead={overhead}");
    [
        ("engines_count", "1".to_owned()),
        ("engines_total_used_memory", used.to_string()),
        ("engines_total_memory_overhead", overhead.to_string()),
        ("engine_0", engine),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
