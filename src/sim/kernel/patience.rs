//! Patience: detecting a run without an end.
//!
//! A world that takes very many steps without time passing is in a loop. A world in which only
//! daemons still run would keep [`Sim::run`](crate::sim::Sim::run) going forever. Both are reported
//! with the task that ran last, long before the limit of steps is reached; see
//! [`Config::with_patience`](crate::sim::Config::with_patience).

use crate::sim::outcome::Endless;

/// Counts steps that may lead nowhere.
///
/// Each count is the difference between the number of steps and a mark, so that a step counts only
/// once. Nothing can have run out before the step `check_at`.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: u64,
    steps: u64,
    /// The step at which time last passed.
    time_passed: u64,
    /// The last step that was not a poll, or at which time passed.
    event: u64,
    /// The step since which no non-daemon node is alive, if none is.
    idle_since: u64,
    /// The number of such nodes that are alive.
    awaited: usize,
    check_at: u64,
}

impl Patience {
    pub(crate) fn new(limit: u64) -> Patience {
        Patience {
            limit: limit.max(10),
            steps: 0,
            time_passed: 0,
            event: 0,
            idle_since: 0,
            awaited: 0,
            check_at: 0,
        }
    }

    /// Counts a poll.
    pub(crate) fn count_poll(&mut self) {
        self.steps += 1;
    }

    /// Counts anything that is not a poll.
    pub(crate) fn count_event(&mut self) {
        self.steps += 1;
        self.event = self.steps;
    }

    pub(crate) fn time_passes(&mut self) {
        self.time_passed = self.steps;
        self.event = self.steps;
    }

    /// A non-daemon node has become alive, or has ended.
    pub(crate) fn count_awaited(&mut self, alive: bool) {
        self.awaited = if alive { self.awaited + 1 } else { self.awaited - 1 };
        self.idle_since = self.steps;
        self.check_at = self.steps;
    }

    /// Returns whether a non-daemon node is alive.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited > 0
    }

    /// Returns why the run seems to have no end, if it does. `until_rest` says that the run goes on
    /// for as long as anything happens. The counts restart, so a caller that runs on has the same
    /// number of steps again.
    pub(crate) fn run_out(&mut self, until_rest: bool) -> Option<Endless> {
        if self.must_check() { self.check(until_rest) } else { None }
    }

    /// Returns whether anything can have run out.
    pub(crate) fn must_check(&self) -> bool {
        self.steps >= self.check_at
    }

    #[cold]
    fn check(&mut self, until_rest: bool) -> Option<Endless> {
        let still = self.steps - self.time_passed;
        let polls = self.steps - self.event;
        let idle = if self.is_awaited() { 0 } else { self.steps - self.idle_since };
        let endless = if still >= self.limit || polls >= self.limit / 10 {
            Endless::NoTimePasses { steps: still }
        } else if idle >= self.limit && until_rest {
            Endless::OnlyDaemons { steps: idle }
        } else {
            let soonest = (self.limit - still).min(self.limit / 10 - polls);
            // With only daemons left for so long, what the caller waits for decides at each step.
            let soonest = match idle {
                idle if idle < self.limit => soonest.min(self.limit - idle),
                _ => 1,
            };
            self.check_at = self.steps + soonest;
            return None;
        };
        self.time_passes();
        self.idle_since = self.steps;
        self.check_at = self.steps;
        Some(endless)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Choices, Site};

    /// The counts as they are defined, one by one.
    #[derive(Default)]
    struct Plain {
        still: u64,
        polls: u64,
        idle: u64,
        awaited: usize,
    }

    #[test]
    fn patience_runs_out_at_the_step_at_which_a_plain_count_does() {
        let mut choices = Choices::seeded(1);
        let mut draw = |n| choices.choose(Site::new("test"), 0, n);
        for _ in 0..200 {
            let limit = 10 + draw(90);
            let (mut patience, mut plain) = (Patience::new(limit), Plain::default());
            let rare = 1 + draw(200);
            for _ in 0..2_000 {
                match draw(4 * rare) {
                    0 => {
                        let alive = plain.awaited == 0 || draw(2) == 0;
                        patience.count_awaited(alive);
                        plain.awaited = if alive { plain.awaited + 1 } else { plain.awaited - 1 };
                        plain.idle = 0;
                    }
                    1 => {
                        patience.time_passes();
                        (plain.still, plain.polls) = (0, 0);
                    }
                    n => {
                        let is_poll = n % 4 != 2;
                        if is_poll {
                            patience.count_poll();
                        } else {
                            patience.count_event();
                        };
                        plain.still += 1;
                        plain.polls = if is_poll { plain.polls + 1 } else { 0 };
                        plain.idle += u64::from(plain.awaited == 0);
                    }
                }
                let until_rest = draw(2) == 0;
                let is_still = plain.still >= limit || plain.polls >= limit / 10;
                let expected = match is_still {
                    true => Some(Endless::NoTimePasses { steps: plain.still }),
                    false if plain.idle >= limit && until_rest => {
                        Some(Endless::OnlyDaemons { steps: plain.idle })
                    }
                    false => None,
                };
                assert_eq!(patience.run_out(until_rest), expected);
                if expected.is_some() {
                    plain = Plain { awaited: plain.awaited, ..Plain::default() };
                }
            }
        }
    }
}
