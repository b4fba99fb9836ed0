//! The ways in which a call fails: the server's error, the end of the connection, a reply of
//! another type.

use super::convert::ConvertError;
use crate::redis::reply::{ErrorReply, Reply};
use crate::sim::Disconnected;
use std::fmt;

/// Why a call of the client failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The server answered with an error; [`ErrorReply::code`] is its kind.
    Reply(ErrorReply),
    /// The connection has ended: connect again. Whether the command ran is unknown.
    Disconnected(Disconnected),
    /// The server refused a command of a transaction when it was queued, so nothing ran
    /// (`EXECABORT`).
    Aborted {
        /// Index of the refused command in the transaction, from 0. The first one, if several were
        /// refused.
        index: usize,
        /// The command.
        command: String,
        /// The server's reply to it.
        error: ErrorReply,
        /// The server's reply to `EXEC`: `EXECABORT`.
        exec: ErrorReply,
    },
    /// The connection ended in the middle of a pipeline. Whether the remaining commands ran is
    /// unknown.
    PipelineCut {
        /// The replies that arrived, in order.
        replies: Vec<Reply>,
        /// How the connection ended.
        why: Disconnected,
    },
    /// The reply cannot be read as the type that the caller asked for.
    Convert(ConvertError),
    /// The call has no words.
    EmptyCommand,
    /// The command is not answered by one reply. For `SUBSCRIBE` and its kin use a
    /// [`Subscription`](crate::redis::Subscription), for `MONITOR` a
    /// [`Monitor`](crate::redis::Monitor). `CLIENT REPLY OFF` and `SKIP`, `SYNC` and `PSYNC` are for
    /// clients that speak bytes.
    NotACall,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Reply(value) => write!(f, "{value}"),
            Error::Disconnected(value) => value.fmt(f),
            Error::Aborted { index, command, error, .. } => write!(
                f,
                "nothing was run: command {index} of the transaction ({command}) was refused: {error}"
            ),
            Error::PipelineCut { replies, why } => {
                write!(f, "{why}, after {} of the pipeline's replies", replies.len())
            }
            Error::Convert(value) => value.fmt(f),
            Error::EmptyCommand => f.write_str("a call needs at least one word"),
            Error::NotACall => f.write_str(
                "this command is not answered by one reply: use a Subscription for SUBSCRIBE, \
                     and a Monitor for MONITOR",
            ),
        }
    }
}

impl std::error::Error for Error {}

impl From<Disconnected> for Error {
    fn from(error: Disconnected) -> Error {
        Error::Disconnected(error)
    }
}

impl From<ConvertError> for Error {
    fn from(error: ConvertError) -> Error {
        Error::Convert(error)
    }
}

impl Error {
    /// Returns the server's error, if the server answered with one.
    #[must_use]
    pub fn reply(&self) -> Option<&ErrorReply> {
        match self {
            Error::Reply(error) | Error::Aborted { exec: error, .. } => Some(error),
            Error::Disconnected(_)
            | Error::PipelineCut { .. }
            | Error::Convert(_)
            | Error::EmptyCommand
            | Error::NotACall => None,
        }
    }

    /// Returns how the connection ended, if it did.
    #[must_use]
    pub fn disconnected(&self) -> Option<Disconnected> {
        match self {
            Error::Disconnected(why) | Error::PipelineCut { why, .. } => Some(*why),
            Error::Reply(_)
            | Error::Aborted { .. }
            | Error::Convert(_)
            | Error::EmptyCommand
            | Error::NotACall => None,
        }
    }
}
