//! Replies: the answers of commands, before they are encoded.
//!
//! A [`Reply`] is one kind of answer; how it looks on the wire depends on the client's protocol.
//! RESP3 has kinds that RESP2 lacks (maps, sets, doubles, booleans, pushes, one null). Only
//! [`Reply::in_protocol`] knows how Redis writes them in RESP2.
//!
//! Source: <https://redis.io/docs/reference/protocol-spec/>, and Redis 7.0's `networking.c` for the
//! conversions.

use crate::redis::value::number;
use crate::redis::version::{Numbers, Version};
use bytes::Bytes;
use smol_str::SmolStr;
use std::fmt;

/// The version of RESP that a client speaks: RESP2 until it calls `HELLO 3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// RESP2, the protocol of a new connection.
    #[default]
    Resp2,
    /// RESP3.
    Resp3,
}

/// An error reply, as on the wire without the leading minus: `WRONGTYPE Operation against a key
/// holding the wrong kind of value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ErrorReply(pub SmolStr);

impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorReply(value) = self;
        write!(f, "{value}")
    }
}

impl std::error::Error for ErrorReply {}

impl ErrorReply {
    /// Returns the first word, by which programs distinguish errors: `ERR`, `WRONGTYPE`,
    /// `EXECABORT`, …
    #[must_use]
    pub fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

/// An answer of the server, before it is encoded. [`Reply::in_protocol`] converts the kinds that
/// RESP2 lacks.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// A status such as `OK`.
    Simple(SmolStr),
    /// An error.
    Error(ErrorReply),
    /// An integer.
    Integer(i64),
    /// A string of any bytes.
    Bulk(Bytes),
    /// A null string: `$-1` in RESP2.
    Nil,
    /// A null array: `*-1` in RESP2. RESP3 has only one null.
    NilArray,
    /// An array.
    Array(Vec<Reply>),
    /// Keys with values. In RESP2 an array of twice the length.
    Map(Vec<(Reply, Reply)>),
    /// Unordered, unique elements. In RESP2 an array.
    Set(Vec<Reply>),
    /// Members with scores, or fields with values. In RESP3 an array of arrays of two, in RESP2 one
    /// array of twice the length.
    Pairs(Vec<(Reply, Reply)>),
    /// A floating-point number. In RESP2 its text as a string.
    Double(f64),
    /// A coordinate: a floating-point number with up to 17 decimals. In RESP2 its text as a string.
    Coordinate(f64),
    /// A boolean. In RESP2 the integer 1 or 0.
    Boolean(bool),
    /// An integer of any size, as its digits.
    BigNumber(SmolStr),
    /// Text for people, with a format of three letters. In RESP2 a string.
    Verbatim([u8; 3], Bytes),
    /// A message that no request asked for. In RESP2 an array.
    Push(Vec<Reply>),
    /// A reply with attributes. In RESP2 the reply alone.
    Attributed(Vec<(Reply, Reply)>, Box<Reply>),
}

impl Reply {
    /// `+OK`.
    pub const OK: Reply = Reply::Simple(SmolStr::new_static("OK"));
    /// `+QUEUED`.
    pub(crate) const QUEUED: Reply = Reply::Simple(SmolStr::new_static("QUEUED"));

    /// Returns a string.
    #[must_use]
    pub fn bulk(bytes: &[u8]) -> Reply {
        Reply::Bulk(Bytes::copy_from_slice(bytes))
    }

    /// Returns a string, or a null.
    #[must_use]
    pub fn bulk_or_nil(bytes: Option<&[u8]>) -> Reply {
        bytes.map_or(Reply::Nil, Reply::bulk)
    }

    /// Returns a status.
    #[must_use]
    pub const fn status(text: &'static str) -> Reply {
        Reply::Simple(SmolStr::new_static(text))
    }

    /// Returns an array of strings.
    pub fn bulks<T: AsRef<[u8]>>(strings: impl IntoIterator<Item = T>) -> Reply {
        Reply::Array(strings.into_iter().map(|s| Reply::bulk(s.as_ref())).collect())
    }

    /// Returns the integer 1 or 0, which is how most commands answer yes or no in either protocol.
    #[must_use]
    pub const fn flag(yes: bool) -> Reply {
        Reply::Integer(yes as i64)
    }

