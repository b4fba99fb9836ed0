//! Following: a world whose time is another clock's while code outside of it runs.
//!
//! Outside of its own turns, the world's time is read from that clock, and whoever touches the
//! world wakes the follower, so that what was asked of the world happens. During its turns the
//! time is the world's own, as always.

use crate::time::Instant;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(feature = "tokio")]
use std::task::Waker;

/// A clock of somebody else.
type OtherClock = Box<dyn Fn() -> Instant + Send>;

/// The clock that a world follows, if any.
#[derive(Default)]
pub(crate) struct Follow {
    /// Whether code outside of the world runs, with the other clock.
    outside: AtomicBool,
    leader: Mutex<Leader>,
}

#[derive(Default)]
struct Leader {
    clock: Option<OtherClock>,
    #[cfg(feature = "tokio")]
    follower: Option<Waker>,
    /// Whether the follower itself is running, so that nobody need wake it.
    #[cfg(feature = "tokio")]
    awake: bool,
}

impl Follow {
    #[inline]
    pub(crate) fn is_outside(&self) -> bool {
        self.outside.load(Relaxed)
    }

    /// Returns whether the world follows another clock, whoever runs now.
    #[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
    pub(crate) fn has_begun(&self) -> bool {
        self.leader().clock.is_some()
    }

    fn leader(&self) -> MutexGuard<'_, Leader> {
        self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the other clock's time, or `own` if there is none.
    #[cold]
    pub(crate) fn now(&self, own: Instant) -> Instant {
        self.leader().clock.as_ref().map_or(own, |clock| clock().max(own))
    }

    /// Wakes the follower, because somebody touches the world.
    #[cold]
    pub(crate) fn touch(&self) {
        #[cfg(feature = "tokio")]
        {
            let leader = self.leader();
            let follower = leader.follower.as_ref().filter(|_| !leader.awake).cloned();
            drop(leader);
            follower.into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(feature = "tokio")]
impl Follow {
    /// Follows `clock` from now on.
    pub(crate) fn begin(&self, clock: OtherClock) {
        self.leader().clock = Some(clock);
        self.outside.store(true, Relaxed);
    }

    pub(crate) fn end(&self) {
        self.outside.store(false, Relaxed);
        *self.leader() = Leader::default();
    }

    /// Sets whether code outside of the world runs.
    pub(crate) fn set_outside(&self, outside: bool) {
        self.outside.store(outside, Relaxed);
    }

    /// The follower runs; or it waits, and wants to be woken.
    pub(crate) fn set_follower(&self, waiting: Option<&Waker>) {
        let mut leader = self.leader();
        leader.awake = waiting.is_none();
        if let Some(waker) = waiting {
            leader.follower = Some(waker.clone());
        }
    }
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow").field("outside", &self.is_outside()).finish_non_exhaustive()
    }
}
