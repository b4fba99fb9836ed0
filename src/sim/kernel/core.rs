//! The core: all tables of a world, and what happens next.
//!
//! Processes, tasks, timers, links, the agenda, the choices and the trace are one value behind the
//! world's lock. Nothing happens except through [`Core::turn`], which returns the next thing in the
//! documented order, and [`Core::go_on_with`], which is a turn for one case of it. A new source of
//! things that happen belongs in both.

use crate::choice::{Choices, Site};
use crate::sim::config::{Config, Panics};
use crate::sim::kernel::agenda::Agenda;
use crate::sim::kernel::event::Target;
use crate::sim::kernel::id::{NodeId, TaskId};
use crate::sim::kernel::patience::Patience;
use crate::sim::kernel::polling::Polling;
use crate::sim::kernel::probe::{Probes, TICK};
use crate::sim::kernel::process::Processes;
use crate::sim::kernel::schedule::{Next, ReadyQueue};
use crate::sim::kernel::striker::Striker;
use crate::sim::kernel::task::{SendFuture, Tasks, WakeRef};
use crate::sim::kernel::timer::{TimerKey, Timers};
use crate::sim::kernel::turn::{Housekeeping, Now, Request, Turn};
use crate::sim::net::latency::Latency;
use crate::sim::net::network::Links;
use crate::sim::outcome::Problem;
use crate::sim::trace::{Actor, Trace};
use crate::time::{Instant, earlier};
use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

/// How long blocked nodes may wait for a background timer, such as a time-out at the server, before
/// they count as stuck.
const PATIENCE: Duration = Duration::from_secs(86_400);

pub(crate) struct Core {
    pub(crate) agenda: Agenda,
    pub(crate) timers: Timers,
    pub(crate) tasks: Tasks,
    pub(crate) ready: ReadyQueue,
    pub(crate) processes: Processes,
    pub(crate) links: Links,
    pub(crate) choices: Choices,
    pub(crate) trace: Trace,
    /// Futures that handles have spawned and the `Sim` has not taken over yet.
    pub(crate) spawned: Vec<(TaskId, Waker, SendFuture)>,
    pub(crate) requests: VecDeque<Request>,
    /// When a task was last polled.
    last_poll: Instant,
    /// When the background timers of services are due.
    housekeeping: Vec<(Instant, u32)>,
    /// Failures that have not been reported yet.
    pub(crate) problems: VecDeque<Box<Problem>>,
    /// The task being polled.
    pub(crate) current: Option<TaskId>,
    pub(crate) polling: Polling,
    /// The task that was last polled, and its node.
    pub(crate) last: Option<(NodeId, TaskId)>,
    /// The process with followers whose task was polled last, until these are made ready.
    pub(crate) followed: Option<NodeId>,
    /// Tasks that were woken while wakes are held, if they are.
    pub(crate) held: Option<Vec<TaskId>>,
    steps: u64,
    max_steps: u64,
    /// From this number of steps on, each is looked at: all of them if the choices are recorded, so
    /// that a world whose choices are not pays nothing for that.
    alarm: u64,
    pub(crate) patience: Patience,
    pub(crate) probes: Probes,
    /// Whether a dead process is being dropped. Its destructors, which would not run in a killed
    /// process, must not become part of the run.
    pub(crate) silent: bool,
    /// The wakers to wake when that is over.
    pub(crate) afterwards: Vec<Waker>,
    /// Whether a panic aborts its process, and what was withheld while one unwinds.
    pub(crate) aborts: bool,
    pub(crate) withheld: u32,
    /// Whether events of one instant may change places.
    pub(crate) ties: bool,
    /// When the faults of the world's plan strike, if it has one.
    pub(crate) striker: Option<Box<Striker>>,
}

