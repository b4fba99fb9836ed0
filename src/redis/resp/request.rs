//! Parsing of requests, from bytes in pieces of any size.
//!
//! A request is a *multibulk*, `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`, or, if it begins with anything but
//! a star, an *inline* line as people type it. The parser keeps the bytes and the ranges of the
//! arguments in them, and continues where it stopped. It looks at a byte twice only within a line,
//! so a bulk of 512 MB in pieces of one byte costs no more than in one piece. Consumed bytes are
//! dropped when more arrive, if they are at least half of the buffer.
//!
//! Source: Redis 7.0's `processMultibulkBuffer` and `processInlineBuffer`, with their corner cases:
//! a CR and any byte end a line; the two bytes after a bulk are not checked; a NUL in a line hides
//! its end; the length of a line is only checked while its end has not arrived. Later versions have
//! other corners (`Requests` among the facts of a version), which were asked of the real servers.

use super::encode::one_line;
use super::inline;
use crate::redis::value::number::parse_i64;
use crate::redis::version::Requests;
use crate::redis::{ErrorReply, Protocol, Reply, Version};
use smol_str::SmolStr;
use std::fmt;
use std::ops::Range;

/// Why bytes are not a request. Each of these closes the connection.
///
/// The text is the server's reply, without `-ERR `.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The count after `*` is not an integer, or above 2³¹ - 1.
    InvalidMultibulkLength,
    /// More than 10 arguments from a client that has not authenticated.
    UnauthenticatedMultibulkLength,
    /// More than 64 KB after `*` without a line end.
    TooBigMultibulkCount,
    /// An argument begins with this byte instead of `$`.
    ExpectedBulk(u8),
    /// The length after `$` is not an integer, negative, or above `proto-max-bulk-len`.
    InvalidBulkLength,
    /// More than 16 KB in an argument of a client that has not authenticated.
    UnauthenticatedBulkLength,
    /// More than 64 KB after `$` without a line end.
    TooBigBulkCount,
    /// A CR without an LF, or an argument that goes on behind its length. Only Valkey looks, from
    /// 8.1 on; the others skip the bytes.
    InvalidLineEnd,
    /// More than 64 KB of an inline request without a line end.
    TooBigInline,
    /// A quote of an inline request is not closed, or closes in the middle of an argument.
    UnbalancedQuotes,
    /// More bytes than `client-query-buffer-limit` without a complete request. The server closes
    /// the connection without a reply.
    QueryBufferLimit,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolError::InvalidMultibulkLength => {
                f.write_str("Protocol error: invalid multibulk length")
            }
            ProtocolError::UnauthenticatedMultibulkLength => {
                f.write_str("Protocol error: unauthenticated multibulk length")
            }
            ProtocolError::TooBigMultibulkCount => {
                f.write_str("Protocol error: too big mbulk count string")
            }
            ProtocolError::ExpectedBulk(value) => {
                write!(f, "Protocol error: expected '$', got '{}'", char::from(*value))
            }
            ProtocolError::InvalidBulkLength => f.write_str("Protocol error: invalid bulk length"),
            ProtocolError::UnauthenticatedBulkLength => {
                f.write_str("Protocol error: unauthenticated bulk length")
            }
            ProtocolError::TooBigBulkCount => {
                f.write_str("Protocol error: too big bulk count string")
            }
            ProtocolError::InvalidLineEnd => f.write_str("Protocol error: invalid CRLF in request"),
            ProtocolError::TooBigInline => f.write_str("Protocol error: too big inline request"),
            ProtocolError::UnbalancedQuotes => {
                f.write_str("Protocol error: unbalanced quotes in request")
            }
            ProtocolError::QueryBufferLimit => f.write_str("query buffer limit reached"),
        }
    }
}

impl std::error::Error for ProtocolError {}

impl ProtocolError {
    /// Returns the server's reply before it closes, if it replies. A byte that is not ASCII appears
    /// as the Latin-1 letter of that number; [`ProtocolError::encode`] writes the byte itself.
    #[must_use]
    pub fn reply(&self) -> Option<ErrorReply> {
        (*self != ProtocolError::QueryBufferLimit)
            .then(|| ErrorReply(SmolStr::from(format!("ERR {self}"))))
    }

    /// Appends the reply, if there is one, to `out`.
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

/// A request: the command's name and its arguments, at least one word, as slices of the parser's
/// buffer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    bytes: &'a [u8],
    args: &'a [Range<usize>],
}

impl<'a> Request<'a> {
    /// Number of words, including the name: at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Returns the word at index `i`; the name is at 0.
    ///
    /// # Panics
    ///
    /// If `i` is not less than [`Request::len`].
    #[must_use]
    pub fn get(&self, i: usize) -> &'a [u8] {
        &self.bytes[self.args[i].clone()]
    }

    /// Returns all words, the name first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        self.args.iter().map(move |range| &bytes[range.clone()])
    }
}

