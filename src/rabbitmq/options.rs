//! How a broker is set up: what `rabbitmq.conf` would say, and which version it
//! is.

use std::time::Duration;

/// Which RabbitMQ a broker is like, where versions differ in a way users see.
///
/// | | [`V3_10`](Version::V3_10) | [`V4`](Version::V4) |
/// |---|---|---|
/// | a confirm of a persistent message follows | the sync to disk | the write: a power loss may lose it |
/// | delivery limit of a quorum queue that sets none | none | 20 |
/// | transient queue that is not exclusive | fine | refused, 541 |
/// | `basic.qos` with `global` | a limit of the channel | refused, 541 |
/// | largest message | 128 MiB | 16 MiB |
/// | a dead letter's history | `x-death`, `x-first-death-…` | also `x-last-death-…` |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// RabbitMQ 3.10, the reference: compared with the real 3.10.8.
    #[default]
    V3_10,
    /// RabbitMQ 4, from its documentation and release notes.
    V4,
}

impl Version {
    /// The number it gives itself: `3.10.8`, `4.0.0`.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Version::V3_10 => "3.10.8",
            Version::V4 => "4.0.0",
        }
    }

    /// The largest body it takes by default, in bytes.
    #[must_use]
    pub const fn max_message_size(self) -> usize {
        match self {
            Version::V3_10 => 134_217_728,
            Version::V4 => 16_777_216,
        }
    }
}

/// How a broker is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerOptions {
    sync_time: Duration,
    consumer_timeout: Option<Duration>,
    version: Version,
}

/// The server's defaults: RabbitMQ 3.10, a consumer time-out of 30 minutes; and
/// a disk that takes no time.
impl Default for BrokerOptions {
    fn default() -> BrokerOptions {
        BrokerOptions {
            sync_time: Duration::ZERO,
            consumer_timeout: Some(Duration::from_secs(30 * 60)),
            version: Version::default(),
        }
    }
}

impl BrokerOptions {
    /// How long a sync to disk takes: the time between what a process's death
    /// leaves and what a power loss leaves, and so the least delay of a
    /// persistent message's confirm. The default is no time at all.
    #[must_use]
    pub fn with_sync_time(mut self, sync_time: Duration) -> BrokerOptions {
        self.sync_time = sync_time;
        self
    }

    /// How long a delivery may be unacknowledged before its channel is closed
    /// with `PRECONDITION_FAILED` (`consumer_timeout`); `None` is for ever. The
    /// server looks once a minute; here it is the very moment. By default 30
    /// minutes.
    ///
    /// Source: <https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout>.
    #[must_use]
    pub fn with_consumer_timeout(mut self, timeout: Option<Duration>) -> BrokerOptions {
        self.consumer_timeout = timeout;
        self
    }

    /// Which RabbitMQ it is like; by default 3.10.
    #[must_use]
    pub fn with_version(mut self, version: Version) -> BrokerOptions {
        self.version = version;
        self
    }

    /// See [`BrokerOptions::with_sync_time`].
    #[must_use]
    pub fn sync_time(&self) -> Duration {
        self.sync_time
    }

    /// See [`BrokerOptions::with_consumer_timeout`].
    #[must_use]
    pub fn consumer_timeout(&self) -> Option<Duration> {
        self.consumer_timeout
    }

    /// See [`BrokerOptions::with_version`].
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
}