    /// Returns a length or a count.
    #[must_use]
    pub fn count(n: usize) -> Reply {
        Reply::Integer(i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// Returns whether this is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// Returns the integer, if this is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        if let Reply::Integer(n) = self { Some(*n) } else { None }
    }

    /// Returns the bytes of a string or a status.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) => Some(bytes),
            Reply::Simple(text) => Some(text.as_bytes()),
            Reply::Error(_)
            | Reply::Integer(_)
            | Reply::Nil
            | Reply::NilArray
            | Reply::Array(_)
            | Reply::Map(_)
            | Reply::Set(_)
            | Reply::Pairs(_)
            | Reply::Double(_)
            | Reply::Coordinate(_)
            | Reply::Boolean(_)
            | Reply::BigNumber(_)
            | Reply::Push(_)
            | Reply::Attributed(..) => None,
        }
    }

    /// Returns the text of a string or a status, or `None` if it is not UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Returns the elements of an array, a set or a push.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Reply]> {
        match self {
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => Some(items),
            Reply::Simple(_)
            | Reply::Error(_)
            | Reply::Integer(_)
            | Reply::Bulk(_)
            | Reply::Nil
            | Reply::NilArray
            | Reply::Map(_)
            | Reply::Pairs(_)
            | Reply::Double(_)
            | Reply::Coordinate(_)
            | Reply::Boolean(_)
            | Reply::BigNumber(_)
            | Reply::Verbatim(..)
            | Reply::Attributed(..) => None,
        }
    }

    /// Returns whether this is either null.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        matches!(self, Reply::Nil | Reply::NilArray)
    }

    /// Returns the reply as a client of that protocol sees it, with only the kinds that the
    /// protocol has. It is idempotent.
    #[must_use]
    pub fn in_protocol(self, protocol: Protocol) -> Reply {
        self.in_form(protocol, Version::default().profile().numbers)
    }

    /// As [`Reply::in_protocol`], of a server that writes numbers in this way.
    pub(crate) fn in_form(self, protocol: Protocol, numbers: Numbers) -> Reply {
        let all = |items: Vec<Reply>| -> Vec<Reply> {
            items.into_iter().map(|item| item.in_form(protocol, numbers)).collect()
        };
        let flat = |pairs: Vec<(Reply, Reply)>| {
            all(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect())
        };
        match (protocol, self) {
            (Protocol::Resp2, Reply::Map(pairs) | Reply::Pairs(pairs)) => Reply::Array(flat(pairs)),
            (Protocol::Resp2, Reply::Set(items) | Reply::Push(items)) => Reply::Array(all(items)),
            (Protocol::Resp2, Reply::Double(x)) => Reply::bulk(&number::format_score(x, numbers)),
            (Protocol::Resp2, Reply::Coordinate(x)) => {
                Reply::bulk(&number::format_coordinate(x, numbers))
            }
            (Protocol::Resp2, Reply::Boolean(yes)) => Reply::flag(yes),
            (Protocol::Resp2, Reply::BigNumber(digits)) => Reply::bulk(digits.as_bytes()),
            (Protocol::Resp2, Reply::Verbatim(_, text)) => Reply::Bulk(text),
            (Protocol::Resp3, Reply::NilArray) => Reply::Nil,
            (Protocol::Resp3, Reply::Pairs(pairs)) => Reply::Array(
                pairs.into_iter().map(|(a, b)| Reply::Array(all(vec![a, b]))).collect(),
            ),
            (Protocol::Resp3, Reply::Map(pairs)) => Reply::Map(
                pairs
                    .into_iter()
                    .map(|(a, b)| (a.in_form(protocol, numbers), b.in_form(protocol, numbers)))
                    .collect(),
            ),
            (Protocol::Resp3, Reply::Set(items)) => Reply::Set(all(items)),
            (Protocol::Resp3, Reply::Push(items)) => Reply::Push(all(items)),
            (Protocol::Resp2, Reply::Attributed(_, reply)) => reply.in_form(protocol, numbers),
            (_, Reply::Array(items)) => Reply::Array(all(items)),
            (
                _,
                reply @ (Reply::Simple(_)
                | Reply::Error(_)
                | Reply::Integer(_)
                | Reply::Bulk(_)
                | Reply::Nil),
            )
            | (Protocol::Resp2, reply @ Reply::NilArray)
            | (
                Protocol::Resp3,
                reply @ (Reply::Double(_)
                | Reply::Coordinate(_)
                | Reply::Boolean(_)
                | Reply::BigNumber(_)
                | Reply::Verbatim(..)
                | Reply::Attributed(..)),
            ) => reply,
        }
    }
}

impl From<ErrorReply> for Reply {
    fn from(error: ErrorReply) -> Reply {
        Reply::Error(error)
    }
}

/// Displays the reply as `redis-cli` does.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_indented(self, f, 0)
    }
}

fn write_indented(reply: &Reply, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    let list = |f: &mut fmt::Formatter<'_>, items: &mut dyn Iterator<Item = &Reply>, empty| {
        let mut first = true;
        let items: Vec<&Reply> = items.collect();
        let width = items.len().to_string().len();
        for (i, item) in items.into_iter().enumerate() {
            if !first {
                write!(f, "\n{:indent$}", "", indent = depth)?;
            }
            first = false;
            let number = format!("{:>width$}) ", i + 1);
            f.write_str(&number)?;
            write_indented(item, f, depth + number.len())?;
        }
        if first { f.write_str(empty) } else { Ok(()) }
    };
    match reply {
        Reply::Simple(text) | Reply::BigNumber(text) => f.write_str(text),
        Reply::Error(error) => write!(f, "(error) {error}"),
        Reply::Integer(n) => write!(f, "(integer) {n}"),
        Reply::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
        Reply::Verbatim(_, bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
        Reply::Nil | Reply::NilArray => f.write_str("(nil)"),
        Reply::Double(x) => write!(f, "(double) {}", number::format_double(*x).as_str()),
        Reply::Coordinate(x) => {
            let text = number::format_coordinate(*x, Version::default().profile().numbers);
            write!(f, "(double) {}", text.escape_ascii())
        }
        Reply::Boolean(yes) => f.write_str(if *yes { "(true)" } else { "(false)" }),
        Reply::Array(items) | Reply::Push(items) => list(f, &mut items.iter(), "(empty array)"),
        Reply::Set(items) => list(f, &mut items.iter(), "(empty set)"),
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            let mut flat = pairs.iter().flat_map(|(key, value)| [key, value]);
            list(f, &mut flat, "(empty array)")
        }
        Reply::Attributed(_, reply) => write_indented(reply, f, depth),
    }
}
