//! The errors of an administrator's operations.

use super::pattern::InvalidPattern;
use crate::rabbitmq::protocol::id::ConnectionId;

/// Why an operation of an administrator failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// There is no user of this name.
    #[error("User {0:?} does not exist")]
    NoSuchUser(String),
    /// There is no vhost of this name.
    #[error("Virtual host {0:?} does not exist")]
    NoSuchVHost(String),
    /// There is no policy of this name.
    #[error("Policy {0:?} does not exist")]
    NoSuchPolicy(String),
    /// There is no queue of this name in the vhost.
    #[error("Queue {queue:?} in virtual host {vhost:?} does not exist")]
    NoSuchQueue {
        /// The vhost.
        vhost: String,
        /// The queue.
        queue: String,
    },
    /// There is no open connection with this id.
    #[error("Connection {0} does not exist")]
    NoSuchConnection(ConnectionId),
    /// A policy's definition has a key that the server does not know, or a value that the key
    /// cannot have.
    #[error("Validation failed\n\n{0}\n")]
    InvalidPolicy(String),
    /// A pattern is not a regular expression.
    #[error(transparent)]
    InvalidPattern(#[from] InvalidPattern),
}
