//! The schedule: the choice of the next ready task, with one queue per [`Strategy`].
//!
//! Every strategy is first in, first out where its choices are calm, so a tape of zeros is the FIFO
//! schedule.

use crate::choice::{Choices, Place, Site};
use crate::sim::config::Strategy;
use crate::sim::kernel::id::TaskId;
use std::collections::{BTreeMap, VecDeque};

const READY: Site = Site::new("schedule.ready");
const PRIORITY: Site = Site::new("schedule.pct.priority");
const CHANGE: Site = Site::new("schedule.pct.change");

/// The next thing to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Task(TaskId),
    /// The next event, before any ready task.
    Event,
}

/// The tasks that are ready.
#[derive(Debug)]
pub(crate) enum ReadyQueue {
    Fifo(VecDeque<TaskId>),
    Random(VecDeque<TaskId>, Place),
    Pct(Box<Pct>),
}

impl ReadyQueue {
    pub(crate) fn new(strategy: Strategy, choices: &mut Choices) -> ReadyQueue {
        match strategy {
            Strategy::Fifo => ReadyQueue::Fifo(VecDeque::new()),
            Strategy::Random => ReadyQueue::Random(VecDeque::new(), Place::default()),
            Strategy::Pct { depth, steps } => {
                ReadyQueue::Pct(Box::new(Pct::new(depth, steps, choices)))
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            ReadyQueue::Fifo(queue) | ReadyQueue::Random(queue, _) => queue.is_empty(),
            ReadyQueue::Pct(pct) => pct.ready.is_empty(),
        }
    }

    /// Returns the ready tasks, in no particular order.
    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = TaskId> + '_> {
        match self {
            ReadyQueue::Fifo(queue) | ReadyQueue::Random(queue, _) => {
                Box::new(queue.iter().copied())
            }
            ReadyQueue::Pct(pct) => {
                Box::new(pct.ready.values().map(|task| TaskId::numbered(*task)))
            }
        }
    }

    pub(crate) fn push(&mut self, task: TaskId, choices: &mut Choices) {
        match self {
            ReadyQueue::Fifo(queue) | ReadyQueue::Random(queue, _) => queue.push_back(task),
            ReadyQueue::Pct(pct) => pct.push(task, choices),
        }
    }

    /// Returns what runs next, or `None` if no task is ready. `event_due` says whether an event of
    /// the present instant may be chosen instead.
    pub(crate) fn pop(&mut self, choices: &mut Choices, event_due: bool) -> Option<Next> {
        match self {
            ReadyQueue::Fifo(queue) => queue.pop_front().map(Next::Task),
            ReadyQueue::Random(queue, place) => {
                if queue.is_empty() {
                    return None;
                }
                let n = queue.len() as u64 + u64::from(event_due);
                let chosen = choices.choose_at(place, READY, 0, n) as usize;
                match queue.swap_remove_front(chosen) {
                    Some(task) => Some(Next::Task(task)),
                    None => Some(Next::Event),
                }
            }
            ReadyQueue::Pct(pct) => pct.pop().map(Next::Task),
        }
    }
}

/// A schedule of probabilistic concurrency testing. Higher priorities run first, equal ones in the
/// order in which they became ready.
#[derive(Debug)]
pub(crate) struct Pct {
    /// The numbers of tasks by inverted priority and sequence: the first is the next to run.
    ready: BTreeMap<(u64, u64), u64>,
    priorities: BTreeMap<u64, u64>,
    /// The polls at which the running task is lowered, and its new priority.
    changes: BTreeMap<u64, u64>,
    /// Initial priorities lie above every lowered one.
    base: u64,
    polls: u64,
    sequence: u64,
}

impl Pct {
    fn new(depth: u32, steps: u64, choices: &mut Choices) -> Pct {
        let base = u64::from(depth.max(1));
        let changes = (1..base)
            .map(|i| (choices.choose(CHANGE, i, steps.saturating_add(1)), base - i))
            .filter(|(at, _)| *at > 0)
            .collect();
        Pct {
            ready: BTreeMap::new(),
            priorities: BTreeMap::new(),
            changes,
            base,
            polls: 0,
            sequence: 0,
        }
    }

    fn push(&mut self, task: TaskId, choices: &mut Choices) {
        let priority = *self
            .priorities
            .entry(task.number())
            .or_insert_with(|| self.base + choices.choose(PRIORITY, task.number(), 1 << 32));
        self.sequence += 1;
        self.ready.insert((u64::MAX - priority, self.sequence), task.number());
    }

    fn pop(&mut self) -> Option<TaskId> {
        loop {
            let ((_, sequence), task) = self.ready.pop_first()?;
            // A task without a priority has ended while it was ready.
            let Some(priority) = self.priorities.get_mut(&task) else { continue };
            let Some(lowered) = self.changes.remove(&(self.polls + 1)) else {
                self.polls += 1;
                return Some(TaskId::numbered(task));
            };
            *priority = lowered;
            self.ready.insert((u64::MAX - lowered, sequence), task);
        }
    }

    /// Forgets a task that ended.
    pub(crate) fn forget(&mut self, task: TaskId) {
        self.priorities.remove(&task.number());
    }
}
