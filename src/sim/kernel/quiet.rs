//! Quiet panics: a sweep reports one failure instead of printing every panic.
//!
//! While at least one sweep runs, the panic hook of the process stores a panic of a sweep's thread,
//! with its place, instead of printing it. Panics of other threads go to the previous hook. When
//! the last sweep ends, the previous hook is restored.
//!
//! The stored panic is the only thread-local of this crate. No world reads it.

use crate::sim::explore::replay;
use crate::time::Instant;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, PoisonError};

type Hook = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The number of running sweeps, and the hook that was installed before the first of them.
static SWEEPS: Mutex<(usize, Option<Hook>)> = Mutex::new((0, None));

/// The record that a thread of a sweep keeps of its current seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The place of the last panic.
    pub(crate) place: Option<String>,
    /// The time of the world that was dropped during the panic.
    pub(crate) at: Option<Instant>,
    /// How the run ended that the scenario did not accept.
    pub(crate) end: Option<String>,
}

thread_local! {
    /// Set on the threads of sweeps.
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// While one exists, panics of threads that [`listen`] are not printed.
#[derive(Debug)]
pub(crate) struct Quiet(());

impl Quiet {
    pub(crate) fn begin() -> Quiet {
        let mut sweeps = SWEEPS.lock().unwrap_or_else(PoisonError::into_inner);
        if sweeps.0 == 0 {
            let before: Hook = Arc::from(std::panic::take_hook());
            sweeps.1 = Some(Arc::clone(&before));
            std::panic::set_hook(Box::new(move |info| {
                if !note(info) {
                    before(info);
                }
            }));
        }
        sweeps.0 += 1;
        Quiet(())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let mut sweeps = SWEEPS.lock().unwrap_or_else(PoisonError::into_inner);
        sweeps.0 -= 1;
        // A panicking thread cannot change the hook. The hook then stays installed, which is
        // harmless: it is silent only for threads of sweeps.
        if sweeps.0 == 0
            && !std::thread::panicking()
            && let Some(before) = sweeps.1.take()
        {
            std::panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}

/// Stores where a thread of a sweep panicked. Returns whether this is such a thread.
fn note(info: &PanicHookInfo<'_>) -> bool {
    SEEN.with_borrow_mut(|seen| {
        let Some(seen) = seen else { return false };
        seen.place = info.location().map(ToString::to_string);
        true
    })
}

/// Stores how a run ended, if this is a thread of a sweep, which the scenario does not accept.
pub(crate) fn note_end(end: impl FnOnce() -> String) {
    SEEN.with_borrow_mut(|seen| {
        if let Some(seen) = seen {
            seen.end = Some(end());
        }
    });
}

/// Marks this thread as one of a sweep.
pub(crate) fn listen() {
    SEEN.set(Some(Seen::default()));
}

/// Removes and returns what this thread has seen.
pub(crate) fn take() -> Seen {
    SEEN.with_borrow_mut(|seen| seen.as_mut().map(std::mem::take).unwrap_or_default())
}

/// Prints the seed and the time of a world that is dropped because its test panics. A sweep prints
/// them itself.
pub(crate) fn world_dropped(seed: u64, at: Instant) {
    if !std::thread::panicking() {
        return;
    }
    let in_sweep = SEEN.with_borrow_mut(|seen| {
        let Some(seen) = seen else { return false };
        seen.at = Some(at);
        true
    });
    if !in_sweep {
        #[expect(clippy::print_stderr, reason = "beside the panic's own message, for its reader")]
        {
            eprintln!(
                "the test failed with its world of seed {seed} at {at}\n  replay with: {}",
                replay::command(seed)
            );
        }
    }
}
