//! The shared half of a world: what handles reach.
//!
//! One mutex guards all of it. A world runs on one thread, so the lock is
//! never contended; it is there so that handles are `Send + Sync`, which real
//! client crates demand. Locks are taken in one order, a service's before the
//! core's, and none is held while a task is polled or dropped.

use super::config::{Config, Panics};
use super::event::{Agenda, Target};
use super::id::{LinkId, NodeId, TaskId};
use super::network::Links;
use super::outcome::{Endless, Outcome, Problem, Stuck, Waiting};
use super::process::Processes;
use super::schedule::{Next, ReadyQueue};
use super::task::{SendFuture, Task, Tasks, Wait, WakeRef};
use super::tcp::Heal;
use super::timer::{TimerKey, Timers};
use super::trace::{Actor, Record, Trace};
use crate::choice::{Choices, Site};
use crate::time::Instant;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// What handles share with the [`Sim`](super::Sim).
pub(super) struct World {
    seed: u64,
    /// What a failure tells beside the seed.
    settings: String,
    now: AtomicU64,
    /// Whether its [`Sim`](super::Sim) is gone.
    is_over: AtomicBool,
    core: Mutex<Core>,
}

impl World {
    pub(super) fn new(config: &Config) -> World {
        World {
            seed: config.seed,
            settings: config.beside_the_seed(),
            now: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            core: Mutex::new(Core::new(config)),
        }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Relaxed))
    }

    /// Whether its [`Sim`](super::Sim) is gone: nothing happens any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Relaxed);
        let mut core = self.lock();
        core.end_processes();
        core.set_silent(true);
    }

    pub(super) fn set_now(&self, now: Instant) {
        self.now.store(now.as_nanos(), Relaxed);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asserts that a handle is of this world: the numbers of one mean nothing,
    /// or something else, in another.
    #[track_caller]
    pub(super) fn expect_same(self: &Arc<World>, other: &Arc<World>) {
        assert!(Arc::ptr_eq(self, other), "a handle was used in another world than its own");
    }

    /// Reports a failure of a node, a service, or the test itself.
    pub(super) fn fail(&self, who: Actor, panicked: bool, message: String) {
        self.fail_in(&mut self.lock(), who, panicked, message);
    }

    fn fail_in(&self, core: &mut Core, who: Actor, panicked: bool, message: String) {
        core.trace.record(self.now(), who, Record::Failed { message: &message });
        let node = Arc::clone(core.trace.name(who));
        let made_at = core.processes.iter().find(|p| p.actor == who).map(|p| p.made_at);
        let (at, seed, settings) = (self.now(), self.seed, self.settings.clone());
        let problem = Problem { node, made_at, at, seed, settings, panicked, message };
        core.problems.push_back(Box::new(problem));
    }

    /// How a run ended in which nothing can happen any more.
    pub(super) fn at_rest(&self) -> Outcome {
        let waiting = self.lock().waiting();
        if waiting.is_empty() {
            return Outcome::Done;
        }
        let (at, seed, settings) = (self.now(), self.seed, self.settings.clone());
        Outcome::Stuck(Box::new(Stuck { waiting, at, seed, settings }))
    }

    /// Wakes this when no dead process is being dropped any more: now, if none is.
    pub(super) fn wake_afterwards(&self, waker: Waker) {
        let mut core = self.lock();
        if core.silent {
            core.afterwards.push(waker);
        } else {
            drop(core);
            waker.wake();
        }
    }

    /// Wakes everyone on the list; with no lock of the core held.
    pub(super) fn wake_all(&self, wakes: &mut Vec<WakeRef>) {
        if wakes.iter().any(|wake| matches!(wake, WakeRef::Waker(_))) {
            for wake in wakes.drain(..) {
                match wake {
                    WakeRef::Waker(waker) => waker.wake(),
                    other => self.lock().wake(&other),
                }
            }
        } else if !wakes.is_empty() {
            let mut core = self.lock();
            wakes.drain(..).for_each(|wake| core.wake(&wake));
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now()).finish_non_exhaustive()
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

/// What a task waits for that has noted nothing.
const FOREIGN: &str = "something outside this world, such as another thread, a channel, or a \
                       timer of another runtime (`tokio::time::sleep` needs tokio's own clock: \
                       use `Node::sleep`)";

/// What a handle asked of the [`Sim`](super::Sim), which owns the futures.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Kill(NodeId),
    Restart(NodeId),
    LosePower(NodeId),
    /// An action of the test whose message was sent.
    Act(u32),
    Cut(LinkId),
    Heal {
        link: LinkId,
        heal: Heal,
    },
    Forget {
        link: LinkId,
        /// The connections of earlier eras.
        before: u32,
    },
    Sever {
        link: LinkId,
        /// The connections of earlier eras.
        before: u32,
    },
}

/// How long nodes that wait are given to hear of some housekeeping, such as a
/// time-out at the server, before they count as stuck.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// When services do their housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Housekeeping {
    /// Whenever it is due.
    Always,
    /// Only as long as something else is to come, or a node waits for it.
    WhileAwaited,
}

