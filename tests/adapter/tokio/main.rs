//! Tokio on nodes of a world, through the public API.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod beside;
mod clock;
mod faults;
#[cfg(feature = "lapin")]
mod lapin;
mod several;
