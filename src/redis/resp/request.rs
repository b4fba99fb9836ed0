//! Requests, from bytes that come in any pieces.
//!
//! A request is a *multibulk*, `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`, or, if it begins
//! with anything but a star, an *inline* line as people type it. The parser keeps
//! what has come and where in it the arguments lie, and goes on where it stopped:
//! no byte is looked at twice but those a line is made of, so that a bulk of 512
//! MB in pieces of one byte costs no more than in one. Consumed bytes are dropped
//! when more come, if they are at least half of all.
//!
//! Source: Redis 7.0's `processMultibulkBuffer` and `processInlineBuffer`, with
//! their corners: a line ends at CR and whatever byte follows, what follows a
//! bulk is not looked at, a NUL in a line hides its end, and how long a line may
//! be is asked only when its end has not come yet.

use super::encode::one_line;
use super::inline;
use crate::redis::value::number::parse_i64;
use crate::redis::{ErrorReply, Protocol, Reply};
use smol_str::SmolStr;
use std::ops::Range;

/// Why bytes are no request; each closes the connection.
///
/// Its text is the server's reply, without `-ERR `.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProtocolError {
    /// The count after `*` is no integer, or above 2³¹ - 1.
    #[error("Protocol error: invalid multibulk length")]
    InvalidMultibulkLength,
    /// More than 10 arguments from a client that has yet to authenticate.
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulkLength,
    /// More than 64 KB after `*`, and no end of line.
    #[error("Protocol error: too big mbulk count string")]
    TooBigMultibulkCount,
    /// An argument that begins with this byte.
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0))]
    ExpectedBulk(u8),
    /// The length after `$` is no integer, negative, or above
    /// `proto-max-bulk-len`.
    #[error("Protocol error: invalid bulk length")]
    InvalidBulkLength,
    /// More than 16 KB in an argument from a client that has yet to
    /// authenticate.
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    /// More than 64 KB after `$`, and no end of line.
    #[error("Protocol error: too big bulk count string")]
    TooBigBulkCount,
    /// More than 64 KB of an inline request, and no end of line.
    #[error("Protocol error: too big inline request")]
    TooBigInline,
    /// An inline request with a quote that is not closed, or closed in the
    /// middle of an argument.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    /// More bytes than `client-query-buffer-limit`, and no whole request. The
    /// server closes without a word.
    #[error("query buffer limit reached")]
    QueryBufferLimit,
}

impl ProtocolError {
    /// What the server answers before it closes, if anything. A byte that is no
    /// ASCII appears as the Latin letter of that number; [`ProtocolError::encode`]
    /// has the byte itself.
    #[must_use]
    pub fn reply(&self) -> Option<ErrorReply> {
        (*self != ProtocolError::QueryBufferLimit)
            .then(|| ErrorReply(SmolStr::from(format!("ERR {self}"))))
    }

    /// Writes the answer, if there is one, to the end of `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let ProtocolError::ExpectedBulk(mut byte) = *self {
            one_line(&mut byte);
            out.extend_from_slice(b"-ERR Protocol error: expected '$', got '");
            out.push(byte);
            out.extend_from_slice(b"'\r\n");
        } else if let Some(error) = self.reply() {
            super::encode(&Reply::Error(error), Protocol::Resp2, out);
        }
    }
}

/// One request: a command's name and its arguments, never none at all, as
/// slices of the parser's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    bytes: &'a [u8],
    args: &'a [Range<usize>],
}

impl<'a> Request<'a> {
    /// How many there are, the name included: at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// The argument at `i`, the name being at 0.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    pub fn get(&self, i: usize) -> &'a [u8] {
        &self.bytes[self.args[i].clone()]
    }

    /// All of them, the name first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        self.args.iter().map(move |range| &bytes[range.clone()])
    }
}

/// Takes a client's bytes and gives its requests; see [`resp`](crate::redis::resp).
#[derive(Clone, Debug)]
pub struct RequestParser {
    buffer: Vec<u8>,
    /// Where the request being read begins. All other positions count from here.
    start: usize,
    /// The next byte of it to be read.
    at: usize,
    /// Up to here no end of the line was found.
    scanned: usize,
    /// The arguments read so far, or those of the last request.
    args: Vec<Range<usize>>,
    /// The bytes of an inline request's arguments, without their quotes.
    unquoted: Vec<u8>,
    /// How many arguments are still to come.
    missing: usize,
    /// The length of the next argument, once its line has been read.
    bulk: Option<usize>,
    authenticated: bool,
    max_bulk_len: usize,
    query_buffer_limit: usize,
    failed: Option<ProtocolError>,
}

