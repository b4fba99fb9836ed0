//! Events: what happens at a moment of the world's time, and when.
//!
//! Events are ordered by `(time, tie, sequence)`: events of one instant by their tie (a choice; 0
//! is calm), then by insertion. No two are equal.

use crate::sim::kernel::timer::{TimerKey, Timers};
use std::cmp::Ordering;

/// The effect of an event when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A timer of a task or a service fires.
    Timer(TimerKey),
    /// The front item of a connection's wire arrives, at the service (`up`) or at the node.
    Arrival { service: u32, connection: u32, up: bool },
    /// A scheduled action of the test runs.
    Action(u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// The time, in nanoseconds.
    pub(crate) at: u64,
    /// The tie in the upper 16 bits, the sequence in the lower 48.
    pub(crate) order: u64,
    pub(crate) target: Target,
}

impl Event {
    fn key(&self) -> (u64, u64) {
        (self.at, self.order)
    }

    /// Returns whether it is that of a timer which was cancelled.
    pub(crate) fn is_dead(&self, timers: &Timers) -> bool {
        matches!(self.target, Target::Timer(key) if !timers.is_set(key))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Event) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Event) -> Ordering {
        self.key().cmp(&other.key())
    }
}
