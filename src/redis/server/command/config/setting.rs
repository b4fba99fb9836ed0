//! The parameters that change what a client can observe: how each is read from the configuration
//! and written to it.

use crate::redis::database::notify::EventClasses;
use crate::redis::persist::{AppendFsync, SavePoint};
use crate::redis::server::EvictionPolicy;
use crate::redis::server::config::Config;
use crate::redis::server::limits::ClientMemory;
use crate::redis::value::{Sds, number};
use std::fmt;
use std::time::Duration;

/// How a parameter is read and set. A new value already has the parameter's form.
pub(super) struct Setting {
    pub(super) get: fn(&Config) -> String,
    /// Sets the parameter, or returns why the value is refused.
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Setting")
    }
}

/// A number that is stored as this type.
macro_rules! number {
    ($name:ident, $config:ident => $field:expr) => {
        pub(super) const $name: Setting = Setting {
            get: |$config| $field.to_string(),
            set: |$config, value| {
                $field = value.parse().map_err(|_| "argument is out of range".to_owned())?;
                Ok(())
            },
        };
    };
}

number!(BUSY_REPLY_THRESHOLD, config => config.busy_reply_threshold);
number!(SLOW_LOG_THRESHOLD, config => config.slow_log_threshold);
number!(SLOW_LOG_LENGTH, config => config.slow_log_length);
number!(LATENCY_THRESHOLD, config => config.latency_threshold);
number!(TRACKING_KEYS, config => config.tracking_keys);
number!(QUERY_BUFFER, config => config.query_buffer_limit);
number!(HASH_ENTRIES, config => config.limits.hash.max_entries);
number!(HASH_VALUE, config => config.limits.hash.max_value);
number!(BULK_LENGTH, config => config.limits.string);
number!(ACL_LOG_LENGTH, config => config.acl_log_length);
number!(TCP_KEEPALIVE, config => config.tcp_keepalive);
number!(HLL_SPARSE, config => config.limits.hll_sparse);
number!(LIST_SIZE, config => config.limits.list);
number!(SET_ENTRIES, config => config.limits.set.max_entries);
number!(SET_VALUE, config => config.limits.set.max_value);
number!(INTSET, config => config.limits.intset);
number!(SORTED_SET_ENTRIES, config => config.limits.sorted_set.max_entries);
number!(STREAM_NODE_BYTES, config => config.limits.stream.max_bytes);
number!(STREAM_NODE_ENTRIES, config => config.limits.stream.max_entries);
number!(PRODUCER_DURATION, config => config.limits.producers.duration);
number!(PRODUCER_NAMES, config => config.limits.producers.max_size);
number!(MAX_CLIENTS, config => config.max_clients);
number!(TIMEOUT, config => config.timeout);
number!(MAX_MEMORY, config => config.max_memory);
number!(EVICTION_SAMPLES, config => config.eviction_samples);
number!(LFU_DECAY, config => config.lfu_decay);
number!(LFU_FACTOR, config => config.lfu_factor);
number!(SORTED_SET_VALUE, config => config.limits.sorted_set.max_value);

pub(super) const APPEND_ONLY: Setting = Setting {
    get: |config| if config.append_only { "yes" } else { "no" }.to_owned(),
    set: |config, value| {
        config.append_only = value == "yes";
        Ok(())
    },
};

pub(super) const ACL_PUBSUB_DEFAULT: Setting = Setting {
    get: |config| {
        let name = if config.acl_all_channels { "allchannels" } else { "resetchannels" };
        name.to_owned()
    },
    set: |config, value| {
        config.acl_all_channels = value == "allchannels";
        Ok(())
    },
};

pub(super) const RDB_VERSION_CHECK: Setting = Setting {
    get: |config| if config.limits.relaxed_rdb { "relaxed" } else { "strict" }.to_owned(),
    set: |config, value| {
        config.limits.relaxed_rdb = value == "relaxed";
        Ok(())
    },
};

pub(super) const CLIENT_MEMORY: Setting = Setting {
    get: |config| match config.client_memory {
        ClientMemory::Unlimited => "0".to_owned(),
        ClientMemory::Bytes(bytes) => bytes.to_string(),
        ClientMemory::Percent(percent) => format!("{percent}%"),
    },
    set: |config, value| {
        let wrong = || "argument must be a memory or percent value".to_owned();
        config.client_memory = match value.strip_suffix('%') {
            Some(percent) => ClientMemory::Percent(percent.parse().map_err(|_| wrong())?),
            None => match value.parse().map_err(|_| wrong())? {
                0 => ClientMemory::Unlimited,
                bytes => ClientMemory::Bytes(bytes),
            },
        };
        Ok(())
    },
};

pub(super) const EVICTION_POLICY: Setting = Setting {
    get: |config| config.policy.name().to_owned(),
    set: |config, value| {
        config.policy = EvictionPolicy::named(value).unwrap_or_default();
        Ok(())
    },
};

pub(super) const FSYNC: Setting = Setting {
    get: |config| {
        let name = match config.fsync {
            AppendFsync::Always => "always",
            AppendFsync::EverySec => "everysec",
            AppendFsync::No => "no",
        };
        name.to_owned()
    },
    set: |config, value| {
        config.fsync = match value {
            "always" => AppendFsync::Always,
            "everysec" => AppendFsync::EverySec,
            _ => AppendFsync::No,
        };
        Ok(())
    },
};

pub(super) const EVENTS: Setting =
    Setting { get: |config| config.events.to_string(), set: set_events };

pub(super) const PASSWORD: Setting = Setting {
    get: |config| config.password().map_or_else(String::new, Sds::to_string),
    set: set_password,
};

pub(super) const SAVE: Setting =
    Setting { get: |config| save_text(&config.save_points), set: set_save };

pub(super) const DATABASES: Setting =
    Setting { get: |config| config.databases.to_string(), set: only_what_it_is };

/// The server listens on no port, so only the current value can be set.
pub(super) const PORT: Setting = Setting {
    get: |config| config.port.to_string(),
    set: |config, value| {
        if value == config.port.to_string() { Ok(()) } else { only_what_it_is(config, value) }
    },
};

fn only_what_it_is(_: &mut Config, _: &str) -> Result<(), String> {
    Err("values other than the current one are not modelled".to_owned())
}

fn set_events(config: &mut Config, value: &str) -> Result<(), String> {
    let known = config.version.profile().event_classes;
    let classes = EventClasses::parse(value).filter(|_| value.chars().all(|c| known.contains(c)));
    config.events = classes.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
    Ok(())
}

fn set_password(config: &mut Config, value: &str) -> Result<(), String> {
    config.password = Some(Sds::from(value)).filter(|password| !password.is_empty());
    Ok(())
}

fn save_text(points: &[SavePoint]) -> String {
    let point = |p: &SavePoint| format!("{} {}", p.after.as_secs(), p.changes);
    points.iter().map(point).collect::<Vec<_>>().join(" ")
}

fn set_save(config: &mut Config, value: &str) -> Result<(), String> {
    let numbers: Option<Vec<u64>> = value
        .split_ascii_whitespace()
        .map(|word| number::parse_i64(word.as_bytes()).and_then(|n| u64::try_from(n).ok()))
        .collect();
    let valid = numbers.filter(|n| n.len().is_multiple_of(2) && n.chunks(2).all(|p| p[0] > 0));
    let numbers = valid.ok_or_else(|| "Invalid save parameters".to_owned())?;
    config.save_points = numbers
        .chunks_exact(2)
        .map(|pair| SavePoint { after: Duration::from_secs(pair[0]), changes: pair[1] })
        .collect();
    Ok(())
}
