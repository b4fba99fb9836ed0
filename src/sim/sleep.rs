//! Sleeping, and giving up on a future after a while.
//!
//! A sleep sets its timer at its first poll, and never has more than one. It ends at its deadline,
//! or never if the deadline is [`Instant::MAX`].

use crate::sim::kernel::event::Target;
use crate::sim::kernel::task::Wait;
use crate::sim::kernel::timer::TimerKey;
use crate::sim::kernel::world::World;
use crate::time::Instant;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Waits until a moment of the world's time; made by
/// [`Node::sleep`](super::Node::sleep).
#[must_use = "a sleep does nothing unless awaited"]
pub struct Sleep {
    world: Arc<World>,
    deadline: Instant,
    timer: Option<TimerKey>,
}

impl Sleep {
    pub(crate) fn until(world: &Arc<World>, deadline: Instant) -> Sleep {
        Sleep { world: Arc::clone(world), deadline, timer: None }
    }

    /// Returns when it ends, in the world's time.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A loop of a process that was struck dead must not spin either.
        if self.world.is_struck_dead() {
            return Poll::Pending;
        }
        // `Instant::MAX` never comes, even when it is that time: otherwise a loop around a sleep
        // would spin forever.
        if self.world.now() >= self.deadline && self.deadline < Instant::MAX {
            return Poll::Ready(());
        }
        let this = &mut *self;
        let mut core = this.world.lock();
        core.note_wait(Wait::Until(this.deadline));
        if this.deadline == Instant::MAX {
            return Poll::Pending;
        }
        let wake = core.wake_ref(cx);
        match this.timer {
            Some(key) => core.timers.rewire(key, wake),
            None => {
                let key = core.timers.set(wake);
                let now = this.world.now();
                core.agenda.push(now, this.deadline, 0, Target::Timer(key));
                this.timer = Some(key);
            }
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // A timer that is due is left to fire. It causes one spurious wake at most, and saves a
        // look-up on the hot path.
        if let Some(key) = self.timer
            && self.world.now() < self.deadline
        {
            self.world.lock().cancel_timer(key);
        }
    }
}

/// A future did not finish in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    /// The world's time at the deadline.
    pub deadline: Instant,
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the deadline of {} passed", self.deadline)
    }
}

impl std::error::Error for Elapsed {}

/// A future with a deadline; made by [`Node::timeout`](super::Node::timeout).
///
/// If the future is ready at the instant of the deadline, the future wins.
#[derive(Debug)]
#[must_use = "a time-out does nothing unless awaited"]
pub struct Timeout<F> {
    sleep: Sleep,
    future: Pin<Box<F>>,
}

impl<F: Future> Timeout<F> {
    pub(crate) fn new(sleep: Sleep, future: F) -> Timeout<F> {
        Timeout { sleep, future: Box::pin(future) }
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(value) = self.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        let deadline = self.sleep.deadline;
        Pin::new(&mut self.sleep).poll(cx).map(|()| Err(Elapsed { deadline }))
    }
}
