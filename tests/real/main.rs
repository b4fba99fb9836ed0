//! Ours against the real `redis-server`, where there is one on the `PATH`; else
//! each test says that it was skipped, and why.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod both;
mod clients;
mod commands;
mod differential;
mod durability;
mod grammar;
mod open;
mod protocol;
mod server;
mod texts;
mod traps;
