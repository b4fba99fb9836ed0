//! The baton: which of two threads runs, the world's or lapin's.
//!
//! Exactly one of them holds it, and the other waits. So the two never run at the same time, and a
//! run depends on neither the scheduler nor the number of cores. The world's thread has it first.
//! Once lapin's thread has ended, the world's thread keeps it.
//!
//! Either of them may run code of the caller that blocks it. Then the other one waits for minutes,
//! and says so. A run depends on this wait only if it would never end without it.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

const WORLD: u8 = 0;
const THREAD: u8 = 1;
const WORLD_ALONE: u8 = 2;

/// How often a thread looks for the baton before it goes to sleep. The other thread mostly needs it
/// for some microseconds, which is less than what waking a thread takes.
const LOOKS: u32 = 2_000;

/// The real time between two looks at whether the other thread is stuck.
const TICK: Duration = Duration::from_secs(1);

/// How many looks in a row must find it stuck. No code of a test runs for five minutes in one poll
/// and then goes on; a debugger may.
const PATIENCE: u32 = 300;

/// Sets another number of looks: a test of the sentence cannot wait for minutes, and whoever sits
/// in a debugger may want to wait for longer.
const PATIENCE_VARIABLE: &str = "STUNT_DOUBLE_LAPIN_PATIENCE";

fn patience() -> u32 {
    let wanted = std::env::var(PATIENCE_VARIABLE).ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(PATIENCE)
}

/// The fate of the baton after the world's thread had lent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lent {
    Back,
    /// Lapin's thread has ended.
    Ended,
    /// Lapin's thread is stuck in code of the caller. The world's thread goes on without it.
    Stuck,
}

#[derive(Debug, Default)]
pub(super) struct Baton {
    holder: AtomicU8,
    /// How many threads sleep until it is passed.
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    passed: Condvar,
}

impl Baton {
    /// The world's thread lets lapin's thread run, and waits until it has the baton back.
    pub(super) fn lend(&self) -> Lent {
        if self.holder.load(SeqCst) == WORLD_ALONE {
            return Lent::Ended;
        }
        self.pass(THREAD);
        let mut ticks = 0;
        let came_back = self.wait_while_or(THREAD, || {
            ticks += 1;
            ticks >= patience()
        });
        if !came_back && self.holder.compare_exchange(THREAD, WORLD_ALONE, SeqCst, SeqCst).is_ok() {
            return Lent::Stuck;
        }
        if self.holder.load(SeqCst) == WORLD { Lent::Back } else { Lent::Ended }
    }

    /// Lapin's thread lets the world's thread run. It must have the baton.
    pub(super) fn give_back(&self) {
        // If the world's thread has given it up, it stays given up.
        if self.holder.compare_exchange(THREAD, WORLD, SeqCst, SeqCst).is_ok() {
            self.wake_sleepers();
        }
    }

    /// Lapin's thread waits until it has the baton. When the thread begins, the baton may be on its
    /// way already.
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
            ticks >= patience()
        })
    }

    /// Lapin's thread ends.
    pub(super) fn give_up(&self) {
        self.pass(WORLD_ALONE);
    }

    /// Returns whether the world's thread has it for ever.
    pub(super) fn is_given_up(&self) -> bool {
        self.holder.load(SeqCst) == WORLD_ALONE
    }

    /// Returns whether lapin's thread has it.
    pub(super) fn is_lent(&self) -> bool {
        self.holder.load(SeqCst) == THREAD
    }

    fn pass(&self, to: u8) {
        self.holder.store(to, SeqCst);
        self.wake_sleepers();
    }

    fn wake_sleepers(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            // A sleeper has either seen the new holder, or is asleep once the lock is free.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.passed.notify_all();
        }
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
