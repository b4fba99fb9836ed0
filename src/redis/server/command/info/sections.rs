//! The sections of `INFO`.

use super::Lines;
use crate::redis::database::sha1::sha1;
use crate::redis::database::{Usage, digest};
use crate::redis::server::Server;
use crate::redis::server::eviction::MemoryUse;
use crate::redis::server::pubsub::Kind;
use crate::redis::server::replication::{Link, NO_ID, Progress, Stage};
use crate::redis::value::Sds;
use crate::sort::sort_by;
use crate::time::Instant;
use std::fmt::Display;

fn line(name: impl Into<String>, value: impl Display) -> (String, String) {
    (name.into(), value.to_string())
}

/// Fields with a fixed value.
fn constant(fields: &[(&str, &str)]) -> Lines {
    fields.iter().map(|(name, value)| line(*name, value)).collect()
}

/// Forty hexadecimal digits that change with each start.
fn id(server: &Server, of: &str) -> String {
    digest::hex(&sha1(format!("{of} {}", server.started.as_nanos()).as_bytes()))
}

pub(super) fn server(server: &Server) -> Lines {
    let uptime = (server.now - server.started).as_secs();
    let hz = server.config.inert.get("hz").map_or("10", String::as_str);
    let product = &server.profile().product;
    let mut lines = vec![line("redis_version", product.redis_number)];
    lines.extend(constant(&[
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", "0"),
        ("redis_build_id", "0"),
        (
            server.config.shown_product().mode_field,
            if server.sentinel.is_some() { "sentinel" } else { "standalone" },
        ),
        ("os", "Linux"),
        ("arch_bits", "64"),
        ("monotonic_clock", "POSIX clock_gettime"),
        ("multiplexing_api", "epoll"),
        ("atomicvar_api", "c11-builtin"),
        ("gcc_version", product.compiler),
        ("process_id", "1"),
        ("process_supervised", "no"),
    ]));
    if !product.tells_atomics {
        lines.retain(|(name, _)| name != "atomicvar_api");
    }
    lines.extend([
        line("run_id", id(server, "run")),
        line("tcp_port", server.config.port),
        line("server_time_usec", server.calendar(server.now).as_micros()),
        line("uptime_in_seconds", uptime),
        line("uptime_in_days", uptime / 86_400),
        line("hz", hz),
        line("configured_hz", hz),
        line("lru_clock", server.calendar(server.now).as_secs() & 0xff_ffff),
        line("executable", "/usr/bin/redis-server"),
        line("config_file", ""),
        line("io_threads_active", 0),
    ]);
    lines
}

pub(super) fn clients(server: &Server) -> Lines {
    vec![
        line("connected_clients", server.connected_clients()),
        line("cluster_connections", 0),
        line("maxclients", server.config.max_clients),
        line("client_recent_max_input_buffer", 0),
        line("client_recent_max_output_buffer", 0),
        line("blocked_clients", server.blocked_clients()),
        line("tracking_clients", server.tracking.sizes()[0]),
        line("clients_in_timeout_table", server.blocking.with_deadline()),
    ]
}

/// Formats bytes for people.
fn human(bytes: usize) -> String {
    let units = [("T", 40), ("G", 30), ("M", 20), ("K", 10)];
    let unit = units.into_iter().find(|(_, bits)| bytes >= 1 << bits);
    unit.map_or_else(
        || format!("{bytes}B"),
        |(unit, bits)| format!("{:.2}{unit}", bytes as f64 / (1_u64 << bits) as f64),
    )
}

fn share(part: usize, of: usize) -> String {
    format!("{:.2}%", part as f64 * 100.0 / of.max(1) as f64)
}

fn ratio(part: usize, of: usize) -> String {
    format!("{:.2}", part as f64 / of.max(1) as f64)
}

