//! Guests: runtimes of their own that run the code of a node, with their own clock and timers.
//!
//! To the kernel, a guest is the main task of its node. It differs in three ways. It may have work
//! that nothing in the world has woken it for, so it is asked before every turn. Its timers are not
//! in the agenda, so before the world's time passes, the guests move their clocks first, and the
//! world follows the first of them that stops at a timer. And whatever the node runs, runs in the
//! guest's context.
//!
//! The invariant: code of a node runs only while its guest's clock shows the world's time.
//!
//! A guest cannot say when its next timer is due. It can only move to it, or to some time before
//! it. One guest alone may therefore move to its timer, but several must move in steps that are too
//! short to miss a timer of another: a guest's timers are due only at its ticks. In a long silence
//! the steps grow, to a small part of its length. Then one guest may get ahead of another's timer.
//! The world holds it until its own time is there, as an operating system may leave a process
//! waiting for a moment.
//!
//! Guests whose timers are due at one moment run in an order that is a choice of the world.

use crate::choice::Site;
use crate::sim::Sim;
use crate::sim::kernel::core::Core;
use crate::sim::kernel::event::Target;
use crate::sim::kernel::id::NodeId;
use crate::sim::kernel::probe::TICK;
use crate::sim::kernel::task::WakeRef;
use crate::sim::trace::Actor;
use crate::sim::trace::event::Record;
use crate::time::Instant;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// A runtime that runs a node's code.
pub(crate) trait Guest {
    /// Calls `call` in the runtime's context, after its clock was set to the world's time.
    fn enter(&self, call: &mut dyn FnMut());

    /// Moves its clock forward to its next timer, or to `until` if that comes first, and fires the
    /// timers that are due then. Runs nothing. Returns the time that it has reached.
    fn advance(&self, until: Instant) -> Instant;

    /// Moves its clock forward to its next timer, as [`Guest::advance`] does, and returns that
    /// time. Returns `None`, and has not moved, if it has no timers.
    fn advance_unbounded(&self) -> Option<Instant>;

    /// Returns the first moment after `now` at which one of its timers may be due.
    fn next_tick(&self, now: Instant) -> Instant;

    /// Returns whether any of its tasks have run since the last call.
    fn has_run(&self) -> bool;
}

/// A guest. A process that ends takes it along, so nobody else keeps it.
#[derive(Clone)]
struct Member {
    node: NodeId,
    guest: Weak<dyn Guest>,
    /// When a timer last made it run.
    last_fired: Instant,
}

/// The guests of a world, at most one of each node, in the order in which they run.
#[derive(Default)]
pub(crate) struct Guests {
    list: Vec<Member>,
}

/// The choice of the order in which guests run whose timers are due at one moment.
const ORDER: Site = Site::new("guest.order");

/// How long nothing must have run before the steps of several guests grow.
const SILENCE: Duration = Duration::from_secs(60);

/// Each step is this part of what the silence has lasted beyond that.
const PART: u32 = 4096;

/// After how long a silence each is asked for its next timer, however far off it is.
const LONG_SILENCE: Duration = Duration::from_secs(86_400);

impl Guests {
    #[cfg(feature = "tokio")]
    pub(crate) fn add(&mut self, node: NodeId, guest: Weak<dyn Guest>) {
        self.list.retain(|member| member.guest.strong_count() > 0);
        self.list.push(Member { node, guest, last_fired: Instant::ZERO });
    }

    pub(crate) fn of(&self, node: NodeId) -> Option<Rc<dyn Guest>> {
        self.list.iter().find(|member| member.node == node)?.guest.upgrade()
    }

    fn note_fired(&mut self, node: NodeId, now: Instant) {
        let member = self.list.iter_mut().find(|member| member.node == node);
        member.into_iter().for_each(|member| member.last_fired = now);
    }

    /// Chooses in which order they run next time.
    fn shuffle(&mut self, now: Instant, core: &mut Core) {
        for i in 1..self.list.len() {
            let n = (self.list.len() - i + 1) as u64;
            let place = core.choose(now, Actor::WORLD, ORDER, i as u64, n) as usize;
            self.list.swap(i - 1, i - 1 + place);
        }
    }
}

impl Sim {
    /// Lets time pass up to `until` as far as the guests are concerned. The world's time becomes
    /// that of the first timer of a guest, whose code then runs, or `until`.
    pub(crate) fn advance_guests(&mut self, until: Instant) {
        loop {
            let guests = self.running_guests();
            let reached = self.move_guests(until, &guests);
            if reached == Instant::MAX {
                self.world.lock().probes.are_quiet = true;
                return;
            }
            self.world.pass_time(reached);
            let has_run = self.visit_all(&guests);
            // With nothing to be seen there is no step of the run: no condition has changed.
            if has_run || reached >= until || guests.len() < 2 {
                return;
            }
        }
    }

    /// Returns the guests, which a world without any has no room for until it is asked.
    pub(crate) fn guests(&self) -> &Rc<RefCell<Guests>> {
        self.guests.get_or_init(Rc::default)
    }

    fn running_guests(&self) -> Vec<Member> {
        let core = self.world.lock();
        let now = self.world.now();
        let is_running = |member: &&Member| {
            let process = &core.processes[member.node];
            process.main.is_some() && process.may_run(now) && member.guest.strong_count() > 0
        };
        self.guests().borrow().list.iter().filter(is_running).cloned().collect()
    }

