//! The shared half of a world: what handles reach.
//!
//! One mutex guards all of it. A world runs on one thread, so the lock is never contended. It
//! exists so that handles are `Send + Sync`, as real client crates require. Locks are taken in one
//! order, a service's before the core's, and none is held while a task is polled or dropped.

use crate::sim::config::Config;
use crate::sim::kernel::core::Core;
use crate::sim::kernel::follow::Follow;
use crate::sim::kernel::id::{NodeId, TaskId};
use crate::sim::kernel::polling::Polling;
use crate::sim::kernel::task::WakeRef;
use crate::sim::kernel::turn::{Housekeeping, Now, Turn};
use crate::sim::outcome::{Outcome, Problem, Stuck};
use crate::sim::trace::Actor;
use crate::sim::trace::event::Record;
use crate::time::Instant;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The part of a world that handles share with the [`Sim`](crate::sim::Sim).
pub(crate) struct World {
    seed: u64,
    /// The settings that a failure reports besides the seed.
    settings: String,
    now: Now,
    pub(crate) follow: Follow,
    /// Whether its [`Sim`](crate::sim::Sim) was dropped.
    is_over: AtomicBool,
    polling: Polling,
    /// Whether a task is being polled.
    #[cfg(feature = "lapin")]
    is_polling: AtomicBool,
    core: Mutex<Core>,
}

impl World {
    pub(crate) fn new(config: &Config) -> World {
        World {
            seed: config.seed,
            settings: config.beside_the_seed(),
            now: Now::default(),
            follow: Follow::default(),
            is_over: AtomicBool::new(false),
            polling: Polling::default(),
            #[cfg(feature = "lapin")]
            is_polling: AtomicBool::new(false),
            core: Mutex::new(Core::new(config)),
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        let own = self.now.get();
        if self.follow.is_outside() { self.follow.now(own) } else { own }
    }

    /// Decides what happens next; see [`Core::turn`].
    pub(crate) fn turn(&self, limit: Instant, housekeeping: Housekeeping) -> Turn {
        let mut core = self.lock();
        if let Some((actor, message)) = core.caught_a_panic() {
            self.fail_in(&mut core, actor, true, message);
        }
        core.turn(&self.now, limit, housekeeping)
    }

    /// Adds a task to a node's process, and returns it with its waker.
    pub(crate) fn add_task(self: &Arc<World>, core: &mut Core, node: NodeId) -> (TaskId, Waker) {
        core.tasks.add(node, |id| Waker::from(Arc::new(TaskWaker { world: Arc::clone(self), id })))
    }

    /// Returns whether its [`Sim`](crate::sim::Sim) was dropped. Nothing happens any more then.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Relaxed);
        let mut core = self.lock();
        core.end_processes();
        core.set_silent(true);
    }

    /// Lets the world's time pass up to `at`.
    pub(crate) fn pass_time(&self, at: Instant) {
        self.lock().pass_time(&self.now, at);
    }

    /// Notes that a poll begins.
    pub(crate) fn begin_poll(&self) {
        self.polling.begin();
        #[cfg(feature = "lapin")]
        self.is_polling.store(true, Relaxed);
    }

    /// Notes that a poll ends. Returns whether its process was struck dead meanwhile.
    pub(crate) fn end_poll(&self) -> bool {
        #[cfg(feature = "lapin")]
        self.is_polling.store(false, Relaxed);
        self.polling.end()
    }

    /// Returns what a plan of faults needs to strike processes dead in the middle of a poll.
    pub(crate) fn share_polling(&self) -> Polling {
        self.polling.share()
    }

    /// Returns whether the process whose code is running was struck dead; see `moment.rs`.
    #[inline]
    pub(crate) fn is_struck_dead(&self) -> bool {
        self.polling.is_struck_dead()
    }

    /// Returns the number of the poll in progress, if it is that of a task of this node. It never
    /// waits for the world, which may be stuck.
    #[cfg(feature = "lapin")]
    pub(crate) fn poll_in_progress(&self, node: NodeId) -> Option<u64> {
        let core = self.core.try_lock().ok()?;
        core.polled(node).filter(|_| self.is_polling.load(Relaxed))
    }

    pub(crate) fn set_now(&self, now: Instant) {
        self.now.set(now);
        self.lock().choices.set_now(now);
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        if self.follow.is_outside() {
            self.follow.touch();
        }
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asserts that a handle belongs to this world. In another world its ids mean nothing, or
    /// something else.
    #[track_caller]
    pub(crate) fn expect_same(self: &Arc<World>, other: &Arc<World>) {
        assert!(Arc::ptr_eq(self, other), "a handle was used in another world than its own");
    }

    /// Reports a failure of a node, a service, or the test itself.
    pub(crate) fn fail(&self, who: Actor, panicked: bool, message: String) {
        self.fail_in(&mut self.lock(), who, panicked, message);
    }

    fn fail_in(&self, core: &mut Core, who: Actor, panicked: bool, message: String) {
        core.trace.record(self.now(), who, Record::Failed { message: &message });
        let node = Arc::clone(core.trace.name(who));
        let made_at = core.processes.iter().find(|p| p.actor == who).map(|p| p.made_at);
        let (at, seed, settings) = (self.now(), self.seed, self.settings.clone());
        let problem = Problem { node, made_at, at, seed, settings, panicked, message };
        core.problems.push_back(Box::new(problem));
    }

    /// Returns the outcome of a run in which nothing can happen any more.
    pub(crate) fn at_rest(&self) -> Outcome {
        let waiting = self.lock().waiting();
        if waiting.is_empty() {
            return Outcome::Done;
        }
        let (at, seed, settings) = (self.now(), self.seed, self.settings.clone());
        Outcome::Stuck(Box::new(Stuck { waiting, at, seed, settings }))
    }

    /// Wakes `waker` once no dead process is being dropped: now, if none is.
    pub(crate) fn wake_afterwards(&self, waker: Waker) {
        let mut core = self.lock();
        if core.silent || core.is_aborting() || self.is_struck_dead() {
            core.afterwards.push(waker);
        } else {
            drop(core);
            waker.wake();
        }
    }

    /// Wakes all waiters on the list. The caller must not hold the core's lock.
    pub(crate) fn wake_all(&self, wakes: &mut Vec<WakeRef>) {
        if wakes.iter().any(WakeRef::is_foreign) {
            for wake in wakes.drain(..) {
                match wake {
                    WakeRef::Waker(waker) => waker.wake(),
                    other => self.lock().wake(&other),
                }
            }
        } else if !wakes.is_empty() {
            let mut core = self.lock();
            wakes.drain(..).for_each(|wake| core.wake(&wake));
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// Wakes a task from anywhere, including other threads.
struct TaskWaker {
    world: Arc<World>,
    id: TaskId,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.world.lock().make_ready(self.id);
    }
}
