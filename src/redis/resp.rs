//! RESP, Redis's wire protocol, as bytes in and bytes out, without a socket.
//!
//! Three parts are usable alone, and [`ByteServer`] joins them with a server:
//!
//! - [`RequestParser`] turns a client's bytes, in pieces of any size, into [`Request`]s, whose
//!   arguments lie where they arrived, without a copy.
//! - [`encode`] turns a [`Reply`](crate::redis::Reply) into the bytes for a client of either
//!   [`Protocol`](crate::redis::Protocol).
//! - [`ReplyParser`] turns those bytes into replies again, for clients and tests.
//!
//! Parsers never trust an announced length: memory grows only with bytes that arrived. Where the
//! real server is lax (a CR and any byte end a line, any two bytes follow a bulk), so are they.
//! Where it refuses, the error has its words; see [`ProtocolError`].
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
pub(crate) mod inline;
mod parse;
mod request;

pub use byte_server::ByteServer;
pub use encode::encode;
pub(crate) use encode::encode_into;
pub use parse::{MalformedReply, ReplyParser};
pub use request::{ProtocolError, Request, RequestParser};