/// What the run loop is to do next.
pub(super) enum Turn {
    Poll(TaskId),
    Wake(Waker),
    Arrival {
        service: u32,
        connection: u32,
        up: bool,
    },
    ServiceTimer(u32),
    Action(u32),
    /// Handles have spawned tasks.
    Adopt(Vec<(TaskId, Waker, SendFuture)>),
    Request(Request),
    Problem(Box<Problem>),
    StepBudget,
    Endless(Endless),
    /// Nothing is left before the limit; when the next event is, if any.
    Idle(Option<Instant>),
}

pub(super) struct Core {
    pub(super) agenda: Agenda,
    pub(super) timers: Timers,
    pub(super) tasks: Tasks,
    ready: ReadyQueue,
    pub(super) processes: Processes,
    pub(super) links: Links,
    pub(super) choices: Choices,
    pub(super) trace: Trace,
    /// Futures that handles spawned and the `Sim` has not yet taken over.
    pub(super) spawned: Vec<(TaskId, Waker, SendFuture)>,
    pub(super) requests: VecDeque<Request>,
    /// When a task was polled last.
    last_poll: Instant,
    /// When services want to do their housekeeping.
    housekeeping: Vec<(Instant, u32)>,
    /// Failures still to be told.
    problems: VecDeque<Box<Problem>>,
    /// The task being polled.
    current: Option<TaskId>,
    /// The task that was polled last, and its node.
    last: Option<(NodeId, TaskId)>,
    steps: u64,
    max_steps: u64,
    /// How many steps may come to nothing; see [`Config::patience`].
    patience: u64,
    /// The steps since time passed, those since then and since anything but a task ran, and
    /// those since a node was alive that is no daemon.
    still: u64,
    polls: u64,
    idle: u64,
    /// How many nodes are alive that are no daemons.
    awaited: usize,
    /// Whether what happens now is not part of the run: a dead process is being dropped, which
    /// runs code that no killed process would run.
    pub(super) silent: bool,
    /// Whom to wake when that is over.
    pub(super) afterwards: Vec<Waker>,
    /// Whether a panic aborts its process; what was withheld while one unwinds.
    aborts: bool,
    withheld: u32,
    /// Whether events of one instant may change places.
    ties: bool,
}