pub(super) fn memory(server: &Server) -> Lines {
    let facts = &server.profile().memory;
    let MemoryUse { used, peak, overhead, .. } = MemoryUse::of(server);
    let (dataset, net) = (used - overhead, used - facts.at_start);
    let (allocated, resident) = (used + facts.allocator, used + facts.resident);
    let (scripts, functions) = (facts.scripts, facts.functions);
    let sizes = server.scripting.sizes();
    let mut lines = Lines::new();
    let mut size = |name: &str, bytes: usize| {
        lines.push(line(name, bytes));
        lines.push(line(format!("{name}_human"), human(bytes)));
    };
    size("used_memory", used);
    size("used_memory_rss", resident);
    size("used_memory_peak", peak);
    lines.extend([
        line("used_memory_peak_perc", share(used, peak)),
        line("used_memory_overhead", overhead),
        line("used_memory_startup", facts.at_start),
        line("used_memory_dataset", dataset),
        line("used_memory_dataset_perc", share(dataset, net)),
        line("allocator_allocated", allocated),
        line("allocator_active", allocated),
        line("allocator_resident", resident),
        line("total_system_memory", facts.system),
        line("total_system_memory_human", human(facts.system)),
        line("used_memory_lua", scripts),
        line("used_memory_vm_eval", scripts),
        line("used_memory_lua_human", human(scripts)),
        line("used_memory_scripts_eval", sizes.bytes),
        line("number_of_cached_scripts", sizes.scripts),
        line("number_of_functions", sizes.functions),
        line("number_of_libraries", sizes.libraries),
        line("used_memory_vm_functions", functions),
        line("used_memory_vm_total", scripts + functions),
        line("used_memory_vm_total_human", human(scripts + functions)),
        line("used_memory_functions", facts.tables),
        line("used_memory_scripts", facts.tables),
        line("used_memory_scripts_human", human(facts.tables)),
        line("maxmemory", server.config.max_memory),
        line("maxmemory_human", human(server.config.max_memory as usize)),
        line("maxmemory_policy", server.config.policy),
        line("allocator_frag_ratio", ratio(allocated, allocated)),
        line("allocator_frag_bytes", 0),
        line("allocator_rss_ratio", ratio(resident, allocated)),
        line("allocator_rss_bytes", resident - allocated),
        line("rss_overhead_ratio", ratio(resident, resident)),
        line("rss_overhead_bytes", 0),
        line("mem_fragmentation_ratio", ratio(resident, used)),
        line("mem_fragmentation_bytes", resident - used),
    ]);
    lines.extend(constant(&[
        ("mem_not_counted_for_evict", "0"),
        ("mem_replication_backlog", "0"),
        ("mem_total_replication_buffers", "0"),
        ("mem_clients_slaves", "0"),
        ("mem_clients_normal", "0"),
        ("mem_cluster_links", "0"),
        ("mem_aof_buffer", "0"),
        ("mem_allocator", server.profile().product.allocator),
        ("active_defrag_running", "0"),
        ("lazyfree_pending_objects", "0"),
        ("lazyfreed_objects", "0"),
    ]));
    lines
}

/// A save takes no time, so none is ever in progress.
pub(super) fn persistence(server: &Server) -> Lines {
    let disk = &server.persistence;
    let took = |times: u64| if times > 0 { 0 } else { -1 };
    let loading = u8::from(server.is_loading());
    let mut lines = vec![line("loading", loading)];
    lines.extend(constant(&[
        ("async_loading", "0"),
        ("current_cow_peak", "0"),
        ("current_cow_size", "0"),
        ("current_cow_size_age", "0"),
        ("current_fork_perc", "0.00"),
        ("current_save_keys_processed", "0"),
        ("current_save_keys_total", "0"),
    ]));
    lines.extend([
        line("rdb_changes_since_last_save", server.persistence.unsaved_changes(&server.databases)),
        line("rdb_bgsave_in_progress", 0),
        line("rdb_last_save_time", server.calendar(disk.last_save).as_secs()),
        line("rdb_last_bgsave_status", "ok"),
        line("rdb_last_bgsave_time_sec", took(disk.saves)),
        line("rdb_current_bgsave_time_sec", -1),
        line("rdb_saves", disk.saves),
        line("rdb_last_cow_size", 0),
        line("rdb_last_load_keys_expired", disk.loaded.expired),
        line("rdb_last_load_keys_loaded", disk.loaded.kept),
        line("aof_enabled", u8::from(server.config.append_only)),
        line("aof_rewrite_in_progress", 0),
        line("aof_rewrite_scheduled", 0),
        line("aof_last_rewrite_time_sec", took(disk.rewrites)),
        line("aof_current_rewrite_time_sec", -1),
        line("aof_last_bgrewrite_status", "ok"),
        line("aof_rewrites", disk.rewrites),
    ]);
    lines.extend(constant(&[
        ("aof_rewrites_consecutive_failures", "0"),
        ("aof_last_write_status", "ok"),
        ("aof_last_cow_size", "0"),
        ("module_fork_in_progress", "0"),
        ("module_fork_last_cow_size", "0"),
    ]));
    if server.config.append_only {
        lines.extend(constant(&[
            ("aof_current_size", "0"),
            ("aof_base_size", "0"),
            ("aof_pending_rewrite", "0"),
            ("aof_buffer_length", "0"),
            ("aof_pending_bio_fsync", "0"),
        ]));
        lines.push(line("aof_delayed_fsync", disk.slow_disk.delayed));
    }
    lines
}

