//! How a broker is set up: what `rabbitmq.conf` would set, and the version.

use crate::rabbitmq::version::Version;
use std::time::Duration;

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
