//! The rows of 7.0.15 that later versions changed: as data, because the commands are the same.
//!
//! Source: the replies to `COMMAND` of the real servers.

use super::Command;
use super::flag::{
    ALLOW_BUSY, BLOCKING, LOADING, NO_MULTI, NOSCRIPT, SKIP_COMMANDLOG, SKIP_SLOWLOG, STALE,
};
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
}

impl Change {
    pub(super) fn apply<S>(self, row: &mut Command<S>) {
        match self {
            Change::Arity(arity) => row.arity = arity,
            Change::Gains(flags) => row.flags |= flags,
            Change::Loses(flags) => row.flags &= !flags,
            Change::Tips(tips) => row.tips = tips,
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
const SINCE_7_2: Versions = Versions::SINCE_7_2;
const VALKEY_9_1: Versions = Versions::VALKEY_9_1;
const SINCE_7_4: Versions = Versions::REDIS_SINCE_7_4.and(VALKEY);
const VALKEY: Versions = Versions::VALKEY;
const VALKEY_SINCE_8_1: Versions = Versions::VALKEY_SINCE_8_1;

pub(super) const AMENDMENTS: &[Amendment] = &[
    amend("acl|deluser", SINCE_7_2, ALL_NODES),
    amend("acl|save", SINCE_7_2, ALL_NODES),
    amend("acl|setuser", SINCE_7_2, ALL_NODES),
    amend("blmove", SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("blpop", SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("brpop", SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("brpoplpush", SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("bzpopmax", SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("bzpopmin", SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("client|setname", SINCE_7_2, ALL_NODES),
    amend("cluster|shards", SINCE_7_2, Change::Gains(LOADING)),
    amend("cluster|slots", SINCE_7_2, Change::Gains(LOADING)),
    amend("command|getkeys", SINCE_7_2, Change::Arity(-3)),
    amend("command|getkeysandflags", SINCE_7_2, Change::Arity(-3)),
    amend("config|resetstat", SINCE_7_2, ALL_NODES),
    amend("config|rewrite", SINCE_7_2, ALL_NODES),
    amend("latency|reset", SINCE_7_2, SUMMED),
    amend("msetnx", SINCE_7_2, Change::Tips(&[])),
    amend("randomkey", SINCE_7_2, RANDOMKEY),
    amend("scan", SINCE_7_2, SCAN),
    amend("wait", SINCE_7_2, Change::Loses(NOSCRIPT)),
    amend("wait", SINCE_7_4, Change::Gains(BLOCKING)),
    amend("zrank", SINCE_7_2, Change::Arity(-3)),
    amend("zrevrank", SINCE_7_2, Change::Arity(-3)),
    amend("cluster|info", VALKEY, Change::Gains(LOADING)),
    amend("cluster|myid", VALKEY, Change::Gains(LOADING)),
    amend("cluster|nodes", VALKEY, Change::Gains(LOADING)),
    amend("memory|malloc-stats", VALKEY_SINCE_8_1, Change::Gains(LOADING)),
    amend("memory|purge", VALKEY_SINCE_8_1, Change::Gains(LOADING)),
    amend("multi", VALKEY, Change::Gains(NO_MULTI)),
    amend("watch", VALKEY, Change::Gains(NO_MULTI)),
    amend("exec", VALKEY_SINCE_8_1, Change::Loses(SKIP_SLOWLOG)),
    amend("exec", VALKEY_SINCE_8_1, Change::Gains(SKIP_COMMANDLOG)),
    amend("client|caching", VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|getname", VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|getredir", VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|id", VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|no-evict", VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("client|reply", VALKEY_9_1, Change::Gains(ALLOW_BUSY | NO_MULTI)),
    amend("client|setname", VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
    amend("cluster|replicate", VALKEY_9_1, Change::Arity(-3)),
    amend("script|debug", VALKEY_9_1, Change::Arity(-3)),
    amend("script|exists", VALKEY_9_1, Change::Gains(STALE)),
    amend("script|flush", VALKEY_9_1, Change::Gains(STALE)),
    amend("select", VALKEY_9_1, Change::Gains(ALLOW_BUSY)),
];
