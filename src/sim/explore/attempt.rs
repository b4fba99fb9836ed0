//! One run of a scenario, and many of them on all cores.
//!
//! An attempt makes a world, runs the scenario, looks at the world and drops it. It knows how the
//! scenario failed, if it did. Attempts are independent, so they run on as many threads as there
//! are; what is returned never depends on the threads.

use super::failure::Failure;
use crate::sim::Sim;
use crate::sim::config::Config;
use crate::sim::kernel::quiet::{self, Seen};
use crate::sim::outcome::panic_message;
use crate::sim::report::Report;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

/// Runs the scenario once in a world with these settings. `look` sees the world when the scenario
/// has ended.
pub(super) fn attempt<R: Report, T>(
    config: Config,
    scenario: &impl Fn(&mut Sim) -> R,
    look: impl FnOnce(&Sim) -> T,
) -> (Option<Failure>, T) {
    let seed = config.seed;
    let mut sim = Sim::with_config(config);
    let ended = catch_unwind(AssertUnwindSafe(|| scenario(&mut sim).failure()));
    // Whatever this thread saw concerns the scenario: panics inside the world were caught earlier.
    let seen = quiet::take();
    let (now, of) = (sim.now(), (seed, sim.cost()));
    let looked = look(&sim);
    // The world's tasks may panic while they are dropped.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(sim)));
    let at_drop = quiet::take();
    let failure = match (ended, dropped) {
        (Ok(Some(message)), _) => {
            let seen = Seen { end: seen.end, ..Seen::default() };
            Some(Failure::new(of, &message, seen))
        }
        (Err(panic), _) => {
            let seen = Seen { at: seen.at.or(Some(now)), ..seen };
            Some(Failure::new(of, &panic_message(&*panic), seen))
        }
        (Ok(None), Err(panic)) => Some(Failure::new(of, &panic_message(&*panic), at_drop)),
        (Ok(None), Ok(())) => None,
    };
    (failure, looked)
}

/// Runs `work` on this many threads of a sweep. Panics of the worlds on them are not printed.
pub(super) fn on_threads(threads: usize, work: impl Fn() + Sync) {
    let current = std::thread::current();
    let name = current.name().unwrap_or("main");
    std::thread::scope(|scope| {
        for _ in 0..threads {
            // The message of a panic and the replay command both use the thread's name.
            let thread = std::thread::Builder::new().name(name.to_owned());
            let work = || {
                quiet::listen();
                work();
            };
            thread.spawn_scoped(scope, work).expect("the system can start a thread");
        }
    });
}

/// Returns the smallest number below `count` of which `holds` is true. It may be asked about
/// numbers beyond that.
pub(super) fn first(
    threads: usize,
    count: usize,
    holds: impl Fn(usize) -> bool + Sync,
) -> Option<usize> {
    if threads <= 1 || count <= 1 {
        return (0..count).find(|number| holds(*number));
    }
    let (next, found) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    on_threads(threads.min(count), || {
        loop {
            let number = next.fetch_add(1, SeqCst);
            if number >= count || number > found.load(SeqCst) {
                return;
            }
            if holds(number) {
                found.fetch_min(number, SeqCst);
            }
        }
    });
    Some(found.into_inner()).filter(|number| *number < count)
}

/// Returns `make` of every number below `count`, in order.
pub(super) fn all<T: Send>(
    threads: usize,
    count: usize,
    make: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    if threads <= 1 || count <= 1 {
        return (0..count).map(make).collect();
    }
    let next = AtomicUsize::new(0);
    let made: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    on_threads(threads.min(count), || {
        loop {
            let number = next.fetch_add(1, SeqCst);
            let Some(place) = made.get(number) else { return };
            let value = make(number);
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        }
    });
    let made = made
        .into_iter()
        .filter_map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner));
    made.collect()
}
