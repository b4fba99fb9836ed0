//! The baton: which of two threads runs, the world's or lapin's.
//!
//! Exactly one of them holds it, and the other waits. So the two never run at the same time, and a
//! run depends on neither the scheduler nor the number of cores. The world's thread has it first.
//! Once lapin's thread has ended, the world's thread keeps it.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

const WORLD: u8 = 0;
const THREAD: u8 = 1;
const WORLD_ALONE: u8 = 2;

/// How often a thread looks for the baton before it goes to sleep. The other thread mostly needs it
/// for some microseconds, which is less than what waking a thread takes.
const LOOKS: u32 = 2_000;

/// The real time between two looks at whether the world's thread is stuck, and the number of them
/// that must agree. No run that ends by itself depends on either.
const TICK: Duration = Duration::from_secs(1);
const PATIENCE: u32 = 5;

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

    /// Lapin's thread lets the world's thread run, and waits until it has the baton again; see
    /// [`Baton::wait`].
    pub(super) fn give_back(&self, progress: impl Fn() -> Option<u64>) -> bool {
        self.pass(WORLD);
        self.wait(progress)
    }

    /// Lapin's thread waits until it has the baton, also for the first time.
    ///
    /// `progress` is asked again and again while it waits for long. If it gives the same number
    /// each time, the world's thread is stuck: then this returns false.
    pub(super) fn wait(&self, progress: impl Fn() -> Option<u64>) -> bool {
        let mut last = None;
        let mut ticks = 0;
        self.wait_while_or(WORLD, || {
            let now = progress();
            ticks = if now.is_some() && now == last { ticks + 1 } else { 0 };
            last = now;
            ticks >= PATIENCE
        })
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
        self.wait_while_or(other, || false);
    }

    /// Waits while the other thread has it, or until `give_up` says so, which is asked once in a
    /// while. Returns whether it was passed.
    fn wait_while_or(&self, other: u8, mut give_up: impl FnMut() -> bool) -> bool {
        for _ in 0..LOOKS {
            if self.holder.load(SeqCst) != other {
                return true;
            }
            std::hint::spin_loop();
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, SeqCst);
        let mut was_passed = true;
        while self.holder.load(SeqCst) == other && was_passed {
            let waited = self.passed.wait_timeout(guard, TICK);
            let (again, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            guard = again;
            was_passed = !(timeout.timed_out() && give_up());
        }
        self.sleepers.fetch_sub(1, SeqCst);
        was_passed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]

    use super::Baton;
    use std::sync::Arc;

    #[test]
    fn a_thread_that_begins_after_the_baton_was_lent_keeps_it() {
        let baton = Arc::<Baton>::default();
        let world = {
            let baton = Arc::clone(&baton);
            std::thread::spawn(move || baton.lend())
        };
        while !baton.is_lent() {
            std::thread::yield_now();
        }
        assert!(baton.wait(|| None));
        assert!(baton.is_lent(), "the world would wait in vain for what it had lent");
        baton.give_up();
        assert!(!world.join().unwrap());
    }
}
