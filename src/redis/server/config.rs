//! The current configuration, which `CONFIG SET` changes.

use super::limits::{ClientMemory, whole_seconds};
use super::{EvictionPolicy, ServerOptions};
use crate::redis::database::EventClasses;
use crate::redis::persist::{AppendFsync, SavePoint};
use crate::redis::value::{Limits, Sds};
use crate::redis::version::{Product, REDIS_7_2_4, Version, default_since};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// The current configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The version whose parameters they are.
    pub(crate) version: Version,
    pub(crate) password: Option<Sds>,
    pub(crate) save_points: Vec<SavePoint>,
    pub(crate) append_only: bool,
    pub(crate) fsync: AppendFsync,
    pub(crate) events: EventClasses,
    pub(crate) limits: Limits,
    /// Greatest number of bytes that a client may send ahead (`client-query-buffer-limit`).
    pub(crate) query_buffer_limit: u64,
    /// Values of parameters without a field here; see [`Config::word`].
    pub(crate) inert: IndexMap<&'static str, String, FxBuildHasher>,
    pub(crate) databases: usize,
    pub(crate) port: u16,
    /// Microseconds from which on a command is in the slow log. Negative is never.
    pub(crate) slow_log_threshold: i64,
    pub(crate) slow_log_length: i64,
    /// Milliseconds from which on the latency monitor notes a command. 0 is never.
    pub(crate) latency_threshold: u64,
    /// Greatest number of keys that are remembered for tracking clients. 0 is no limit.
    pub(crate) tracking_keys: u64,
    /// Milliseconds after which a script makes the server busy. 0 is never.
    pub(crate) busy_reply_threshold: u64,
    /// Greatest number of entries of `ACL LOG`.
    pub(crate) acl_log_length: u64,
    /// New users may use all channels (`acl-pubsub-default`).
    pub(crate) acl_all_channels: bool,
    /// Seconds of silence before a client is probed. 0 is never.
    pub(crate) tcp_keepalive: u32,
    /// Greatest number of clients.
    pub(crate) max_clients: u64,
    /// Seconds after which an idle client is closed. 0 is never.
    pub(crate) timeout: i64,
    /// Greatest memory of all clients.
    pub(crate) client_memory: ClientMemory,
    /// Greatest number of bytes that the server uses. 0 is no limit.
    pub(crate) max_memory: u64,
    pub(crate) policy: EvictionPolicy,
    /// Number of keys that are drawn to find one to evict.
    pub(crate) eviction_samples: usize,
    /// How the uses of keys are counted; see `aging`.
    pub(crate) lfu_decay: u32,
    pub(crate) lfu_factor: u32,
}

/// Returns the values of parameters that the options set and that only other code reads.
fn inert(options: &ServerOptions) -> IndexMap<&'static str, String, FxBuildHasher> {
    let mut inert: IndexMap<_, _, _> =
        options.acl_file.iter().map(|file| ("aclfile", file.path.clone())).collect();
    inert.extend(options.master_password.iter().map(|word| ("masterauth", word.to_string())));
    if options.sync_delay() != 5 {
        inert.insert("repl-diskless-sync-delay", options.sync_delay().to_string());
    }
    inert
}

impl Config {
    /// Returns the number of a parameter that has no field here, or the default of 7.0.
    pub(crate) fn number(&self, name: &str, default: u64) -> u64 {
        self.word(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// Returns whether such a parameter is `yes`; in 7.0 it is not by default.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.word(name) == Some("yes")
    }

    /// Returns the word that such a parameter was set to, or that is its default in this version.
    /// `None` is the default of 7.0, or nothing.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        let set = self.inert.get(name).map(String::as_str);
        let word = set.or_else(|| default_since(name, self.version));
        word.filter(|value| !value.is_empty())
    }

    /// Returns what the server says it is: a Valkey says that it is the Redis from which it
    /// descends, if `extended-redis-compatibility` is set.
    pub(crate) fn shown_product(&self) -> &'static Product {
        if self.is_on("extended-redis-compatibility") {
            return &REDIS_7_2_4;
        }
        &self.version.profile().product
    }

    pub(crate) fn new(options: &ServerOptions) -> Config {
        Config {
            version: options.version,
            password: options.password.clone(),
            save_points: options.save_points.clone(),
            append_only: options.append_only.is_some(),
            fsync: options.append_only.unwrap_or_default(),
            events: options.events,
            limits: options.limits,
            query_buffer_limit: 1 << 30,
            inert: inert(options),
            databases: options.databases,
            port: options.port,
            slow_log_threshold: 10_000,
            slow_log_length: 128,
            latency_threshold: 0,
            tracking_keys: 1_000_000,
            busy_reply_threshold: 5_000,
            acl_log_length: 128,
            acl_all_channels: false,
            tcp_keepalive: options.tcp_keepalive,
            max_clients: options.max_clients,
            timeout: whole_seconds(options.client_timeout),
            client_memory: ClientMemory::Unlimited,
            max_memory: options.max_memory,
            policy: options.policy,
            eviction_samples: 5,
            lfu_decay: 1,
            lfu_factor: 10,
        }
    }

    pub(crate) fn password(&self) -> Option<&Sds> {
        self.password.as_ref()
    }
}
