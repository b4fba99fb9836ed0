//! `CLUSTER`, of a server that is in none: every subcommand says so. Some versions answer `KEYSLOT`
//! all the same.
//!
//! Source: `cluster.c` (`keyHashSlot`).

use super::Row;
use super::node::no_cluster;
use crate::redis::command::flag::*;
use crate::redis::command::key_spec::key;
use crate::redis::command::key_spec::usage::NOT_KEY;
use crate::redis::command::{Answer, Args, Caller, container, server};
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::version::Versions;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    container("cluster", -2, 0, &[], "A container for cluster commands", CLUSTER),
    server("clusterscan", -2, READONLY, &["keyspace"], &[key(NOT_KEY, 1)], "Iterates over the keys in the cluster.", no_cluster).tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]).in_versions(Versions::VALKEY_9_1),
    server("trimslots", -5, WRITE, &["keyspace", "dangerous"], &[], "Trim the keys that belong to specified slots.", no_cluster).in_versions(Versions::REDIS_8_6),
];

#[rustfmt::skip]
const CLUSTER: &[Row] = &[
    server("cluster|addslots", -3, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Assign new hash slots to receiving node", no_cluster),
    server("cluster|addslotsrange", -4, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Assign new hash slots to receiving node", no_cluster),
    server("cluster|bumpepoch", 2, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Advance the cluster config epoch", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|count-failure-reports", 3, ADMIN | STALE, &[], &[], "Return the number of failure reports active for a given node", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|countkeysinslot", 3, STALE, &[], &[], "Return the number of local keys in the specified hash slot", no_cluster),
    server("cluster|delslots", -3, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Set hash slots as unbound in receiving node", no_cluster),
    server("cluster|delslotsrange", -4, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Set hash slots as unbound in receiving node", no_cluster),
    server("cluster|failover", -2, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Forces a replica to perform a manual failover of its master.", no_cluster),
    server("cluster|flushslots", 2, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Delete a node's own slots information", no_cluster),
    server("cluster|forget", 3, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Remove a node from the nodes table", no_cluster),
    server("cluster|getkeysinslot", 4, STALE, &[], &[], "Return local key names in the specified hash slot", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|help", 2, LOADING | STALE, &[], &[], "Show helpful text about the different subcommands", no_cluster),
    server("cluster|info", 2, STALE, &[], &[], "Provides info about Redis Cluster node state", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|keyslot", 3, STALE, &[], &[], "Returns the hash slot of the specified key", keyslot),
    server("cluster|links", 2, STALE, &[], &[], "Returns a list of all TCP links to and from peer nodes in cluster", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|meet", -4, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Force a node cluster to handshake with another node", no_cluster),
    server("cluster|cancelslotmigrations", 2, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Cancel all current ongoing slot migration operations.", no_cluster).in_versions(Versions::VALKEY_9_1),
    server("cluster|flushslot", -3, WRITE | ADMIN | NO_ASYNC_LOADING, &["keyspace"], &[], "Remove all keys from the target slot.", no_cluster).in_versions(Versions::VALKEY_9_1),
    server("cluster|getslotmigrations", 2, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Get the status of ongoing and recently finished slot import and export operations.", no_cluster).in_versions(Versions::VALKEY_9_1),
    server("cluster|migrateslots", -4, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Migrate the given slots to the specified node.", no_cluster).in_versions(Versions::VALKEY_9_1),
    server("cluster|migration", -4, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Start, monitor and cancel slot migration.", no_cluster).in_versions(Versions::REDIS_8_6),
    server("cluster|syncslots", -3, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "An internal command for slot migration.", no_cluster).tips(&["nondeterministic_output"]).in_versions(Versions::REDIS_8_6_VALKEY_9_1),
    server("cluster|myid", 2, STALE, &[], &[], "Return the node id", no_cluster),
    server("cluster|myshardid", 2, STALE, &[], &[], "Returns the shard ID of a node.", no_cluster).tips(&["nondeterministic_output"]).in_versions(Versions::SINCE_7_2),
    server("cluster|nodes", 2, STALE, &[], &[], "Get Cluster config for the node", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|replicas", 3, ADMIN | STALE, &[], &[], "List replica nodes of the specified master node", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|replicate", 3, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Reconfigure a node as a replica of the specified master node", no_cluster),
    server("cluster|reset", -2, ADMIN | NOSCRIPT | STALE, &[], &[], "Reset a Redis Cluster node", no_cluster),
    server("cluster|saveconfig", 2, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Forces the node to save cluster state on disk", no_cluster),
    server("cluster|set-config-epoch", 3, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Set the configuration epoch in a new node", no_cluster),
    server("cluster|slot-stats", -4, LOADING | STALE, &[], &[], "Return an array of slot usage statistics for slots assigned to the current node.", no_cluster).tips(&["nondeterministic_output", "request_policy:all_shards"]).in_versions(Versions::SINCE_8_2),
    server("cluster|setslot", -4, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Bind a hash slot to a specific node", no_cluster),
    server("cluster|shards", 2, STALE, &[], &[], "Get array of cluster slots to node mappings", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|slaves", 3, ADMIN | STALE, &[], &[], "List replica nodes of the specified master node", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|slots", 2, STALE, &[], &[], "Get array of Cluster slot to node mappings", no_cluster).tips(&["nondeterministic_output"]),
];

/// The number of slots of a cluster.
const SLOTS: u16 = 16_384;

/// CRC-16 as XMODEM computes it.
fn crc16(bytes: &[u8]) -> u16 {
    let shift = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ u16::from(*byte) << 8, shift))
}

/// Returns the part of a key that decides its slot: what is between the first braces, if anything.
fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|byte| *byte == b'}') {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// `key`.
fn keyslot(server: &mut Server, caller: Caller, args: Args<'_>) -> Answer {
    if server.profile().arguments.keyslot_outside_cluster {
        return Ok(Reply::Integer(i64::from(crc16(tag(args[2])) % SLOTS)));
    }
    no_cluster(server, caller, args)
}
