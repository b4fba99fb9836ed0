//! A client's watch over the broker, which it takes for dead when it has heard nothing
//! of it for two heartbeats.
//!
//! Source: <https://www.rabbitmq.com/docs/heartbeats>.

use crate::Instant;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Heartbeats {
    /// For so long it may be silent.
    patience: Duration,
    last_heard: Instant,
    /// Set once anything was heard; then it is not moved until its time has come.
    next_look: Option<Instant>,
}

impl Heartbeats {
    /// With a timeout in seconds; 0 is none.
    pub(super) fn new(timeout: u16) -> Option<Heartbeats> {
        let patience = Duration::from_secs(2 * u64::from(timeout));
        let heartbeats = Heartbeats { patience, last_heard: Instant::ZERO, next_look: None };
        (timeout > 0).then_some(heartbeats)
    }

    /// Something has arrived, whatever it is.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.next_look.get_or_insert(now.saturating_add(self.patience));
    }

    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// Whether nothing was heard for too long; if not, when to look again.
    pub(super) fn is_missed(&mut self, now: Instant) -> bool {
        let due = self.last_heard.saturating_add(self.patience);
        self.next_look = (due > now).then_some(due);
        self.next_look.is_none()
    }
}
