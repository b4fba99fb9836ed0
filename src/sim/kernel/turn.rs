//! Turns: what the run loop is told to do next, and what handles ask of it.

use crate::sim::kernel::id::{LinkId, NodeId, TaskId};
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

/// What a handle asked of the [`Sim`](crate::sim::Sim), which owns the futures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    Kill(NodeId),
    Restart(NodeId),
    LosePower(NodeId),
    /// An action of the test whose message was sent.
    Act(u32),
    Cut(LinkId),
    Heal {
        link: LinkId,
        heal: Heal,
    },
    Forget {
        link: LinkId,
        /// The connections of earlier eras.
        before: u32,
    },
    Sever {
        link: LinkId,
        /// The connections of earlier eras.
        before: u32,
    },
}

/// When services do their housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Housekeeping {
    /// Whenever it is due.
    Always,
    /// Only as long as something else is to come, or a node waits for it.
    WhileAwaited,
}

/// What the run loop is to do next.
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
    /// Handles have spawned tasks.
    Adopt(Vec<(TaskId, Waker, SendFuture)>),
    Request(Request),
    Problem(Box<Problem>),
    StepBudget,
    Endless(Endless),
    /// Nothing is left before the limit; when the next event is, if any.
    Idle(Option<Instant>),
}
