//! AMQP 0-9-1 as RabbitMQ speaks it: bytes in and bytes out, no socket.
//!
//! A [`ByteServer`] is a [`Broker`](crate::rabbitmq::broker::Broker) with a session for each
//! connection. Whoever has the bytes (a socket, a simulated stream, a test)
//! hands them in and sends what comes out.
//!
//! ```text
//!  bytes ─▶ session ─▶ decode ─▶ Broker ─▶ encode ─▶ bytes
//!           (frames,   (methods,           (events,
//!            contents)  tables)             contents)
//! ```
//!
//! What breaks the protocol is answered as the server answers it, in its words,
//! and that includes where it says nothing: during the handshake most faults
//! make it wait three seconds and hang up, and a method that does not exist or
//! a table that cannot be read makes it hang up at once, because the process
//! that reads the socket crashes over it.
//!
//! Lengths that are announced are not trusted: memory grows with bytes that
//! came, up to a frame for each connection and, as on the server, 128 MiB for
//! each content that is not complete.
//!
//! What differs from the real server, knowingly:
//!
//! - of AMQP 0-8 there are the methods that are also in 0-9-1: of its classes
//!   `file`, `stream`, `dtx` and `tunnel`, which the server reads and does not do,
//!   no method exists;
//! - names, keys and properties are text here: an octet that is no UTF-8 is a
//!   private character, U+10FF80 to U+10FFFF, and an octet again when it is sent;
//! - a value nested deeper than 64 levels is carried along, but nobody looks into
//!   it ([`FieldValue::Nested`](crate::rabbitmq::FieldValue::Nested));
//! - of a connection that an alarm blocks it reads on, and what it reads waits in
//!   the broker;
//! - `basic.credit`, which clients of AMQP 0-9-1 do not use, is refused.
//!
//! Source: AMQP 0-9-1, sections 2.2, 2.3 and 4.2; every text, number and delay
//! observed on RabbitMQ 3.10.8.

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
