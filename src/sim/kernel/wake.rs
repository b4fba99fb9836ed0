//! Waking: how tasks become ready, and whom a future's waker stands for.
//!
//! A task that is woken becomes ready once, however often it is woken. Wakes by destructors of a
//! dead process are lost, and so are those by a process that was struck dead. A *follower* becomes
//! ready whenever another task of its process was polled.

use crate::sim::kernel::core::Core;
use crate::sim::kernel::id::{NodeId, TaskId};
use crate::sim::kernel::task::{Wait, WakeRef};
use std::task::Context;

impl Core {
    /// Makes a task a follower: it becomes ready whenever another task of its process was polled.
    /// A client library with a thread of its own needs this, since what its callers leave for that
    /// thread wakes nothing that the world knows.
    pub(crate) fn follow(&mut self, id: TaskId) {
        if let Some(node) = self.node_of(id) {
            self.processes[node].followers.push(id);
        }
    }

    pub(crate) fn make_followers_ready(&mut self) {
        if let Some(node) = self.followed.take() {
            self.make_followers_ready_but(node, None);
        }
    }

    /// Makes the followers ready that are in one process with the one being polled, which has run
    /// code that may have left work for them.
    #[cfg(feature = "lapin")]
    pub(crate) fn make_other_followers_ready(&mut self) {
        let Some(id) = self.current else { return };
        if let Some(node) = self.node_of(id) {
            self.make_followers_ready_but(node, Some(id));
        }
    }

    fn make_followers_ready_but(&mut self, node: NodeId, but: Option<TaskId>) {
        for i in 0..self.processes[node].followers.len() {
            let follower = self.processes[node].followers[i];
            if Some(follower) != but {
                self.make_ready(follower);
            }
        }
    }

    pub(crate) fn make_ready(&mut self, id: TaskId) {
        if self.silent || self.is_aborting() || self.polling.is_struck_dead() {
            return self.tasks.note_lost_wake(id);
        }
        if let Some(held) = &mut self.held {
            return held.push(id);
        }
        if let Some(task) = self.tasks.get(id)
            && !task.queued
        {
            task.queued = true;
            self.ready.push(id);
        }
    }

    /// Holds back the tasks that are woken from now on. A client library may wake its callers in an
    /// order that differs between runs, such as that of a hash map.
    #[cfg(feature = "lapin")]
    pub(crate) fn hold_wakes(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Makes the tasks ready that were held back, in the order of their numbers.
    #[cfg(feature = "lapin")]
    pub(crate) fn release_wakes(&mut self) {
        let mut held = self.held.take().unwrap_or_default();
        held.sort_unstable_by_key(|id| id.number());
        held.into_iter().for_each(|id| self.make_ready(id));
    }

    /// Makes a task ready that was parked while its node was paused.
    pub(crate) fn unpark(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.get(id) {
            task.queued = false;
        }
        self.make_ready(id);
    }

    /// Wakes a waiter, unless it is a foreign waker, which must not be woken under the lock.
    pub(crate) fn wake(&mut self, wake: &WakeRef) {
        if let WakeRef::Task(id) = wake {
            self.make_ready(*id);
        }
    }

    /// Returns the waiter for the future that is being polled with `cx`.
    pub(crate) fn wake_ref(&self, cx: &Context<'_>) -> WakeRef {
        match self.current {
            Some(id) if self.tasks.owns_waker(id, cx.waker()) => WakeRef::Task(id),
            _ => WakeRef::Waker(cx.waker().clone()),
        }
    }

    /// Records what the task being polled waits for.
    pub(crate) fn note_wait(&mut self, wait: Wait) {
        if let Some(id) = self.current {
            self.tasks.note_wait(id, wait);
        }
    }
}