impl Core {
    pub(crate) fn new(config: &Config) -> Core {
        let choices = match &config.tape {
            _ if config.calm => Choices::calm(),
            Some(tape) if config.resumes => Choices::replaying_then(tape, config.seed),
            Some(tape) => Choices::replaying(tape),
            None => Choices::seeded(config.seed),
        };
        let mut choices = if config.record { choices.recording() } else { choices };
        let learned = config.learned.as_deref();
        let ready = ReadyQueue::new(config.strategy, learned, &mut choices);
        Core {
            agenda: Agenda::default(),
            timers: Timers::default(),
            tasks: Tasks::default(),
            ties: !ready.is_fifo(),
            ready,
            processes: Processes::default(),
            links: Links::new(config.latency.unwrap_or(Latency::Constant(Duration::ZERO))),
            choices,
            trace: Trace::new(config.retention, config.max_notes),
            spawned: Vec::new(),
            requests: VecDeque::new(),
            last_poll: Instant::ZERO,
            housekeeping: Vec::new(),
            problems: VecDeque::new(),
            current: None,
            polling: Polling::default(),
            last: None,
            followed: None,
            held: None,
            steps: 0,
            max_steps: config.max_steps,
            alarm: if config.record { 0 } else { config.max_steps },
            patience: Patience::new(config.patience),
            probes: Probes::default(),
            silent: false,
            afterwards: Vec::new(),
            aborts: config.panics == Panics::Abort,
            withheld: 0,
            striker: None,
        }
    }

    /// Decides what happens next, up to and including `limit`. Timers that wake one of the world's
    /// own tasks are handled here, without another turn.
    pub(crate) fn turn(&mut self, clock: &Now, limit: Instant, housekeeping: Housekeeping) -> Turn {
        self.current = None;
        self.make_followers_ready();
        loop {
            let now = clock.get();
            let mut recorded = None;
            if self.is_interrupted() {
                if let Some(turn) = self.interruption(housekeeping) {
                    return turn;
                }
                recorded = self.choices.begin(now);
            }
            let event_due = self.ties && self.agenda.is_due(now, &self.timers);
            let next = match recorded {
                None => self.ready.pop(&mut self.choices, event_due, &self.tasks),
                Some(before) => self.next_ready_told(event_due, before),
            };
            match next {
                Some(Next::Task(id)) => {
                    if let Some(turn) = self.begin_poll(now, id) {
                        return turn;
                    }
                    continue;
                }
                Some(Next::Event) | None => {}
            }
            if !self.probes.list.is_empty() {
                if self.only_guests_go_on(housekeeping) {
                    return Turn::Idle(None);
                }
                if let Some(until) = self.guests_go_first(now, limit, housekeeping) {
                    return Turn::Guests { until };
                }
            }
            if let Some((at, service)) = self.next_housekeeping(housekeeping) {
                if at > limit {
                    return Turn::Idle(Some(at));
                }
                self.count_step();
                self.housekeeping.retain(|(_, other)| *other != service);
                self.pass_time(clock, at.max(now));
                return Turn::ServiceTimer(service);
            }
            let Some((at, target)) = self.agenda.pop(&self.timers, limit) else {
                return Turn::Idle(self.next_beyond(limit, housekeeping));
            };
            self.count_step();
            self.pass_time(clock, at);
            match target {
                Target::Arrival { service, connection, up } => {
                    return Turn::Arrival { service, connection, up };
                }
                Target::Action(action) => return Turn::Action(action),
                Target::Timer(key) => match self.timers.cancel(key) {
                    Some(WakeRef::Task(id)) => self.make_ready(id),
                    Some(WakeRef::Waker(waker)) => return Turn::Wake(waker),
                    Some(WakeRef::Service(service)) => return Turn::ServiceTimer(service),
                    Some(WakeRef::Held(node)) => self.release(at, node),
                    Some(WakeRef::Kill(node)) => return Turn::Request(Request::Kill(node)),
                    #[cfg(test)]
                    Some(WakeRef::Nobody) => {}
                    None => {}
                },
            }
        }
    }

    /// Returns what runs next, or `None` if no task is ready, with words for the choice.
    #[cold]
    #[inline(never)]
    fn next_ready_told(&mut self, event_due: bool, before: usize) -> Option<Next> {
        let first = self.ready.iter().next();
        let next = self.ready.pop(&mut self.choices, event_due, &self.tasks)?;
        let calm = first.map(|first| self.task_name(first)).unwrap_or_default();
        let words = || {
            Some(match next {
                Next::Task(task) if Some(task) == first => format!("ran {calm}, which was first"),
                Next::Task(task) => {
                    let ran = self.task_name(task);
                    format!("ran {ran} before {calm} (calm: {calm}, which was ready first)")
                }
                Next::Event => {
                    format!("let a due event go before {calm} (calm: {calm}, which was ready)")
                }
            })
        };
        self.choices.attribute(before, self.trace.name(Actor::WORLD), words);
        Some(next)
    }

    /// Returns whether something may come before ready tasks and events. Mostly nothing does.
    fn is_interrupted(&self) -> bool {
        !self.problems.is_empty()
            || !self.spawned.is_empty()
            || !self.requests.is_empty()
            || !self.probes.list.is_empty()
            || self.steps >= self.alarm
            || self.patience.must_check()
    }

