//! The parts of the adapters for redis-rs that no version of it matters to: the socket, the task
//! that drives a connection, and the question whose clock a time-out would read.
//!
//! The invariant: a connection's driver lives and dies as on a real network. It runs as a task of
//! its node, so a kill ends it silently, and it ends when the last handle of its connection is
//! dropped, whatever is still outstanding.
//!
//! Start with `socket`. `driver` runs the future that redis-rs hands out. `pump` runs one that
//! redis-rs insists on spawning itself. `config` guards against the real clock, together with the
//! parent's `tokio_time`.

pub(super) mod config;
pub(super) mod driver;
pub(super) mod pump;
pub(super) mod socket;
