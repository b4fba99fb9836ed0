//! AMQP 0-9-1 at the level of bytes: conversations with a `wire::ByteServer`.
//!
//! The tables hold what RabbitMQ 3.10.8 sent and when it hung up. To verify them, they can be
//! played to a real server, whose address is in `STUNT_DOUBLE_REAL_RABBITMQ`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bytes;
mod codec;
mod fuzz;
mod messages;
mod play;
mod shared;
mod table_channel;
mod table_closing;
mod table_connection;
mod table_handshake;
