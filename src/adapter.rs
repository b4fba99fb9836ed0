//! Adapters: production code, unmodified, on the stand-ins.
//!
//! Each module adapts one client library, runtime or transport to a world or to a server of this
//! crate. An adapter is thin: it moves bytes and time, and never interprets them. So the real
//! client library speaks its real protocol with a machine that answers as the real server does.
//! Each is a feature of its own; none is in the default build.

#[cfg(feature = "lapin")]
pub mod lapin;
