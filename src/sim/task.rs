//! Tasks: who is ready, who waits, and for what.
//!
//! The table here is the shared half of the executor: it may be reached from
//! any handle. The futures themselves may not be `Send`, so they live in the
//! [`Sim`](super::Sim). A task is in the ready queue at most once; its id's
//! generation keeps a late waker from waking the next task in its slot.

use super::node::NodeId;
use super::world::World;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A task of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TaskId {
    pub(super) slot: u32,
    generation: u32,
}

impl TaskId {
    /// One number for both halves: what traces and choices call the task.
    pub(super) fn number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }
}

/// Whom to wake. The common case, a future polled directly by one of the
/// world's tasks, needs no reference count.
#[derive(Debug)]
pub(super) enum WakeRef {
    Task(TaskId),
    Waker(Waker),
    /// A service: its timer wakes no task.
    Service(u32),
    #[cfg(test)]
    Nobody,
}

/// What a task waits for, as it is told in an [`Outcome`](super::Outcome).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Wait {
    /// A moment of the world's time.
    Until(Instant),
    /// Something with a fixed name.
    Static(&'static str),
    /// Something with a name of its own.
    Shared(Arc<str>),
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Until(at) if *at == Instant::MAX => f.write_str("a time that never comes"),
            Wait::Until(at) => write!(f, "{at}"),
            Wait::Static(what) => f.write_str(what),
            Wait::Shared(what) => f.write_str(what),
        }
    }
}

#[derive(Debug)]
pub(super) struct Task {
    generation: u32,
    pub(super) node: NodeId,
    pub(super) alive: bool,
    pub(super) queued: bool,
    /// The address behind the task's own waker; compared for equality only.
    waker: usize,
    /// What it waits for, and whether there is more of that in the table.
    wait: Option<Wait>,
    waits_for_more: bool,
}

/// Every task's state.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    slots: Vec<Task>,
    free: Vec<u32>,
    /// What tasks wait for beside the first thing: kept apart, since a task's
    /// own state should fit into one line of the processor's cache.
    more_waits: BTreeMap<u32, Vec<Wait>>,
}

impl Tasks {
    /// Adds a task and makes its waker.
    pub(super) fn add(&mut self, world: &Arc<World>, node: NodeId) -> (TaskId, Waker) {
        let slot = self.free.pop().unwrap_or_else(|| {
            let blank = Task {
                generation: 0,
                node,
                alive: false,
                queued: false,
                waker: 0,
                wait: None,
                waits_for_more: false,
            };
            self.slots.push(blank);
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 tasks live at once")
        });
        let task = &mut self.slots[slot as usize];
        let id = TaskId { slot, generation: task.generation };
        let waker = Waker::from(Arc::new(TaskWaker { world: Arc::clone(world), id }));
        task.node = node;
        task.alive = true;
        task.queued = false;
        task.waker = waker.data() as usize;
        (id, waker)
    }

    pub(super) fn get(&mut self, id: TaskId) -> Option<&mut Task> {
        let task = &mut self.slots[id.slot as usize];
        (task.alive && task.generation == id.generation).then_some(task)
    }

    pub(super) fn remove(&mut self, id: TaskId) {
        self.clear_waits(id);
        if let Some(task) = self.get(id) {
            task.alive = false;
            task.generation = task.generation.wrapping_add(1);
            self.free.push(id.slot);
        }
    }

    /// Notes one more thing that a task waits for.
    pub(super) fn note_wait(&mut self, id: TaskId, wait: Wait) {
        let Some(task) = self.get(id) else { return };
        if task.wait.is_none() {
            task.wait = Some(wait);
        } else {
            task.waits_for_more = true;
            self.more_waits.entry(id.slot).or_default().push(wait);
        }
    }

    /// Forgets what a task waited for.
    pub(super) fn clear_waits(&mut self, id: TaskId) {
        let Some(task) = self.get(id) else { return };
        task.wait = None;
        if std::mem::take(&mut task.waits_for_more) {
            self.more_waits.remove(&id.slot);
        }
    }

    /// What a task waits for, in words.
    pub(super) fn waits(&self, id: TaskId) -> Vec<String> {
        let more = self.more_waits.get(&id.slot);
        let first = self.slots[id.slot as usize].wait.iter();
        first.chain(more.into_iter().flatten()).map(ToString::to_string).collect()
    }

    /// The live tasks, in the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, t)| t.alive)
            .map(|(slot, t)| (TaskId { slot: slot as u32, generation: t.generation }, t))
    }

    /// Whether `waker` is the own waker of task `id`.
    pub(super) fn owns_waker(&self, id: TaskId, waker: &Waker) -> bool {
        self.slots[id.slot as usize].waker == waker.data() as usize
    }
}

/// Wakes a task from anywhere, other threads included.
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

/// A future as the executor holds it.
pub(super) type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;
/// A future on its way to the executor from a handle.
pub(super) type SendFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task that was dropped before it finished: its node was killed or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task's node ended before the task did")]
pub struct Killed;

/// How far a spawned task is, as its handle sees it.
#[derive(Debug)]
enum Joint<T> {
    Running(Option<Waker>),
    Ended(Result<T, Killed>),
    /// The handle has given the result.
    Taken,
}

/// The result of a spawned task, to be awaited; dropping it lets the task run
/// on. It panics if polled again after it gave the result.
#[derive(Debug)]
pub struct JoinHandle<T> {
    joint: Arc<Mutex<Joint<T>>>,
    world: Arc<World>,
}

/// The task's end of a [`JoinHandle`]: says `Killed` if dropped unused.
struct Finish<T>(Arc<Mutex<Joint<T>>>);

impl<T> Finish<T> {
    fn set(&self, result: Result<T, Killed>) {
        let mut joint = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Joint::Running(waker) = &mut *joint {
            let waker = waker.take();
            *joint = Joint::Ended(result);
            drop(joint);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        self.set(Err(Killed));
    }
}

/// Splits a future into one that keeps its result and the handle to that.
pub(super) fn joinable<F: Future>(
    world: &Arc<World>,
    future: F,
) -> (impl Future<Output = ()> + use<F>, JoinHandle<F::Output>) {
    let joint = Arc::new(Mutex::new(Joint::Running(None)));
    let finish = Finish(Arc::clone(&joint));
    let run = async move {
        let value = future.await;
        finish.set(Ok(value));
    };
    (run, JoinHandle { joint, world: Arc::clone(world) })
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Killed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
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
