//! Holds: what the strikes of a plan hold now.
//!
//! A strike that lasts holds a *subject* (`subject.rs`). Several strikes may hold one subject. Each
//! lets go of its own hold only, and the subject is free once the last has let go. Then the test's
//! own state is in force again, which is kept beside the plan's where it is needed (`path.rs`,
//! `network.rs`, `clock.rs`, `process.rs`).
//!
//! A hold is *stale* once its subject has got away: a node that the test itself has started again,
//! or a service. A stale hold does nothing. So nothing is started that has ended by itself.
//!
//! Holds outlive a plan: a node that was asked to stop starts again when it has ended, even if the
//! plan has ended before.

use super::fault::{Fault, What};
use super::subject::Subject;
use std::rc::Rc;

/// The hold of one strike on its subject.
struct Hold {
    strike: u64,
    subject: Subject,
    /// The life that the subject's process had.
    life: u64,
    fault: Rc<Fault>,
}

impl Hold {
    /// Returns whether its subject has got away.
    fn is_stale(&self) -> bool {
        match &self.subject {
            Subject::Service(service) => service.is_running(),
            subject => subject.life() != self.life,
        }
    }

    /// Returns whether the end of its plan does not end it.
    fn outlives_the_plan(&self) -> bool {
        match self.fault.what() {
            What::KillForGood { .. } => true,
            What::Terminate { node } => node.is_alive() && !self.is_stale(),
            _ => false,
        }
    }
}

/// The holds of all strikes of a world.
#[derive(Default)]
pub(super) struct Holds {
    /// In the order of the strikes.
    list: Vec<Hold>,
    strikes: u64,
}

impl Holds {
    /// Lets a fault strike. Returns the number of the strike if it holds something.
    pub(super) fn strike(&mut self, fault: &Rc<Fault>) -> Option<u64> {
        let Some(subject) = fault.what().subject() else {
            fault.what().strike_once();
            return None;
        };
        self.forget_stale(&subject);
        let is_held = self.last(&subject).is_some();
        if !fault.what().strike(is_held) {
            return None;
        }
        self.strikes += 1;
        let life = subject.life();
        self.list.push(Hold { strike: self.strikes, subject, life, fault: Rc::clone(fault) });
        Some(self.strikes)
    }

    /// A strike is over. Does nothing if it holds nothing any more.
    pub(super) fn let_go(&mut self, strike: u64) {
        let Some(at) = self.list.iter().position(|hold| hold.strike == strike) else { return };
        let hold = self.list.remove(at);
        self.forget_stale(&hold.subject);
        match self.last(&hold.subject) {
            Some(other) => other.fault.what().goes_on(),
            None if hold.is_stale() => {}
            None => hold.subject.free(),
        }
    }

    /// A plan has ended: every strike lets go, except what was struck for good.
    pub(super) fn end(&mut self) {
        let over = self.list.iter().filter(|hold| !hold.outlives_the_plan());
        let over: Vec<u64> = over.map(|hold| hold.strike).collect();
        over.into_iter().for_each(|strike| self.let_go(strike));
    }

    /// Returns the last hold on a subject.
    fn last(&self, subject: &Subject) -> Option<&Hold> {
        self.list.iter().rev().find(|hold| hold.subject.key() == subject.key())
    }

    fn forget_stale(&mut self, subject: &Subject) {
        self.list.retain(|hold| hold.subject.key() != subject.key() || !hold.is_stale());
    }
}
