//! The tasks that lapin spawns.
//!
//! They run between two passes of lapin's thread, in the order in which they were spawned, until
//! none of them is ready. They are no tasks of the world: an operation of lapin takes several of
//! them, and to let the world choose among them would test lapin, not its caller.
//!
//! Some of them run code of the caller, which may panic. As on any runtime, a panic ends its task
//! alone: it never leaves this file.

use super::Shared;
use crate::adapter::lapin::gate::Ended;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

type TaskFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub(in crate::adapter::lapin) struct Tasks {
    next: u64,
    /// A task that is being polled has no future here.
    all: BTreeMap<u64, Option<(TaskFuture, Waker)>>,
    ready: BTreeSet<u64>,
}

impl Tasks {
    pub(in crate::adapter::lapin) fn spawn(&mut self, shared: &Arc<Shared>, future: TaskFuture) {
        let id = self.next;
        self.next += 1;
        let waker = Waker::from(Arc::new(TaskWaker { shared: Arc::clone(shared), id }));
        self.all.insert(id, Some((future, waker)));
        self.ready.insert(id);
    }

    pub(in crate::adapter::lapin) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(in crate::adapter::lapin) fn are_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Drops every task. The destructors are foreign code, so no lock may be held.
    pub(in crate::adapter::lapin) fn end(self) {
        for (future, _) in self.all.into_values().flatten() {
            let _ = discard(future);
        }
    }
}

/// Drops a future. A panic of its destructors has been reported when it happened.
fn discard(future: TaskFuture) -> std::thread::Result<()> {
    catch_unwind(AssertUnwindSafe(|| drop(future)))
}

impl Shared {
    /// Polls the tasks that are ready, and those that become ready meanwhile. Returns whether there
    /// was one.
    pub(in crate::adapter::lapin) fn run_tasks(&self) -> bool {
        let mut ran = false;
        loop {
            let mut state = self.lock();
            let batch = std::mem::take(&mut state.tasks.ready);
            if batch.is_empty() {
                return ran;
            }
            ran = true;
            state.have_tasks_run = true;
            drop(state);
            batch.into_iter().for_each(|id| self.run_task(id));
        }
    }

    fn run_task(&self, id: u64) {
        let task = self.lock().tasks.all.get_mut(&id).and_then(Option::take);
        let Some((mut future, waker)) = task else { return };
        #[cfg(feature = "tokio")]
        let _context = self.runtime.get().map(tokio::runtime::Handle::enter);
        let mut cx = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
        if let Ok(Poll::Pending) = polled {
            if let Some(slot) = self.lock().tasks.all.get_mut(&id) {
                *slot = Some((future, waker));
            }
            return;
        }
        self.lock().tasks.all.remove(&id);
        let dropped = discard(future);
        for panic in [polled.map(drop), dropped].into_iter().filter_map(Result::err) {
            if panic.is::<Ended>() {
                // It blocked the thread, and the world has ended the thread meanwhile.
                resume_unwind(panic);
            }
        }
    }
}

struct TaskWaker {
    shared: Arc<Shared>,
    id: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.shared.lock();
        if state.tasks.all.contains_key(&self.id) {
            state.tasks.ready.insert(self.id);
        }
        drop(state);
        self.shared.wake_driver();
    }
}
