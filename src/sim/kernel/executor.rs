//! The executor: the owned half of a world, which runs it.
//!
//! The shared half decides what happens next (a [`Turn`]). The executor does it, with everything
//! that need not be `Send`: it polls a task, serves a request of a handle, starts or ends a
//! process. Code under test runs only here, always under `catch_unwind` and without a lock, so its
//! panics become failures of the run.

use crate::sim::kernel::guest::Guest;
use crate::sim::kernel::id::{NodeId, TaskId};
use crate::sim::kernel::task::SendFuture;
use crate::sim::kernel::turn::{Housekeeping, Request, Turn};
use crate::sim::kernel::world::World;
use crate::sim::net::port::Port;
use crate::sim::outcome::{Problem, panic_message};
use crate::sim::trace::Actor;
use crate::sim::trace::event::Record;
use crate::sim::{Job, Outcome, Sim};
use crate::time::Instant;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Exited,
    Killed,
    LostPower,
}

/// What the run loop asks before each step.
pub(crate) enum GoOn<'a> {
    /// Nothing: it takes every step there is.
    Always,
    /// Whether to take it.
    If(&'a mut dyn FnMut() -> bool),
}

impl Sim {
    /// The run loop: takes steps up to `limit`, as long as `go_on` allows.
    pub(crate) fn run_while(
        &mut self,
        limit: Instant,
        housekeeping: Housekeeping,
        mut go_on: GoOn<'_>,
    ) -> Outcome {
        loop {
            let has_conditions = self.actions.has_conditions();
            if has_conditions {
                for action in self.actions.fulfilled() {
                    self.act(action);
                }
                for problem in self.actions.objections(self.now()) {
                    self.world.fail(Actor::WORLD, false, problem);
                }
            }
            if let GoOn::If(go_on) = &mut go_on
                && !go_on()
            {
                // A problem of the last step is not forgotten because the goal was reached.
                let problem = self.world.lock().problems.pop_front();
                return problem.map_or(Outcome::Reached, Outcome::Failed);
            }
            let bursts = !has_conditions && matches!(go_on, GoOn::Always);
            // Adopting spawned tasks does not count as a step.
            let turn = loop {
                let turn = self.world.turn(limit, housekeeping);
                match turn {
                    Turn::Adopt(spawned) => self.adopt(spawned),
                    turn => break turn,
                }
            };
            match turn {
                Turn::Poll(id) => self.poll(id),
                Turn::Arrival { service, connection, up } => {
                    self.at_port(service, |port, world| port.arrive(world, connection, up, bursts));
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
                Turn::Guests { until } => self.advance_guests(until),
                Turn::Adopt(_) => unreachable!("it was dealt with above"),
                Turn::Request(request) => self.serve(request),
                Turn::Problem(problem) => return Outcome::Failed(problem),
                Turn::StepBudget => return self.step_budget(),
                Turn::Endless(why) => {
                    let task = self.world.lock().last_polled();
                    return Outcome::Endless { why, at: self.now(), task };
                }
                Turn::Idle(Some(next)) => return Outcome::TimeBudget { next },
                Turn::Idle(None) => return self.at_rest(),
            }
        }
    }

    pub(crate) fn poll(&mut self, id: TaskId) {
        let guest = if self.guests.get().is_none() { None } else { self.guest_of(id) };
        let Some(job) = self.jobs.get_mut(id.slot as usize).and_then(Option::as_mut) else {
            return;
        };
        let mut cx = Context::from_waker(&job.waker);
        self.world.begin_poll();
        let polled = catch_unwind(AssertUnwindSafe(|| match guest {
            None => job.future.as_mut().poll_report(&mut cx),
            Some(guest) => {
                let mut polled = Poll::Pending;
                guest.enter(&mut || polled = job.future.as_mut().poll_report(&mut cx));
                polled
            }
        }));
        if self.world.end_poll() {
            // The process died in the middle of the poll, and nothing of its end counts. The
            // request that ends it comes next.
            return self.world.lock().forget_withheld();
        }
        match polled {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(None)) => self.finish(id),
            Ok(Poll::Ready(Some(message))) => {
                let node = self.world.lock().node_of(id);
                self.world.fail(self.actor_of(node), false, message);
                self.finish(id);
            }
            Err(panic) => {
                let mut core = self.world.lock();
                core.forget_withheld();
                let node = core.node_of(id);
                drop(core);
                self.blame_node(node, &*panic);
                if let Some(node) = node {
                    self.end_process(node, End::Killed);
                }
            }
        }
    }

