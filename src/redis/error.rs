//! Errors: what an operation may say instead of a result, in Redis's words.
//!
//! One enum serves the typed operations and the commands above them, since an
//! operation's refusal *is* the command's reply. Its `Display` is the text on
//! the wire. A variant that carries nothing is one fixed text; where Redis has
//! several texts for one kind of mistake, [`CommandError::Other`] carries the one that
//! applies.

use crate::redis::reply::{ErrorReply, Reply};
use smol_str::SmolStr;

/// Why an operation or a command was refused. Nothing was changed, unless the
/// operation's own description says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The key holds a value of another type: use another key.
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    /// An argument or a value is not the canonical text of a 64-bit integer.
    #[error("ERR value is not an integer or out of range")]
    NotAnInteger,
    /// A value or a score is not a finite number.
    #[error("ERR value is not a valid float")]
    NotAFloat,
    /// A hash's value is not an integer.
    #[error("ERR hash value is not an integer")]
    HashNotAnInteger,
    /// A hash's value is not a number.
    #[error("ERR hash value is not a float")]
    HashNotAFloat,
    /// The sum would not fit into 64 bits.
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    /// The negated decrement would not fit into 64 bits.
    #[error("ERR decrement would overflow")]
    DecrementOverflow,
    /// The sum would be infinite or not a number.
    #[error("ERR increment would produce NaN or Infinity")]
    NotFinite,
    /// The options do not go together, or there are too many or too few words.
    #[error("ERR syntax error")]
    Syntax,
    /// There is no such key.
    #[error("ERR no such key")]
    NoSuchKey,
    /// There is no such element of a list.
    #[error("ERR index out of range")]
    IndexOutOfRange,
    /// A number is beyond what the command takes.
    #[error("ERR value is out of range")]
    OutOfRange,
    /// A count is negative.
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    /// A bit's offset is negative, or beyond 512 MB.
    #[error("ERR bit offset is not an integer or out of range")]
    BitOffset,
    /// A bit is neither 0 nor 1.
    #[error("ERR bit is not an integer or out of range")]
    BitValue,
    /// A byte's offset is negative.
    #[error("ERR offset is out of range")]
    Offset,
    /// A string would be longer than `proto-max-bulk-len` allows.
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringTooLong,
    /// A time to live that is not positive or too far off.
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire(&'static str),
    /// The source is the destination.
    #[error("ERR source and destination objects are the same")]
    SameObject,
    /// An operation needs at least one key.
    #[error("ERR at least 1 input key is needed for '{0}' command")]
    NoInputKeys(&'static str),
    /// A number of keys that is not positive.
    #[error("ERR numkeys should be greater than 0")]
    NumKeys,
    /// A bound of a range by score is no number.
    #[error("ERR min or max is not a float")]
    ScoreBound,
    /// A bound of a range by member has no `(`, `[`, `-` or `+`.
    #[error("ERR min or max not valid string range item")]
    LexBound,
    /// A sum of scores would be no number.
    #[error("ERR resulting score is not a number (NaN)")]
    ScoreNaN,
    /// A database number that does not exist.
    #[error("ERR DB index is out of range")]
    DatabaseIndex,
    /// The cursor of a scan is no number.
    #[error("ERR invalid cursor")]
    Cursor,
    /// Too many or too few arguments.
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(SmolStr),
    /// Any other text.
    #[error("{0}")]
    Other(SmolStr),
}

impl CommandError {
    /// An error of this fixed text.
    #[must_use]
    pub(crate) const fn text(text: &'static str) -> CommandError {
        CommandError::Other(SmolStr::new_static(text))
    }

    /// An error of a text that was put together.
    #[must_use]
    pub(crate) fn format(text: impl AsRef<str>) -> CommandError {
        CommandError::Other(SmolStr::new(text.as_ref()))
    }
}

impl From<CommandError> for ErrorReply {
    fn from(error: CommandError) -> ErrorReply {
        match error {
            CommandError::Other(text) => ErrorReply(text),
            error => ErrorReply(SmolStr::new(error.to_string())),
        }
    }
}

impl From<CommandError> for Reply {
    fn from(error: CommandError) -> Reply {
        Reply::Error(error.into())
    }
}
