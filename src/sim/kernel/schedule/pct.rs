//! Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010).
//!
//! Every task has a random priority, and the highest runs. At `depth - 1` random moments the
//! candidate that would run falls below all others. Only moments with a real choice, among two or
//! more, count: the others cannot matter, and would only dilute the probability. A due event is a
//! candidate like a task.

use super::{Moment, Propose, number};
use crate::choice::{Choices, Site};
use crate::sim::kernel::id::TaskId;
use std::cmp::Reverse;
use std::collections::BTreeMap;

const PRIORITY: Site = Site::new("schedule.pct.priority");
const CHANGE: Site = Site::new("schedule.pct.change");

#[derive(Debug)]
pub(super) struct Pct {
    priorities: BTreeMap<u64, u64>,
    /// The moments at which a candidate is lowered, and its new priority.
    changes: BTreeMap<u64, u64>,
    /// Initial priorities lie above every lowered one.
    base: u64,
    /// The number of moments so far.
    moments: u64,
}

impl Pct {
    pub(super) fn new(depth: u32, moments: u64, choices: &mut Choices) -> Pct {
        let base = u64::from(depth.max(1));
        let moments = moments.max(1);
        let changes = (1..base).map(|i| (1 + choices.draw(CHANGE, i, moments), base - i)).collect();
        Pct { priorities: BTreeMap::new(), changes, base, moments: 0 }
    }
}

impl Propose for Pct {
    fn propose(&mut self, moment: &Moment<'_>, choices: &mut Choices) -> usize {
        self.moments += 1;
        let base = self.base;
        for candidate in moment.candidates().map(number) {
            let draw = || base + choices.draw(PRIORITY, candidate, 1 << 32);
            self.priorities.entry(candidate).or_insert_with(draw);
        }
        let lowered = self.changes.remove(&self.moments);
        let highest = |priorities: &BTreeMap<u64, u64>| {
            let priorities = moment.candidates().map(|next| priorities[&number(next)]);
            let places = priorities.enumerate().map(|(place, high)| (high, Reverse(place)));
            let (_, Reverse(place)) = places.max().expect("there are at least two candidates");
            place
        };
        let first = highest(&self.priorities);
        let Some(lowered) = lowered else { return first };
        let falls = moment.candidates().nth(first).expect("it is one of them");
        self.priorities.insert(number(falls), lowered);
        highest(&self.priorities)
    }

    fn forget(&mut self, task: TaskId) {
        self.priorities.remove(&task.number());
    }
}
