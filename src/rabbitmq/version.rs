//! The versions of RabbitMQ that a broker can imitate, and how they differ.

use crate::rabbitmq::protocol::limits::MAX_MESSAGE_SIZE;

/// The version of RabbitMQ that a broker imitates, where versions differ in a way that users can
/// see.
///
/// | | [`V3_10`](Version::V3_10) | [`V4`](Version::V4) |
/// |---|---|---|
/// | a confirm of a persistent message follows | the sync to disk | the write: a power loss may lose the message |
/// | delivery limit of a quorum queue that sets none | none | 20 |
/// | transient queue that is not exclusive | accepted | refused, 541 |
/// | `basic.qos` with `global` | a limit of the channel | refused, 541 |
/// | largest message | 128 MiB | 16 MiB |
/// | a dead letter's history | `x-death`, `x-first-death-…` | also `x-last-death-…` |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// RabbitMQ 3.10, the reference: compared with the real 3.10.8.
    #[default]
    V3_10,
    /// RabbitMQ 4.0: compared with the real 4.0.5.
    V4_0,
    /// RabbitMQ 4.3: compared with the real 4.3.6.
    V4_3,
}

impl Version {
    /// The newest RabbitMQ 4 that is modelled.
    pub const V4: Version = Version::V4_3;

    /// The version number that the broker reports: `3.10.8`, `4.0.5`.
    #[must_use]
    pub const fn number(self) -> &'static str {
        self.profile().number
    }

    /// Largest body that the broker takes by default, in bytes.
    #[must_use]
    pub const fn max_message_size(self) -> usize {
        self.profile().max_message_size
    }

    /// The facts of this version.
    pub(crate) const fn profile(self) -> &'static Profile {
        match self {
            Version::V3_10 => &V3_10,
            Version::V4_0 => &V4_0,
            Version::V4_3 => &V4_3,
        }
    }
}

/// The facts of a version: everything in which versions differ.
///
/// Code asks the profile for the fact, never for the version.
#[derive(Debug)]
pub(crate) struct Profile {
    number: &'static str,
    max_message_size: usize,
    /// Whether the confirm of a persistent message follows its write, so that a power loss may lose
    /// the message; otherwise it follows the sync.
    pub(crate) confirms_on_write: bool,
    /// Delivery limit of a quorum queue that sets none.
    pub(crate) default_delivery_limit: Option<u64>,
    /// Delivery limit of a quorum queue that sets a negative one. With 0, any return is too many.
    pub(crate) negative_delivery_limit: Option<u64>,
    /// Whether a queue may be neither durable nor exclusive.
    pub(crate) permits_transient_queues: bool,
    /// Whether the consumers of a channel may share a limit (`basic.qos` with `global`).
    pub(crate) permits_global_qos: bool,
    /// Whether a dead letter carries the headers `x-last-death-…`.
    pub(crate) reports_last_death: bool,
}

const V3_10: Profile = Profile {
    number: "3.10.8",
    max_message_size: MAX_MESSAGE_SIZE,
    confirms_on_write: false,
    default_delivery_limit: None,
    negative_delivery_limit: Some(0),
    permits_transient_queues: true,
    permits_global_qos: true,
    reports_last_death: false,
};

const V4_3: Profile = Profile { number: "4.3.6", ..V4_0 };

const V4_0: Profile = Profile {
    number: "4.0.5",
    max_message_size: 16_777_216,
    confirms_on_write: true,
    default_delivery_limit: Some(20),
    negative_delivery_limit: None,
    permits_transient_queues: false,
    permits_global_qos: false,
    reports_last_death: true,
};
