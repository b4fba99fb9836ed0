//! How a broker is set up: what `rabbitmq.conf` would set, and the version.

use crate::rabbitmq::protocol::limits::SHORT_STRING_MAX;
use crate::rabbitmq::version::{DeprecatedFeature, Version};
use std::collections::BTreeMap;
use std::time::Duration;

/// The configuration of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerOptions {
    sync_time: Duration,
    consumer_timeout: Option<Duration>,
    version: Version,
    /// Deprecated features that are permitted or denied against or as by default.
    features: BTreeMap<DeprecatedFeature, bool>,
}

/// The server's defaults (RabbitMQ 3.10, a consumer time-out of 30 minutes) and a disk that takes
/// no time.
impl Default for BrokerOptions {
    fn default() -> BrokerOptions {
        BrokerOptions {
            sync_time: Duration::ZERO,
            consumer_timeout: Some(Duration::from_secs(30 * 60)),
            version: Version::default(),
            features: BTreeMap::new(),
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
    /// minute; this broker closes the channel exactly when the time is over. Since 4.0 a queue can
    /// set its own with `x-consumer-timeout`; a delivery that is overdue and becomes the oldest of
    /// its channel closes it up to a minute later. Since 4.3 only quorum queues have a time-out:
    /// they cancel the consumer and take its messages back, and a consumer can set its own, too.
    /// The default is 30 minutes.
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

    /// Denies a deprecated feature (`deprecated_features.permit.… = false`), to find out what an
    /// application still uses. Versions before 4 do not know the setting and ignore it.
    #[must_use]
    pub fn deny_deprecated(mut self, feature: DeprecatedFeature) -> BrokerOptions {
        self.features.insert(feature, false);
        self
    }

    /// Permits a deprecated feature (`deprecated_features.permit.… = true`) in a version that
    /// denies it by default.
    #[must_use]
    pub fn permit_deprecated(mut self, feature: DeprecatedFeature) -> BrokerOptions {
        self.features.insert(feature, true);
        self
    }

    /// Returns whether clients may use a deprecated feature in this version.
    #[must_use]
    pub fn permits(&self, feature: DeprecatedFeature) -> bool {
        let profile = self.version.profile();
        let by_default = !profile.denied_by_default.contains(&feature);
        let configured = self.features.get(&feature).copied();
        configured.filter(|_| profile.can_deny_features).unwrap_or(by_default)
    }

    /// Returns the server's text for the use of a feature that is denied.
    pub(crate) fn denial(&self, feature: DeprecatedFeature) -> String {
        let name = feature.name();
        let is_denied_by_default = self.version.profile().denied_by_default.contains(&feature);
        let reason = if is_denied_by_default {
            format!(
                "Feature `{name}` is deprecated.\nBy default, this feature is not permitted \
                 anymore.\nThe feature will be removed from a future major RabbitMQ version, \
                 regardless of the configuration; actual version to be determined.\nTo continue \
                 using this feature when it is not permitted by default, set the following \
                 parameter in your configuration:\n"
            )
        } else {
            format!(
                "Feature `{name}` is deprecated.\nIts use is not permitted per the configuration \
                 (overriding the default, which is permitted):\n    \
                 \"deprecated_features.permit.{name} = false\"\nIts use will not be permitted by \
                 default in a future minor RabbitMQ version and the feature will be removed from \
                 a future major RabbitMQ version; actual versions to be determined.\n"
            )
        };
        // The server cuts a reply text to 255 characters, which the name of the code begins.
        let room = SHORT_STRING_MAX - "INTERNAL_ERROR - ".len() - "...".len();
        reason.chars().take(room).chain("...".chars()).collect()
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
