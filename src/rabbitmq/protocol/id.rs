//! Names for the parties of AMQP: connections, channels, deliveries.
//!
//! Each is a newtype, so that a channel number cannot be used as a delivery tag. The caller of the
//! broker chooses a connection's id and never uses it twice; channel numbers and delivery tags are
//! those of the protocol.

use std::fmt;

/// A connection, as the caller numbers it. An id must not be used for a second connection of the
/// same broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// The number of a channel within its connection, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(pub u16);

/// A channel: a connection and a number within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId {
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// Its number within the connection.
    pub number: ChannelNumber,
}

impl ChannelId {
    /// Returns the channel `number` of `connection`.
    ///
    /// ```
    /// use stunt_double::rabbitmq::broker::ChannelId;
    /// assert_eq!(ChannelId::new(7, 1).to_string(), "7/1");
    /// ```
    #[must_use]
    pub const fn new(connection: u64, number: u16) -> ChannelId {
        ChannelId { connection: ConnectionId(connection), number: ChannelNumber(number) }
    }
}

/// The number of a delivery on its channel, from 1, shared by `basic.get` and `basic.deliver`; also
/// the sequence number of a publish in confirm mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryTag(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ChannelNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.connection, self.number)
    }
}

impl fmt::Display for DeliveryTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
