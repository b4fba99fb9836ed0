//! Patience: detecting a run without an end.
//!
//! A world that takes very many steps without time passing is in a loop. A world in which only
//! daemons still run would keep [`Sim::run`](crate::sim::Sim::run) going forever. Both are reported
//! with the task that ran last, long before the limit of steps is reached; see
//! [`Config::with_patience`](crate::sim::Config::with_patience).

use crate::sim::outcome::Endless;

/// Counts steps that may lead nowhere.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: u64,
    /// Steps since time last passed.
    still: u64,
    /// Polls among them since anything else ran.
    polls: u64,
    /// Steps since a non-daemon node was alive.
    idle: u64,
    /// The number of such nodes that are alive.
    awaited: usize,
}

impl Patience {
    pub(crate) fn new(limit: u64) -> Patience {
        Patience { limit: limit.max(10), still: 0, polls: 0, idle: 0, awaited: 0 }
    }

    /// Counts a poll.
    pub(crate) fn count_poll(&mut self) {
        self.still += 1;
        self.polls += 1;
        self.idle += u64::from(self.awaited == 0);
    }

    /// Counts anything that is not a poll.
    pub(crate) fn count_event(&mut self) {
        self.still += 1;
        self.polls = 0;
        self.idle += u64::from(self.awaited == 0);
    }

    pub(crate) fn time_passes(&mut self) {
        self.still = 0;
        self.polls = 0;
    }

    /// A non-daemon node has become alive, or has ended.
    pub(crate) fn count_awaited(&mut self, alive: bool) {
        self.awaited = if alive { self.awaited + 1 } else { self.awaited - 1 };
        self.idle = 0;
    }

    /// Returns whether a non-daemon node is alive.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited > 0
    }

    /// Returns why the run seems to have no end, if it does. `until_rest` says that the run goes on
    /// for as long as anything happens. The counts restart, so a caller that runs on has the same
    /// number of steps again.
    pub(crate) fn run_out(&mut self, until_rest: bool) -> Option<Endless> {
        let endless = if self.still >= self.limit || self.polls >= self.limit / 10 {
            Endless::NoTimePasses { steps: self.still }
        } else if self.idle >= self.limit && until_rest {
            Endless::OnlyDaemons { steps: self.idle }
        } else {
            return None;
        };
        self.time_passes();
        self.idle = 0;
        Some(endless)
    }
}
