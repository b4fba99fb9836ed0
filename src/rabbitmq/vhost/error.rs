//! The errors of an administrator's operations.

use super::pattern::InvalidPattern;
use crate::rabbitmq::protocol::id::ConnectionId;
use std::fmt;

/// Why an operation of an administrator failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminError {
    /// There is no user of this name.
    NoSuchUser(String),
    /// There is no vhost of this name.
    NoSuchVHost(String),
    /// There is no policy of this name.
    NoSuchPolicy(String),
    /// There is no queue of this name in the vhost.
    NoSuchQueue {
        /// The vhost.
        vhost: String,
        /// The queue.
        queue: String,
    },
    /// There is no exchange of this name in the vhost.
    NoSuchExchange {
        /// The vhost.
        vhost: String,
        /// The exchange.
        exchange: String,
    },
    /// There is no open connection with this id.
    NoSuchConnection(ConnectionId),
    /// A policy's definition has a key that the server does not know, or a value that the key
    /// cannot have.
    InvalidPolicy(String),
    /// A pattern is not a regular expression.
    InvalidPattern(InvalidPattern),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdminError::NoSuchUser(value) => write!(f, "User {value:?} does not exist"),
            AdminError::NoSuchVHost(value) => write!(f, "Virtual host {value:?} does not exist"),
            AdminError::NoSuchPolicy(value) => write!(f, "Policy {value:?} does not exist"),
            AdminError::NoSuchQueue { vhost, queue } => {
                write!(f, "Queue {queue:?} in virtual host {vhost:?} does not exist")
            }
            AdminError::NoSuchExchange { vhost, exchange } => {
                write!(f, "Exchange {exchange:?} in virtual host {vhost:?} does not exist")
            }
            AdminError::NoSuchConnection(value) => write!(f, "Connection {value} does not exist"),
            AdminError::InvalidPolicy(value) => write!(f, "Validation failed\n\n{value}\n"),
            AdminError::InvalidPattern(value) => value.fmt(f),
        }
    }
}

impl std::error::Error for AdminError {}

impl From<InvalidPattern> for AdminError {
    fn from(error: InvalidPattern) -> AdminError {
        AdminError::InvalidPattern(error)
    }
}
