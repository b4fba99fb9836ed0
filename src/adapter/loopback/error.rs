//! Why servers could not be started.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// The reason why a server could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Something else listens there.
    AddressInUse(SocketAddr),
    /// The system does not let this process listen there.
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The system's error.
        error: io::Error,
    },
    /// The system refused a thread or the means to wait for sockets.
    System(io::Error),
    /// The options leave out both servers.
    NoServer,
}

impl StartError {
    pub(super) fn bind(addr: SocketAddr, error: io::Error) -> StartError {
        match error.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse(addr),
            _ => StartError::Bind { addr, error },
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::AddressInUse(addr) => write!(
                f,
                "something else listens at {addr}: choose another port, or leave it out and let \
                 the system choose one"
            ),
            StartError::Bind { addr, error } => write!(f, "cannot listen at {addr}: {error}"),
            StartError::System(error) => write!(f, "cannot serve sockets: {error}"),
            StartError::NoServer => f.write_str(
                "the options leave out both servers: leave out without_redis or without_rabbitmq",
            ),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Bind { error, .. } | StartError::System(error) => Some(error),
            StartError::AddressInUse(_) | StartError::NoServer => None,
        }
    }
}
