//! Parsing of replies, from bytes in pieces of any size.
//!
//! Both protocols are read; the first byte of a reply distinguishes them. Aggregates that are still
//! incomplete lie on a stack of bounded depth, so no input can exhaust the thread's stack.
//! Attributes (`|`), which only `DEBUG` sends, are read and dropped.

use crate::redis::value::number::{Literal, parse_double, parse_i64};
use crate::redis::{ErrorReply, Reply};
use bytes::Bytes;
use smol_str::SmolStr;
use std::fmt;

/// Why bytes are not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MalformedReply {
    /// No kind of reply begins with this byte.
    UnknownKind(u8),
    /// The length after `$`, `*` or a similar byte is invalid.
    InvalidLength,
    /// The value after `:`, `,`, `#` or `_` is invalid.
    InvalidValue(u8),
    /// A CR has no LF, or a string is longer than announced.
    MissingLineEnd,
    /// Aggregates are nested deeper than [`ReplyParser::MAX_DEPTH`].
    TooDeep,
}

impl fmt::Display for MalformedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MalformedReply::UnknownKind(value) => {
                write!(f, "a reply cannot begin with byte {value:#04x}")
            }
            MalformedReply::InvalidLength => f.write_str("a length is invalid"),
            MalformedReply::InvalidValue(value) => {
                write!(
                    f,
                    "the value is invalid in a reply that begins with '{}'",
                    char::from(*value)
                )
            }
            MalformedReply::MissingLineEnd => f.write_str("a line end is missing"),
            MalformedReply::TooDeep => f.write_str("replies are nested too deep"),
        }
    }
}

impl std::error::Error for MalformedReply {}

/// Turns a server's bytes into replies; see [`resp`](crate::redis::resp).
#[derive(Clone, Debug, Default)]
pub struct ReplyParser {
    buffer: Vec<u8>,
    /// Start of the next line, or of the string whose line was read.
    start: usize,
    /// Number of bytes from there that contain no line end.
    scanned: usize,
    /// Kind and length of the string at `start`.
    string: Option<(u8, usize)>,
    open: Vec<Aggregate>,
    failed: Option<MalformedReply>,
}

/// An aggregate whose elements have not all arrived.
#[derive(Clone, Debug)]
struct Aggregate {
    kind: u8,
    missing: u64,
    items: Vec<Reply>,
}

impl Aggregate {
    /// Returns the complete reply; an attribute is not a reply.
    fn close(self) -> Option<Reply> {
        match self.kind {
            b'~' => Some(Reply::Set(self.items)),
            b'>' => Some(Reply::Push(self.items)),
            b'%' => {
                let mut items = self.items.into_iter();
                let pairs = std::iter::from_fn(|| items.next().zip(items.next()));
                Some(Reply::Map(pairs.collect()))
            }
            b'|' => None,
            _ => Some(Reply::Array(self.items)),
        }
    }
}

/// The result of reading one line or string.
enum Token {
    Reply(Reply),
    Open(Aggregate),
}

impl ReplyParser {
    /// Greatest nesting depth of aggregates.
    pub const MAX_DEPTH: usize = 512;

    /// Returns a parser without input.
    #[must_use]
    pub fn new() -> ReplyParser {
        ReplyParser::default()
    }

