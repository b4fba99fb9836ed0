//! Joining: the result of a spawned task.
//!
//! The end of the task and the handle share one cell. It goes from running to ended once, and from
//! there to taken. A task that is dropped before it has finished ends as [`Killed`].

use crate::sim::kernel::task::Wait;
use crate::sim::kernel::world::World;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// The task was dropped before it finished, because its node was killed or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed;

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task's node ended before the task did")
    }
}

impl std::error::Error for Killed {}

/// The state of a spawned task, as its handle sees it.
#[derive(Debug)]
enum Joint<T> {
    Running(Option<Waker>),
    Ended(Result<T, Killed>),
    /// The handle has returned the result.
    Taken,
}

/// The result of a spawned task, to be awaited. Dropping the handle lets the task run on.
///
/// # Panics
///
/// Polling it again after it has returned the result panics.
#[derive(Debug)]
pub struct JoinHandle<T> {
    joint: Arc<Mutex<Joint<T>>>,
    world: Arc<World>,
}

/// The task's end of a [`JoinHandle`]. Dropping it unused ends the task as `Killed`.
struct Finish<T> {
    joint: Arc<Mutex<Joint<T>>>,
    world: Arc<World>,
}

impl<T> Finish<T> {
    fn set(&self, result: Result<T, Killed>) {
        // Of a process that was struck dead, no task finishes.
        let result = if self.world.is_struck_dead() { Err(Killed) } else { result };
        let mut joint = self.joint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Joint::Running(waker) = &mut *joint {
            let waker = waker.take();
            *joint = Joint::Ended(result);
            drop(joint);
            // The world itself reports that a killed task has ended, so this is not withheld.
            if let Some(waker) = waker {
                self.world.wake_afterwards(waker);
            }
        }
    }
}

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        self.set(Err(Killed));
    }
}

/// Splits a future into one that stores its result, and the handle to that result.
pub(crate) fn joinable<F: Future>(
    world: &Arc<World>,
    future: F,
) -> (impl Future<Output = ()> + use<F>, JoinHandle<F::Output>) {
    let joint = Arc::new(Mutex::new(Joint::Running(None)));
    let finish = Finish { joint: Arc::clone(&joint), world: Arc::clone(world) };
    let run = async move {
        let value = future.await;
        finish.set(Ok(value));
    };
    (run, JoinHandle { joint, world: Arc::clone(world) })
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Killed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.world.is_struck_dead() {
            return Poll::Pending;
        }
        let mut joint = self.joint.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *joint, Joint::Taken) {
            Joint::Ended(result) => Poll::Ready(result),
            Joint::Running(_) => {
                *joint = Joint::Running(Some(cx.waker().clone()));
                self.world.lock().note_wait(Wait::Static("a task it spawned"));
                Poll::Pending
            }
            Joint::Taken => panic!("a JoinHandle was polled after it had given its result"),
        }
    }
}
