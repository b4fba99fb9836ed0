//! Processes: whether each node's process is alive, paused, or a daemon.
//!
//! A process is alive as long as it has a main task. A process that is not alive has no other task,
//! is not paused, and has no parked task.

use crate::sim::kernel::id::{NodeId, TaskId};
use crate::sim::kernel::timer::TimerKey;
use crate::sim::service::contract::Waiter;
use crate::sim::trace::Actor;
use crate::time::Instant;
use std::ops::{Index, IndexMut};
use std::panic::Location;
use std::sync::Arc;

/// The world's knowledge of a node's process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: Arc<str>,
    pub(crate) actor: Actor,
    /// Whether it is a daemon, which does not keep a run from being done.
    pub(crate) daemon: bool,
    /// Whether the test has paused it, and whether a fault of a plan has.
    pub(crate) paused: bool,
    pub(crate) held: bool,
    /// Tasks that became ready while it might not run, in order.
    pub(crate) parked: Vec<TaskId>,
    /// Nothing of it runs before; see `guest.rs`.
    pub(crate) held_until: Instant,
    pub(crate) main: Option<TaskId>,
    /// The tasks that run after any other task of the process did; see [`Core::follow`].
    ///
    /// [`Core::follow`]: crate::sim::kernel::core::Core::follow
    pub(crate) followers: Vec<TaskId>,
    /// Whether its machine is without power.
    pub(crate) off: bool,
    /// The number of times it was started.
    pub(crate) life: u64,
    /// Whether this life handles termination, and whether it was asked to stop.
    pub(crate) handles_termination: bool,
    pub(crate) is_terminating: bool,
    /// The tasks that wait for termination.
    pub(crate) termination: Waiter,
    /// The timer of its grace period.
    pub(crate) grace: Option<TimerKey>,
    /// The place in the test that made it.
    pub(crate) made_at: &'static Location<'static>,
}

impl Process {
    /// Returns whether its tasks may run now.
    pub(crate) fn may_run(&self, now: Instant) -> bool {
        !self.is_paused() && self.held_until <= now
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused || self.held
    }
}

/// Every node's process.
#[derive(Debug)]
pub(crate) struct Processes(Vec<Process>);

impl Default for Processes {
    fn default() -> Processes {
        Processes(Vec::with_capacity(4))
    }
}

impl Processes {
    pub(crate) fn add(
        &mut self,
        name: &Arc<str>,
        actor: Actor,
        daemon: bool,
        made_at: &'static Location<'static>,
    ) -> NodeId {
        let id = NodeId(u32::try_from(self.0.len()).expect("fewer than 2^32 nodes"));
        self.0.push(Process {
            name: Arc::clone(name),
            actor,
            daemon,
            paused: false,
            held: false,
            parked: Vec::new(),
            held_until: Instant::ZERO,
            main: None,
            followers: Vec::new(),
            off: false,
            life: 0,
            handles_termination: false,
            is_terminating: false,
            termination: Waiter::default(),
            grace: None,
            made_at,
        });
        id
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.0.iter_mut()
    }
}

impl Index<NodeId> for Processes {
    type Output = Process;

    fn index(&self, id: NodeId) -> &Process {
        &self.0[id.0 as usize]
    }
}

impl IndexMut<NodeId> for Processes {
    fn index_mut(&mut self, id: NodeId) -> &mut Process {
        &mut self.0[id.0 as usize]
    }
}
