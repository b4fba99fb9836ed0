//! Partial order sampling (Yuan et al., CAV 2018).
//!
//! Every pending step has a random priority, and the highest runs. After a step, the pending steps
//! that race with it are drawn anew, so that each order of racing steps is about as likely as any
//! other. Tasks of one node share memory, so their steps race. Nodes meet only in messages, whose
//! order the latencies decide.

use super::{Moment, Next, Propose, number};
use crate::choice::{Choices, Site};
use crate::sim::kernel::id::TaskId;
use std::cmp::Reverse;
use std::collections::BTreeMap;

const PRIORITY: Site = Site::new("schedule.pos.priority");

#[derive(Debug, Default)]
pub(super) struct Pos {
    priorities: BTreeMap<u64, u64>,
}

impl Propose for Pos {
    fn propose(&mut self, moment: &Moment<'_>, choices: &mut Choices) -> usize {
        let mut best = None;
        for (place, next) in moment.candidates().enumerate() {
            let draw = || choices.draw(PRIORITY, 0, u64::MAX);
            let priority = *self.priorities.entry(number(next)).or_insert_with(draw);
            best = best.max(Some((priority, Reverse(place))));
        }
        let (_, Reverse(place)) = best.expect("there are at least two candidates");
        let runs = moment.candidates().nth(place).expect("it is one of them");
        if let Next::Task(task) = runs {
            let node = moment.tasks.node_of(task);
            for other in moment.ready.iter().filter(|other| moment.tasks.node_of(**other) == node) {
                self.priorities.remove(&other.number());
            }
        }
        place
    }

    fn runs(&mut self, next: Next) {
        self.priorities.remove(&number(next));
    }

    fn forget(&mut self, task: TaskId) {
        self.priorities.remove(&task.number());
    }
}