/// Turns a client's bytes into requests; see [`resp`](crate::redis::resp).
#[derive(Clone, Debug)]
pub struct RequestParser {
    buffer: Vec<u8>,
    /// Start of the current request. All other positions count from here.
    start: usize,
    /// Position of the next byte to read.
    at: usize,
    /// The bytes before this position contain no line end.
    scanned: usize,
    /// Ranges of the arguments read so far, or of the last request.
    args: Vec<Range<usize>>,
    /// The bytes of an inline request's arguments, without their quotes.
    unquoted: Vec<u8>,
    /// Number of arguments that have not arrived.
    missing: usize,
    /// Length of the next argument, once its line was read.
    bulk: Option<usize>,
    authenticated: bool,
    rules: Requests,
    max_bulk_len: usize,
    query_buffer_limit: usize,
    failed: Option<ProtocolError>,
}

/// Where the arguments of a complete request lie.
enum Form {
    /// In the buffer; the request is this many bytes long.
    Multibulk(usize),
    Inline,
}

impl Default for RequestParser {
    fn default() -> RequestParser {
        RequestParser::new()
    }
}

impl RequestParser {
    /// `PROTO_INLINE_MAX_SIZE`: greatest length of a line whose end has not arrived.
    const MAX_LINE: usize = 64 * 1024;
    /// Greatest number of arguments before authentication.
    const UNAUTHENTICATED_ARGS: i64 = 10;
    /// Greatest length of each of them.
    const UNAUTHENTICATED_BULK: i64 = 16_384;
    /// Larger buffers are freed when they are empty.
    const KEEP: usize = 1024 * 1024;

