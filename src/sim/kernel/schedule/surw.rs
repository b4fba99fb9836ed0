//! Selectively uniform random walk (Zhao et al., ASPLOS 2025).
//!
//! A random walk that picks each ready task with equal probability favours the orders in which
//! short tasks end early. If each is picked in proportion to the steps that it still has to take,
//! every interleaving is equally likely. How many steps a task takes is learned from a first run; a
//! task that was not seen then, and one that takes more steps, counts as having one step left.

use super::{Moment, Next, Propose, number};
use crate::choice::{Choices, Site};
use crate::sim::config::Learned;
use std::collections::BTreeMap;

const WALK: Site = Site::new("schedule.surw.walk");

#[derive(Debug)]
pub(super) struct Surw {
    /// The steps that each task still has to take.
    left: BTreeMap<u64, u64>,
}

impl Surw {
    pub(super) fn new(learned: Option<&Learned>) -> Surw {
        Surw { left: learned.map(|learned| learned.polls.clone()).unwrap_or_default() }
    }

    fn weight(&self, next: Next) -> u64 {
        self.left.get(&number(next)).copied().unwrap_or_default().max(1)
    }
}

impl Propose for Surw {
    fn propose(&mut self, moment: &Moment<'_>, choices: &mut Choices) -> usize {
        let total: u64 = moment.candidates().map(|next| self.weight(next)).sum();
        let mut drawn = choices.draw(WALK, 0, total);
        for (place, next) in moment.candidates().enumerate() {
            let weight = self.weight(next);
            if drawn < weight {
                return place;
            }
            drawn -= weight;
        }
        0
    }

    fn runs(&mut self, next: Next) {
        if let Some(left) = self.left.get_mut(&number(next)) {
            *left = left.saturating_sub(1);
        }
    }
}
