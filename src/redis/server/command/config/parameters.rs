//! The parameters of `CONFIG`: all that 7.0.15 has, each with its default, the form of its values,
//! and the effect of setting it here.
//!
//! Defaults are the server's own, without a configuration file. Where the real default depends on
//! the machine or the command line, there is a fixed value: `dir` is `/`, `bind` is all interfaces
//! although nothing is bound, `unixsocket` and `pidfile` are empty. `enable-debug-command` is
//! `yes`, since `DEBUG` works here.
//!
//! Source: `config.c`, and experiments with the server.

use super::setting::{self, Setting};
use crate::redis::server::command::config::validate::{self, Form};
use crate::redis::version::Versions;
use Effect::{Alias, Fixed, Inert, Modelled};
use Form::{Flags, Immutable, Integer, Memory, OneOf, Protected, Sizes, Special, Text, YesNo};

/// A parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) form: Form,
    pub(super) effect: Effect,
    /// The versions that have it, unless they dropped it (`later`).
    pub(super) versions: Versions,
}

/// The effect of setting a parameter.
#[derive(Debug)]
pub(super) enum Effect {
    /// The same as on the real server, as far as a client can tell.
    Modelled(&'static Setting),
    /// It is read back, and by name where it matters (`Config::word`). Most tune what is not
    /// modelled (threads, memory, clusters, TLS, the log), or what no client can observe.
    Inert,
    /// It would matter and is not modelled, so it can only be set to its default. Any other value
    /// is this error.
    Fixed(&'static str),
    /// Another name of this parameter.
    Alias(&'static str),
}

pub(super) const NOT_MODELLED: &str = "values other than the default are not modelled";
pub(super) const INT: i64 = i32::MAX as i64;
const INT_MIN: i64 = i32::MIN as i64;
const UINT: i64 = u32::MAX as i64;
pub(super) const LONG: i64 = i64::MAX;
pub(super) const SIGNED: u64 = i64::MAX as u64;

const fn row(name: &'static str, default: &'static str, form: Form, effect: Effect) -> Parameter {
    Parameter { name, default, form, effect, versions: Versions::ALL }
}

impl Parameter {
    /// Returns the parameter of this name, ignoring case.
    pub(super) fn named(name: &str) -> Option<&'static Parameter> {
        PARAMETERS.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
    }

    /// Returns the parameter that this is another name of, or itself.
    pub(super) fn itself(&'static self) -> &'static Parameter {
        match self.effect {
            Alias(name) => Parameter::named(name).expect("an alias names a parameter"),
            Modelled(_) | Inert | Fixed(_) => self,
        }
    }
}

/// Parameters that only their full name shows.
pub(super) const HIDDEN: [&str; 6] = [
    "key-load-delay",
    "lazyexpire-nested-arbitrary-keys",
    "loading-process-events-interval-bytes",
    "rdb-key-save-delay",
    "use-exit-on-panic",
    "watchdog-period",
];

#[rustfmt::skip]
pub(super) const PARAMETERS: &[Parameter] = &[
    row("acl-pubsub-default", "resetchannels", OneOf(&["allchannels", "resetchannels"]), Modelled(&setting::ACL_PUBSUB_DEFAULT)),
    row("aclfile", "", Immutable, Inert),
    row("acllog-max-len", "128", Integer(0, LONG), Modelled(&setting::ACL_LOG_LENGTH)),
    row("active-defrag-cycle-max", "25", Integer(1, 99), Inert),
    row("active-defrag-cycle-min", "1", Integer(1, 99), Inert),
    row("active-defrag-ignore-bytes", "104857600", Memory(1, SIGNED), Inert),
    row("active-defrag-max-scan-fields", "1000", Integer(1, LONG), Inert),
    row("active-defrag-threshold-lower", "10", Integer(0, 1000), Inert),
    row("active-defrag-threshold-upper", "100", Integer(0, 1000), Inert),
    row("active-expire-effort", "1", Integer(1, 10), Inert),
    row("activedefrag", "no", YesNo, Fixed("Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like the one shipped by default with the Redis source distribution")),
    row("activerehashing", "yes", YesNo, Inert),
    row("always-show-logo", "no", Immutable, Inert),
    row("aof-disable-auto-gc", "no", YesNo, Inert),
    row("aof-load-truncated", "yes", YesNo, Inert),
    row("aof-rewrite-incremental-fsync", "yes", YesNo, Inert),
    row("aof-timestamp-enabled", "no", YesNo, Inert),
    row("aof-use-rdb-preamble", "yes", YesNo, Inert),
    row("aof_rewrite_cpulist", "", Immutable, Inert),
    row("appenddirname", "appendonlydir", Immutable, Inert),
    row("appendfilename", "appendonly.aof", Immutable, Inert),
    row("appendfsync", "everysec", OneOf(&["everysec", "always", "no"]), Modelled(&setting::FSYNC)),
    row("appendonly", "no", YesNo, Modelled(&setting::APPEND_ONLY)),
    row("auto-aof-rewrite-min-size", "67108864", Memory(0, SIGNED), Inert),
    row("auto-aof-rewrite-percentage", "100", Integer(0, INT), Inert),
    row("bgsave_cpulist", "", Immutable, Inert),
    row("bind", "* -::*", Text, Fixed(NOT_MODELLED)),
    row("bind-source-addr", "", Text, Inert),
    row("bio_cpulist", "", Immutable, Inert),
    row("busy-reply-threshold", "5000", Integer(0, LONG), Modelled(&setting::BUSY_REPLY_THRESHOLD)),
    row("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", Sizes(validate::output_buffer_limit), Inert),
    row("client-query-buffer-limit", "1073741824", Memory(1_048_576, SIGNED), Modelled(&setting::QUERY_BUFFER)),
    row("cluster-allow-pubsubshard-when-down", "yes", YesNo, Inert),
    row("cluster-allow-reads-when-down", "no", YesNo, Inert),
    row("cluster-allow-replica-migration", "yes", YesNo, Inert),
    row("cluster-announce-bus-port", "0", Integer(0, 65_535), Inert),
    row("cluster-announce-hostname", "", Special(validate::hostname), Inert),
    row("cluster-announce-ip", "", Text, Inert),
    row("cluster-announce-port", "0", Integer(0, 65_535), Inert),
    row("cluster-announce-tls-port", "0", Integer(0, 65_535), Inert),
    row("cluster-config-file", "nodes.conf", Immutable, Inert),
    row("cluster-enabled", "no", Immutable, Fixed(NOT_MODELLED)),
    row("cluster-link-sendbuf-limit", "0", Memory(0, u64::MAX), Inert),
    row("cluster-migration-barrier", "1", Integer(0, INT), Inert),
    row("cluster-node-timeout", "15000", Integer(0, LONG), Inert),
    row("cluster-port", "0", Immutable, Inert),
    row("cluster-preferred-endpoint-type", "ip", OneOf(&["ip", "hostname", "unknown-endpoint"]), Inert),
    row("cluster-replica-no-failover", "no", YesNo, Inert),
    row("cluster-replica-validity-factor", "10", Integer(0, INT), Inert),
    row("cluster-require-full-coverage", "yes", YesNo, Inert),
    row("cluster-slave-no-failover", "no", YesNo, Alias("cluster-replica-no-failover")),
    row("cluster-slave-validity-factor", "10", Integer(0, INT), Alias("cluster-replica-validity-factor")),
    row("crash-log-enabled", "yes", YesNo, Inert),
    row("crash-memcheck-enabled", "yes", YesNo, Inert),
    row("daemonize", "no", Immutable, Inert),
    row("databases", "16", Immutable, Modelled(&setting::DATABASES)),
    row("dbfilename", "dump.rdb", Protected, Inert),
    row("dir", "/", Protected, Inert),
    row("disable-thp", "yes", Immutable, Inert),
    row("dynamic-hz", "yes", YesNo, Inert),
    row("enable-debug-command", "yes", Immutable, Inert),
    row("enable-module-command", "no", Immutable, Inert),
    row("enable-protected-configs", "no", Immutable, Inert),
    row("hash-max-listpack-entries", "512", Integer(0, LONG), Modelled(&setting::HASH_ENTRIES)),
    row("hash-max-listpack-value", "64", Memory(0, SIGNED), Modelled(&setting::HASH_VALUE)),
    row("hash-max-ziplist-entries", "512", Integer(0, LONG), Alias("hash-max-listpack-entries")),
    row("hash-max-ziplist-value", "64", Memory(0, SIGNED), Alias("hash-max-listpack-value")),
    row("hll-sparse-max-bytes", "3000", Memory(0, SIGNED), Modelled(&setting::HLL_SPARSE)),
    row("hz", "10", Special(validate::hertz), Inert),
    row("ignore-warnings", "", Text, Inert),
    row("io-threads", "1", Immutable, Inert),
    row("io-threads-do-reads", "no", Immutable, Inert),
    row("jemalloc-bg-thread", "yes", YesNo, Inert),
    row("key-load-delay", "0", Integer(INT_MIN, INT), Inert),
    row("latency-monitor-threshold", "0", Integer(0, LONG), Modelled(&setting::LATENCY_THRESHOLD)),
    row("latency-tracking", "yes", YesNo, Inert),
    row("latency-tracking-info-percentiles", "50 99 99.9", Special(validate::percentiles), Inert),
    row("lazyfree-lazy-eviction", "no", YesNo, Inert),
    row("lazyfree-lazy-expire", "no", YesNo, Inert),
    row("lazyfree-lazy-server-del", "no", YesNo, Inert),
    row("lazyfree-lazy-user-del", "no", YesNo, Inert),
    row("lazyfree-lazy-user-flush", "no", YesNo, Inert),
    row("lfu-decay-time", "1", Integer(0, INT), Modelled(&setting::LFU_DECAY)),
    row("lfu-log-factor", "10", Integer(0, INT), Modelled(&setting::LFU_FACTOR)),
    row("list-compress-depth", "0", Integer(0, INT), Inert),
    row("list-max-listpack-size", "-2", Integer(INT_MIN, INT), Modelled(&setting::LIST_SIZE)),
    row("list-max-ziplist-size", "-2", Integer(INT_MIN, INT), Alias("list-max-listpack-size")),
    row("loading-process-events-interval-bytes", "2097152", Integer(1_024, INT), Inert),
    row("logfile", "", Immutable, Inert),
    row("loglevel", "notice", OneOf(&["debug", "verbose", "notice", "warning"]), Inert),
    row("lua-time-limit", "5000", Integer(0, LONG), Alias("busy-reply-threshold")),
    row("masterauth", "", Text, Inert),
    row("masteruser", "", Text, Inert),
    row("maxclients", "10000", Integer(1, UINT), Modelled(&setting::MAX_CLIENTS)),
    row("maxmemory", "0", Memory(0, u64::MAX), Modelled(&setting::MAX_MEMORY)),
    row("maxmemory-clients", "0", Sizes(validate::memory_or_percent), Modelled(&setting::CLIENT_MEMORY)),
    row("maxmemory-eviction-tenacity", "10", Integer(0, 100), Inert),
    row("maxmemory-policy", "noeviction", OneOf(&["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"]), Modelled(&setting::EVICTION_POLICY)),
    row("maxmemory-samples", "5", Integer(1, INT), Modelled(&setting::EVICTION_SAMPLES)),
    row("min-replicas-max-lag", "10", Integer(0, INT), Inert),
    row("min-replicas-to-write", "0", Integer(0, INT), Inert),
    row("min-slaves-max-lag", "10", Integer(0, INT), Alias("min-replicas-max-lag")),
    row("min-slaves-to-write", "0", Integer(0, INT), Alias("min-replicas-to-write")),
    row("no-appendfsync-on-rewrite", "no", YesNo, Inert),
    row("notify-keyspace-events", "", Text, Modelled(&setting::EVENTS)),
    row("oom-score-adj", "no", OneOf(&["no", "yes", "relative", "absolute"]), Inert),
    row("oom-score-adj-values", "0 200 800", Special(validate::oom_scores), Inert),
    row("pidfile", "", Immutable, Inert),
    row("port", "6379", Integer(0, 65_535), Modelled(&setting::PORT)),
    row("proc-title-template", "{title} {listen-addr} {server-mode}", Special(validate::title_template), Inert),
    row("propagation-error-behavior", "ignore", OneOf(&["ignore", "panic", "panic-on-replicas"]), Inert),
    row("protected-mode", "yes", YesNo, Inert),
    row("proto-max-bulk-len", "536870912", Memory(1_048_576, SIGNED), Modelled(&setting::BULK_LENGTH)),
    row("rdb-del-sync-files", "no", YesNo, Inert),
    row("rdb-key-save-delay", "0", Integer(INT_MIN, INT), Inert),
    row("rdb-save-incremental-fsync", "yes", YesNo, Inert),
    row("rdbchecksum", "yes", Immutable, Inert),
    row("rdbcompression", "yes", YesNo, Inert),
    row("repl-backlog-size", "1048576", Sizes(validate::backlog_size), Inert),
    row("repl-backlog-ttl", "3600", Integer(0, LONG), Inert),
    row("repl-disable-tcp-nodelay", "no", YesNo, Inert),
    row("repl-diskless-load", "disabled", OneOf(&["disabled", "on-empty-db", "swapdb"]), Inert),
    row("repl-diskless-sync", "yes", YesNo, Inert),
    row("repl-diskless-sync-delay", "5", Integer(0, INT), Inert),
    row("repl-diskless-sync-max-replicas", "0", Integer(0, INT), Inert),
    row("repl-ping-replica-period", "10", Integer(1, INT), Inert),
    row("repl-ping-slave-period", "10", Integer(1, INT), Alias("repl-ping-replica-period")),
    row("repl-timeout", "60", Integer(1, INT), Inert),
    row("replica-announce-ip", "", Text, Inert),
    row("replica-announce-port", "0", Integer(0, 65_535), Inert),
    row("replica-announced", "yes", YesNo, Inert),
    row("replica-ignore-disk-write-errors", "no", YesNo, Inert),
    row("replica-ignore-maxmemory", "yes", YesNo, Inert),
    row("replica-lazy-flush", "no", YesNo, Inert),
    row("replica-priority", "100", Integer(0, INT), Inert),
    row("replica-read-only", "yes", YesNo, Inert),
    row("replica-serve-stale-data", "yes", YesNo, Inert),
    row("replicaof", "", Immutable, Inert),
    row("requirepass", "", Text, Modelled(&setting::PASSWORD)),
    row("sanitize-dump-payload", "no", OneOf(&["no", "yes", "clients"]), Inert),
    row("save", "3600 1 300 100 60 10000", Text, Modelled(&setting::SAVE)),
    row("server_cpulist", "", Immutable, Inert),
    row("set-max-intset-entries", "512", Integer(0, LONG), Modelled(&setting::INTSET)),
    row("set-proc-title", "yes", Immutable, Inert),
    row("shutdown-on-sigint", "default", Flags(&["default", "save", "nosave", "now", "force"]), Inert),
    row("shutdown-on-sigterm", "default", Flags(&["default", "save", "nosave", "now", "force"]), Inert),
    row("shutdown-timeout", "10", Integer(0, INT), Inert),
    row("slave-announce-ip", "", Text, Alias("replica-announce-ip")),
    row("slave-announce-port", "0", Integer(0, 65_535), Alias("replica-announce-port")),
    row("slave-ignore-maxmemory", "yes", YesNo, Alias("replica-ignore-maxmemory")),
    row("slave-lazy-flush", "no", YesNo, Alias("replica-lazy-flush")),
    row("slave-priority", "100", Integer(0, INT), Alias("replica-priority")),
    row("slave-read-only", "yes", YesNo, Alias("replica-read-only")),
    row("slave-serve-stale-data", "yes", YesNo, Alias("replica-serve-stale-data")),
    row("slaveof", "", Immutable, Alias("replicaof")),
    row("slowlog-log-slower-than", "10000", Integer(-1, LONG), Modelled(&setting::SLOW_LOG_THRESHOLD)),
    row("slowlog-max-len", "128", Integer(0, LONG), Modelled(&setting::SLOW_LOG_LENGTH)),
    row("socket-mark-id", "0", Immutable, Inert),
    row("stop-writes-on-bgsave-error", "yes", YesNo, Inert),
    row("stream-node-max-bytes", "4096", Memory(0, SIGNED), Modelled(&setting::STREAM_NODE_BYTES)),
    row("stream-node-max-entries", "100", Integer(0, LONG), Modelled(&setting::STREAM_NODE_ENTRIES)),
    row("supervised", "no", Immutable, Inert),
    row("syslog-enabled", "no", Immutable, Inert),
    row("syslog-facility", "local0", Immutable, Inert),
    row("syslog-ident", "redis", Immutable, Inert),
    row("tcp-backlog", "511", Immutable, Inert),
    row("tcp-keepalive", "300", Integer(0, INT), Modelled(&setting::TCP_KEEPALIVE)),
    row("timeout", "0", Integer(0, INT), Modelled(&setting::TIMEOUT)),
    row("tls-auth-clients", "yes", OneOf(&["no", "yes", "optional"]), Inert),
    row("tls-ca-cert-dir", "", Text, Inert),
    row("tls-ca-cert-file", "", Text, Inert),
    row("tls-cert-file", "", Text, Inert),
    row("tls-ciphers", "", Text, Inert),
    row("tls-ciphersuites", "", Text, Inert),
    row("tls-client-cert-file", "", Text, Inert),
    row("tls-client-key-file", "", Text, Inert),
    row("tls-client-key-file-pass", "", Text, Inert),
    row("tls-cluster", "no", YesNo, Fixed("Unable to update TLS configuration. Check server logs.")),
    row("tls-dh-params-file", "", Text, Inert),
    row("tls-key-file", "", Text, Inert),
    row("tls-key-file-pass", "", Text, Inert),
    row("tls-port", "0", Integer(0, 65_535), Fixed(NOT_MODELLED)),
    row("tls-prefer-server-ciphers", "no", YesNo, Inert),
    row("tls-protocols", "", Text, Inert),
    row("tls-replication", "no", YesNo, Fixed("Unable to update TLS configuration. Check server logs.")),
    row("tls-session-cache-size", "20480", Integer(0, INT), Inert),
    row("tls-session-cache-timeout", "300", Integer(0, INT), Inert),
    row("tls-session-caching", "yes", YesNo, Inert),
    row("tracking-table-max-keys", "1000000", Integer(0, LONG), Modelled(&setting::TRACKING_KEYS)),
    row("unixsocket", "", Immutable, Inert),
    row("unixsocketperm", "0", Immutable, Inert),
    row("use-exit-on-panic", "no", YesNo, Inert),
    row("watchdog-period", "0", Integer(0, INT), Inert),
    row("zset-max-listpack-entries", "128", Integer(0, LONG), Modelled(&setting::SORTED_SET_ENTRIES)),
    row("zset-max-listpack-value", "64", Memory(0, SIGNED), Modelled(&setting::SORTED_SET_VALUE)),
    row("zset-max-ziplist-entries", "128", Integer(0, LONG), Alias("zset-max-listpack-entries")),
    row("zset-max-ziplist-value", "64", Memory(0, SIGNED), Alias("zset-max-listpack-value")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::value::number;

    #[test]
    fn every_default_is_a_value_as_it_is_read_back_and_names_are_in_order() {
        for parameter in PARAMETERS {
            let (name, default) = (parameter.name, parameter.default);
            if !matches!(parameter.form, Immutable | Protected) {
                let read = parameter.form.read(default, default, number::parse_memory);
                assert_eq!(read.as_deref(), Ok(default), "{name}");
            }
            assert_eq!(parameter.itself().default, default, "{name}");
        }
        assert!(PARAMETERS.is_sorted_by_key(|parameter| parameter.name));
        // One of the hidden ones came later.
        assert_eq!(PARAMETERS.len(), 191 + HIDDEN.len());
    }
}
