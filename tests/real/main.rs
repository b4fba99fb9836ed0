//! Ours against the real `redis-server` and RabbitMQ, where they are on the `PATH`;
//! else each test says that it was skipped, and why.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/amqp/mod.rs"]
mod amqp;
#[path = "../support/ours.rs"]
mod ours;
#[path = "../support/scenario.rs"]
mod scenario;

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