/// Where the arguments of a complete request lie.
enum Form {
    /// In the buffer, so many bytes of it.
    Multibulk(usize),
    Inline,
}

impl Default for RequestParser {
    fn default() -> RequestParser {
        RequestParser::new()
    }
}

impl RequestParser {
    /// `PROTO_INLINE_MAX_SIZE`: so long may a line get before its end comes.
    const MAX_LINE: usize = 64 * 1024;
    /// Arguments of a client that has yet to authenticate.
    const UNAUTHENTICATED_ARGS: i64 = 10;
    /// Bytes in one of them.
    const UNAUTHENTICATED_BULK: i64 = 16_384;
    /// Buffers that grew beyond this are given back once they are empty.
    const KEEP: usize = 1024 * 1024;

    /// A parser with the limits of a server's default configuration, for a
    /// client that need not authenticate.
    #[must_use]
    pub fn new() -> RequestParser {
        RequestParser {
            buffer: Vec::new(),
            start: 0,
            at: 0,
            scanned: 0,
            args: Vec::new(),
            unquoted: Vec::new(),
            missing: 0,
            bulk: None,
            authenticated: true,
            max_bulk_len: 512 * 1024 * 1024,
            query_buffer_limit: 1024 * 1024 * 1024,
            failed: None,
        }
    }

    /// Whether the client has authenticated, or need not: until then, requests
    /// have at most 10 arguments of at most 16384 bytes. It holds from the next
    /// length that is read.
    pub fn set_authenticated(&mut self, authenticated: bool) {
        self.authenticated = authenticated;
    }

    /// `proto-max-bulk-len`, 512 MB unless told otherwise.
    pub fn set_max_bulk_len(&mut self, bytes: usize) {
        self.max_bulk_len = bytes;
    }

    /// `client-query-buffer-limit`, 1 GB unless told otherwise: what an
    /// unfinished request may take.
    pub fn set_query_buffer_limit(&mut self, bytes: usize) {
        self.query_buffer_limit = bytes;
    }

