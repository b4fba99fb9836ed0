//! Timers: sleeping, and giving up on a future after a while.
//!
//! A timer is a slot that says whom to wake; the agenda holds its time. A slot
//! is freed when its timer fires or is cancelled, and its generation keeps a
//! late event from waking the slot's next user.

use super::event::Target;
use super::node::Node;
use super::task::{Wait, WakeRef};
use crate::time::Instant;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A timer that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimerKey {
    slot: u32,
    generation: u32,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    wake: Option<WakeRef>,
}

/// The timers that are set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Timers {
    pub(super) fn set(&mut self, wake: WakeRef) -> TimerKey {
        if let Some(slot) = self.free.pop() {
            let entry = &mut self.slots[slot as usize];
            entry.wake = Some(wake);
            return TimerKey { slot, generation: entry.generation };
        }
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 timers are set at once");
        self.slots.push(Slot { generation: 0, wake: Some(wake) });
        TimerKey { slot, generation: 0 }
    }

    pub(super) fn is_set(&self, key: TimerKey) -> bool {
        let slot = &self.slots[key.slot as usize];
        slot.generation == key.generation && slot.wake.is_some()
    }

    /// Changes whom a timer wakes.
    fn rewire(&mut self, key: TimerKey, wake: WakeRef) {
        if self.is_set(key) {
            self.slots[key.slot as usize].wake = Some(wake);
        }
    }

    /// Frees every timer; whom they were to wake, to be dropped with no lock
    /// held.
    pub(super) fn clear(&mut self) -> Vec<WakeRef> {
        let set = self.slots.iter_mut().enumerate().filter(|(_, slot)| slot.wake.is_some());
        let freed = set.map(|(index, slot)| {
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(index as u32);
            slot.wake.take()
        });
        freed.flatten().collect()
    }

    /// Frees the timer and says whom it was to wake; `None` if it is not set.
    pub(super) fn cancel(&mut self, key: TimerKey) -> Option<WakeRef> {
        let slot = &mut self.slots[key.slot as usize];
        if slot.generation != key.generation {
            return None;
        }
        let wake = slot.wake.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot);
        Some(wake)
    }
}

/// Waits until a moment of the world's time; made by
/// [`Node::sleep`](super::Node::sleep).
#[must_use = "a sleep does nothing unless awaited"]
pub struct Sleep {
    node: Node,
    deadline: Instant,
    timer: Option<TimerKey>,
}

impl Sleep {
    pub(super) fn until(node: Node, deadline: Instant) -> Sleep {
        Sleep { node, deadline, timer: None }
    }

    /// When it ends, in the world's time.
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
        // The end of time never comes, even when it is that time: else a loop
        // around a sleep would never end then.
        if self.node.now() >= self.deadline && self.deadline < Instant::MAX {
            return Poll::Ready(());
        }
        let this = &mut *self;
        let mut core = this.node.world().lock();
        core.note_wait(Wait::Until(this.deadline));
        if this.deadline == Instant::MAX {
            return Poll::Pending;
        }
        let wake = core.wake_ref(cx);
        match this.timer {
            Some(key) => core.timers.rewire(key, wake),
            None => {
                let key = core.timers.set(wake);
                let now = this.node.now();
                core.agenda.push(now, this.deadline, 0, Target::Timer(key));
                this.timer = Some(key);
            }
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // A timer that is due is left to fire: it wakes its task once for
        // nothing at most, and this saves the look-up on the common path.
        if let Some(key) = self.timer
            && self.node.now() < self.deadline
        {
            self.node.world().lock().cancel_timer(key);
        }
    }
}

/// A future that did not finish in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline of {deadline} passed")]
pub struct Elapsed {
    /// The world's time at which it gave up.
    pub deadline: Instant,
}

/// A future with a deadline; made by [`Node::timeout`](super::Node::timeout).
///
/// Where the future and the deadline come at one instant, the future wins if
/// it is ready when polled.
#[derive(Debug)]
#[must_use = "a time-out does nothing unless awaited"]
pub struct Timeout<F> {
    sleep: Sleep,
    future: Pin<Box<F>>,
}

impl<F: Future> Timeout<F> {
    pub(super) fn new(sleep: Sleep, future: F) -> Timeout<F> {
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
