//! Errors: the refusals of operations and commands, in Redis's words.
//!
//! One enum serves the typed operations and the commands above them, since an operation's refusal
//! *is* the command's reply. Its `Display` is the text on the wire. A variant without fields has
//! one fixed text. Where Redis has several texts for one kind of mistake, [`CommandError::Other`]
//! carries the one that applies.

use crate::redis::reply::{ErrorReply, Reply};
use smol_str::SmolStr;

/// Why an operation or a command was refused. Nothing has changed, unless the operation's own
/// description says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The key holds a value of another type. Use another key.
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
    /// A hash's value is not a float.
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
    /// The options contradict each other, or there are too many or too few words.
    #[error("ERR syntax error")]
    Syntax,
    /// The key does not exist.
    #[error("ERR no such key")]
    NoSuchKey,
    /// The list has no element at this index.
    #[error("ERR index out of range")]
    IndexOutOfRange,
    /// The number is out of the command's range.
    #[error("ERR value is out of range")]
    OutOfRange,
    /// The count is negative.
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    /// The bit offset is negative, or beyond 512 MB.
    #[error("ERR bit offset is not an integer or out of range")]
    BitOffset,
    /// The bit is neither 0 nor 1.
    #[error("ERR bit is not an integer or out of range")]
    BitValue,
    /// The byte offset is negative.
    #[error("ERR offset is out of range")]
    Offset,
    /// The string would be longer than `proto-max-bulk-len` allows.
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringTooLong,
    /// The time to live is not positive, or too large.
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire(&'static str),
    /// Source and destination are the same.
    #[error("ERR source and destination objects are the same")]
    SameObject,
    /// The operation needs at least one key.
    #[error("ERR at least 1 input key is needed for '{0}' command")]
    NoInputKeys(&'static str),
    /// The number of keys is not positive.
    #[error("ERR numkeys should be greater than 0")]
    NumKeys,
    /// A bound of a range by score is not a number.
    #[error("ERR min or max is not a float")]
    ScoreBound,
    /// A bound of a range by member does not begin with `(`, `[`, `-` or `+`.
    #[error("ERR min or max not valid string range item")]
    LexBound,
    /// A sum of scores is not a number.
    #[error("ERR resulting score is not a number (NaN)")]
    ScoreNaN,
    /// No database has this number.
    #[error("ERR DB index is out of range")]
    DatabaseIndex,
    /// The cursor of a scan is not a number.
    #[error("ERR invalid cursor")]
    Cursor,
    /// There are too many or too few arguments.
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(SmolStr),
    /// Any other text.
    #[error("{0}")]
    Other(SmolStr),
}

impl CommandError {
    /// Returns an error with this fixed text.
    #[must_use]
    pub(crate) const fn text(text: &'static str) -> CommandError {
        CommandError::Other(SmolStr::new_static(text))
    }

    /// Returns an error with this computed text.
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
