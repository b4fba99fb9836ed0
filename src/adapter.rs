//! Adapters: production code, unmodified, on the stand-ins.
//!
//! Each module adapts one client library, runtime or transport to a world or to a server of this
//! crate. An adapter is thin: it moves bytes and time, and interprets neither. So the real client
//! library speaks its real protocol with a machine that answers as the real server does. The one
//! exception are lapin's heartbeats, which would read the real clock: two numbers of its handshake
//! are changed on their way (`lapin/tuning.rs`).
//! Each is a feature of its own; none is in the default build.

#[cfg(feature = "lapin")]
pub mod lapin;
#[cfg(feature = "loopback")]
pub mod loopback;
#[cfg(feature = "redis-rs")]
pub mod redis_rs;
#[cfg(feature = "redis-rs-2")]
pub mod redis_rs_2;
#[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
mod redis_rs_io;
#[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
mod stand_in;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(any(feature = "redis-rs", feature = "redis-rs-2", feature = "tokio"))]
mod tokio_time;
#[cfg(feature = "tracing")]
pub mod tracing;
#[cfg(feature = "turmoil")]
pub mod turmoil;
