//! `CLUSTER`, of a server that is in none: every subcommand but `HELP` says so.

use super::Row;
use super::node::no_cluster;
use crate::redis::command::flag::*;
use crate::redis::command::{container, server};
use crate::redis::version::Versions;

#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    container("cluster", -2, 0, &[], "A container for cluster commands", CLUSTER),
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
    server("cluster|keyslot", 3, STALE, &[], &[], "Returns the hash slot of the specified key", no_cluster),
    server("cluster|links", 2, STALE, &[], &[], "Returns a list of all TCP links to and from peer nodes in cluster", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|meet", -4, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Force a node cluster to handshake with another node", no_cluster),
    server("cluster|myid", 2, STALE, &[], &[], "Return the node id", no_cluster),
    server("cluster|myshardid", 2, STALE, &[], &[], "Returns the shard ID of a node.", no_cluster).tips(&["nondeterministic_output"]).in_versions(Versions::SINCE_7_2),
    server("cluster|nodes", 2, STALE, &[], &[], "Get Cluster config for the node", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|replicas", 3, ADMIN | STALE, &[], &[], "List replica nodes of the specified master node", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|replicate", 3, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Reconfigure a node as a replica of the specified master node", no_cluster),
    server("cluster|reset", -2, ADMIN | NOSCRIPT | STALE, &[], &[], "Reset a Redis Cluster node", no_cluster),
    server("cluster|saveconfig", 2, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Forces the node to save cluster state on disk", no_cluster),
    server("cluster|set-config-epoch", 3, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Set the configuration epoch in a new node", no_cluster),
    server("cluster|setslot", -4, ADMIN | STALE | NO_ASYNC_LOADING, &[], &[], "Bind a hash slot to a specific node", no_cluster),
    server("cluster|shards", 2, STALE, &[], &[], "Get array of cluster slots to node mappings", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|slaves", 3, ADMIN | STALE, &[], &[], "List replica nodes of the specified master node", no_cluster).tips(&["nondeterministic_output"]),
    server("cluster|slots", 2, STALE, &[], &[], "Get array of Cluster slot to node mappings", no_cluster).tips(&["nondeterministic_output"]),
];
