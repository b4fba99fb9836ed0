//! The ends of connections: how one end closes it, and what the other learns.

use std::fmt;

/// How one end of a connection closes it, as the peer's operating system sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hangup {
    /// In good order (TCP's FIN): the peer reads what was sent, then the end of the stream.
    Close,
    /// Abruptly (TCP's RST): the peer's next read or write fails.
    Reset,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disconnected {
    /// The server is not running: connection refused (`ECONNREFUSED`).
    Refused,
    /// The connection was reset (TCP's RST, `ECONNRESET`): the server hung up abruptly, its machine
    /// no longer knows the connection, or the link was severed.
    Reset,
    /// The server closed its end (TCP's FIN, the end of the stream): it closed the connection or
    /// stopped, or its process was killed and the operating system closed its sockets.
    Closed,
    /// This end closed it: the last handle was dropped, or the node's process has ended.
    ClosedHere,
    /// This end gave up because it heard nothing from the server for too long: heartbeats were
    /// missed, or TCP's retransmissions or connection attempts stayed unanswered (`ETIMEDOUT`).
    TimedOut,
}

impl fmt::Display for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Disconnected::Refused => "connection refused: the server is not running",
            Disconnected::Reset => "connection reset: the server or the link went away",
            Disconnected::Closed => "connection closed: the server has closed its end",
            Disconnected::ClosedHere => "the connection was closed by this end",
            Disconnected::TimedOut => {
                "connection timed out: nothing was heard of the server for too long"
            }
        })
    }
}

impl std::error::Error for Disconnected {}

impl From<Hangup> for Disconnected {
    fn from(how: Hangup) -> Disconnected {
        match how {
            Hangup::Close => Disconnected::Closed,
            Hangup::Reset => Disconnected::Reset,
        }
    }
}