pub(super) fn stats(server: &Server) -> Lines {
    let sum = |of: fn(&Usage) -> u64| server.databases.iter().map(|d| of(&d.usage)).sum::<u64>();
    let channels = |kind| server.pubsub.active(kind, None).len();
    let mut lines = vec![
        line("total_connections_received", server.stats.connections),
        line("total_commands_processed", server.stats.commands),
    ];
    lines.extend(constant(&[
        ("instantaneous_ops_per_sec", "0"),
        ("total_net_input_bytes", "0"),
        ("total_net_output_bytes", "0"),
        ("total_net_repl_input_bytes", "0"),
        ("total_net_repl_output_bytes", "0"),
        ("instantaneous_input_kbps", "0.00"),
        ("instantaneous_output_kbps", "0.00"),
        ("instantaneous_input_repl_kbps", "0.00"),
        ("instantaneous_output_repl_kbps", "0.00"),
    ]));
    lines.extend([
        line("rejected_connections", server.stats.rejected_connections),
        line("sync_full", server.replication.full_syncs),
        line("sync_partial_ok", server.replication.partial_syncs),
        line("sync_partial_err", server.replication.refused_syncs),
    ]);
    lines.push(line("expired_keys", sum(|usage| usage.expired)));
    lines.extend(constant(&[
        ("expired_stale_perc", "0.00"),
        ("expired_time_cap_reached_count", "0"),
        ("expire_cycle_cpu_milliseconds", "0"),
    ]));
    let (exceeded, exceeded_now) = server.eviction.exceeded(server.now);
    lines.extend([
        line("evicted_keys", sum(|usage| usage.evicted)),
        line("evicted_clients", server.stats.evicted_clients),
        line("total_eviction_exceeded_time", exceeded.as_millis()),
        line("current_eviction_exceeded_time", exceeded_now.as_millis()),
    ]);
    lines.extend([
        line("keyspace_hits", sum(|usage| usage.hits)),
        line("keyspace_misses", sum(|usage| usage.misses)),
        line("pubsub_channels", channels(Kind::Channel)),
        line("pubsub_patterns", server.pubsub.patterns()),
        line("pubsubshard_channels", channels(Kind::Shard)),
        line("latest_fork_usec", 0),
        line("total_forks", server.persistence.saves + server.persistence.rewrites),
    ]);
    lines.extend(constant(&[
        ("migrate_cached_sockets", "0"),
        ("slave_expires_tracked_keys", "0"),
        ("active_defrag_hits", "0"),
        ("active_defrag_misses", "0"),
        ("active_defrag_key_hits", "0"),
        ("active_defrag_key_misses", "0"),
        ("total_active_defrag_time", "0"),
        ("current_active_defrag_time", "0"),
    ]));
    let [_, keys, items, prefixes] = server.tracking.sizes();
    lines.extend([
        line("tracking_total_keys", keys),
        line("tracking_total_items", items),
        line("tracking_total_prefixes", prefixes),
        line("unexpected_error_replies", server.stats.unexpected_errors),
    ]);
    lines.push(line("total_error_replies", server.stats.errors.values().sum::<u64>()));
    lines.extend(constant(&[
        ("dump_payload_sanitizations", "0"),
        ("total_reads_processed", "0"),
        ("total_writes_processed", "0"),
        ("io_threaded_reads_processed", "0"),
        ("io_threaded_writes_processed", "0"),
        ("reply_buffer_shrinks", "0"),
        ("reply_buffer_expands", "0"),
    ]));
    lines
}

