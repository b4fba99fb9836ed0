//! The waits between attempts to connect.
//!
//! Lapin waits before it connects again. It waits twice: within a round of attempts by a sleep of
//! its runtime, and between two rounds by blocking its thread. Here it is told to wait for no time,
//! as often as its properties allow, and the world waits in its place, in virtual time. A random
//! share of a wait (jitter) comes from the world's seed.

use super::line::Line;
use super::shared::Attempt;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use lapin::ConnectionProperties;
use std::cell::Cell;
use std::time::Duration;

/// More attempts than this count as attempts without end.
const ENDLESS: usize = 10_000;

pub(super) struct Backoff {
    builder: ExponentialBuilder,
    /// How long it waits between rounds, since lapin was last connected.
    rounds: ExponentialBackoff,
    /// How long it waits between the attempts of a round.
    attempts: ExponentialBackoff,
    /// Whether the next round is the first one, which waits for nothing.
    is_first: bool,
}

impl Backoff {
    /// Takes the waits out of the properties.
    pub(super) fn take(
        line: &impl Line,
        properties: ConnectionProperties,
    ) -> (Backoff, ConnectionProperties) {
        let wanted = Cell::new(ExponentialBuilder::new());
        let properties = properties.configure_backoff(|builder| {
            let mut times = builder.build().take(ENDLESS).count();
            let mut builder = builder;
            if times > 0 {
                builder = builder.with_jitter_seed(line.jitter_seed());
                times = builder.build().take(ENDLESS).count();
            }
            wanted.set(builder);
            let none = ExponentialBuilder::new()
                .with_min_delay(Duration::ZERO)
                .with_max_delay(Duration::ZERO);
            if times < ENDLESS { none.with_max_times(times) } else { none.without_max_times() }
        });
        let builder = wanted.get();
        let (rounds, attempts) = (builder.build(), builder.build());
        (Backoff { builder, rounds, attempts, is_first: true }, properties)
    }

    /// Returns how long to wait before this attempt. `was_connected` is whether lapin was connected
    /// since the last one.
    pub(super) fn wait(&mut self, attempt: Attempt, was_connected: bool) -> Duration {
        if was_connected {
            self.rounds = self.builder.build();
        }
        let wait = match attempt {
            Attempt::Again => self.attempts.next(),
            Attempt::First => {
                self.attempts = self.builder.build();
                let is_first = std::mem::take(&mut self.is_first);
                if is_first { None } else { self.rounds.next() }
            }
        };
        wait.unwrap_or_default()
    }
}
