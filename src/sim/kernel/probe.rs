//! Probes: what the core knows of the guests that are alive.
//!
//! The guests themselves belong to the executor; see `guest.rs`.

use crate::sim::kernel::id::NodeId;
use std::time::Duration;

/// The least time between two timers of a guest.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Asks whether a guest has work.
pub(crate) type Probe = Box<dyn Fn() -> bool + Send>;

#[derive(Default)]
pub(crate) struct Probes {
    pub(crate) list: Vec<(NodeId, Probe)>,
    /// Whether no guest has a timer, since none has run after they were asked.
    pub(crate) are_quiet: bool,
    /// The steps of several guests.
    ticks: u32,
}

/// How many small steps count as a step of the run.
const TICKS: u32 = 1024;

impl Probes {
    /// Counts a small step of several guests. Returns whether it is to be counted as a step.
    pub(crate) fn count_tick(&mut self) -> bool {
        self.ticks = self.ticks.wrapping_add(1);
        self.ticks.is_multiple_of(TICKS)
    }
}
