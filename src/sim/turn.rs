//! Turns: what the run loop is told to do next, and what handles ask of it.

use super::id::{LinkId, NodeId, TaskId};
use super::outcome::{Endless, Problem};
use super::path::Heal;
use super::task::SendFuture;
use crate::time::Instant;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Waker;

/// The world's time, readable without its lock.
#[derive(Debug, Default)]
pub(super) struct Now(AtomicU64);

impl Now {
    pub(super) fn get(&self) -> Instant {
        Instant::from_nanos(self.0.load(Relaxed))
    }

    pub(super) fn set(&self, now: Instant) {
        self.0.store(now.as_nanos(), Relaxed);
    }
}

/// What a handle asked of the [`Sim`](super::Sim), which owns the futures.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
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
pub(super) enum Housekeeping {
    /// Whenever it is due.
    Always,
    /// Only as long as something else is to come, or a node waits for it.
    WhileAwaited,
}

/// What the run loop is to do next.
pub(super) enum Turn {
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
