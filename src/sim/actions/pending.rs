//! The test's actions that have not happened yet.
//!
//! An action for a moment lies in a slot, and its event carries the slot's number. The event cannot
//! be cancelled, so the slot becomes free when the event comes: there are never more slots than
//! actions that were pending at once. Actions for a condition are kept in the order in which they
//! were added. Each action is taken once.

use super::checks::{Checks, Verdict};
use crate::time::Instant;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

type Condition = Box<dyn FnMut() -> bool>;
type Action = Box<dyn FnOnce()>;

/// The actions that have not happened yet.
#[derive(Default)]
pub(crate) struct Actions {
    scheduled: Vec<Option<Action>>,
    free: Vec<u32>,
    conditional: Vec<(Condition, Action)>,
    /// Whether some condition was never checked.
    unseen: bool,
    checks: Checks,
}

impl Actions {
    /// Stores an action until its moment, and returns its slot.
    pub(crate) fn schedule(&mut self, action: Action) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.scheduled[slot as usize] = Some(action);
            return slot;
        }
        self.scheduled.push(Some(action));
        u32::try_from(self.scheduled.len() - 1).expect("fewer than 2^32 actions pend at once")
    }

    /// Stores an action until its condition holds.
    pub(crate) fn when(&mut self, condition: Condition, action: Action) {
        self.conditional.push((condition, action));
        self.unseen = true;
    }

    /// Takes the action whose moment has come.
    pub(crate) fn take(&mut self, slot: u32) -> Option<Action> {
        let action = self.scheduled[slot as usize].take()?;
        self.free.push(slot);
        Some(action)
    }

    /// Adds a check of the run: by this time or, without one, always.
    pub(crate) fn check<V: Verdict>(
        &mut self,
        name: &str,
        within: Option<Instant>,
        check: impl FnMut() -> V + 'static,
    ) {
        self.checks.add(name, within, check);
        self.unseen = true;
    }

    /// Makes every check, and returns what is wrong.
    pub(crate) fn objections(&mut self, now: Instant) -> Vec<String> {
        self.checks.make(now)
    }

    /// Returns what can no longer come to hold, because nothing is left to happen.
    pub(crate) fn hopeless(&mut self) -> Vec<String> {
        self.checks.give_up()
    }

    /// Returns whether something is to be asked after every step.
    pub(crate) fn has_conditions(&self) -> bool {
        !self.conditional.is_empty() || !self.checks.is_empty()
    }

    pub(crate) fn has_unseen_conditions(&self) -> bool {
        self.unseen
    }

    /// Returns the actions whose conditions hold now. A condition that panics is replaced by an
    /// action that resumes the panic.
    pub(crate) fn fulfilled(&mut self) -> Vec<Action> {
        self.unseen = false;
        let mut actions: Vec<Action> = Vec::new();
        let mut i = 0;
        while i < self.conditional.len() {
            match catch_unwind(AssertUnwindSafe(&mut self.conditional[i].0)) {
                Ok(false) => i += 1,
                Ok(true) => actions.push(self.conditional.remove(i).1),
                Err(panic) => {
                    drop(self.conditional.remove(i));
                    actions.push(Box::new(|| resume_unwind(panic)));
                }
            }
        }
        actions
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actions")
            .field("scheduled", &self.scheduled.iter().flatten().count())
            .field("conditional", &self.conditional.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_bounded_by_the_actions_pending_at_once() {
        let mut actions = Actions::default();
        let mut pending = vec![actions.schedule(Box::new(|| {}))];
        for _ in 0..1_000 {
            pending.push(actions.schedule(Box::new(|| {})));
            assert!(actions.take(pending.remove(0)).is_some());
        }
        assert_eq!(actions.scheduled.len(), 2);
        assert!(actions.take(pending[0]).is_some());
        assert!(actions.take(pending[0]).is_none(), "each is taken once");
        assert_eq!(actions.free.len(), 2);
    }
}
