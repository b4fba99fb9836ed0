//! Errors: the refusals of operations and commands, in Redis's words.
//!
//! One enum serves the typed operations and the commands above them, since an operation's refusal
//! *is* the command's reply. Its `Display` is the text on the wire. A variant without fields has
//! one fixed text. Where Redis has several texts for one kind of mistake, [`CommandError::Other`]
//! carries the one that applies.

use crate::redis::reply::{ErrorReply, Reply};
use smol_str::SmolStr;
use std::fmt;

/// Why an operation or a command was refused. Nothing has changed, unless the operation's own
/// description says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The key holds a value of another type. Use another key.
    WrongType,
    /// An argument or a value is not the canonical text of a 64-bit integer.
    NotAnInteger,
    /// A value or a score is not a finite number.
    NotAFloat,
    /// A hash's value is not an integer.
    HashNotAnInteger,
    /// A hash's value is not a float.
    HashNotAFloat,
    /// The sum would not fit into 64 bits.
    Overflow,
    /// The negated decrement would not fit into 64 bits.
    DecrementOverflow,
    /// The sum would be infinite or not a number.
    NotFinite,
    /// The options contradict each other, or there are too many or too few words.
    Syntax,
    /// The key does not exist.
    NoSuchKey,
    /// The list has no element at this index.
    IndexOutOfRange,
    /// The number is out of the command's range.
    OutOfRange,
    /// The count is negative.
    NotPositive,
    /// The bit offset is negative, or beyond 512 MB.
    BitOffset,
    /// The bit is neither 0 nor 1.
    BitValue,
    /// The byte offset is negative.
    Offset,
    /// The string would be longer than `proto-max-bulk-len` allows.
    StringTooLong,
    /// The time to live is not positive, or too large.
    InvalidExpire(&'static str),
    /// Source and destination are the same.
    SameObject,
    /// The operation needs at least one key.
    NoInputKeys(&'static str),
    /// The number of keys is not positive.
    NumKeys,
    /// A bound of a range by score is not a number.
    ScoreBound,
    /// A bound of a range by member does not begin with `(`, `[`, `-` or `+`.
    LexBound,
    /// A sum of scores is not a number.
    ScoreNaN,
    /// No database has this number.
    DatabaseIndex,
    /// The cursor of a scan is not a number.
    Cursor,
    /// There are too many or too few arguments.
    Arity(SmolStr),
    /// Any other text.
    Other(SmolStr),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::WrongType => {
                f.write_str("WRONGTYPE Operation against a key holding the wrong kind of value")
            }
            CommandError::NotAnInteger => {
                f.write_str("ERR value is not an integer or out of range")
            }
            CommandError::NotAFloat => f.write_str("ERR value is not a valid float"),
            CommandError::HashNotAnInteger => f.write_str("ERR hash value is not an integer"),
            CommandError::HashNotAFloat => f.write_str("ERR hash value is not a float"),
            CommandError::Overflow => f.write_str("ERR increment or decrement would overflow"),
            CommandError::DecrementOverflow => f.write_str("ERR decrement would overflow"),
            CommandError::NotFinite => f.write_str("ERR increment would produce NaN or Infinity"),
            CommandError::Syntax => f.write_str("ERR syntax error"),
            CommandError::NoSuchKey => f.write_str("ERR no such key"),
            CommandError::IndexOutOfRange => f.write_str("ERR index out of range"),
            CommandError::OutOfRange => f.write_str("ERR value is out of range"),
            CommandError::NotPositive => f.write_str("ERR value is out of range, must be positive"),
            CommandError::BitOffset => {
                f.write_str("ERR bit offset is not an integer or out of range")
            }
            CommandError::BitValue => f.write_str("ERR bit is not an integer or out of range"),
            CommandError::Offset => f.write_str("ERR offset is out of range"),
            CommandError::StringTooLong => {
                f.write_str("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
            }
            CommandError::InvalidExpire(value) => {
                write!(f, "ERR invalid expire time in '{value}' command")
            }
            CommandError::SameObject => {
                f.write_str("ERR source and destination objects are the same")
            }
            CommandError::NoInputKeys(value) => {
                write!(f, "ERR at least 1 input key is needed for '{value}' command")
            }
            CommandError::NumKeys => f.write_str("ERR numkeys should be greater than 0"),
            CommandError::ScoreBound => f.write_str("ERR min or max is not a float"),
            CommandError::LexBound => f.write_str("ERR min or max not valid string range item"),
            CommandError::ScoreNaN => f.write_str("ERR resulting score is not a number (NaN)"),
            CommandError::DatabaseIndex => f.write_str("ERR DB index is out of range"),
            CommandError::Cursor => f.write_str("ERR invalid cursor"),
            CommandError::Arity(value) => {
                write!(f, "ERR wrong number of arguments for '{value}' command")
            }
            CommandError::Other(value) => write!(f, "{value}"),
        }
    }
}

impl std::error::Error for CommandError {}

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
