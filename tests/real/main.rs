//! Ours against the real `redis-server` and RabbitMQ, where `STUNT_DOUBLE_REAL` asks for it and
//! they are on the `PATH`; else each test says that it was skipped, and why.
//!
//! It has to be asked for, since a real server on a busy machine is slow, and some of what it does
//! is then luck; the gate always asks.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod played;

mod both;
mod clients;
mod commands;
mod config;
mod debug;
mod differential;
mod durability;
mod grammar;
mod info;
mod open;
mod protocol;
mod rabbitmq;
mod server;
mod texts;
mod traps;

/// The environment variable that asks for a comparison with the real servers.
const WANTED: &str = "STUNT_DOUBLE_REAL";

/// Fails, saying how to ask, unless the comparison is asked for.
fn wanted() -> Result<(), String> {
    match std::env::var(WANTED).as_deref() {
        Ok("" | "0") | Err(_) => {
            Err(format!("nothing is compared with the real servers unless {WANTED}=1 asks for it"))
        }
        Ok(_) => Ok(()),
    }
}
