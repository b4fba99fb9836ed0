//! RESP, Redis's wire protocol, as bytes in and bytes out: no socket.
//!
//! Three parts, each usable alone, and [`ByteServer`], which joins them with a
//! server:
//!
//! - [`RequestParser`]: what a client sends, in any pieces, becomes
//!   [`Request`]s: arguments that lie where they arrived, without a copy;
//! - [`encode`]: a [`Reply`](crate::redis::Reply) becomes the bytes a client of either
//!   [`Protocol`](crate::redis::Protocol) gets;
//! - [`ReplyParser`]: those bytes become replies again, for clients and tests.
//!
//! Parsing never trusts a length that was announced: memory grows only with
//! bytes that came. Where the real server is lax (a line end of CR and any byte,
//! two bytes of anything after a bulk) so is this one; where it refuses, the
//! words are its own, see [`ProtocolError`].
//!
//! ```
//! use stunt_double::redis::resp::{RequestParser, encode};
//! use stunt_double::redis::{Protocol, Reply};
//!
//! let mut parser = RequestParser::new();
//! parser.feed(b"*2\r\n$3\r\nGET\r\n$3\r\nk");
//! assert!(parser.next_request()?.is_none());
//! parser.feed(b"ey\r\n");
//! let request = parser.next_request()?.expect("it is complete");
//! assert_eq!(request.iter().collect::<Vec<_>>(), [&b"GET"[..], b"key"]);
//!
//! let mut out = Vec::new();
//! encode(&Reply::Nil, Protocol::Resp2, &mut out);
//! assert_eq!(out, b"$-1\r\n");
//! # Ok::<(), stunt_double::redis::resp::ProtocolError>(())
//! ```

mod byte_server;
mod encode;
mod inline;
mod parse;
mod request;

pub use byte_server::ByteServer;
pub use encode::encode;
pub use parse::{MalformedReply, ReplyParser};
pub use request::{ProtocolError, Request, RequestParser};
