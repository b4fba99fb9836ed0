//! The schedule: the choice of the next ready task, or of a due event before any.
//!
//! Ready tasks stand in one queue, in the order in which they became ready. The calm choice is its
//! front, so a tape of zeros is the FIFO schedule under any [`Strategy`]. A strategy only proposes:
//! what is recorded is which of the ready tasks ran, at the site `schedule.ready`. So a tape of any
//! strategy reads the same, and each of its choices can be made calm by itself.

mod pct;
mod pos;
mod surw;

use crate::choice::{Choices, Place, Site};
use crate::sim::config::{Learned, Strategy};
use crate::sim::kernel::id::TaskId;
use crate::sim::kernel::task::Tasks;
use pct::Pct;
use pos::Pos;
use std::collections::VecDeque;
use surw::Surw;

pub(crate) const READY: Site = Site::new("schedule.ready");

/// The next thing to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Task(TaskId),
    /// The next event, before any ready task.
    Event,
}

/// A strategy that knows more than the present moment.
trait Propose: Send {
    /// Returns which of the ready tasks should run: its place in the queue, or the queue's length
    /// for a due event. There are at least two candidates.
    fn propose(&mut self, moment: &Moment<'_>, choices: &mut Choices) -> usize;

    /// Learns what runs next, at every step.
    fn runs(&mut self, next: Next) {
        let _ = next;
    }

    /// Forgets a task that ended.
    fn forget(&mut self, task: TaskId) {
        let _ = task;
    }
}

/// What can run now.
struct Moment<'a> {
    ready: &'a VecDeque<TaskId>,
    event_due: bool,
    tasks: &'a Tasks,
}

impl Moment<'_> {
    /// Returns the candidates, in calm order.
    fn candidates(&self) -> impl Iterator<Item = Next> {
        let tasks = self.ready.iter().map(|task| Next::Task(*task));
        tasks.chain(self.event_due.then_some(Next::Event))
    }
}

/// The number under which a strategy knows a candidate.
fn number(next: Next) -> u64 {
    match next {
        Next::Task(task) => task.number(),
        Next::Event => u64::MAX,
    }
}

enum Policy {
    Fifo,
    Random,
    Proposed(Box<dyn Propose>),
}

/// The tasks that are ready.
pub(crate) struct ReadyQueue {
    queue: VecDeque<TaskId>,
    policy: Policy,
    place: Place,
}

impl ReadyQueue {
    pub(crate) fn new(
        strategy: Strategy,
        learned: Option<&Learned>,
        choices: &mut Choices,
    ) -> ReadyQueue {
        let policy = match strategy {
            Strategy::Fifo => Policy::Fifo,
            Strategy::Random => Policy::Random,
            Strategy::Pct { depth, moments } => {
                let learned = learned.map(|learned| learned.moments);
                let moments = moments.or(learned).unwrap_or(1_000);
                Policy::Proposed(Box::new(Pct::new(depth, moments, choices)))
            }
            Strategy::Pos => Policy::Proposed(Box::new(Pos::default())),
            Strategy::Surw => Policy::Proposed(Box::new(Surw::new(learned))),
        };
        ReadyQueue { queue: VecDeque::with_capacity(4), policy, place: Place::default() }
    }

    /// Returns whether it is first in, first out, whatever the choices.
    pub(crate) fn is_fifo(&self) -> bool {
        matches!(self.policy, Policy::Fifo)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns the ready tasks, the calm choice first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = TaskId> {
        self.queue.iter().copied()
    }

    pub(crate) fn push(&mut self, task: TaskId) {
        self.queue.push_back(task);
    }

    /// Returns what runs next, or `None` if no task is ready. `event_due` says whether an event of
    /// the present instant may be chosen instead.
    #[inline]
    pub(crate) fn pop(
        &mut self,
        choices: &mut Choices,
        event_due: bool,
        tasks: &Tasks,
    ) -> Option<Next> {
        if self.is_fifo() || self.queue.is_empty() {
            return self.queue.pop_front().map(Next::Task);
        }
        Some(self.choose(choices, event_due, tasks))
    }

    #[inline(never)]
    fn choose(&mut self, choices: &mut Choices, event_due: bool, tasks: &Tasks) -> Next {
        match &mut self.policy {
            Policy::Fifo => self.queue.pop_front().map_or(Next::Event, Next::Task),
            Policy::Random => {
                let n = self.queue.len() as u64 + u64::from(event_due);
                let chosen = choices.choose_at(&mut self.place, READY, 0, n) as usize;
                self.queue.swap_remove_front(chosen).map_or(Next::Event, Next::Task)
            }
            Policy::Proposed(strategy) => {
                let moment = Moment { ready: &self.queue, event_due, tasks };
                let n = self.queue.len() as u64 + u64::from(event_due);
                let chosen = choices.decide(&mut self.place, READY, 0, n, |choices| {
                    strategy.propose(&moment, choices) as u64
                });
                let next = self.queue.remove(chosen as usize).map_or(Next::Event, Next::Task);
                strategy.runs(next);
                next
            }
        }
    }

    /// Forgets a task that ended.
    pub(crate) fn forget(&mut self, task: TaskId) {
        if let Policy::Proposed(strategy) = &mut self.policy {
            strategy.forget(task);
        }
    }
}
