//! Quiet panics: a sweep's worlds fail without each printing its panic.
//!
//! While at least one sweep runs, the process's panic hook is one that keeps a panic of a
//! sweep's thread, with its place, instead of printing it; those of other threads go to the hook
//! that was there before. When the last sweep ends, that one is put back. So a sweep tells only of
//! the failure that it reports.
//!
//! What a thread keeps is the only thread-local of this crate. No world sees it.

use crate::sim::explore::replay;
use crate::time::Instant;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, PoisonError};

type Hook = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// How many sweeps run, and the hook that was there before the first of them.
static SWEEPS: Mutex<(usize, Option<Hook>)> = Mutex::new((0, None));

/// What a thread of a sweep has seen of the seed it runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Where it panicked last.
    pub(crate) place: Option<String>,
    /// The time of the world that was dropped while it did.
    pub(crate) at: Option<Instant>,
}

thread_local! {
    /// Set on the threads of sweeps.
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// As long as one lives, panics of threads that [`listen`] are not printed.
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
        // A hook cannot be changed by a thread that panics; then it stays, which is harmless:
        // it is silent only for threads of sweeps.
        if sweeps.0 == 0
            && !std::thread::panicking()
            && let Some(before) = sweeps.1.take()
        {
            std::panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}

/// Keeps where a thread of a sweep panicked; returns whether it is one.
fn note(info: &PanicHookInfo<'_>) -> bool {
    SEEN.with_borrow_mut(|seen| {
        let Some(seen) = seen else { return false };
        seen.place = info.location().map(ToString::to_string);
        true
    })
}

/// From now on this thread runs seeds of a sweep.
pub(crate) fn listen() {
    SEEN.set(Some(Seen::default()));
}

/// What this thread has seen since the last call.
pub(crate) fn take() -> Seen {
    SEEN.with_borrow_mut(|seen| seen.as_mut().map(std::mem::take).unwrap_or_default())
}

/// A world is dropped. If that is because its test panics, the reader needs its seed and its
/// time; a sweep tells them itself.
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
