//! Deterministic, in-process stand-ins for RabbitMQ and Redis.

pub mod choice;
pub mod rabbitmq;
pub mod time;

pub use choice::{Choice, Choices, ParseTapeError, Site, Stream, Tape};
pub use time::{Instant, WORLD_EPOCH};
