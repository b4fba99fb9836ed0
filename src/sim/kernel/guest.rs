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
//! A guest cannot say when its next timer is due. One guest alone may therefore move to it, but two
//! must move in steps that are too short to miss a timer of the other: a guest's timers are due
//! only at its ticks.

use crate::sim::Sim;
use crate::sim::kernel::id::NodeId;
use crate::sim::trace::event::Record;
use crate::time::Instant;
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

    /// Returns how far its clock is ahead of the world's time, if it is.
    fn lead(&self) -> Option<Duration>;

    /// Returns whether any of its tasks have run since the last call.
    fn has_run(&self) -> bool;
}

/// Asks whether a guest has work.
pub(crate) type Probe = Box<dyn Fn() -> bool + Send>;

/// The core's knowledge of the guests that are alive.
#[derive(Default)]
pub(crate) struct Probes {
    pub(crate) list: Vec<(NodeId, Probe)>,
    /// No guest has a timer before this time.
    pub(crate) quiet_until: Instant,
}

/// The guests of a world, in the order in which they began.
#[derive(Default)]
pub(crate) struct Guests {
    list: Vec<(NodeId, Weak<dyn Guest>)>,
    /// When any of them last did something.
    last_active: Instant,
    /// The steps of several guests since one was counted.
    ticks: u32,
}

/// With nothing in the agenda, how long several guests take small steps before each is asked for a
/// timer without a bound.
const SILENCE: Duration = Duration::from_secs(60);

/// How many small steps count as a step of the run.
const TICKS: u32 = 1024;

impl Guests {
    #[cfg(feature = "tokio")]
    pub(crate) fn add(&mut self, node: NodeId, guest: Weak<dyn Guest>) {
        self.list.retain(|(_, guest)| guest.strong_count() > 0);
        self.list.push((node, guest));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn of(&self, node: NodeId) -> Option<Rc<dyn Guest>> {
        let (_, guest) = self.list.iter().rev().find(|(other, _)| *other == node)?;
        guest.upgrade()
    }
}

/// A guest that may run now.
type Running = (NodeId, Rc<dyn Guest>);

impl Sim {
    /// Lets time pass up to `until` as far as the guests are concerned. The world's time becomes
    /// that of the first timer of a guest, whose code then runs, or `until`.
    pub(crate) fn advance_guests(&mut self, until: Instant) {
        let guests = self.running_guests();
        loop {
            let now = self.now();
            let reached = match &*guests {
                [] => until,
                [(_, guest)] if until == Instant::MAX => {
                    guest.advance_unbounded().unwrap_or(Instant::MAX)
                }
                [(_, guest)] => guest.advance(until),
                several => self.advance_several(now, until, several),
            };
            if reached == Instant::MAX {
                self.world.lock().probes.quiet_until = Instant::MAX;
                return;
            }
            self.world.pass_time(reached);
            let mut has_run = false;
            for (node, guest) in &guests {
                has_run |= guest.lead().is_none() && self.visit(*node, &**guest);
            }
            // With nothing to be seen there is no step of the run: no condition has changed.
            if has_run || reached >= until || guests.len() < 2 {
                return;
            }
        }
    }

    fn running_guests(&self) -> Vec<Running> {
        let core = self.world.lock();
        let is_running = |node: NodeId| {
            let process = &core.processes[node];
            process.main.is_some() && !process.paused
        };
        let guests = self.guests.borrow();
        let running = guests.list.iter().filter(|(node, _)| is_running(*node));
        running.filter_map(|(node, guest)| Some((*node, guest.upgrade()?))).collect()
    }

    /// Moves several guests in step. Returns the time that they have reached, or [`Instant::MAX`]
    /// if none of them has a timer.
    fn advance_several(&self, now: Instant, until: Instant, guests: &[Running]) -> Instant {
        let mut state = self.guests.borrow_mut();
        state.ticks += 1;
        if state.ticks.is_multiple_of(TICKS) {
            self.world.lock().count_step();
        }
        if until == Instant::MAX && now - state.last_active >= SILENCE {
            return jump(guests);
        }
        let tick = guests.iter().map(|(_, guest)| guest.next_tick(now)).min();
        let reached = until.min(tick.expect("there are several"));
        for (_, guest) in guests {
            guest.advance(reached);
        }
        reached
    }

    /// Lets a guest run, because time has passed. This is part of the run only if it did something.
    /// Returns whether it did.
    fn visit(&mut self, node: NodeId, guest: &dyn Guest) -> bool {
        let mut core = self.world.lock();
        let Some(main) = core.processes[node].main else { return false };
        if core.tasks.get(main).is_none_or(|task| task.queued) {
            return true;
        }
        core.begin_visit(node, main);
        drop(core);
        self.poll(main);
        if !guest.has_run() {
            return false;
        }
        let now = self.now();
        self.guests.borrow_mut().last_active = now;
        let mut core = self.world.lock();
        let actor = core.processes[node].actor;
        core.trace.record(now, actor, Record::Ran { task: main.number() });
        core.end_visit(node);
        true
    }
}

/// Moves every guest to its next timer, and each no further than those before it. One that stops
/// earlier leaves those ahead, which must wait for the world.
fn jump(guests: &[Running]) -> Instant {
    let mut reached = Instant::MAX;
    for (_, guest) in guests {
        reached = match reached {
            Instant::MAX => guest.advance_unbounded().unwrap_or(Instant::MAX),
            bound => guest.advance(bound).min(bound),
        };
    }
    reached
}