    /// Adds bytes from the server. After an error they are dropped.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.start >= self.buffer.len() - self.start {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next complete reply, or `None` until more bytes arrive.
    ///
    /// # Errors
    ///
    /// The bytes are not a reply. The parser returns the same error from then on.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, MalformedReply> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.advance();
        if let Err(error) = result {
            *self = ReplyParser { failed: Some(error), ..ReplyParser::default() };
        }
        result
    }

    fn advance(&mut self) -> Result<Option<Reply>, MalformedReply> {
        loop {
            let Some(token) = self.read_token()? else {
                return Ok(None);
            };
            let whole = match token {
                Token::Reply(reply) => Some(reply),
                Token::Open(aggregate) if aggregate.missing == 0 => aggregate.close(),
                Token::Open(_) if self.open.len() == ReplyParser::MAX_DEPTH => {
                    return Err(MalformedReply::TooDeep);
                }
                Token::Open(aggregate) => {
                    self.open.push(aggregate);
                    None
                }
            };
            if let Some(reply) = whole.and_then(|reply| self.place(reply)) {
                return Ok(Some(reply));
            }
        }
    }

    /// Adds the reply to the innermost incomplete aggregate. Returns the outermost reply once it is
    /// complete.
    fn place(&mut self, mut reply: Reply) -> Option<Reply> {
        loop {
            let Some(aggregate) = self.open.last_mut() else {
                return Some(reply);
            };
            aggregate.items.push(reply);
            aggregate.missing -= 1;
            if aggregate.missing > 0 {
                return None;
            }
            reply = self.open.pop()?.close()?;
        }
    }

    fn read_token(&mut self) -> Result<Option<Token>, MalformedReply> {
        if let Some((kind, length)) = self.string {
            return self.read_string(kind, length);
        }
        let bytes = &self.buffer[self.start..];
        let Some(ahead) = bytes[self.scanned..].iter().position(|b| *b == b'\r') else {
            self.scanned = bytes.len();
            // No further bytes can turn these into a reply.
            return match bytes.first() {
                Some(kind) if !b"+-:$*_#,(!=~%>|".contains(kind) => {
                    Err(MalformedReply::UnknownKind(*kind))
                }
                _ => Ok(None),
            };
        };
        let end = self.scanned + ahead;
        self.scanned = end;
        match bytes.get(end + 1) {
            None => return Ok(None),
            Some(b'\n') => {}
            Some(_) => return Err(MalformedReply::MissingLineEnd),
        }
        let (kind, text) = bytes[..end].split_first().ok_or(MalformedReply::UnknownKind(b'\r'))?;
        let token = match kind {
            b'$' if text == b"-1" => Token::Reply(Reply::Nil),
            b'$' | b'!' | b'=' => {
                let length = parse_i64(text).and_then(|n| usize::try_from(n).ok());
                let length = length.ok_or(MalformedReply::InvalidLength)?;
                self.string = Some((*kind, length));
                let kind = *kind;
                self.start += end + 2;
                self.scanned = 0;
                return self.read_string(kind, length);
            }
            b'*' if text == b"-1" => Token::Reply(Reply::NilArray),
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let length = parse_i64(text).and_then(|n| u64::try_from(n).ok());
                let length = length.ok_or(MalformedReply::InvalidLength)?;
                let missing = if matches!(kind, b'%' | b'|') { length * 2 } else { length };
                Token::Open(Aggregate { kind: *kind, missing, items: Vec::new() })
            }
            _ => Token::Reply(line(*kind, text)?),
        };
        self.start += end + 2;
        self.scanned = 0;
        Ok(Some(token))
    }

    fn read_string(&mut self, kind: u8, length: usize) -> Result<Option<Token>, MalformedReply> {
        let bytes = &self.buffer[self.start..];
        if bytes.len() < 2 || bytes.len() - 2 < length {
            return Ok(None);
        }
        let (string, rest) = bytes.split_at(length);
        if !rest.starts_with(b"\r\n") {
            return Err(MalformedReply::MissingLineEnd);
        }
        let reply = match (kind, string) {
            (b'!', error) => Reply::Error(ErrorReply(text(error))),
            (b'=', [a, b, c, b':', string @ ..]) => {
                Reply::Verbatim([*a, *b, *c], Bytes::copy_from_slice(string))
            }
            (b'=', _) => return Err(MalformedReply::InvalidValue(b'=')),
            (_, string) => Reply::bulk(string),
        };
        self.start += length + 2;
        self.string = None;
        Ok(Some(Token::Reply(reply)))
    }
}

/// Reads a reply that is one line.
fn line(kind: u8, bytes: &[u8]) -> Result<Reply, MalformedReply> {
    let reply = match (kind, bytes) {
        (b'+', bytes) => Some(Reply::Simple(text(bytes))),
        (b'-', bytes) => Some(Reply::Error(ErrorReply(text(bytes)))),
        (b'(', bytes) => Some(Reply::BigNumber(text(bytes))),
        (b':', digits) => parse_i64(digits).map(Reply::Integer),
        (b',', number) => match Literal::read(number) {
            Some((_, Literal::Nan)) => Some(Reply::Double(f64::NAN)),
            _ => parse_double(number).map(Reply::Double),
        },
        (b'#', b"t") => Some(Reply::Boolean(true)),
        (b'#', b"f") => Some(Reply::Boolean(false)),
        (b'_', b"") => Some(Reply::Nil),
        (b'#' | b'_' | b'!' | b'=', _) => None,
        (other, _) => return Err(MalformedReply::UnknownKind(other)),
    };
    reply.ok_or(MalformedReply::InvalidValue(kind))
}

/// Returns the bytes as text. Bytes that are not UTF-8 are replaced.
fn text(bytes: &[u8]) -> SmolStr {
    SmolStr::from(String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests;
