//! Our servers compared with the real `redis-server` and RabbitMQ, if `STUNT_DOUBLE_REAL` requests
//! it and they are on the `PATH`. Otherwise each test prints that it was skipped, and why.
//!
//! It has to be requested, because a real server is slow on a busy machine, and some of its
//! behaviour then depends on luck. CI always requests it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod played;

mod app;
mod both;
mod clients;
mod commands;
mod config;
mod debug;
mod differential;
mod dump;
mod durability;
mod eviction;
mod families;
mod files;
mod geo;
mod grammar;
mod hash_fields;
mod hyperloglog;
mod info;
mod later;
mod open;
mod producers;
mod protocol;
mod rabbitmq;
#[cfg(feature = "lua")]
mod recorded;
mod replication;
mod server;
mod texts;
mod traps;

/// The environment variable that requests the comparison with the real servers.
const WANTED: &str = "STUNT_DOUBLE_REAL";

/// Returns an error that says how to request the comparison, unless it is requested.
fn wanted() -> Result<(), String> {
    match std::env::var(WANTED).as_deref() {
        Ok("" | "0") | Err(_) => {
            Err(format!("nothing is compared with the real servers unless {WANTED}=1 asks for it"))
        }
        Ok(_) => Ok(()),
    }
}