    /// Returns what comes before ready tasks and events, if anything.
    fn interruption(&mut self, housekeeping: Housekeeping) -> Option<Turn> {
        if let Some(problem) = self.problems.pop_front() {
            return Some(Turn::Problem(problem));
        }
        if !self.spawned.is_empty() {
            return Some(Turn::Adopt(std::mem::take(&mut self.spawned)));
        }
        if self.steps >= self.max_steps {
            return Some(Turn::StepBudget);
        }
        if let Some(why) = self.patience.run_out(housekeeping == Housekeeping::WhileAwaited) {
            return Some(Turn::Endless(why));
        }
        if let Some(request) = self.requests.pop_front() {
            self.count_step();
            return Some(Turn::Request(request));
        }
        self.make_guests_ready();
        None
    }

    /// Takes the next step if [`Core::turn`] would return an arrival at this service now: the
    /// connection, and whether the arrival is at the service. So a burst needs one turn.
    pub(crate) fn go_on_with(&mut self, now: Instant, service: u32) -> Option<(u32, bool)> {
        let something_else = !self.ready.is_empty()
            || self.is_interrupted()
            || self.followed.is_some()
            || self.withheld > 0
            || self.housekeeping.iter().any(|(at, _)| *at < now);
        if something_else {
            return None;
        }
        let arrival = self.agenda.pop_arrival(service)?;
        self.count_step();
        Some(arrival)
    }

    /// Makes the guests ready that have work.
    fn make_guests_ready(&mut self) {
        for i in 0..self.probes.list.len() {
            let (node, has_work) = &self.probes.list[i];
            if has_work()
                && let Some(main) = self.processes[*node].main
            {
                self.make_ready(main);
            }
        }
    }

    /// Returns whether only daemons are left, and nothing is going to happen but in their guests.
    /// The timers of guests do not keep such a run from its end: most would go on for ever.
    fn only_guests_go_on(&mut self, housekeeping: Housekeeping) -> bool {
        housekeeping == Housekeeping::WhileAwaited
            && !self.patience.is_awaited()
            && self.ready.is_empty()
            && self.agenda.next_at(&self.timers).is_none()
    }