    /// Returns the guest in whose context a task runs. The main task is the guest itself.
    fn guest_of(&self, id: TaskId) -> Option<Rc<dyn Guest>> {
        let core = self.world.lock();
        let node = core.node_of(id)?;
        let is_guest = core.processes[node].main == Some(id);
        drop(core);
        if is_guest { None } else { self.guests().borrow().of(node) }
    }

    /// Reports a panic of a node, a service, or the test itself.
    fn blame(&self, who: Actor, panic: &(dyn Any + Send)) {
        self.world.fail(who, true, panic_message(panic));
    }

    fn blame_node(&self, node: Option<NodeId>, panic: &(dyn Any + Send)) {
        self.blame(self.actor_of(node), panic);
    }

    fn actor_of(&self, node: Option<NodeId>) -> Actor {
        node.map_or(Actor::WORLD, |node| self.world.lock().processes[node].actor)
    }

    /// Runs a server. If its machine or one of its sessions panics, the server is down from then
    /// on.
    fn at_port(&self, service: u32, call: impl FnOnce(&dyn Port, &World)) {
        if self.config.record {
            // For the choices of the machine, which does not know the record's time.
            self.world.lock().choices.set_now(self.now());
        }
        let port = &*self.ports[service as usize];
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(port, &self.world))) {
            self.blame(port.actor(), &*panic);
            let killed = catch_unwind(AssertUnwindSafe(|| port.panicked(&self.world)));
            if let Err(panic) = killed {
                self.blame(port.actor(), &*panic);
            }
        }
    }

    /// Ends a task. If it was the main task of a node, the process ends too.
    fn finish(&mut self, id: TaskId) {
        let mut core = self.world.lock();
        let node = core.node_of(id);
        let exits = node.filter(|node| core.processes[*node].main == Some(id));
        core.end_task(id);
        drop(core);
        self.discard(node, id);
        if let Some(node) = exits {
            self.end_process(node, End::Exited);
        }
    }

    /// Drops the future of a task that has ended. Its destructors run foreign code, so no lock is
    /// held.
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
            Request::Kill(node) => self.end_process(node, End::Killed),
            Request::Restart(node) => {
                self.end_process(node, End::Killed);
                self.start(node);
            }
            Request::LosePower(node) => self.lose_power(node),
            Request::Act(action) => {
                if let Some(action) = self.actions.take(action) {
                    self.act(action);
                }
            }
            Request::Strike(strike) => self.strike(strike),
            Request::Tick(plan) => self.tick(plan),
            Request::Wind(plan) => self.wind(plan),
            Request::Cut(link) => {
                let service = self.world.lock().links[link].service;
                self.at_port(service, |port, world| port.cut(world, link));
            }
            Request::Heal { link, heal } => {
                let service = self.world.lock().links[link].service;
                self.at_port(service, |port, world| port.healed(world, link, heal));
            }
            Request::Forget { link, before } => {
                let service = self.world.lock().links[link].service;
                self.at_port(service, |port, world| port.forgotten(world, link, before));
            }
            Request::Sever { link, before } => {
                let service = self.world.lock().links[link].service;
                self.at_port(service, |port, world| port.severed(world, link, before));
            }
        }
    }

    pub(crate) fn start(&mut self, id: NodeId) {
        let mut core = self.world.lock();
        let (task, waker) = self.world.add_task(&mut core, id);
        let reboots = core.processes[id].off;
        core.begin_life(id, task);
        let actor = core.processes[id].actor;
        core.trace.record(self.world.now(), actor, Record::Started);
        core.make_ready(task);
        drop(core);
        if reboots {
            self.tell_ports(|port, world| port.node_rebooted(world, id));
        }
        // The process is already alive, so its factory may spawn.
        let program = &mut self.programs[id.0 as usize];
        let node = program.node.clone();
        match catch_unwind(AssertUnwindSafe(|| (program.factory)(node))) {
            Ok(future) => self.put(task, Job { waker, future }),
            Err(panic) => {
                self.blame_node(Some(id), &*panic);
                self.world.lock().forget_withheld();
                self.end_process(id, End::Killed);
            }
        }
    }

    /// Ends a process, if it is alive; `node.rs` documents each way to end.
    fn end_process(&mut self, id: NodeId, how: End) {
        self.adopt_spawned();
        let mut core = self.world.lock();
        if !core.end_life(id) {
            return;
        }
        let actor = core.processes[id].actor;
        let tasks = core.tasks.of(id);
        tasks.iter().for_each(|task| core.end_task(*task));
        let now = self.world.now();
        match how {
            End::Exited => {
                drop(core);
                tasks.into_iter().for_each(|task| self.discard(Some(id), task));
                self.world.lock().trace.record(now, actor, Record::Exited);
                self.tell_ports(|port, world| port.node_died(world, id));
            }
            End::Killed => {
                core.trace.record(now, actor, Record::Killed);
                drop(core);
                self.tell_ports(|port, world| port.node_died(world, id));
                self.discard_silently(&tasks);
            }
            End::LostPower => {
                core.trace.record(now, actor, Record::PowerLost);
                core.processes[id].off = true;
                drop(core);
                self.tell_ports(|port, world| port.node_vanished(world, id));
                self.discard_silently(&tasks);
            }
        }
    }

    fn tell_ports(&self, mut call: impl FnMut(&dyn Port, &World)) {
        for service in 0..self.ports.len() as u32 {
            self.at_port(service, &mut call);
        }
    }

    /// Drops the futures of a dead process. None of them would run, so nothing that this does is
    /// part of the run, including panics.
    fn discard_silently(&mut self, tasks: &[TaskId]) {
        self.world.lock().set_silent(true);
        for task in tasks {
            let job = self.jobs.get_mut(task.slot as usize).and_then(Option::take);
            drop(catch_unwind(AssertUnwindSafe(|| drop(job))));
        }
        let mut core = self.world.lock();
        core.set_silent(false);
        let afterwards = std::mem::take(&mut core.afterwards);
        drop(core);
        afterwards.into_iter().for_each(Waker::wake);
    }

    /// Takes over the futures that handles have spawned.
    pub(crate) fn adopt_spawned(&mut self) {
        let spawned = std::mem::take(&mut self.world.lock().spawned);
        self.adopt(spawned);
    }

    fn adopt(&mut self, spawned: Vec<(TaskId, Waker, SendFuture)>) {
        for (id, waker, future) in spawned {
            self.put(id, Job { waker, future });
        }
    }

    pub(crate) fn put(&mut self, id: TaskId, job: Job) {
        let slot = id.slot as usize;
        if self.jobs.len() <= slot {
            self.jobs.resize_with(slot + 1, || None);
        }
        self.jobs[slot] = Some(job);
    }

    /// A machine whose process has already ended may still hold sockets that are being closed.
    fn lose_power(&mut self, id: NodeId) {
        if self.world.lock().processes[id].main.is_some() {
            return self.end_process(id, End::LostPower);
        }
        let mut core = self.world.lock();
        if std::mem::replace(&mut core.processes[id].off, true) {
            return;
        }
        let actor = core.processes[id].actor;
        core.trace.record(self.world.now(), actor, Record::PowerLost);
        drop(core);
        self.tell_ports(|port, world| port.node_vanished(world, id));
    }

    /// Nothing can happen any more. Adds to each waiting task why it may wait in vain.
    fn at_rest(&mut self) -> Outcome {
        let mut outcome = self.world.at_rest();
        if let Outcome::Stuck(stuck) = &mut outcome {
            for port in &self.ports {
                for (node, why) in port.hindrances(&self.world) {
                    let theirs = stuck.waiting.iter_mut().filter(|waiting| waiting.node == node);
                    theirs.for_each(|waiting| waiting.because.push(why.clone()));
                }
            }
        }
        outcome
    }

    /// Returns the outcome of a run after which nothing more will happen: what has not come to hold
    /// never will.
    pub(crate) fn at_the_end(&mut self, outcome: Outcome) -> Outcome {
        if !outcome.is_done() {
            return outcome;
        }
        let hopeless = self.actions.hopeless();
        self.first_problem(hopeless).map_or(outcome, Outcome::Failed)
    }

    /// Returns what is wrong at the end of a run that stops at `at`, though the world may go on.
    pub(crate) fn overdue(&mut self, at: Instant) -> Option<Box<Problem>> {
        let overdue = self.actions.objections(at);
        self.first_problem(overdue)
    }

    fn first_problem(&mut self, problems: Vec<String>) -> Option<Box<Problem>> {
        for problem in problems {
            self.world.fail(Actor::WORLD, false, problem);
        }
        self.world.lock().problems.pop_front()
    }

    fn step_budget(&self) -> Outcome {
        if self.config.unwinds {
            // No hook is called: nothing has gone wrong.
            std::panic::resume_unwind(Box::new("this candidate takes too many steps".to_owned()));
        }
        let last = self.world.lock().last_polled();
        Outcome::StepBudget { steps: self.config.max_steps, last }
    }
}
