//! The versions of RabbitMQ that a broker can imitate, and how they differ.
//!
//! Each version is a [`Profile`], a value with everything in which versions differ. Code asks the
//! profile for a fact and never compares versions, so a new version is one more value.
//!
//! Source: each fact was observed on the real 3.10.8, 4.0.5 and 4.3.6.

mod changes;
mod facts;
mod profiles;

use crate::unknown_version::{UnknownVersion, newest, number_of};
pub(crate) use facts::{
    ChannelLimit, CommitWithoutQueue, MasterLocator, Priorities, Profile, Quorum, SettingRules,
    Streams, Texts,
};
#[cfg(feature = "definitions")]
pub(crate) use facts::{ExistingVHosts, VHostTypes};

/// The version of RabbitMQ that a broker imitates, where versions differ in a way that users can
/// see.
///
/// | | 3.10 | 4.0 | 4.3 |
/// |---|---|---|---|
/// | a queue that is neither durable nor exclusive | is declared | is declared | is refused: 541, unless [permitted](crate::rabbitmq::BrokerOptions::permit_deprecated) |
/// | a confirm of a persistent message in a classic queue follows | the sync to disk | the write: a power loss may lose the message | as 4.0 |
/// | delivery limit of a quorum queue that sets none | none | 20 | 20 |
/// | deliveries that count for the limit | all | all | those that end with `basic.reject`, with or without requeue, or with their channel; `basic.nack` and `basic.recover` never count, but a requeue by either, too, gives up a message whose count is above the limit |
/// | a requeued message of a quorum queue without a limit | goes to the end | goes to the end | goes to the front |
/// | priorities of a quorum queue | none | two classes, 2 : 1 | 32 levels, strict |
/// | `basic.qos` with `global` | a limit of the channel | a limit of the channel | a limit of each consumer |
/// | a consumer that holds a delivery too long | its channel is closed | its channel is closed | it is cancelled by a quorum queue; a classic queue has no time-out |
/// | an exchange that is not durable | goes with a restart | goes with a restart | survives a restart |
/// | headers of a message | as the client sent them | sorted by name, each name once | as 4.0 |
/// | a client's own `x-death` | is continued | is replaced by the first death | as 4.0 |
/// | a dead letter's history | `x-death`, `x-first-death-…` | also `x-last-death-…` | as 4.0 |
/// | a dead letter after `basic.reject` | is new | is new, but `redelivered` from one quorum queue to another | is `redelivered` |
/// | an unknown exchange type | closes the connection | closes the channel | closes the channel |
/// | largest message | 128 MiB | 16 MiB | 16 MiB |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// RabbitMQ 3.10: compared with the real 3.10.8.
    #[default]
    V3_10,
    /// RabbitMQ 4.0: compared with the real 4.0.5.
    V4_0,
    /// RabbitMQ 4.3: compared with the real 4.3.6.
    V4_3,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Reads a name such as `4.0`, with or without `RabbitMQ`. The number may be whole (`4.3.6`), or
/// only its beginning: `4` is the newest 4.
impl std::str::FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(name: &str) -> Result<Version, UnknownVersion> {
        let wanted = name.to_ascii_lowercase();
        let number = number_of(&wanted, "rabbitmq").unwrap_or(&wanted);
        let found = newest(number, Version::ALL.iter().copied(), Version::number);
        let found = found.filter(|_| !wanted.is_empty());
        found.ok_or_else(|| UnknownVersion::new(name, Version::ALL, ""))
    }
}

impl Version {
    /// All versions, the oldest first.
    pub const ALL: &'static [Version] = &[Version::V3_10, Version::V4_0, Version::V4_3];

    /// The newest RabbitMQ 4 that is modelled.
    pub const V4: Version = Version::V4_3;

    /// The version number that the broker reports: `3.10.8`, `4.0.5`, `4.3.6`.
    #[must_use]
    pub const fn number(self) -> &'static str {
        self.profile().number
    }

    /// The name of the version: `3.10`, `4.0`, `4.3`. It can be parsed again.
    ///
    /// ```
    /// use stunt_double::rabbitmq::Version;
    ///
    /// assert_eq!("4.3".parse(), Ok(Version::V4_3));
    /// assert_eq!("4".parse(), Ok(Version::V4));
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Version::V3_10 => "3.10",
            Version::V4_0 => "4.0",
            Version::V4_3 => "4.3",
        }
    }

    /// The product and its number, as people write them: `RabbitMQ 4.3.6`. It can be parsed again.
    #[must_use]
    pub fn title(self) -> String {
        format!("RabbitMQ {}", self.number())
    }

    /// Largest body that the broker takes by default, in bytes.
    #[must_use]
    pub const fn max_message_size(self) -> usize {
        self.profile().max_message_size
    }

    /// The facts of this version.
    pub(crate) const fn profile(self) -> &'static Profile {
        match self {
            Version::V3_10 => &profiles::V3_10,
            Version::V4_0 => &profiles::V4_0,
            Version::V4_3 => &profiles::V4_3,
        }
    }
}

/// A feature that RabbitMQ deprecates, and that its configuration can permit or deny
/// (`deprecated_features.permit.…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeprecatedFeature {
    /// Queues that are neither durable nor exclusive: `transient_nonexcl_queues`. Where they are
    /// denied, `queue.declare` closes the connection with `INTERNAL_ERROR`. RabbitMQ 4.3 denies
    /// them by default.
    TransientNonexclQueues,
    /// A prefetch limit that consumers of a channel share: `global_qos`. Where it is denied,
    /// `basic.qos` with `global` sets the limit of each later consumer, and tells nobody. RabbitMQ
    /// 4.3 denies it by default.
    GlobalQos,
    /// The argument `x-queue-master-locator`, and the key `queue-master-locator` of policies:
    /// `queue_master_locator`. Where it is denied, `queue.declare` closes the connection with
    /// `INTERNAL_ERROR`, and a policy with the key is refused. RabbitMQ 4.3 denies it by default.
    QueueMasterLocator,
}

impl DeprecatedFeature {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DeprecatedFeature::TransientNonexclQueues => "transient_nonexcl_queues",
            DeprecatedFeature::GlobalQos => "global_qos",
            DeprecatedFeature::QueueMasterLocator => "queue_master_locator",
        }
    }
}
