//! The order of the house: rules about the source itself, which no compiler checks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod behaviours;
mod circles;
mod prose;
mod source;
#[cfg(all(feature = "rabbitmq", feature = "redis"))]
mod versions;
