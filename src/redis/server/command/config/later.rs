//! The parameters that versions after 7.0 added, gave another default, or dropped, as data.
//!
//! Source: `CONFIG GET *` of the real servers.

use super::parameters::{Effect, INT, LONG, Parameter, SIGNED};
use super::setting;
use super::validate::{self, Form};
use crate::redis::version::{Version, Versions, default_since};
use Effect::{Alias, Fixed, Inert, Modelled};
use Form::{Flags, Immutable, Integer, Memory, OneOf, Sizes, Special, Text, YesNo};

const fn later(
    name: &'static str,
    default: &'static str,
    form: Form,
    effect: Effect,
    versions: Versions,
) -> Parameter {
    Parameter { name, default, form, effect, versions }
}

#[rustfmt::skip]
pub(super) const LATER: &[Parameter] = &[
    later("active-defrag-cycle-us", "500", Integer(0, 100_000), Inert, Versions::VALKEY_SINCE_8_1),
    later("aof-load-corrupt-tail-max-size", "0", Integer(0, LONG), Inert, Versions::REDIS_8_6),
    later("aof-rewrite-cpulist", "", Immutable, Inert, Versions::SINCE_7_4),
    later("availability-zone", "", Text, Inert, Versions::VALKEY),
    later("bgsave-cpulist", "", Immutable, Inert, Versions::SINCE_7_4),
    later("bio-cpulist", "", Immutable, Inert, Versions::SINCE_7_4),
    later("cluster-announce-client-ipv4", "", Special(validate::ipv4), Inert, Versions::VALKEY),
    later("cluster-announce-client-ipv6", "", Special(validate::ipv6), Inert, Versions::VALKEY),
    later("cluster-announce-client-port", "0", Integer(0, 65_535), Inert, Versions::VALKEY_9_1),
    later("cluster-announce-client-tls-port", "0", Integer(0, 65_535), Inert, Versions::VALKEY_9_1),
    later("cluster-announce-human-nodename", "", Special(validate::node_name), Inert, Versions::SINCE_7_2),
    later("cluster-blacklist-ttl", "60", Integer(i64::MIN, LONG), Inert, Versions::VALKEY),
    later("cluster-compatibility-sample-ratio", "0", Integer(0, 100), Inert, Versions::REDIS_SINCE_8_0),
    later("cluster-config-save-behavior", "sync", OneOf(&["sync", "best-effort"]), Inert, Versions::VALKEY_9_1),
    later("cluster-databases", "1", Immutable, Inert, Versions::VALKEY_9_1),
    later("cluster-manual-failover-timeout", "5000", Integer(1, INT), Inert, Versions::VALKEY_SINCE_8_1),
    later("cluster-slot-migration-handoff-max-lag-bytes", "1048576", Memory(0, SIGNED), Inert, Versions::REDIS_8_6),
    later("cluster-slot-migration-log-max-len", "1000", Integer(0, LONG), Inert, Versions::VALKEY_9_1),
    later("cluster-slot-migration-write-pause-timeout", "10000", Integer(0, LONG), Inert, Versions::REDIS_8_6),
    later("cluster-slot-stats-enabled", "no", YesNo, Inert, Versions::SINCE_8_2),
    later("commandlog-execution-slower-than", "10000", Integer(-1, LONG), Alias("slowlog-log-slower-than"), Versions::VALKEY_SINCE_8_1),
    later("commandlog-large-reply-max-len", "128", Integer(0, LONG), Inert, Versions::VALKEY_SINCE_8_1),
    later("commandlog-large-request-max-len", "128", Integer(0, LONG), Inert, Versions::VALKEY_SINCE_8_1),
    later("commandlog-reply-larger-than", "1048576", Integer(-1, LONG), Inert, Versions::VALKEY_SINCE_8_1),
    later("commandlog-request-larger-than", "1048576", Integer(-1, LONG), Inert, Versions::VALKEY_SINCE_8_1),
    later("commandlog-slow-execution-max-len", "128", Integer(0, LONG), Alias("slowlog-max-len"), Versions::VALKEY_SINCE_8_1),
    later("dual-channel-replication-enabled", "no", YesNo, Inert, Versions::VALKEY),
    later("events-per-io-thread", "2", Integer(0, INT), Inert, Versions::VALKEY_8_0),
    later("extended-redis-compatibility", "no", YesNo, Inert, Versions::VALKEY),
    later("hash-seed", "", Immutable, Inert, Versions::VALKEY_9_1),
    later("hide-user-data-from-log", "no", YesNo, Inert, Versions::SINCE_7_4),
    later("import-mode", "no", YesNo, Inert, Versions::VALKEY_SINCE_8_1),
    later("key-memory-histograms", "no", YesNo, Fixed("memory tracking cannot be enabled at runtime"), Versions::REDIS_8_6),
    later("lazyexpire-nested-arbitrary-keys", "yes", YesNo, Inert, Versions::REDIS_SINCE_8_2),
    later("locale-collate", "", Special(validate::locale), Inert, Versions::SINCE_7_2),
    later("log-format", "legacy", OneOf(&["legacy", "logfmt"]), Inert, Versions::VALKEY_SINCE_8_1),
    later("log-timestamp-format", "legacy", OneOf(&["legacy", "iso8601", "milliseconds"]), Inert, Versions::VALKEY_SINCE_8_1),
    later("lookahead", "16", Integer(1, INT), Inert, Versions::REDIS_8_6),
    later("max-new-connections-per-cycle", "10", Integer(1, 1_000), Inert, Versions::SINCE_7_4),
    later("max-new-tls-connections-per-cycle", "1", Integer(1, 1_000), Inert, Versions::SINCE_7_4),
    later("mptcp", "no", Immutable, Inert, Versions::VALKEY_9_1),
    later("prefetch-batch-max-size", "16", Integer(0, 128), Inert, Versions::VALKEY),
    later("primaryauth", "", Text, Alias("masterauth"), Versions::VALKEY),
    later("primaryuser", "", Text, Alias("masteruser"), Versions::VALKEY),
    later("rdb-version-check", "strict", OneOf(&["strict", "relaxed"]), Modelled(&setting::RDB_VERSION_CHECK), Versions::VALKEY_SINCE_8_1),
    later("rdma-bind", "", Special(validate::no_rdma), Inert, Versions::VALKEY_SINCE_8_1),
    later("rdma-completion-vector", "-1", Immutable, Inert, Versions::VALKEY_SINCE_8_1),
    later("rdma-port", "0", Integer(0, 65_535), Fixed(validate::NO_RDMA), Versions::VALKEY_SINCE_8_1),
    later("rdma-rx-size", "1048576", Immutable, Inert, Versions::VALKEY_SINCE_8_1),
    later("repl-mptcp", "no", Immutable, Inert, Versions::VALKEY_9_1),
    later("replica-full-sync-buffer-limit", "0", Memory(0, SIGNED), Inert, Versions::REDIS_SINCE_8_0),
    later("server-cpulist", "", Immutable, Inert, Versions::SINCE_7_4),
    later("set-max-listpack-entries", "128", Integer(0, LONG), Modelled(&setting::SET_ENTRIES), Versions::SINCE_7_2),
    later("set-max-listpack-value", "64", Integer(0, LONG), Modelled(&setting::SET_VALUE), Versions::SINCE_7_2),
    later("slot-migration-max-failover-repl-bytes", "0", Sizes(validate::memory_or_none), Inert, Versions::VALKEY_9_1),
    later("stream-idmp-duration", "100", Integer(1, 86_400), Modelled(&setting::PRODUCER_DURATION), Versions::REDIS_8_6),
    later("stream-idmp-maxsize", "100", Integer(1, 10_000), Modelled(&setting::PRODUCER_NAMES), Versions::REDIS_8_6),
    later("tls-auth-clients-user", "off", OneOf(&["CN", "off"]), Inert, Versions::REDIS_8_6_VALKEY_9_1),
    later("tls-auto-reload-interval", "0", Integer(0, INT), Inert, Versions::VALKEY_9_1),
    later("unixsocketgroup", "", Immutable, Inert, Versions::VALKEY),
    later("vset-force-single-threaded-execution", "no", YesNo, Inert, Versions::REDIS_SINCE_8_2),
];

