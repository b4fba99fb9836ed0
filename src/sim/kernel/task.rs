//! Tasks: which are ready, which wait, and for what.
//!
//! This table is the shared half of the executor: every handle reaches it. Futures need not be
//! `Send`, so they live in the [`Sim`](crate::sim::Sim). A task is in the ready queue at most once.
//! The generation of its id keeps a late waker from waking the next task in its slot.

use crate::invariant::ensure;
use crate::sim::kernel::id::{NodeId, TaskId};
use crate::sim::report::Work;
use crate::sort::sort_by_key;
use crate::time::Instant;
use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

/// A waiter. The common case, a future polled directly by one of the world's tasks, needs no
/// reference count.
#[derive(Debug)]
pub(crate) enum WakeRef {
    Task(TaskId),
    Waker(Waker),
    /// A service: its timer wakes no task.
    Service(u32),
    /// A node whose grace period is over.
    Kill(NodeId),
    /// A process that was held until now; see `guest.rs`.
    Held(NodeId),
    #[cfg(test)]
    Nobody,
}

impl WakeRef {
    /// Returns whether it is a waker of somebody else, which may do anything when it is woken.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self, WakeRef::Waker(_))
    }

    /// Returns whether both wake the same task. `false` may be wrong.
    pub(crate) fn same(&self, other: &WakeRef) -> bool {
        match (self, other) {
            (WakeRef::Task(a), WakeRef::Task(b)) => a == b,
            (WakeRef::Waker(a), WakeRef::Waker(b)) => a.will_wake(b),
            _ => false,
        }
    }
}

