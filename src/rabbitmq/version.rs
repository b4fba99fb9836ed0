//! The versions of RabbitMQ that a broker can be like, and what they do differently.

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
