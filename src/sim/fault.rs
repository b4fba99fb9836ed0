//! Actions of the test on the world: at a moment, or once something is so.
//!
//! An action is a closure over handles ([`Node`](super::Node),
//! [`Link`](super::Link), [`ServiceHandle`](super::ServiceHandle)): it kills,
//! partitions, restarts, or looks. Those for a moment are events like any
//! other; conditions are looked at after every step, in the order they were
//! given, and each acts once.

use super::Sim;
use super::event::Target;
use crate::time::Instant;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

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

impl Sim {
    /// Does `action` at a moment of the world's time; at once, but not before
    /// the run goes on, if that is past.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stunt_double::{Instant, sim::Sim};
    ///
    /// let mut sim = Sim::new(1);
    /// let worker = sim.daemon("worker", async |node| {
    ///     node.sleep(Duration::MAX).await;
    /// });
    /// let victim = worker.clone();
    /// sim.at(Instant::ZERO + Duration::from_millis(500), move || victim.kill());
    /// sim.run().expect_done();
    /// assert!(!worker.is_alive());
    /// assert_eq!(sim.now().to_string(), "0.5s");
    /// ```
    pub fn at(&mut self, at: Instant, action: impl FnOnce() + 'static) {
        self.actions.scheduled.push(Some(Box::new(action)));
        let number = self.actions.scheduled.len() - 1;
        let number = u32::try_from(number).expect("fewer than 2^32 actions");
        let now = self.now();
        self.world.lock().agenda.push(now, at, 0, Target::Action(number));
    }

    /// Does `action` in `delay` from now.
    pub fn after(&mut self, delay: Duration, action: impl FnOnce() + 'static) {
        self.at(self.now() + delay, action);
    }

    /// Does `action` once `condition` holds. It is looked at after every step
    /// of the world, so let it be cheap.
    pub fn when(
        &mut self,
        condition: impl FnMut() -> bool + 'static,
        action: impl FnOnce() + 'static,
    ) {
        self.actions.conditional.push((Box::new(condition), Box::new(action)));
        self.actions.unseen = true;
    }
}