const POLICIES: Form = OneOf(&[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "volatile-lrm",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "allkeys-lrm",
    "noeviction",
]);
const SHUTDOWN: Form = Flags(&["default", "save", "nosave", "now", "force", "safe", "failover"]);

/// Other forms of the parameters of 7.0.
#[rustfmt::skip]
const FORMS: &[(&str, Form, Versions)] = &[
    ("cluster-announce-ip", Special(validate::announced_ip), Versions::VALKEY_9_1),
    ("cluster-announce-human-nodename", Special(validate::node_name_without_spaces), Versions::VALKEY_9_1),
    ("io-threads", Integer(1, 256), Versions::VALKEY_9_1),
    ("log-format", OneOf(&["legacy", "logfmt", "json"]), Versions::VALKEY_9_1),
    ("loglevel", OneOf(&["debug", "verbose", "notice", "warning", "nothing"]), Versions::SINCE_7_2),
    ("maxmemory-policy", POLICIES, Versions::REDIS_8_6),
    ("maxmemory-samples", Integer(1, 64), Versions::SINCE_7_4),
    ("repl-diskless-load", OneOf(&["disabled", "on-empty-db", "swapdb", "flushdb"]), Versions::REDIS_8_6),
    ("repl-diskless-load", OneOf(&["disabled", "on-empty-db", "swapdb", "flush-before-load"]), Versions::VALKEY_SINCE_8_1),
    ("cluster-slot-stats-enabled", OneOf(&["no", "yes", "cpu", "net", "mem"]), Versions::REDIS_8_6),
    ("shutdown-on-sigint", SHUTDOWN, Versions::VALKEY_9_1),
    ("shutdown-on-sigterm", SHUTDOWN, Versions::VALKEY_9_1),
    ("tls-auth-clients-user", OneOf(&["CN", "URI", "off"]), Versions::VALKEY_9_1),
];