/// The thing that a task waits for, as an [`Outcome`](crate::sim::Outcome) reports it.
#[derive(Clone)]
#[non_exhaustive]
pub enum Wait {
    /// A moment of the world's time.
    Until(Instant),
    /// Something with a fixed name.
    Static(&'static str),
    /// Something with a name of its own.
    Shared(Arc<str>),
    /// One of several things of a kind: its name is the kind's, followed by the number.
    Numbered(&'static str, u64),
    /// Something whose name is formatted only when it is reported.
    Shown(Arc<dyn fmt::Display + Send + Sync>),
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wait({self})")
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Until(at) if *at == Instant::MAX => f.write_str("a time that never comes"),
            Wait::Until(at) => write!(f, "{at}"),
            Wait::Static(what) => f.write_str(what),
            Wait::Shared(what) => f.write_str(what),
            Wait::Numbered(kind, number) => write!(f, "{kind} {number}"),
            Wait::Shown(what) => what.fmt(f),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Task {
    generation: u32,
    pub(crate) node: NodeId,
    pub(crate) alive: bool,
    pub(crate) queued: bool,
    /// The address behind the task's own waker, compared only for equality.
    waker: usize,
    /// The first thing that it waits for, and whether the table holds more.
    wait: Option<Wait>,
    waits_for_more: bool,
    /// The slots of the tasks before and after it in its node's list, or after it in the list of
    /// free ones.
    before: u32,
    after: u32,
}

impl Task {
    /// Returns whether it has recorded that it waits.
    pub(crate) fn has_waited(&self) -> bool {
        self.wait.is_some()
    }
}

/// No slot: the end of a list.
const NONE: u32 = u32::MAX;

/// Every task's state.
#[derive(Debug)]
pub(crate) struct Tasks {
    slots: Vec<Task>,
    /// The first slot of each node's list of live tasks, so that the end of a process costs what it
    /// owns.
    first: Vec<u32>,
    /// The slot that became free last.
    free: u32,
    /// The further things that tasks wait for. Kept apart, because a task's state should fit into
    /// one cache line.
    more_waits: IndexMap<u32, Vec<Wait>, FxBuildHasher>,
    /// Tasks that were woken only by a destructor of a killed process since they last ran. Such a
    /// wake is lost.
    lost_wakes: IndexSet<TaskId, FxBuildHasher>,
}

impl Default for Tasks {
    fn default() -> Tasks {
        Tasks {
            slots: Vec::new(),
            first: Vec::new(),
            free: NONE,
            more_waits: IndexMap::default(),
            lost_wakes: IndexSet::default(),
        }
    }
}

impl Tasks {
    /// Adds a task. `make` returns the waker for its id.
    pub(crate) fn add(
        &mut self,
        node: NodeId,
        make_waker: impl FnOnce(TaskId) -> Waker,
    ) -> (TaskId, Waker) {
        let slot = self.new_slot(node);
        let task = &mut self.slots[slot as usize];
        let id = TaskId { slot, generation: task.generation };
        let waker = make_waker(id);
        task.node = node;
        task.alive = true;
        task.queued = false;
        task.waker = waker.data() as usize;
        self.link(slot, node);
        (id, waker)
    }

    /// Returns a slot for a task of this node: a free one, if any is.
    fn new_slot(&mut self, node: NodeId) -> u32 {
        if let Some(task) = self.slots.get(self.free as usize) {
            return std::mem::replace(&mut self.free, task.after);
        }
        self.slots.push(Task {
            generation: 0,
            node,
            alive: false,
            queued: false,
            waker: 0,
            wait: None,
            waits_for_more: false,
            before: NONE,
            after: NONE,
        });
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 tasks live at once")
    }

    /// Puts a task at the front of its node's list.
    fn link(&mut self, slot: u32, node: NodeId) {
        let node = node.0 as usize;
        if self.first.len() <= node {
            self.first.resize(node + 1, NONE);
        }
        let after = std::mem::replace(&mut self.first[node], slot);
        if let Some(after) = self.slots.get_mut(after as usize) {
            after.before = slot;
        }
        let task = &mut self.slots[slot as usize];
        (task.before, task.after) = (NONE, after);
    }

    /// Takes a task out of its node's list.
    fn unlink(&mut self, slot: u32) {
        let task = &self.slots[slot as usize];
        let (node, before, after) = (task.node.0 as usize, task.before, task.after);
        match self.slots.get_mut(before as usize) {
            Some(before) => before.after = after,
            None => self.first[node] = after,
        }
        if let Some(after) = self.slots.get_mut(after as usize) {
            after.before = before;
        }
    }

    /// Returns the live tasks of a node, in the order of their slots.
    pub(crate) fn of(&self, node: NodeId) -> Vec<TaskId> {
        let slots = self.list(self.first.get(node.0 as usize).copied().unwrap_or(NONE));
        let id = |slot: u32| TaskId { slot, generation: self.slots[slot as usize].generation };
        slots.into_iter().map(id).collect()
    }

    /// Returns the slots of the list that begins here, in order.
    fn list(&self, first: u32) -> Vec<u32> {
        let after = |slot: &u32| self.slots.get(*slot as usize).map(|task| task.after);
        let slots = std::iter::successors(Some(first), after).take_while(|slot| *slot != NONE);
        let mut slots: Vec<u32> = slots.take(self.slots.len()).collect();
        sort_by_key(&mut slots, |slot| *slot);
        slots
    }

    pub(crate) fn get(&mut self, id: TaskId) -> Option<&mut Task> {
        let task = &mut self.slots[id.slot as usize];
        (task.alive && task.generation == id.generation).then_some(task)
    }

    pub(crate) fn node_of(&self, id: TaskId) -> Option<NodeId> {
        let task = &self.slots[id.slot as usize];
        (task.alive && task.generation == id.generation).then_some(task.node)
    }

    pub(crate) fn remove(&mut self, id: TaskId) {
        self.clear_waits(id);
        if let Some(task) = self.get(id) {
            task.alive = false;
            task.generation = task.generation.wrapping_add(1);
            self.unlink(id.slot);
            self.slots[id.slot as usize].after = std::mem::replace(&mut self.free, id.slot);
        }
    }

    /// Records that a wake of this task was lost.
    pub(crate) fn note_lost_wake(&mut self, id: TaskId) {
        if self.get(id).is_some() {
            self.lost_wakes.insert(id);
        }
    }

    pub(crate) fn has_lost_wakes(&self) -> bool {
        !self.lost_wakes.is_empty()
    }

    pub(crate) fn has_lost_wake(&self, id: TaskId) -> bool {
        self.lost_wakes.contains(&id)
    }

    /// Records one more thing that a task waits for.
    pub(crate) fn note_wait(&mut self, id: TaskId, wait: Wait) {
        let Some(task) = self.get(id) else { return };
        if task.wait.is_none() {
            task.wait = Some(wait);
        } else {
            task.waits_for_more = true;
            self.more_waits.entry(id.slot).or_default().push(wait);
        }
    }

    /// Forgets what a task waited for.
    pub(crate) fn clear_waits(&mut self, id: TaskId) {
        let Some(task) = self.get(id) else { return };
        task.wait = None;
        if std::mem::take(&mut task.waits_for_more) {
            self.more_waits.swap_remove(&id.slot);
        }
        if !self.lost_wakes.is_empty() {
            self.lost_wakes.swap_remove(&id);
        }
    }

    /// Returns what a task waits for, in words.
    pub(crate) fn waits(&self, id: TaskId) -> Vec<String> {
        let more = self.more_waits.get(&id.slot);
        let first = self.slots[id.slot as usize].wait.iter();
        first.chain(more.into_iter().flatten()).map(ToString::to_string).collect()
    }

    /// Returns the live tasks, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, t)| t.alive)
            .map(|(slot, t)| (TaskId { slot: slot as u32, generation: t.generation }, t))
    }

    /// The free list names exactly the dead slots, each node's list its live tasks, and every
    /// further wait has a task.
    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let free = self.list(self.free);
        let dead = (0_u32..).zip(&self.slots).filter(|(_, task)| !task.alive);
        let dead: Vec<u32> = dead.map(|(slot, _)| slot).collect();
        ensure(free == dead, || format!("free tasks {free:?} are not the dead ones {dead:?}"))?;
        for (node, _) in self.first.iter().enumerate() {
            let node = NodeId(node as u32);
            let theirs = self.iter().filter(|(_, task)| task.node == node).map(|(id, _)| id);
            let theirs: Vec<TaskId> = theirs.collect();
            ensure(theirs == self.of(node), || format!("node {}: its list differs", node.0))?;
        }
        for (slot, waits) in &self.more_waits {
            let task = &self.slots[*slot as usize];
            let belongs = task.alive && task.waits_for_more && task.wait.is_some();
            ensure(belongs && !waits.is_empty(), || {
                format!("slot {slot} has waits without a task")
            })?;
        }
        Ok(())
    }

    /// Returns whether `waker` is the own waker of task `id`.
    pub(crate) fn owns_waker(&self, id: TaskId, waker: &Waker) -> bool {
        self.slots[id.slot as usize].waker == waker.data() as usize
    }
}

/// A future as the executor holds it.
pub(crate) type LocalFuture = Pin<Box<dyn Work>>;
/// A future on its way to the executor from a handle.
pub(crate) type SendFuture = Pin<Box<dyn Work + Send>>;