/// The section that only a Sentinel has.
pub(super) fn sentinel(server: &Server) -> Lines {
    let Some(sentinel) = &server.sentinel else { return Vec::new() };
    let mut lines = vec![line("sentinel_masters", sentinel.masters.len())];
    lines.extend(constant(&[
        ("sentinel_tilt", "0"),
        ("sentinel_tilt_since_seconds", "-1"),
        ("sentinel_running_scripts", "0"),
        ("sentinel_scripts_queue_length", "0"),
        ("sentinel_simulate_failure_flags", "0"),
    ]));
    for (number, (name, master)) in sentinel.masters.iter().enumerate() {
        let status = match (master.o_down, master.itself.s_down) {
            (Some(_), _) => "odown",
            (None, Some(_)) => "sdown",
            (None, None) => "ok",
        };
        let (host, port) = &master.itself.address;
        let (replicas, sentinels) = (master.replicas.len(), master.sentinels.len() + 1);
        let text = format!(
            "name={name},status={status},address={host}:{port},slaves={replicas},\
             sentinels={sentinels}"
        );
        lines.push((format!("master{number}"), text));
    }
    lines
}

fn yes(value: bool) -> u8 {
    u8::from(value)
}

/// The fields of a server that follows a master.
fn following(server: &Server, link: &Link) -> Lines {
    let seconds = |then: Instant| (server.now - then).as_secs();
    let connected = link.is_connected();
    let last_io = if connected { seconds(link.heard).to_string() } else { "-1".to_owned() };
    // A server that knows no history shows the place after nothing.
    let known = link.continues && link.shown() != "sync";
    let offset = if known { server.replication.offset } else { 1 };
    let mut lines = vec![
        line("master_host", &link.host),
        line("master_port", link.port),
        line("master_link_status", if connected { "up" } else { "down" }),
        line("master_last_io_seconds_ago", last_io),
        line("master_sync_in_progress", yes(link.shown() == "sync")),
        line("slave_read_repl_offset", offset),
        line("slave_repl_offset", offset),
    ];
    if link.shown() == "sync" {
        lines.extend(constant(&[
            ("master_sync_total_bytes", "0"),
            ("master_sync_read_bytes", "0"),
            ("master_sync_left_bytes", "0"),
            ("master_sync_perc", "0.00"),
        ]));
        lines.push(line("master_sync_last_io_seconds_ago", seconds(link.heard)));
    }
    if !connected {
        let since = link.down_since.map_or("-1".to_owned(), |then| seconds(then).to_string());
        lines.push(line("master_link_down_since_seconds", since));
    }
    lines.extend([
        line("slave_priority", server.config.number("replica-priority", 100)),
        line("slave_read_only", yes(server.is_read_only_replica())),
        line("replica_announced", yes(server.config.word("replica-announced") != Some("no"))),
    ]);
    lines
}