/// Parameters of 7.0 that some versions no longer have.
const GONE: &[(&str, Versions)] = &[
    ("aof-disable-auto-gc", Versions::SINCE_7_2),
    ("dynamic-hz", Versions::VALKEY_SINCE_8_1),
    ("io-threads-do-reads", Versions::REDIS_SINCE_8_0.or(Versions::VALKEY_SINCE_8_1)),
    ("sanitize-dump-payload", Versions::VALKEY_9_1),
];

/// Returns whether a version has a parameter.
pub(super) fn has(version: Version, parameter: &Parameter) -> bool {
    let gone =
        |(name, versions): &(&str, Versions)| *name == parameter.name && versions.has(version);
    parameter.versions.has(version) && !GONE.iter().any(gone)
}

/// Returns the form of a parameter's values in a version.
pub(super) fn form_of(parameter: &Parameter, version: Version) -> Form {
    let other = |of: &&(&str, Form, Versions)| of.0 == parameter.name && of.2.has(version);
    FORMS.iter().find(other).map_or(parameter.form, |(_, form, _)| *form)
}

/// Returns whether a parameter is held without a sign.
pub(super) fn is_unsigned(parameter: &Parameter) -> bool {
    const SIGNED_SIZES: [&str; 3] =
        ["auto-aof-rewrite-min-size", "proto-max-bulk-len", "replica-full-sync-buffer-limit"];
    const UNSIGNED_NUMBERS: [&str; 9] = [
        "hash-max-listpack-entries",
        "max-new-connections-per-cycle",
        "max-new-tls-connections-per-cycle",
        "maxclients",
        "set-max-intset-entries",
        "set-max-listpack-entries",
        "set-max-listpack-value",
        "tracking-table-max-keys",
        "zset-max-listpack-entries",
    ];
    match parameter.form {
        Memory(..) => !SIGNED_SIZES.contains(&parameter.name),
        _ => UNSIGNED_NUMBERS.contains(&parameter.name),
    }
}

/// Returns the default of a parameter in a version.
pub(super) fn default_of(parameter: &Parameter, version: Version) -> &'static str {
    default_since(parameter.name, version).unwrap_or(parameter.default)
}
