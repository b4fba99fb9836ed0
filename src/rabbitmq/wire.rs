//! AMQP 0-9-1 as RabbitMQ speaks it: bytes in and bytes out, no socket.
//!
//! A [`ByteServer`] is a [`Broker`](crate::rabbitmq::broker::Broker) with a session for each
//! connection. A socket, a simulated connection or a test passes in the bytes that arrive and sends
//! the bytes that come out.
//!
//! ```text
//!  bytes ─▶ session ─▶ decode ─▶ Broker ─▶ encode ─▶ bytes
//!           (frames,   (methods,           (events,
//!            contents)  tables)             contents)
//! ```
//!
//! A violation of the protocol gets the server's own answer: the same text, or none. During the
//! handshake most faults make it wait three seconds and hang up. A method that does not exist or a
//! table that cannot be read makes it hang up at once, because the process that reads the socket
//! crashes over it.
//!
//! Announced lengths are not trusted: memory grows with the bytes that arrive, up to one frame for
//! each connection and, as on the server, 128 MiB for each incomplete content.
//!
//! Start with `byte_server` (drives the sessions), then `session` (one connection) and `handshake`.
//! `decode` and `encode` are methods as bytes, on top of `reader`, `writer`, `table`, `properties`
//! and `text`; `fault` and `erlang` are the server's error texts.
//!
//! Known differences from the real server:
//!
//! - Of AMQP 0-8, only methods that are also in 0-9-1 exist. The server decodes those of the
//!   classes `file`, `stream`, `dtx` and `tunnel` too, and then refuses them.
//! - Names, keys and properties are text here: an octet that is not UTF-8 is kept as a private
//!   character, U+10FF80 to U+10FFFF, and is an octet again when it is sent.
//! - A value nested deeper than 64 levels is passed on without being decoded
//!   ([`FieldValue::Nested`](crate::rabbitmq::FieldValue::Nested)).
//! - Bytes from a connection that an alarm blocks are still read, and wait in the broker.
//! - `basic.credit`, which clients of AMQP 0-9-1 do not use, is refused.
//!
//! Source: AMQP 0-9-1, sections 2.2, 2.3 and 4.2; every text, number and delay observed on RabbitMQ
//! 3.10.8.

mod byte_server;
mod content;
mod decode;
mod dialect;
mod encode;
mod erlang;
mod fault;
mod foreign;
mod handshake;
mod login;
mod malformed;
#[cfg(test)]
mod oracle;
mod properties;
mod reader;
mod session;
mod start;
mod table;
mod text;
mod writer;

pub use byte_server::ByteServer;
pub(in crate::rabbitmq) use text::octets;
