//! How a broker is set up: what `rabbitmq.conf` would set, and the version.

use crate::rabbitmq::version::Version;
use std::time::Duration;

/// The configuration of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerOptions {
    sync_time: Duration,
    consumer_timeout: Option<Duration>,
    version: Version,
}

/// The server's defaults (RabbitMQ 3.10, a consumer time-out of 30 minutes) and a disk that takes
/// no time.
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
    /// Sets how long a sync to disk takes. This is the time during which a power loss loses more
    /// than a crash, and so the minimum delay of a persistent message's confirm. The default is
    /// zero.
    #[must_use]
    pub fn with_sync_time(mut self, sync_time: Duration) -> BrokerOptions {
        self.sync_time = sync_time;
        self
    }

    /// Sets how long a delivery may be unacknowledged before its channel is closed with
    /// `PRECONDITION_FAILED` (`consumer_timeout`); `None` means forever. The server checks once a
    /// minute; this broker closes the channel exactly when the time is over. The default is 30
    /// minutes.
    ///
    /// Source: <https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout>.
    #[must_use]
    pub fn with_consumer_timeout(mut self, timeout: Option<Duration>) -> BrokerOptions {
        self.consumer_timeout = timeout;
        self
    }

    /// Sets the version that the broker imitates; 3.10 by default.
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