impl Core {
    fn new(config: &Config) -> Core {
        let choices = match &config.tape {
            _ if config.calm => Choices::calm(),
            Some(tape) => Choices::replaying(tape),
            None => Choices::seeded(config.seed),
        };
        let mut choices = if config.record { choices.recording() } else { choices };
        let ready = ReadyQueue::new(config.strategy, &mut choices);
        Core {
            agenda: Agenda::default(),
            timers: Timers::default(),
            tasks: Tasks::default(),
            ties: !matches!(ready, ReadyQueue::Fifo(_)),
            ready,
            processes: Processes::default(),
            links: Links::new(config.latency),
            choices,
            trace: Trace::new(config.retention, config.max_notes),
            spawned: Vec::new(),
            requests: VecDeque::new(),
            last_poll: Instant::ZERO,
            housekeeping: Vec::new(),
            problems: VecDeque::new(),
            current: None,
            last: None,
            steps: 0,
            max_steps: config.max_steps,
            patience: config.patience,
            still: 0,
            polls: 0,
            idle: 0,
            awaited: 0,
            silent: false,
            afterwards: Vec::new(),
            aborts: config.panics == Panics::Abort,
            withheld: 0,
        }
    }

    /// Decides what happens next, up to and including `limit`. Timers that
    /// wake one of our own tasks are dealt with here, without another look.
    pub(super) fn turn(
        &mut self,
        world: &World,
        limit: Instant,
        housekeeping: Housekeeping,
    ) -> Turn {
        if self.withheld > 0 {
            self.caught_a_panic(world);
        }
        self.current = None;
        loop {
            if let Some(problem) = self.problems.pop_front() {
                return Turn::Problem(problem);
            }
            if !self.spawned.is_empty() {
                return Turn::Adopt(std::mem::take(&mut self.spawned));
            }
            if self.steps >= self.max_steps {
                return Turn::StepBudget;
            }
            if let Some(endless) = self.endless(housekeeping) {
                return Turn::Endless(endless);
            }
            if let Some(request) = self.requests.pop_front() {
                self.count_step();
                return Turn::Request(request);
            }
            let now = world.now();
            let event_due = self.ties && self.agenda.next_at(&self.timers) == Some(now);
            match self.ready.pop(&mut self.choices, event_due) {
                Some(Next::Task(id)) => {
                    if let Some(turn) = self.begin_poll(now, id) {
                        return turn;
                    }
                    continue;
                }
                Some(Next::Event) | None => {}
            }
            if let Some((at, service)) = self.next_housekeeping(housekeeping) {
                if at > limit {
                    return Turn::Idle(Some(at));
                }
                self.count_step();
                self.housekeeping.retain(|(_, other)| *other != service);
                self.pass_time(world, at.max(now));
                return Turn::ServiceTimer(service);
            }
            let Some((at, target)) = self.agenda.pop(&self.timers, limit) else {
                return Turn::Idle(self.agenda.next_at(&self.timers));
            };
            self.count_step();
            self.pass_time(world, at);
            match target {
                Target::Arrival { service, connection, up } => {
                    return Turn::Arrival { service, connection, up };
                }
                Target::Action(action) => return Turn::Action(action),
                Target::Timer(key) => match self.timers.cancel(key) {
                    Some(WakeRef::Task(id)) => self.make_ready(id),
                    Some(WakeRef::Waker(waker)) => return Turn::Wake(waker),
                    Some(WakeRef::Service(service)) => return Turn::ServiceTimer(service),
                    Some(WakeRef::Kill(node)) => return Turn::Request(Request::Kill(node)),
                    #[cfg(test)]
                    Some(WakeRef::Nobody) => {}
                    None => {}
                },
            }
        }
    }

    /// A ready task's turn has come; `None` if it has ended or its node is
    /// paused meanwhile.
    fn begin_poll(&mut self, now: Instant, id: TaskId) -> Option<Turn> {
        let task = self.tasks.get(id)?;
        task.queued = false;
        let node = &mut self.processes[task.node];
        if node.paused {
            node.parked.push(id);
            task.queued = true;
            return None;
        }
        self.steps += 1;
        self.still += 1;
        self.polls += 1;
        self.idle += u64::from(self.awaited == 0);
        self.last_poll = now;
        self.current = Some(id);
        self.last = Some((task.node, id));
        self.tasks.clear_waits(id);
        self.trace.record(now, node.actor, Record::Ran { task: id.number() });
        Some(Turn::Poll(id))
    }

