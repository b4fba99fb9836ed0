//! The limits of AMQP and of the server, each defined once. Limits that differ between versions are
//! in the [`Profile`](crate::rabbitmq::version::Profile) of the version.

/// Number of channels that a connection may have, by the server's default.
pub(crate) const CHANNEL_MAX: u16 = 2_047;

/// Longest frame that the server offers, in bytes.
pub(crate) const FRAME_MAX: u32 = 131_072;

/// Shortest frame limit that the server accepts; also the limit until both sides have agreed.
pub(crate) const FRAME_MIN: u32 = 4_096;

/// Heartbeat timeout that the server offers, in seconds.
pub(crate) const HEARTBEAT: u16 = 60;

/// Longest short string, in bytes.
pub(crate) const SHORT_STRING_MAX: usize = 255;

/// Largest body that RabbitMQ 3.10 takes by default, in bytes, and the most that a session keeps of
/// an incomplete content.
pub(crate) const MAX_MESSAGE_SIZE: usize = 134_217_728;

/// Longest time to live of a message or a queue, in milliseconds: ten years of 365 days.
pub(crate) const MAX_EXPIRY: i128 = 315_360_000_000;

/// Most levels of priority that a queue may have above 0.
pub(crate) const MAX_PRIORITY: i128 = 255;

/// Largest segment of a stream that may be asked for, in bytes.
pub(crate) const MAX_SEGMENT_BYTES: i128 = 3_000_000_000;

/// Longest delay of an `x-delayed-message` exchange, in milliseconds.
pub(crate) const MAX_DELAY: i128 = (1 << 32) - 1;