    /// Moves the guests. Returns the time that they have reached, or [`Instant::MAX`] if none of
    /// them has a timer.
    fn move_guests(&self, until: Instant, guests: &[Member]) -> Instant {
        let alone = |guest: Rc<dyn Guest>| match until {
            Instant::MAX => guest.advance_unbounded().unwrap_or(Instant::MAX),
            bound => guest.advance(bound),
        };
        match guests {
            [] => until,
            [member] => member.guest.upgrade().map_or(until, alone),
            several => self.move_several(until, several),
        }
    }

    fn move_several(&self, until: Instant, guests: &[Member]) -> Instant {
        let now = self.now();
        let mut core = self.world.lock();
        if core.probes.count_tick() {
            core.count_step();
        }
        let silence = core.silence(now);
        drop(core);
        if silence.saturating_sub(SILENCE) >= TICK * PART {
            return self.move_far(until, silence, guests);
        }
        let alive = || guests.iter().filter_map(|member| member.guest.upgrade());
        let tick = alive().map(|guest| guest.next_tick(now)).min();
        let reached = until.min(tick.unwrap_or(until));
        for guest in alive() {
            guest.advance(reached);
        }
        reached
    }

    /// Moves the guests in a long silence. The first that stops bounds those after it; those before
    /// it are held.
    fn move_far(&self, until: Instant, silence: Duration, guests: &[Member]) -> Instant {
        let now = self.now();
        let step = (silence - SILENCE) / PART;
        let mut first = until.min(now.saturating_add(step));
        if silence >= LONG_SILENCE {
            first = until;
        }
        // A timer that fires again and again is the likeliest to fire next.
        let mut order: Vec<&Member> = guests.iter().collect();
        order.sort_by_key(|member| std::cmp::Reverse(member.last_fired));
        let mut reached = Vec::with_capacity(order.len());
        for member in order {
            let Some(guest) = member.guest.upgrade() else { continue };
            let at = match first {
                Instant::MAX => guest.advance_unbounded(),
                bound => Some(guest.advance(bound)),
            };
            reached.extend(at.map(|at| (member.node, at)));
            first = first.min(at.unwrap_or(first));
        }
        let mut core = self.world.lock();
        for (node, at) in reached {
            if at > first {
                core.hold(now, node, at);
            }
        }
        first
    }

    /// Lets the guests run, because time has passed. Returns whether any of them did something, or
    /// has anything to do.
    fn visit_all(&mut self, guests: &[Member]) -> bool {
        let mut has_run = false;
        for Member { node, guest, .. } in guests {
            let now = self.now();
            let mut core = self.world.lock();
            if !core.processes[*node].may_run(now) && !core.processes[*node].is_paused() {
                continue;
            }
            if core.must_queue(now, *node) {
                has_run = true;
                continue;
            }
            drop(core);
            has_run |= self.visit(*node, guest);
        }
        let mut core = self.world.lock();
        if has_run && core.has_ties() {
            self.guests().borrow_mut().shuffle(self.world.now(), &mut core);
        }
        // A timer of a guest may also have woken a task of the world's own.
        has_run || !core.ready.is_empty()
    }

    /// Lets a guest run. This is part of the run only if it did something. Returns whether it did.
    fn visit(&mut self, node: NodeId, guest: &Weak<dyn Guest>) -> bool {
        let mut core = self.world.lock();
        let Some(main) = core.processes[node].main else { return false };
        if core.tasks.get(main).is_none_or(|task| task.queued) {
            return true;
        }
        core.begin_visit(node, main);
        drop(core);
        self.poll(main);
        if guest.upgrade().is_some_and(|guest| !guest.has_run()) {
            return false;
        }
        let now = self.now();
        self.guests().borrow_mut().note_fired(node, now);
        let mut core = self.world.lock();
        let actor = core.processes[node].actor;
        core.trace.record(now, actor, Record::Ran { task: main.number() });
        core.end_visit(now, node);
        true
    }
}

impl Core {
    /// Holds a process whose guest is ahead: nothing of it runs before `until`.
    pub(crate) fn hold(&mut self, now: Instant, node: NodeId, until: Instant) {
        self.processes[node].held_until = until;
        let key = self.timers.set(WakeRef::Held(node));
        self.agenda.push(now, until, 0, Target::Timer(key));
    }

    /// The time may have come until which a process is held.
    pub(crate) fn release(&mut self, now: Instant, node: NodeId) {
        let process = &mut self.processes[node];
        if process.held_until == now {
            let parked = std::mem::take(&mut process.parked);
            let main = process.main;
            parked.into_iter().for_each(|id| self.unpark(id));
            main.into_iter().for_each(|id| self.make_ready(id));
        }
    }

    /// Makes a guest whose clock has moved ready instead of letting it run at once, if it must wait
    /// its turn: its process is paused, a request of a handle comes first, or other events of this
    /// moment may. Returns whether it did.
    pub(crate) fn must_queue(&mut self, now: Instant, node: NodeId) -> bool {
        let waits = self.processes[node].is_paused()
            || !self.requests.is_empty()
            || !self.problems.is_empty()
            || (self.has_ties() && self.agenda.next_at(&self.timers) == Some(now));
        if waits && let Some(main) = self.processes[node].main {
            self.make_ready(main);
        }
        waits
    }
}
