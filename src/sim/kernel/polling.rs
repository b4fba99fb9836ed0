//! Polling: whether a task is being polled, and whether its process has died meanwhile.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The state of the poll in progress. The world and its core share it, so that a look at it needs
/// no lock.
#[derive(Debug, Default)]
pub(crate) struct Polling(AtomicU8);

const OFF: u8 = 0;
const ON: u8 = 1;
/// A task is being polled, and its process was struck dead.
const DEAD: u8 = 2;

impl Polling {
    pub(crate) fn begin(&self) {
        self.0.store(ON, Relaxed);
    }

    /// Returns whether the process was struck dead during the poll.
    pub(crate) fn end(&self) -> bool {
        let was = self.0.load(Relaxed);
        self.0.store(OFF, Relaxed);
        was == DEAD
    }

    #[cfg(feature = "lapin")]
    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Relaxed) != OFF
    }

    /// Strikes the process dead whose task is being polled. Returns whether there is one.
    pub(crate) fn strike_dead(&self) -> bool {
        let is_on = self.0.load(Relaxed) != OFF;
        if is_on {
            self.0.store(DEAD, Relaxed);
        }
        is_on
    }

    #[inline]
    pub(crate) fn is_struck_dead(&self) -> bool {
        self.0.load(Relaxed) == DEAD
    }
}