    /// Returns for how long nothing has run.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        now - self.last_poll
    }

    /// Returns whether things of one moment may change places.
    pub(crate) fn has_ties(&self) -> bool {
        self.ties
    }

    /// Returns the time up to which guests must have moved before anything else may happen, if they
    /// have not.
    fn guests_go_first(
        &mut self,
        now: Instant,
        limit: Instant,
        housekeeping: Housekeeping,
    ) -> Option<Instant> {
        let background = self.next_housekeeping(housekeeping).map(|(at, _)| at.max(now));
        let next = background.or_else(|| self.agenda.next_at(&self.timers));
        let until = next.unwrap_or(Instant::MAX).min(limit);
        (until > now && !self.probes.are_quiet).then_some(until)
    }

    /// Returns when something happens next, with nothing left before `limit`. Of a guest's timers
    /// it is only known that they lie beyond it.
    fn next_beyond(&mut self, limit: Instant, housekeeping: Housekeeping) -> Option<Instant> {
        let next = self.agenda.next_at(&self.timers);
        if next.is_some() || !self.has_guests_with_timers() || limit == Instant::MAX {
            return next;
        }
        let go_on = housekeeping == Housekeeping::Always || self.patience.is_awaited();
        go_on.then(|| limit.saturating_add(TICK))
    }

    /// Begins to run a guest because time has passed.
    pub(crate) fn begin_visit(&mut self, node: NodeId, main: TaskId) {
        self.patience.count_poll();
        self.current = Some(main);
        self.last = Some((node, main));
        self.tasks.clear_waits(main);
        self.probes.are_quiet = false;
    }

    /// A guest has run something because time has passed.
    pub(crate) fn end_visit(&mut self, now: Instant, node: NodeId) {
        self.steps += 1;
        self.last_poll = now;
        self.wind();
        if !self.processes[node].followers.is_empty() {
            self.followed = Some(node);
        }
    }

    /// Returns the number of steps taken so far.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Counts a step that is not a poll.
    pub(crate) fn count_step(&mut self) {
        self.steps += 1;
        self.patience.count_event();
    }

    pub(crate) fn pass_time(&mut self, clock: &Now, at: Instant) {
        if at > clock.get() {
            self.patience.time_passes();
            clock.set(at);
        }
    }

    /// Begins the poll of a ready task. Returns `None` if it has ended or its node was paused in
    /// the meantime.
    fn begin_poll(&mut self, now: Instant, id: TaskId) -> Option<Turn> {
        let task = self.tasks.get(id)?;
        task.queued = false;
        let node = &mut self.processes[task.node];
        if !node.may_run(now) {
            node.parked.push(id);
            task.queued = true;
            return None;
        }
        self.steps += 1;
        self.patience.count_poll();
        self.probes.are_quiet = false;
        self.current = Some(id);
        self.last = Some((task.node, id));
        if node.followers.is_empty() {
            self.last_poll = now;
        } else if !node.followers.contains(&id) {
            // A client library that only hears heartbeats does not count as at work.
            self.last_poll = now;
            self.followed = Some(task.node);
        }
        if task.has_waited() || self.tasks.has_lost_wakes() {
            self.tasks.clear_waits(id);
        }
        self.trace.record_poll(now, node.actor, id.number());
        if self.striker.is_some() && self.last_poll == now {
            self.wind();
        }
        Some(Turn::Poll(id))
    }

    /// Returns the number of the last step, if it polled a task of this node.
    #[cfg(feature = "lapin")]
    pub(crate) fn polled(&self, node: NodeId) -> Option<u64> {
        self.last.filter(|last| last.0 == node && self.current == Some(last.1))?;
        Some(self.steps)
    }

    /// Returns whose code is running: a node's, or the test's.
    #[cfg(feature = "tracing")]
    pub(crate) fn current_actor(&self) -> Actor {
        let node = self.current.and_then(|id| self.tasks.node_of(id));
        node.map_or(Actor::WORLD, |node| self.processes[node].actor)
    }

    /// Returns when something happens next.
    pub(crate) fn next_event(&mut self, now: Instant) -> Option<Instant> {
        let busy = !self.ready.is_empty() || !self.requests.is_empty() || !self.problems.is_empty();
        if busy || self.probes.list.iter().any(|(_, has_work)| has_work()) {
            return Some(now);
        }
        let next = self.next_timed();
        // A guest's timers are not known, only that they are due at its ticks.
        let tick = self.has_guests_with_timers().then(|| now.saturating_add(TICK));
        earlier(next, tick)
    }

    /// Returns when the next event or background timer is due.
    pub(crate) fn next_timed(&mut self) -> Option<Instant> {
        let housekeeping = self.housekeeping.iter().map(|(at, _)| *at).min();
        let next = self.agenda.next_at(&self.timers);
        earlier(next, housekeeping)
    }

    fn has_guests_with_timers(&self) -> bool {
        !self.probes.list.is_empty() && !self.probes.are_quiet
    }

    pub(crate) fn cancel_timer(&mut self, key: TimerKey) {
        if self.timers.cancel(key).is_some() {
            self.agenda.note_cancelled(&self.timers);
        }
    }

    /// Returns the service whose background timer is due before the next event.
    fn next_housekeeping(&mut self, housekeeping: Housekeeping) -> Option<(Instant, u32)> {
        let first = *self.housekeeping.iter().min()?;
        match self.agenda.next_at(&self.timers) {
            Some(next) => (first.0 < next).then_some(first),
            None if housekeeping == Housekeeping::Always => Some(first),
            // No task has run for `PATIENCE`, so more housekeeping would not unblock anyone.
            None => {
                let is_late = first.0 > self.last_poll.saturating_add(PATIENCE);
                (!is_late && self.patience.is_awaited()).then_some(first)
            }
        }
    }

    /// Sets when a service's background timer is due.
    pub(crate) fn set_housekeeping(&mut self, service: u32, at: Option<Instant>) {
        self.housekeeping.retain(|(_, other)| *other != service);
        self.housekeeping.extend(at.map(|at| (at, service)));
    }

    /// Sets a timer that runs a service.
    pub(crate) fn set_service_timer(
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

    pub(crate) fn node_of(&self, task: TaskId) -> Option<NodeId> {
        self.tasks.node_of(task)
    }

    pub(crate) fn end_task(&mut self, id: TaskId) {
        // The address of its waker may be reused from here on.
        self.current = self.current.filter(|current| *current != id);
        if let Some(node) = self.node_of(id) {
            self.processes[node].followers.retain(|follower| *follower != id);
        }
        self.tasks.remove(id);
        self.ready.forget(id);
    }
}
