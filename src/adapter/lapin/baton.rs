//! The baton: which of two threads runs, the world's or lapin's.
//!
//! Exactly one of them holds it, and the other waits. So the two never run at the same time, and a
//! run depends on neither the scheduler nor the number of cores. The world's thread has it first.
//! Once lapin's thread has ended, the world's thread keeps it.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};

const WORLD: u8 = 0;
const THREAD: u8 = 1;
const WORLD_ALONE: u8 = 2;

/// How often a thread looks for the baton before it goes to sleep. The other thread mostly needs it
/// for some microseconds, which is less than what waking a thread takes.
const LOOKS: u32 = 2000;

#[derive(Debug, Default)]
pub(super) struct Baton {
    holder: AtomicU8,
    /// How many threads sleep until it is passed.
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    passed: Condvar,
}

impl Baton {
    /// The world's thread lets lapin's thread run, and waits until it has the baton back. Returns
    /// whether lapin's thread still exists.
    pub(super) fn lend(&self) -> bool {
        if self.holder.load(SeqCst) == WORLD_ALONE {
            return false;
        }
        self.pass(THREAD);
        self.wait_while(THREAD);
        self.holder.load(SeqCst) == WORLD
    }

    /// Lapin's thread lets the world's thread run, and waits until it has the baton again. Also its
    /// first call, when it does not have the baton yet.
    pub(super) fn give_back(&self) {
        if self.is_lent() {
            self.pass(WORLD);
        }
        self.wait_while(WORLD);
    }

    /// Lapin's thread ends.
    pub(super) fn give_up(&self) {
        self.pass(WORLD_ALONE);
    }

    /// Returns whether lapin's thread has it.
    pub(super) fn is_lent(&self) -> bool {
        self.holder.load(SeqCst) == THREAD
    }

    fn pass(&self, to: u8) {
        self.holder.store(to, SeqCst);
        if self.sleepers.load(SeqCst) > 0 {
            // A sleeper has either seen the new holder, or is asleep once the lock is free.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.passed.notify_all();
        }
    }

    fn wait_while(&self, other: u8) {
        for _ in 0..LOOKS {
            if self.holder.load(SeqCst) != other {
                return;
            }
            std::hint::spin_loop();
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, SeqCst);
        while self.holder.load(SeqCst) == other {
            guard = self.passed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }
}