pub(super) fn replication(server: &Server) -> Lines {
    let replication = &server.replication;
    let role = if replication.is_replica() { "slave" } else { "master" };
    let mut lines = vec![line("role", role)];
    lines.extend(replication.link.iter().flat_map(|link| following(server, link)));
    lines.push(line("connected_slaves", replication.replicas.len()));
    if server.config.number("min-replicas-to-write", 0) > 0
        && server.config.number("min-replicas-max-lag", 10) > 0
    {
        lines.push(line("min_slaves_good_slaves", server.good_replicas()));
    }
    for (number, (client, replica)) in replication.replicas.iter().enumerate() {
        let (host, port) = server.address_of(*client);
        let (state, lag) = match replica.stage {
            Stage::Waits(_) => ("wait_bgsave", 0),
            Stage::Online => ("online", server.lag(replica)),
        };
        let acked = replica.acked;
        let text = format!("ip={host},port={port},state={state},offset={acked},lag={lag}");
        lines.push((format!("slave{number}"), text));
    }
    let state = match replication.failover.as_ref().map(|failover| failover.progress) {
        None => "no-failover",
        Some(Progress::WaitsForSync) => "waiting-for-sync",
        Some(Progress::HandsOver) => "failover-in-progress",
    };
    lines.push(line("master_failover_state", state));
    let replid = replication.id.as_ref().map(Sds::to_string);
    lines.push(line("master_replid", replid.unwrap_or_else(|| id(server, "replication"))));
    let former = replication.former_id.as_ref().map(Sds::to_string);
    lines.push(line("master_replid2", former.unwrap_or_else(|| NO_ID.to_owned())));
    lines.push(line("master_repl_offset", replication.offset));
    let parts_at = replication.parts_at.map_or(-1, |at| at as i64);
    lines.push(line("second_repl_offset", parts_at));
    let kept = replication.backlog.as_ref().map(|backlog| backlog.len() as u64);
    let first = kept.map_or(0, |kept| replication.offset - kept + 1);
    lines.extend([
        line("repl_backlog_active", yes(kept.is_some())),
        line("repl_backlog_size", server.backlog_limit()),
        line("repl_backlog_first_byte_offset", first),
        line("repl_backlog_histlen", kept.unwrap_or(0)),
    ]);
    lines
}

pub(super) fn cpu(_: &Server) -> Lines {
    constant(&[
        ("used_cpu_sys", "0.000000"),
        ("used_cpu_user", "0.000000"),
        ("used_cpu_sys_children", "0.000000"),
        ("used_cpu_user_children", "0.000000"),
        ("used_cpu_sys_main_thread", "0.000000"),
        ("used_cpu_user_main_thread", "0.000000"),
    ])
}

/// Commands take no time.
pub(super) fn commandstats(server: &Server) -> Lines {
    let of = server.stats.by_command.iter().map(|(name, stats)| {
        let counts = format!(
            "calls={},usec=0,usec_per_call=0.00,rejected_calls={},failed_calls={}",
            stats.calls, stats.rejected, stats.failed
        );
        line(format!("cmdstat_{name}"), counts)
    });
    of.collect()
}

/// Sorted by name, as in Redis.
pub(super) fn errorstats(server: &Server) -> Lines {
    let mut errors: Vec<_> = server.stats.errors.iter().collect();
    sort_by(&mut errors, Ord::cmp);
    let of = errors.into_iter();
    of.map(|(code, n)| line(format!("errorstat_{code}"), format!("count={n}"))).collect()
}

/// One line for each command that ran, unless `latency-tracking` is off.
pub(super) fn latencystats(server: &Server) -> Lines {
    let set = |name: &str, default| server.config.inert.get(name).map_or(default, String::as_str);
    if set("latency-tracking", "yes") == "no" {
        return Vec::new();
    }
    let percentiles = set("latency-tracking-info-percentiles", "50 99 99.9").split(' ');
    let times: Vec<String> = percentiles
        .filter(|percentile| !percentile.is_empty())
        .map(|percentile| format!("p{percentile}=0.000"))
        .collect();
    let ran = server.stats.by_command.iter().filter(|(_, stats)| stats.calls > 0);
    ran.map(|(name, _)| line(format!("latency_percentiles_usec_{name}"), times.join(","))).collect()
}

pub(super) fn modules(server: &Server) -> Lines {
    if !server.profile().lua.is_a_module {
        return Vec::new();
    }
    let lua = "name=lua,ver=1,api=1,filters=0,usedby=[],using=[],\
               options=[handle-repl-async-load|handle-atomic-slot-migration]";
    vec![line("module", lua)]
}

pub(super) fn cluster(_: &Server) -> Lines {
    constant(&[("cluster_enabled", "0")])
}

/// A database without keys has no line.
pub(super) fn keyspace(server: &Server) -> Lines {
    let of = server.databases.iter().enumerate().filter(|(_, db)| !db.is_empty());
    of.map(|(number, db)| {
        let ttl = db.average_ttl_ms();
        let mut counts = format!("keys={},expires={},avg_ttl={ttl}", db.len(), db.expiring());
        if let Some(name) = db.profile.fields.counter {
            counts.push_str(&format!(",{name}={}", db.hashes_with_deadlines()));
        }
        line(format!("db{number}"), counts)
    })
    .collect()
}