    /// Returns a parser with the limits of a server's default configuration, for a client that need
    /// not authenticate.
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
            rules: Requests::of(Version::default()),
            max_bulk_len: 512 * 1024 * 1024,
            query_buffer_limit: 1024 * 1024 * 1024,
            failed: None,
        }
    }

    /// Sets whether the client has authenticated, or need not. Until then, requests have at most 10
    /// arguments of at most 16384 bytes. The setting applies from the next length that is read.
    pub fn set_authenticated(&mut self, authenticated: bool) {
        self.authenticated = authenticated;
    }

    /// Sets the version whose corner cases requests are read with: line ends that are checked, NULs
    /// in lines, quotes of inline requests. The default is Redis 7.0. It applies from the next line
    /// that is read.
    pub fn set_version(&mut self, version: Version) {
        self.rules = Requests::of(version);
    }

    /// Sets `proto-max-bulk-len`. The default is 512 MB.
    pub fn set_max_bulk_len(&mut self, bytes: usize) {
        self.max_bulk_len = bytes;
    }

    /// Sets `client-query-buffer-limit`, the greatest size of an unfinished request. The default is
    /// 1 GB.
    pub fn set_query_buffer_limit(&mut self, bytes: usize) {
        self.query_buffer_limit = bytes;
    }

    /// Returns the first arguments of the requests that have arrived, as far as that is easily
    /// seen: mostly these are keys.
    pub(crate) fn first_arguments(&self) -> impl Iterator<Item = &[u8]> {
        let is_between = self.at == 0 && self.missing == 0;
        let mut rest = if is_between { &self.buffer[self.start..] } else { &[] };
        std::iter::from_fn(move || {
            let (first, after) = look_at(rest)?;
            rest = after;
            Some(first)
        })
    }

    /// Number of bytes that are not yet part of a returned request.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Adds bytes from the client. After an error they are dropped.
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

    /// Returns the next complete request, or `None` until more bytes arrive.
    ///
    /// # Errors
    ///
    /// The bytes are not a request. The parser returns the same error from then on.
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
            // The request was consumed already, but its bytes are only dropped when more arrive.
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
        if self.missing == 0 && self.read_whole() {
            let length = self.at;
            self.consume();
            return Ok(Some(Form::Multibulk(length)));
        }
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

    /// Reads a request of short words that has arrived as a whole, as most have. Returns whether it
    /// did; otherwise nothing has happened.
    fn read_whole(&mut self) -> bool {
        let bytes = &self.buffer[self.start..];
        let Some((b'*', count @ 1.., line)) = short_length(bytes) else { return false };
        if !self.authenticated {
            return false;
        }
        self.args.clear();
        let mut at = line;
        for _ in 0..count {
            let Some((b'$', length, line)) = short_length(&bytes[at..]) else { return false };
            let begin = at + line;
            let end = begin + length as usize;
            if bytes.get(end..end + 2) != Some(b"\r\n") || length as usize > self.max_bulk_len {
                return false;
            }
            self.args.push(begin..end);
            at = end + 2;
        }
        self.at = at;
        true
    }

    /// Continues after the bytes that were read.
    fn consume(&mut self) {
        self.start += self.at;
        self.at = 0;
        self.scanned = 0;
    }

    /// Searches from where the last search stopped. With C's `strchr`, a NUL hides everything after
    /// it.
    fn find(&mut self, wanted: u8, nul_hides: bool) -> Option<usize> {
        let bytes = &self.buffer[self.start..];
        let unseen = &bytes[self.scanned..];
        match unseen.iter().position(|b| *b == wanted || (nul_hides && *b == 0)) {
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

    /// Returns the length of a line that begins with this sign; `None` if the line's end has not
    /// arrived.
    fn read_length(&mut self, sign: u8) -> Result<Option<Option<i64>>, ProtocolError> {
        if let Some((first, length, bytes)) = short_length(&self.buffer[self.start + self.at..]) {
            if first != sign {
                return Err(ProtocolError::ExpectedBulk(first));
            }
            self.at += bytes;
            self.scanned = self.at;
            return Ok(Some(Some(length)));
        }
        let (nul_hides, too_big) = match sign {
            b'*' => (self.rules.nul_hides_count, ProtocolError::TooBigMultibulkCount),
            _ => (self.rules.nul_hides_length, ProtocolError::TooBigBulkCount),
        };
        let Some(end) = self.find(b'\r', nul_hides) else {
            let long = self.buffered() - self.at > RequestParser::MAX_LINE;
            return if long { Err(too_big) } else { Ok(None) };
        };
        let bytes = &self.buffer[self.start..];
        // Any byte must follow the CR.
        if end + 1 == bytes.len() {
            return Ok(None);
        }
        let line = &bytes[self.at..=end];
        if line[0] != sign {
            return Err(ProtocolError::ExpectedBulk(line[0]));
        }
        if self.rules.line_ends_are_checked && bytes[end + 1] != b'\n' {
            return Err(ProtocolError::InvalidLineEnd);
        }
        let length = parse_i64(line.get(1..line.len() - 1).unwrap_or_default());
        self.at = end + 2;
        self.scanned = self.at;
        Ok(Some(length))
    }

    /// Reads `*3\r\n`. A count below 1 leaves no arguments to read.
    fn read_multibulk_length(&mut self) -> Result<bool, ProtocolError> {
        let Some(count) = self.read_length(b'*')? else {
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

    /// Reads one argument. Returns `false` if it has not arrived.
    fn read_bulk(&mut self) -> Result<bool, ProtocolError> {
        let length = match self.bulk {
            Some(length) => length,
            None => {
                let Some(length) = self.read_length(b'$')? else {
                    return Ok(false);
                };
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
        let available = self.buffered() - self.at;
        if available < 2 || available - 2 < length {
            return Ok(false);
        }
        let end = self.start + self.at + length;
        if self.rules.line_ends_are_checked && self.buffer[end..end + 2] != *b"\r\n" {
            return Err(ProtocolError::InvalidLineEnd);
        }
        self.args.push(self.at..self.at + length);
        self.at += length + 2;
        self.scanned = self.at;
        self.bulk = None;
        self.missing -= 1;
        Ok(true)
    }

    /// Reads a line. Returns whether it has any argument, or `None` if its end has not arrived.
    fn read_inline(&mut self) -> Result<Option<bool>, ProtocolError> {
        let Some(end) = self.find(b'\n', true) else {
            let long = self.buffered() > RequestParser::MAX_LINE;
            return if long { Err(ProtocolError::TooBigInline) } else { Ok(None) };
        };
        self.args.clear();
        self.unquoted.clear();
        let line = &self.buffer[self.start..self.start + end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !inline::split(line, self.rules.inline, &mut self.unquoted, &mut self.args) {
            return Err(ProtocolError::UnbalancedQuotes);
        }
        self.at = end + 1;
        self.consume();
        Ok(Some(!self.args.is_empty()))
    }
}

/// Reads a line with a length of one or two digits, as most are: its first byte, the length, and
/// the number of bytes of the line.
#[inline]
fn short_length(bytes: &[u8]) -> Option<(u8, i64, usize)> {
    let value = |digit: u8| i64::from(digit - b'0');
    match *bytes {
        [first @ (b'*' | b'$'), one @ b'0'..=b'9', b'\r', b'\n', ..] => {
            Some((first, value(one), 4))
        }
        [first @ (b'*' | b'$'), ten @ b'1'..=b'9', one @ b'0'..=b'9', b'\r', b'\n', ..] => {
            Some((first, value(ten) * 10 + value(one), 5))
        }
        _ => None,
    }
}

/// Returns the first argument of the multibulk request at the front of these bytes, and the bytes
/// after the request; `None` if the request is anything else, or has not arrived.
fn look_at(mut bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (b'*', count @ 2..=8, line) = short_length(bytes)? else { return None };
    bytes = &bytes[line..];
    let mut first = None;
    for word in 0..count {
        let (b'$', length, line) = short_length(bytes)? else { return None };
        let (text, rest) = bytes[line..].split_at_checked(length as usize)?;
        if word == 1 {
            first = Some(text);
        }
        bytes = rest.get(2..)?;
    }
    Some((first?, bytes))
}

#[cfg(test)]
mod tests;
