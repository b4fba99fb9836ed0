//! The executor: the owned half of a world, which runs it.
//!
//! The shared half decides what comes next (a [`Turn`]); here it is done, with
//! what need not be `Send`: a task is polled, a request of a handle served, a
//! process started or ended. Code under test runs in here only, each time under
//! `catch_unwind` and with no lock held, so that its panics become failures of
//! the run.

use super::id::{NodeId, TaskId};
use super::outcome::panic_message;
use super::server::Port;
use super::task::SendFuture;
use super::trace::{Actor, Record};
use super::world::{Housekeeping, Request, Turn, World};
use super::{Job, Outcome, Sim};
use crate::time::Instant;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

impl Sim {
    /// The run loop: steps up to `limit` while `go_on` says so.
    pub(super) fn run_while(
        &mut self,
        limit: Instant,
        housekeeping: Housekeeping,
        mut go_on: impl FnMut(&Sim) -> bool,
    ) -> Outcome {
        loop {
            if self.actions.has_conditions() {
                for action in self.actions.fulfilled() {
                    self.act(action);
                }
            }
            if !go_on(self) {
                return Outcome::Reached;
            }
            // Taking over what was spawned is no step.
            let turn = loop {
                let turn = self.world.lock().turn(&self.world, limit, housekeeping);
                match turn {
                    Turn::Adopt(spawned) => self.adopt(spawned),
                    turn => break turn,
                }
            };
            match turn {
                Turn::Poll(id) => self.poll(id),
                Turn::Arrival { service, connection, up } => {
                    self.at_port(service, |port, world| port.arrive(world, connection, up));
                }
                Turn::Wake(waker) => waker.wake(),
                Turn::ServiceTimer(service) => {
                    self.at_port(service, |port, world| port.timeout(world));
                }
                Turn::Action(number) => {
                    if let Some(action) = self.actions.take(number) {
                        self.act(action);
                    }
                }
                Turn::Adopt(_) => unreachable!("it was dealt with above"),
                Turn::Request(request) => self.serve(request),
                Turn::Problem(problem) => return Outcome::Failed(problem),
                Turn::StepBudget => return self.step_budget(),
                Turn::Idle(Some(next)) => return Outcome::TimeBudget { next },
                Turn::Idle(None) => return self.world.lock().at_rest(),
            }
        }
    }

    fn poll(&mut self, id: TaskId) {
        let Some(job) = self.jobs.get_mut(id.slot as usize).and_then(Option::as_mut) else {
            return;
        };
        let mut cx = Context::from_waker(&job.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| job.future.as_mut().poll(&mut cx)));
        match polled {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) => self.finish(id),
            Err(panic) => {
                let node = self.world.lock().node_of(id);
                self.blame_node(node, &*panic);
                if let Some(node) = node {
                    self.end_process(node, Record::Killed);
                }
            }
        }
    }

    /// Reports a panic of a node, a service, or the test itself.
    fn blame(&self, who: Actor, panic: &(dyn Any + Send)) {
        self.world.fail(who, true, panic_message(panic));
    }

    fn blame_node(&self, node: Option<NodeId>, panic: &(dyn Any + Send)) {
        let actor = node.map_or(Actor::WORLD, |node| self.world.lock().processes[node].actor);
        self.blame(actor, panic);
    }

    /// Lets a server do something. If its machine or a session of it panics,
    /// the server is down from then on.
    fn at_port(&self, service: u32, call: impl FnOnce(&dyn Port, &World)) {
        let port = &*self.ports[service as usize];
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(port, &self.world))) {
            self.blame(port.actor(), &*panic);
            let killed = catch_unwind(AssertUnwindSafe(|| port.panicked(&self.world)));
            if let Err(panic) = killed {
                self.blame(port.actor(), &*panic);
            }
        }
    }

    /// A task has ended; where it was a node's main task, so has its process.
    fn finish(&mut self, id: TaskId) {
        let mut core = self.world.lock();
        let node = core.node_of(id);
        let exits = node.filter(|node| core.processes[*node].main == Some(id));
        core.end_task(id);
        drop(core);
        self.discard(node, id);
        if let Some(node) = exits {
            self.end_process(node, Record::Exited);
        }
    }

    /// Drops the future of a task that has ended, which runs code of its own:
    /// no lock is held.
    fn discard(&mut self, node: Option<NodeId>, id: TaskId) {
        let job = self.jobs.get_mut(id.slot as usize).and_then(Option::take);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(job))) {
            self.blame_node(node, &*panic);
        }
    }

    fn act(&self, action: Box<dyn FnOnce()>) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(action)) {
            self.blame(Actor::WORLD, &*panic);
        }
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Kill(node) => self.end_process(node, Record::Killed),
            Request::Restart(node) => {
                self.end_process(node, Record::Killed);
                self.start(node);
            }
            Request::Heal(link) => {
                let service = self.world.lock().links[link].service;
                self.at_port(service, |port, world| port.healed(world, link));
            }
            Request::Sever { link, before } => {
                let service = self.world.lock().links[link].service;
                self.at_port(service, |port, world| port.severed(world, link, before));
            }
        }
    }

    pub(super) fn start(&mut self, id: NodeId) {
        let mut core = self.world.lock();
        let (task, waker) = core.add_task(&self.world, id);
        let node = &mut core.processes[id];
        node.main = Some(task);
        let actor = node.actor;
        core.trace.record(self.world.now(), actor, Record::Started);
        core.make_ready(task);
        drop(core);
        // The process is alive by now: its factory may spawn.
        let program = &mut self.programs[id.0 as usize];
        let node = program.node.clone();
        match catch_unwind(AssertUnwindSafe(|| (program.factory)(node))) {
            Ok(future) => self.put(task, Job { waker, future }),
            Err(panic) => {
                self.blame_node(Some(id), &*panic);
                self.end_process(id, Record::Killed);
            }
        }
    }

    /// Drops a process's tasks and closes its sockets, if it is alive.
    fn end_process(&mut self, id: NodeId, how: Record<'_>) {
        self.adopt_spawned();
        let mut core = self.world.lock();
        let node = &mut core.processes[id];
        if node.main.take().is_none() {
            return;
        }
        node.paused = false;
        node.parked.clear();
        let actor = node.actor;
        core.trace.record(self.world.now(), actor, how);
        let theirs: Vec<TaskId> =
            core.tasks.iter().filter(|(_, task)| task.node == id).map(|(id, _)| id).collect();
        theirs.iter().for_each(|task| core.end_task(*task));
        drop(core);
        theirs.into_iter().for_each(|task| self.discard(Some(id), task));
        for service in 0..self.ports.len() as u32 {
            self.at_port(service, |port, world| port.node_died(world, id));
        }
    }

    /// Takes over the futures that handles have spawned.
    pub(super) fn adopt_spawned(&mut self) {
        let spawned = std::mem::take(&mut self.world.lock().spawned);
        self.adopt(spawned);
    }

    fn adopt(&mut self, spawned: Vec<(TaskId, Waker, SendFuture)>) {
        for (id, waker, future) in spawned {
            self.put(id, Job { waker, future });
        }
    }

    pub(super) fn put(&mut self, id: TaskId, job: Job) {
        let slot = id.slot as usize;
        if self.jobs.len() <= slot {
            self.jobs.resize_with(slot + 1, || None);
        }
        self.jobs[slot] = Some(job);
    }

    fn step_budget(&self) -> Outcome {
        let last = self.world.lock().last_polled();
        Outcome::StepBudget { steps: self.config.max_steps, last }
    }
}