    /// Counts a step that is no poll.
    fn count_step(&mut self) {
        self.steps += 1;
        self.still += 1;
        self.polls = 0;
        self.idle += u64::from(self.awaited == 0);
    }

    fn pass_time(&mut self, world: &World, at: Instant) {
        if at > world.now() {
            self.still = 0;
            self.polls = 0;
            world.set_now(at);
        }
    }

    /// Whether the run seems to have no end.
    fn endless(&mut self, housekeeping: Housekeeping) -> Option<Endless> {
        let (still, idle) = (self.still, self.idle);
        let endless = if still >= self.patience || self.polls >= self.patience / 10 {
            Endless::NoTimePasses { steps: still }
        } else if idle >= self.patience && housekeeping == Housekeeping::WhileAwaited {
            Endless::OnlyDaemons { steps: idle }
        } else {
            return None;
        };
        // Whoever runs it on has as many steps again.
        (self.still, self.polls, self.idle) = (0, 0, 0);
        Some(endless)
    }

    /// A node has become alive, or is so no more.
    pub(super) fn count_awaited(&mut self, node: NodeId, alive: bool) {
        if !self.processes[node].daemon {
            self.awaited = if alive { self.awaited + 1 } else { self.awaited - 1 };
            self.idle = 0;
        }
    }

    /// Whether what a node's code does now is to have no effect: it is a destructor of a
    /// process that has been killed, or one that is run by a panic which aborts it.
    pub(super) fn withholds(&mut self) -> bool {
        if self.silent {
            return true;
        }
        let aborting = self.current.is_some() && self.aborts && std::thread::panicking();
        self.withheld += u32::from(aborting);
        aborting
    }

    /// The panic that was withheld for has ended its process.
    pub(super) fn forget_withheld(&mut self) {
        self.withheld = 0;
    }

    /// Something was withheld, but the process goes on.
    fn caught_a_panic(&mut self, world: &World) {
        self.withheld = 0;
        let Some((node, _)) = self.last else { return };
        let message = "it caught a panic, and destructors that the panic ran could send nothing, \
                       as with panic = \"abort\": set Config::panics(Panics::Unwind)";
        let actor = self.processes[node].actor;
        world.fail_in(self, actor, true, message.to_owned());
        self.requests.push_back(Request::Kill(node));
    }

    /// Asks a process to stop; whom to wake for that.
    pub(super) fn terminate(&mut self, now: Instant, id: NodeId, grace: Duration) -> Vec<WakeRef> {
        let silent = self.silent;
        let process = &mut self.processes[id];
        if silent || process.main.is_none() || process.is_terminating {
            return Vec::new();
        }
        process.is_terminating = true;
        let wakes = process.termination.take();
        self.trace.record(now, process.actor, Record::Terminated);
        if process.handles_termination {
            let key = self.timers.set(WakeRef::Kill(id));
            process.grace = Some(key);
            self.agenda.push(now, now + grace, 0, Target::Timer(key));
        } else {
            self.requests.push_back(Request::Kill(id));
        }
        wakes
    }

    /// A process starts: its next life.
    pub(super) fn begin_life(&mut self, id: NodeId, main: TaskId) {
        let process = &mut self.processes[id];
        process.main = Some(main);
        process.life += 1;
        process.off = false;
        process.handles_termination = false;
        process.is_terminating = false;
        self.count_awaited(id, true);
    }

    /// A process ends, if it is alive: returns whether it was.
    pub(super) fn end_life(&mut self, id: NodeId) -> bool {
        let process = &mut self.processes[id];
        if process.main.take().is_none() {
            return false;
        }
        process.paused = false;
        process.parked.clear();
        // Whoever waits there is of this process, and is dropped with it.
        drop(process.termination.take());
        let grace = process.grace.take();
        if let Some(key) = grace {
            self.cancel_timer(key);
        }
        self.count_awaited(id, false);
        true
    }

