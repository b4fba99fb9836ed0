//! The rows of 7.0.15 that later versions changed: as data, because the commands are the same.
//!
//! Source: the replies to `COMMAND` of the real servers.

use super::Command;
use super::flag::{
    ALLOW_BUSY, BLOCKING, DENYOOM, LOADING, NO_MULTI, NOSCRIPT, SKIP_COMMANDLOG, SKIP_SLOWLOG,
    STALE,
};
use super::key_spec::usage::{ACCESS, COMPARED, OW, RO, RW, UPDATE, VARIABLE};
use super::key_spec::{KeySpec, after, key, range};
use crate::redis::version::Versions;

/// A change of a row in some versions.
pub(super) struct Amendment {
    pub(super) command: &'static str,
    pub(super) versions: Versions,
    pub(super) change: Change,
}

/// How a row changes.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Arity(i64),
    /// It has these flags too.
    Gains(u32),
    /// It no longer has these flags.
    Loses(u32),
    Tips(&'static [&'static str]),
    Keys(&'static [KeySpec]),
}

impl Change {
    pub(super) fn apply<S>(self, row: &mut Command<S>) {
        match self {
            Change::Arity(arity) => row.arity = arity,
            Change::Gains(flags) => row.flags |= flags,
            Change::Loses(flags) => row.flags &= !flags,
            Change::Tips(tips) => row.tips = tips,
            Change::Keys(keys) => row.keys = keys,
        }
    }
}

const fn amend(command: &'static str, versions: Versions, change: Change) -> Amendment {
    Amendment { command, versions, change }
}

const ALL_NODES: Change =
    Change::Tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);
const SUMMED: Change = Change::Tips(&["request_policy:all_nodes", "response_policy:agg_sum"]);
const RANDOMKEY: Change = Change::Tips(&[
    "request_policy:all_shards",
    "response_policy:special",
    "nondeterministic_output",
]);
const SCAN: Change =
    Change::Tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]);

const SINTERSTORE: Change = Change::Keys(&[key(OW | UPDATE, 1), range(RO | ACCESS, 2, -1, 1)]);
const GEORADIUS: Change = Change::Keys(&[
    key(RO | ACCESS, 1),
    after(OW | UPDATE | VARIABLE, "STORE", 6, 0),
    after(OW | UPDATE | VARIABLE, "STOREDIST", 6, 0),
]);
const GEORADIUSBYMEMBER: Change = Change::Keys(&[
    key(RO | ACCESS, 1),
    after(OW | UPDATE | VARIABLE, "STORE", 5, 0),
    after(OW | UPDATE | VARIABLE, "STOREDIST", 5, 0),
]);
const SET: Change = Change::Keys(&[key(RW | ACCESS | UPDATE | VARIABLE | COMPARED, 1)
    .noted("RW and ACCESS due to the optional `GET` argument")]);

pub(super) const AMENDMENTS: &[Amendment] = &[
    amend("acl|deluser", Versions::SINCE_7_2, ALL_NODES),
    amend("acl|save", Versions::SINCE_7_2, ALL_NODES),
    amend("acl|setuser", Versions::SINCE_7_2, ALL_NODES),
    amend("blmove", Versions::SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("blpop", Versions::SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("brpop", Versions::SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("brpoplpush", Versions::SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("bzpopmax", Versions::SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("bzpopmin", Versions::SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("client|setname", Versions::SINCE_7_2, ALL_NODES),
    amend("cluster|shards", Versions::SINCE_7_2, Change::Gains(LOADING)),
    amend("cluster|slots", Versions::SINCE_7_2, Change::Gains(LOADING)),
    amend("command|getkeys", Versions::SINCE_7_2, Change::Arity(-3)),
    amend("command|getkeysandflags", Versions::SINCE_7_2, Change::Arity(-3)),
    amend("config|resetstat", Versions::SINCE_7_2, ALL_NODES),
    amend("config|rewrite", Versions::SINCE_7_2, ALL_NODES),
    amend("latency|reset", Versions::SINCE_7_2, SUMMED),
    amend("msetnx", Versions::SINCE_7_2, Change::Tips(&[])),
    amend("randomkey", Versions::SINCE_7_2, RANDOMKEY),
    amend("scan", Versions::SINCE_7_2, SCAN),
    amend("wait", Versions::SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("wait", Versions::SINCE_7_4, Change::Gains(BLOCKING)),
    amend("waitaof", Versions::REDIS_7_2, Change::Loses(BLOCKING)),
    amend("waitaof", Versions::REDIS_7_2, Change::Gains(NOSCRIPT)),
    amend("zrank", Versions::SINCE_7_2, Change::Arity(-3)),
    amend("zrevrank", Versions::SINCE_7_2, Change::Arity(-3)),
    amend("set", Versions::REDIS_8_6, SET),
    amend("cluster|info", Versions::VALKEY, Change::Gains(LOADING)),
    amend("sinterstore", Versions::SINCE_7_4, SINTERSTORE),
    amend("cluster|myshardid", Versions::VALKEY, Change::Gains(LOADING)),
    amend("cluster|myid", Versions::VALKEY, Change::Gains(LOADING)),
    amend("cluster|nodes", Versions::VALKEY, Change::Gains(LOADING)),
    amend("memory|malloc-stats", Versions::VALKEY_SINCE_8_1, Change::Gains(LOADING)),
    amend("memory|purge", Versions::VALKEY_SINCE_8_1, Change::Gains(LOADING)),
    amend("multi", Versions::VALKEY, Change::Gains(NO_MULTI)),
    amend("watch", Versions::VALKEY, Change::Gains(NO_MULTI)),
    amend("exec", Versions::VALKEY_SINCE_8_1, Change::Loses(SKIP_SLOWLOG)),
    amend("exec", Versions::VALKEY_SINCE_8_1, Change::Gains(SKIP_COMMANDLOG)),
    amend("hexpire", Versions::REDIS_7_4, Change::Gains(DENYOOM)),
    amend("hexpireat", Versions::REDIS_7_4, Change::Gains(DENYOOM)),
    amend("hpexpire", Versions::REDIS_7_4, Change::Gains(DENYOOM)),
    amend("hpexpireat", Versions::REDIS_7_4, Change::Gains(DENYOOM)),
    amend("hpttl", Versions::REDIS_7_4.or(Versions::VALKEY_9_1), Change::Tips(&[])),
    amend("httl", Versions::REDIS_7_4.or(Versions::VALKEY_9_1), Change::Tips(&[])),
    amend("client|caching", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|capa", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|getname", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|getredir", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|id", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|no-evict", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|no-touch", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|setinfo", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|reply", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY | NO_MULTI)),
    amend("client|setname", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("cluster|syncslots", Versions::VALKEY_9_1, Change::Tips(&[])),
    amend("cluster|replicate", Versions::VALKEY_9_1, Change::Arity(-3)),
    amend("georadius", Versions::VALKEY_9_1, GEORADIUS),
    amend("georadiusbymember", Versions::VALKEY_9_1, GEORADIUSBYMEMBER),
    amend("script|debug", Versions::VALKEY_9_1, Change::Arity(-3)),
    amend("script|exists", Versions::VALKEY_9_1, Change::Gains(STALE)),
    amend("script|show", Versions::VALKEY_9_1, Change::Gains(STALE)),
    amend("script|flush", Versions::VALKEY_9_1, Change::Gains(STALE)),
    amend("select", Versions::VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
];
