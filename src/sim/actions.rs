//! The test's actions that have not yet happened.
//!
//! Those for a moment are kept by a number that their event carries; those for
//! a condition in the order they were given. Each is taken once.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

type Condition = Box<dyn FnMut() -> bool>;
type Action = Box<dyn FnOnce()>;

/// The actions that have not yet happened.
#[derive(Default)]
pub(super) struct Actions {
    scheduled: Vec<Option<Action>>,
    conditional: Vec<(Condition, Action)>,
    /// Whether there are conditions that were never looked at.
    unseen: bool,
}

impl Actions {
    /// Keeps an action for its moment; its number until then.
    pub(super) fn schedule(&mut self, action: Action) -> u32 {
        self.scheduled.push(Some(action));
        u32::try_from(self.scheduled.len() - 1).expect("fewer than 2^32 actions")
    }

    /// Keeps an action until its condition holds.
    pub(super) fn when(&mut self, condition: Condition, action: Action) {
        self.conditional.push((condition, action));
        self.unseen = true;
    }

    /// Takes the action whose moment has come.
    pub(super) fn take(&mut self, action: u32) -> Option<Action> {
        self.scheduled[action as usize].take()
    }

    pub(super) fn has_conditions(&self) -> bool {
        !self.conditional.is_empty()
    }

    pub(super) fn has_unseen_conditions(&self) -> bool {
        self.unseen
    }

    /// The actions whose conditions hold now. In the place of one whose
    /// condition panics comes that panic.
    pub(super) fn fulfilled(&mut self) -> Vec<Action> {
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
