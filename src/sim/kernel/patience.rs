//! Patience: telling a run that goes on from one that has no end.
//!
//! A world that takes very many steps without time passing is in a loop; one in which only daemons
//! still run would let [`Sim::run`](crate::sim::Sim::run) go on for as long as they do. Both are told
//! with the task that ran last, long before the budget of steps is used up. See
//! [`Config::with_patience`](crate::sim::Config::with_patience).

use crate::sim::outcome::Endless;

/// The steps that may have come to nothing.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: u64,
    /// Since time passed.
    still: u64,
    /// Of these, the polls since anything but a task ran.
    polls: u64,
    /// Since a node was alive that is no daemon.
    idle: u64,
    /// How many such nodes are alive.
    awaited: usize,
}

impl Patience {
    pub(crate) fn new(limit: u64) -> Patience {
        Patience { limit: limit.max(10), still: 0, polls: 0, idle: 0, awaited: 0 }
    }

    /// A task is polled.
    pub(crate) fn count_poll(&mut self) {
        self.still += 1;
        self.polls += 1;
        self.idle += u64::from(self.awaited == 0);
    }

    /// Anything else happens.
    pub(crate) fn count_event(&mut self) {
        self.still += 1;
        self.polls = 0;
        self.idle += u64::from(self.awaited == 0);
    }

    pub(crate) fn time_passes(&mut self) {
        self.still = 0;
        self.polls = 0;
    }

    /// A node that is no daemon has become alive, or is so no more.
    pub(crate) fn count_awaited(&mut self, alive: bool) {
        self.awaited = if alive { self.awaited + 1 } else { self.awaited - 1 };
        self.idle = 0;
    }

    /// Why the run seems to have no end, if it does. `until_rest` says that it goes on for as
    /// long as anything happens. Whoever runs it on after that has as many steps again.
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