    /// How many bytes have come that are not yet part of a request given out.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Takes bytes from the client. After an error they are dropped.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let rest = self.buffered();
        if rest == 0 {
            self.buffer.clear();
            self.start = 0;
            if self.buffer.capacity() > RequestParser::KEEP {
                self.buffer = Vec::new();
                self.args = Vec::new();
            }
        } else if self.start >= rest {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole request, `None` until more bytes come.
    ///
    /// # Errors
    ///
    /// The bytes are no request. The parser then says so for ever.
    pub fn next_request(&mut self) -> Result<Option<Request<'_>>, ProtocolError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let form = match self.advance() {
            Ok(None) if self.buffered() > self.query_buffer_limit => {
                Err(ProtocolError::QueryBufferLimit)
            }
            other => other,
        };
        let bytes = match form {
            Ok(None) => return Ok(None),
            // Given out already, but dropped only when more is fed.
            Ok(Some(Form::Multibulk(length))) => &self.buffer[self.start - length..self.start],
            Ok(Some(Form::Inline)) => &self.unquoted,
            Err(error) => {
                self.failed = Some(error);
                self.buffer = Vec::new();
                self.start = 0;
                return Err(error);
            }
        };
        Ok(Some(Request { bytes, args: &self.args }))
    }

    fn advance(&mut self) -> Result<Option<Form>, ProtocolError> {
        while self.missing == 0 {
            match self.buffer.get(self.start) {
                None => return Ok(None),
                Some(b'*') => {
                    if !self.read_multibulk_length()? {
                        return Ok(None);
                    }
                }
                Some(_) => match self.read_inline()? {
                    None => return Ok(None),
                    Some(false) => {}
                    Some(true) => return Ok(Some(Form::Inline)),
                },
            }
        }
        while self.missing > 0 {
            if !self.read_bulk()? {
                return Ok(None);
            }
        }
        let length = self.at;
        self.consume();
        Ok(Some(Form::Multibulk(length)))
    }

    /// Goes on to the bytes after those read.
    fn consume(&mut self) {
        self.start += self.at;
        self.at = 0;
        self.scanned = 0;
    }

    /// C's `strchr` from where the last search stopped: a NUL hides all that
    /// follows.
    fn find(&mut self, wanted: u8) -> Option<usize> {
        let bytes = &self.buffer[self.start..];
        let unseen = &bytes[self.scanned..];
        match unseen.iter().position(|b| *b == wanted || *b == 0) {
            Some(ahead) => {
                self.scanned += ahead;
                (bytes[self.scanned] == wanted).then_some(self.scanned)
            }
            None => {
                self.scanned = bytes.len();
                None
            }
        }
    }

    /// The first byte of a line with a length, and the length; `None` if the
    /// line's end has not come.
    fn read_length(
        &mut self,
        too_big: ProtocolError,
    ) -> Result<Option<(u8, Option<i64>)>, ProtocolError> {
        let Some(end) = self.find(b'\r') else {
            let long = self.buffered() - self.at > RequestParser::MAX_LINE;
            return if long { Err(too_big) } else { Ok(None) };
        };
        let bytes = &self.buffer[self.start..];
        // Some byte must follow, whichever.
        if end + 1 == bytes.len() {
            return Ok(None);
        }
        let line = &bytes[self.at..=end];
        let length = parse_i64(line.get(1..line.len() - 1).unwrap_or_default());
        let first = line[0];
        self.at = end + 2;
        self.scanned = self.at;
        Ok(Some((first, length)))
    }

    /// Reads `*3\r\n`; a count below 1 leaves no arguments to come.
    fn read_multibulk_length(&mut self) -> Result<bool, ProtocolError> {
        let Some((_, count)) = self.read_length(ProtocolError::TooBigMultibulkCount)? else {
            return Ok(false);
        };
        match count {
            Some(n) if n <= i64::from(i32::MAX) => {
                if n > RequestParser::UNAUTHENTICATED_ARGS && !self.authenticated {
                    return Err(ProtocolError::UnauthenticatedMultibulkLength);
                }
                self.missing = usize::try_from(n).unwrap_or(0);
            }
            _ => return Err(ProtocolError::InvalidMultibulkLength),
        }
        self.args.clear();
        if self.missing == 0 {
            self.consume();
        }
        Ok(true)
    }

    /// Reads one argument; `false` if it has not come.
    fn read_bulk(&mut self) -> Result<bool, ProtocolError> {
        let length = match self.bulk {
            Some(length) => length,
            None => {
                let Some((first, length)) = self.read_length(ProtocolError::TooBigBulkCount)?
                else {
                    return Ok(false);
                };
                if first != b'$' {
                    return Err(ProtocolError::ExpectedBulk(first));
                }
                let checked = length.and_then(|n| usize::try_from(n).ok());
                let Some(checked) = checked.filter(|n| *n <= self.max_bulk_len) else {
                    return Err(ProtocolError::InvalidBulkLength);
                };
                if length > Some(RequestParser::UNAUTHENTICATED_BULK) && !self.authenticated {
                    return Err(ProtocolError::UnauthenticatedBulkLength);
                }
                self.bulk = Some(checked);
                checked
            }
        };
        // The two bytes after it are taken for a line end.
        let available = self.buffered() - self.at;
        if available < 2 || available - 2 < length {
            return Ok(false);
        }
        self.args.push(self.at..self.at + length);
        self.at += length + 2;
        self.scanned = self.at;
        self.bulk = None;
        self.missing -= 1;
        Ok(true)
    }

    /// Reads a line; whether there is anything in it, `None` if its end has not
    /// come.
    fn read_inline(&mut self) -> Result<Option<bool>, ProtocolError> {
        let Some(end) = self.find(b'\n') else {
            let long = self.buffered() > RequestParser::MAX_LINE;
            return if long { Err(ProtocolError::TooBigInline) } else { Ok(None) };
        };
        self.args.clear();
        self.unquoted.clear();
        let line = &self.buffer[self.start..self.start + end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !inline::split(line, &mut self.unquoted, &mut self.args) {
            return Err(ProtocolError::UnbalancedQuotes);
        }
        self.at = end + 1;
        self.consume();
        Ok(Some(!self.args.is_empty()))
    }
}

#[cfg(test)]
mod tests;
