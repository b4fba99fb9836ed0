//! Heartbeats of a client, which considers the broker dead after two heartbeat intervals without
//! traffic.
//!
//! Source: <https://www.rabbitmq.com/docs/heartbeats>.

use crate::Instant;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Heartbeats {
    /// How long the broker may be silent.
    patience: Duration,
    last_heard: Instant,
    /// The next check. Set when the first traffic arrives, and moved only when it is due.
    next_look: Option<Instant>,
}

impl Heartbeats {
    /// Heartbeats with a timeout in seconds; `None` for 0.
    pub(super) fn new(timeout: u16) -> Option<Heartbeats> {
        let patience = Duration::from_secs(2 * u64::from(timeout));
        let heartbeats = Heartbeats { patience, last_heard: Instant::ZERO, next_look: None };
        (timeout > 0).then_some(heartbeats)
    }

    /// Notes that something has arrived.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.next_look.get_or_insert(now.saturating_add(self.patience));
    }

    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// Returns whether the broker was silent for too long. If not, sets the next check.
    pub(super) fn is_missed(&mut self, now: Instant) -> bool {
        let due = self.last_heard.saturating_add(self.patience);
        self.next_look = (due > now).then_some(due);
        self.next_look.is_none()
    }
}
