//! Turns: what the run loop does next, and what handles ask of it.

use crate::sim::kernel::id::{LinkId, NodeId, TaskId};
use crate::sim::kernel::striker::Strike;
use crate::sim::kernel::task::SendFuture;
use crate::sim::net::path::Heal;
use crate::sim::outcome::{Endless, Problem};
use crate::time::Instant;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Waker;

/// The world's time, readable without its lock.
#[derive(Debug, Default)]
pub(crate) struct Now(AtomicU64);

impl Now {
    pub(crate) fn get(&self) -> Instant {
        Instant::from_nanos(self.0.load(Relaxed))
    }

    pub(crate) fn set(&self, now: Instant) {
        self.0.store(now.as_nanos(), Relaxed);
    }
}

/// A handle's request to the [`Sim`](crate::sim::Sim), which owns the futures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    Kill(NodeId),
    Restart(NodeId),
    LosePower(NodeId),
    /// Runs an action of the test, because its message was sent.
    Act(u32),
    /// Lets a fault of the world's plan strike.
    Strike(Strike),
    /// Chooses whether one strikes now, because the clock of the plan of this number ticks.
    Tick(u32),
    /// Lets the clock of the plan of this number go on.
    Wind(u32),
    Cut(LinkId),
    Heal {
        link: LinkId,
        heal: Heal,
    },
    Forget {
        link: LinkId,
        /// Affects the connections of earlier eras.
        before: u32,
    },
    Sever {
        link: LinkId,
        /// Affects the connections of earlier eras.
        before: u32,
    },
}

/// When background timers of services fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Housekeeping {
    /// Always, when they are due.
    Always,
    /// Only while something else is to come, or a node waits for it.
    WhileAwaited,
}

/// The next thing that the run loop does.
pub(crate) enum Turn {
    Poll(TaskId),
    Wake(Waker),
    Arrival {
        service: u32,
        connection: u32,
        up: bool,
    },
    ServiceTimer(u32),
    Action(u32),
    /// The guests' clocks move first, up to `until`.
    Guests {
        until: Instant,
    },
    /// Adopts the tasks that handles have spawned.
    Adopt(Vec<(TaskId, Waker, SendFuture)>),
    Request(Request),
    Problem(Box<Problem>),
    StepBudget,
    Endless(Endless),
    /// Nothing is left before the limit; the time of the next event, if any.
    Idle(Option<Instant>),
}
