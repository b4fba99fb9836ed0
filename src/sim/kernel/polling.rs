//! Polling: whether a task is being polled, and whether its process has died meanwhile.
//!
//! Only a plan of faults strikes a process dead in the middle of a poll, so a world without one has
//! no state of this kind.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// The state of the poll in progress, once there is a plan of faults. The world and its core share
/// it, so that a look at it needs no lock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Polling(OnceLock<Arc<AtomicU8>>);

const OFF: u8 = 0;
const ON: u8 = 1;
/// A task is being polled, and its process was struck dead.
const DEAD: u8 = 2;

impl Polling {
    /// Begins to look at polls, and returns the other one that shares the state.
    pub(crate) fn share(&self) -> Polling {
        self.0.get_or_init(Arc::default);
        self.clone()
    }

    #[inline]
    fn is(&self, state: u8) -> bool {
        self.0.get().is_some_and(|now| now.load(Relaxed) == state)
    }

    fn set(&self, state: u8) {
        if let Some(now) = self.0.get() {
            now.store(state, Relaxed);
        }
    }

    #[inline]
    pub(crate) fn begin(&self) {
        self.set(ON);
    }

    /// Returns whether the process was struck dead during the poll.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        let was_dead = self.is(DEAD);
        self.set(OFF);
        was_dead
    }

    /// Strikes the process dead whose task is being polled. Returns whether there is one.
    pub(crate) fn strike_dead(&self) -> bool {
        let is_polled = self.is(ON) || self.is(DEAD);
        if is_polled {
            self.set(DEAD);
        }
        is_polled
    }

    #[inline]
    pub(crate) fn is_struck_dead(&self) -> bool {
        self.is(DEAD)
    }
}
