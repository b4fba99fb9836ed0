//! Processes: whether each node's is alive, paused, or waiting by profession.
//!
//! A process is alive as long as it has a main task. One that is not has no
//! other task either, is not paused and has none parked.

use super::id::{NodeId, TaskId};
use super::service::Waiter;
use super::timer::TimerKey;
use super::trace::Actor;
use std::ops::{Index, IndexMut};
use std::panic::Location;
use std::sync::Arc;

/// What the world knows of a node's process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: Arc<str>,
    pub(super) actor: Actor,
    /// Waiting is its job: it does not keep a run from being done.
    pub(super) daemon: bool,
    pub(super) paused: bool,
    /// Tasks that became ready while it was paused, in order.
    pub(super) parked: Vec<TaskId>,
    pub(super) main: Option<TaskId>,
    /// Whether its machine has no power.
    pub(super) off: bool,
    /// How often it was started.
    pub(super) life: u64,
    /// Whether this life asks to be told of a termination, and whether it was asked to stop.
    pub(super) handles_termination: bool,
    pub(super) is_terminating: bool,
    /// Who waits for that.
    pub(super) termination: Waiter,
    /// When its time to stop by itself is over.
    pub(super) grace: Option<TimerKey>,
    /// Where the test made it.
    pub(super) made_at: &'static Location<'static>,
}

/// Every node's process.
#[derive(Debug, Default)]
pub(super) struct Processes(Vec<Process>);

impl Processes {
    pub(super) fn add(
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
            parked: Vec::new(),
            main: None,
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

    pub(super) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Process> {
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