    /// A handle asks for something, unless it does so from the grave.
    pub(super) fn request(&mut self, request: Request) {
        if !self.silent {
            self.requests.push_back(request);
        }
    }

    /// From now on, or no longer, what happens is not part of the run.
    pub(super) fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
        self.trace.silent = silent;
    }

    pub(super) fn make_ready(&mut self, id: TaskId) {
        if self.silent {
            return self.tasks.note_lost_wake(id);
        }
        if let Some(task) = self.tasks.get(id)
            && !task.queued
        {
            task.queued = true;
            self.ready.push(id, &mut self.choices);
        }
    }

    /// Puts back a task that was parked while its node was paused.
    pub(super) fn unpark(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.get(id) {
            task.queued = false;
        }
        self.make_ready(id);
    }

    /// Wakes whoever this is, unless it is a foreign waker, which must not be
    /// woken under the lock.
    fn wake(&mut self, wake: &WakeRef) {
        if let WakeRef::Task(id) = wake {
            self.make_ready(*id);
        }
    }

    /// Whom to wake for the future that is being polled with `cx`.
    pub(super) fn wake_ref(&self, cx: &Context<'_>) -> WakeRef {
        match self.current {
            Some(id) if self.tasks.owns_waker(id, cx.waker()) => WakeRef::Task(id),
            _ => WakeRef::Waker(cx.waker().clone()),
        }
    }

    /// Notes what the task being polled waits for.
    pub(super) fn note_wait(&mut self, wait: Wait) {
        if let Some(id) = self.current {
            self.tasks.note_wait(id, wait);
        }
    }

    /// When something is next to happen.
    pub(super) fn next_event(&mut self, now: Instant) -> Option<Instant> {
        let busy = !self.ready.is_empty() || !self.requests.is_empty() || !self.problems.is_empty();
        if busy {
            return Some(now);
        }
        let housekeeping = self.housekeeping.iter().map(|(at, _)| *at).min();
        let next = self.agenda.next_at(&self.timers);
        next.into_iter().chain(housekeeping).min()
    }

    /// The tasks that still wait, daemons' left out.
    fn waiting(&self) -> Vec<Waiting> {
        let tasks = self.tasks.iter().filter(|(_, task)| !self.processes[task.node].daemon);
        tasks.map(|(id, task)| self.describe_waiting(id, task)).collect()
    }

    fn describe_waiting(&self, id: TaskId, task: &Task) -> Waiting {
        let node = &self.processes[task.node];
        let mut what = self.tasks.waits(id);
        if node.paused {
            what = vec!["to be resumed".to_owned()];
        } else if what.is_empty() {
            what.push(FOREIGN.to_owned());
        }
        let mut because = Vec::new();
        if self.tasks.has_lost_wake(id) {
            because.push(
                "a destructor of a killed process would have woken it; a real kill runs none"
                    .to_owned(),
            );
        }
        let (name, made_at) = (Arc::clone(&node.name), node.made_at);
        Waiting { node: name, made_at, what, because }
    }

    /// The task that was polled last: its node's name, and which of its tasks.
    pub(super) fn last_polled(&self) -> Arc<str> {
        let Some((node, task)) = self.last else { return Arc::from("world") };
        let process = &self.processes[node];
        let name = &process.name;
        // The main task of a process that has ended is not known as such any more.
        match process.main {
            Some(main) if main != task => format!("{name}/task {}", task.number()).into(),
            _ => format!("{name}/main").into(),
        }
    }

    pub(super) fn cancel_timer(&mut self, key: TimerKey) {
        if self.timers.cancel(key).is_some() {
            self.agenda.note_cancelled(&self.timers);
        }
    }

    /// The service whose housekeeping comes before the next event.
    fn next_housekeeping(&mut self, housekeeping: Housekeeping) -> Option<(Instant, u32)> {
        let first = *self.housekeeping.iter().min()?;
        match self.agenda.next_at(&self.timers) {
            Some(next) => (first.0 < next).then_some(first),
            None if housekeeping == Housekeeping::Always => Some(first),
            // No task has run for `PATIENCE`, so more housekeeping would not unblock anyone.
            None if first.0 <= self.last_poll.saturating_add(PATIENCE) && self.is_awaited() => {
                Some(first)
            }
            None => None,
        }
    }

    /// Whether a node waits that is no daemon.
    fn is_awaited(&self) -> bool {
        self.tasks.iter().any(|(_, task)| !self.processes[task.node].daemon)
    }

    /// Sets when a service's housekeeping is due.
    pub(super) fn set_housekeeping(&mut self, service: u32, at: Option<Instant>) {
        self.housekeeping.retain(|(_, other)| *other != service);
        self.housekeeping.extend(at.map(|at| (at, service)));
    }

    /// Sets a timer that runs a service.
    pub(super) fn set_service_timer(
        &mut self,
        now: Instant,
        at: Instant,
        service: u32,
    ) -> TimerKey {
        const TIE: Site = Site::new("event.tie.timer");
        let key = self.timers.set(WakeRef::Service(service));
        let tie = self.tie(TIE, u64::from(service));
        self.agenda.push(now, at, tie, Target::Timer(key));
        key
    }

    /// Adds a task to a node's process, and makes its waker.
    pub(super) fn add_task(&mut self, world: &Arc<World>, node: NodeId) -> (TaskId, Waker) {
        self.tasks.add(node, |id| Waker::from(Arc::new(TaskWaker { world: Arc::clone(world), id })))
    }

    pub(super) fn node_of(&mut self, task: TaskId) -> Option<NodeId> {
        self.tasks.get(task).map(|t| t.node)
    }

    pub(super) fn end_task(&mut self, id: TaskId) {
        // Its waker's address may be used again from here on.
        self.current = self.current.filter(|current| *current != id);
        self.tasks.remove(id);
        if let ReadyQueue::Pct(pct) = &mut self.ready {
            pct.forget(id);
        }
    }

    /// No process will run any more, nor take a task.
    fn end_processes(&mut self) {
        self.processes.iter_mut().for_each(|node| node.main = None);
    }

    /// A choice of the world, traced.
    pub(super) fn choose(
        &mut self,
        now: Instant,
        who: Actor,
        site: Site,
        entity: u64,
        n: u64,
    ) -> u64 {
        if self.silent {
            return 0;
        }
        let value = self.choices.choose(site, entity, n);
        self.trace.record(now, who, Record::Choice { site, entity, n, value });
        value
    }

    /// The time and tie at which an item sent now on `link` arrives, not
    /// before `last`, the arrival of the one sent before it.
    pub(super) fn arrival(
        &mut self,
        now: Instant,
        link: LinkId,
        last: (Instant, u16),
    ) -> (Instant, u16) {
        const TIE: Site = Site::new("event.tie");
        let state = &mut self.links[link];
        state.sent += 1;
        if !state.triggers.is_empty() {
            let sent = state.sent;
            let due = state.triggers.extract_if(.., |(at, _)| *at <= sent);
            self.requests.extend(due.map(|(_, action)| Request::Act(action)));
        }
        let state = &self.links[link];
        let entity = state.entity();
        let latency = state.latency.draw(&mut self.choices, entity);
        (now + latency, self.tie(TIE, entity)).max(last)
    }

    /// The place of an event among those of its instant.
    fn tie(&mut self, site: Site, entity: u64) -> u16 {
        if self.ties { self.choices.choose(site, entity, 4) as u16 } else { 0 }
    }
}
