//! redis-rs on the stand-in, in both of its major versions: the same tests, compiled twice.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::duplicate_mod, reason = "the files are compiled for either major version")]

#[cfg(feature = "redis-rs")]
mod version_1;
#[cfg(feature = "redis-rs-2")]
mod version_2;
