//! How much a sweep does to explain a failure, and how that is divided.
//!
//! It is counted in runs of the scenario, and those in steps of the world, because no clock may
//! decide what is found.

/// How much a sweep does to explain a failure, in runs of the scenario. No clock decides anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effort {
    /// The runs that may be spent on making the failing run calm. 2,000 by default.
    pub shrink: u64,
    /// The moments of the run at which the risk is asked. 64 by default.
    pub moments: usize,
    /// The fresh seeds with which it is asked at each. 32 by default.
    pub seeds: u64,
    /// The steps of worlds that all of this may take, within a few runs. A run that takes many is
    /// repeated less often, and not at all if it could not be repeated eight times. 4,000,000 by
    /// default: about two seconds in a release build on two cores, and ten times that in a debug
    /// build. In a world with a tokio node or a client library of others, a step counts as ten.
    pub steps: u64,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { shrink: 2_000, moments: 64, seeds: 32, steps: 4_000_000 }
    }
}

impl Effort {
    /// Returns no effort: the failure is told as it was found.
    #[must_use]
    pub fn none() -> Effort {
        Effort { shrink: 0, moments: 0, seeds: 0, steps: 0 }
    }

    /// Sets the runs that may be spent on making the failing run calm.
    #[must_use]
    pub fn with_shrink(mut self, runs: u64) -> Effort {
        self.shrink = runs;
        if self.steps == 0 {
            self.steps = Effort::default().steps;
        }
        self
    }

    /// Sets how the risk is asked: at this many moments, with this many fresh seeds at each.
    #[must_use]
    pub fn with_risk(mut self, moments: usize, seeds: u64) -> Effort {
        (self.moments, self.seeds) = (moments, seeds);
        self
    }

    /// Sets the steps of worlds that all of this may take.
    #[must_use]
    pub fn with_steps(mut self, steps: u64) -> Effort {
        self.steps = steps;
        self
    }

    /// Returns whether a failing run of this many steps is short enough to be explained.
    pub(super) fn suffices(self, steps: u64) -> bool {
        self.shrink > 0 && self.steps / steps.max(1) >= 8
    }

    /// Returns what may be spent on making a failing run calm: runs, and their steps.
    pub(super) fn on_shrinking(self) -> (u64, u64) {
        (self.shrink, self.steps / 2)
    }

    /// Returns what may be spent on asking about a calm run of this many steps. That may be far
    /// more than the run that was found first had, or far less.
    pub(super) fn on_asking(self, steps: u64) -> Budget {
        let runs = (self.steps / 2 / steps.max(SHORT)).max(1);
        let seeds = self.seeds.min((runs / 16).clamp(2, MOST_SEEDS));
        Budget { runs, seeds, moments: self.moments }
    }
}

/// The steps of a run that is not worth counting exactly.
const SHORT: u64 = 250;

/// The most fresh seeds at one moment.
const MOST_SEEDS: u64 = 100_000;

/// Returns how many steps a run may take that repeats a failing one of this many with other
/// choices. It may go another way, and then it may never end.
pub(super) fn most_steps(failing: u64) -> u64 {
    failing.saturating_mul(4).saturating_add(50_000)
}

/// How many runs may be spent on asking about a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) runs: u64,
    pub(super) seeds: u64,
    pub(super) moments: usize,
}
