//! What a person configures: whom a Sentinel watches, and how patiently.

use std::time::Duration;

/// The address of a server: its host and port.
pub(crate) type Address = (String, u16);

/// How a Sentinel watches a master.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::redis::SentinelOptions;
///
/// let options = SentinelOptions::new("mymaster", 2).with_down_after(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelOptions {
    pub(in crate::redis::server) name: String,
    pub(in crate::redis::server) master: Option<Address>,
    pub(in crate::redis::server) quorum: usize,
    pub(in crate::redis::server) down_after: Duration,
    pub(in crate::redis::server) failover_timeout: Duration,
    pub(in crate::redis::server) parallel_syncs: usize,
}

impl SentinelOptions {
    /// Returns the options with which a master of this name is watched. `quorum` is the number of
    /// Sentinels that must agree that it is down. The other options are those of the real Sentinel:
    /// down after 30 seconds, a failover takes up to three minutes, one replica is reconfigured at
    /// a time.
    #[must_use]
    pub fn new(name: impl Into<String>, quorum: usize) -> SentinelOptions {
        SentinelOptions {
            name: name.into(),
            master: None,
            quorum: quorum.max(1),
            down_after: Duration::from_secs(30),
            failover_timeout: Duration::from_secs(180),
            parallel_syncs: 1,
        }
    }

    /// Sets how long a server may leave a `PING` unanswered before it counts as down
    /// (`down-after-milliseconds`).
    #[must_use]
    pub fn with_down_after(mut self, time: Duration) -> SentinelOptions {
        self.down_after = time;
        self
    }

    /// Sets how long the steps of a failover may take, and half of the time between two of them
    /// (`failover-timeout`).
    #[must_use]
    pub fn with_failover_timeout(mut self, time: Duration) -> SentinelOptions {
        self.failover_timeout = time;
        self
    }

    /// Sets how many replicas follow the new master at the same time (`parallel-syncs`).
    #[must_use]
    pub fn with_parallel_syncs(mut self, replicas: usize) -> SentinelOptions {
        self.parallel_syncs = replicas.max(1);
        self
    }

    /// Sets the address of the master.
    pub(crate) fn watching(mut self, host: &str, port: u16) -> SentinelOptions {
        self.master = Some((host.to_owned(), port));
        self
    }
}
