//! Everything that it takes to write a service of one's own, and a client for it.
//!
//! Start with [`Service`], the contract of a machine, and [`Session`], the client's side of a
//! connection. A client library holds a [`Connection`]. A machine that also serves clients of its
//! wire protocol implements [`ByteService`].
//!
//! The invariant: a machine and a session are values that know no world. They are given the
//! time with every call, and name the waiters to wake instead of waking them.

pub(crate) mod bytes;
pub(super) mod contract;
pub(super) mod hangup;

pub use super::kernel::task::Wait;
pub use super::net::connection::Connection;
pub use super::net::path::Keepalive;
pub use bytes::{ByteOutput, ByteService};
pub use contract::{Service, Session, Waiter, Wakes};
pub use hangup::{Disconnected, Hangup};
