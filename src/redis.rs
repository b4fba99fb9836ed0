//! Redis, as a value: a server that opens no socket and reads no clock.
//!
//! The model is Redis 7.0.15, down to error texts.

mod glob;
mod long_double;
mod number;
mod reply;
pub mod resp;
mod sds;
pub mod value;

pub use reply::{ErrorReply, Protocol, Reply};
pub use sds::Sds;
