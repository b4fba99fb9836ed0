//! A plan of faults at work.
//!
//! The kernel chooses at each moment (`kernel/striker.rs`) and requests what was chosen. Here it
//! happens, at once or after its delay, and is undone when its time is over (`holds.rs`). When the
//! plan ends, no fault strikes any more, and all that have struck are undone. A plan has a number,
//! and what is still scheduled carries it, so it does nothing in a later plan.
//!
//! The plan's clock stands while nothing runs, so that it does not keep a world from its end. The
//! kernel winds it when something runs again.

use super::Chaos;
use super::fault::{Fault, Until};
use super::holds::Holds;
use crate::sim::Sim;
use crate::sim::kernel::executor::GoOn;
use crate::sim::kernel::striker::{Kind, Strike, Striker};
use crate::sim::kernel::turn::{Housekeeping, Request};
use crate::sim::outcome::Outcome;
use crate::time::Instant;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// After this many ticks in which no task has run, a plan's clock stops.
const IDLE_TICKS: u32 = 1_000;

/// A plan at work in a world.
pub(crate) struct Storm {
    number: u32,
    faults: Vec<Rc<Fault>>,
    is_over: bool,
    every: Option<Duration>,
    /// The holds of the strikes of this plan and of earlier ones.
    holds: Rc<RefCell<Holds>>,
}

/// Begins a plan.
pub(super) fn start(plan: Chaos, sim: &mut Sim) {
    for world in &plan.worlds {
        sim.world.expect_same(world);
    }
    assert!(
        sim.storm.as_ref().is_none_or(|storm| storm.is_over),
        "this world has a plan of faults already: put all faults into one `Chaos`, or end the \
         first plan with `Sim::end_chaos`"
    );
    let one_in = plan.one_in.or_else(|| {
        let learned = sim.config.learned.as_ref().map(|learned| learned.strikes);
        let moments = learned.filter(|moments| *moments > 0)?;
        // About as many faults as may strike, over the whole run.
        Some((moments / u64::from(plan.limit.max(1))).max(2))
    });
    let last = sim.storm.take();
    let number = last.as_ref().map_or(0, |storm| storm.number + 1);
    let holds = last.map(|storm| storm.holds).unwrap_or_default();
    let is_recorded = sim.world.lock().choices.is_recording();
    let kinds = plan.faults.iter().map(|fault| Kind {
        durations: fault.durations().len() as u64,
        fatal: fault.what().fatal(),
        told: is_recorded.then(|| fault.told()),
    });
    let kinds: Vec<Kind> = kinds.collect();
    let mut core = sim.world.lock();
    let (limit, swarms) = (plan.limit, plan.swarms);
    let striker = Striker::new(&mut core.choices, (number, kinds), one_in, limit, swarms);
    core.watch(striker, &plan.watches, sim.world.share_polling());
    drop(core);
    let faults = plan.faults.into_iter().map(Rc::new).collect();
    sim.storm = Some(Storm { number, faults, is_over: false, every: plan.every, holds });
    sim.wind(number);
}

/// Runs with faults for a while, ends them, and runs on.
pub(super) fn run_then_heal(sim: &mut Sim, lasting: Duration) -> Outcome {
    let end = sim.now() + lasting;
    let limit = end.min(sim.config.max_time);
    match sim.run_while(limit, Housekeeping::WhileAwaited, GoOn::Always) {
        // Whoever is stuck may wait for what is about to heal.
        Outcome::Done | Outcome::Stuck(_) => {}
        Outcome::TimeBudget { .. } if end == limit => sim.world.set_now(limit),
        other => return other,
    }
    sim.end_chaos();
    sim.run()
}

impl Sim {
    /// Ends the world's plan of faults: no fault strikes any more, and what has struck is undone.
    /// Links heal and have their latencies back, calendars show the right time, services run, and
    /// nodes that faults have killed start again, except [for good](Chaos::kill_for_good). A node
    /// that was asked to stop and has not ended yet starts again when it has. What the test itself
    /// has cut, paused, stopped or set stays so. A no-op if there is no plan.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stunt_double::sim::{Chaos, Sim};
    ///
    /// let mut sim = Sim::new(1);
    /// let sleeper = sim.node("sleeper", async |node| {
    ///     node.sleep(Duration::from_secs(3_600)).await;
    /// });
    /// let plan = Chaos::new().kill(&sleeper).also_every(Duration::from_millis(10));
    /// plan.with_one_in(10).start(&mut sim);
    /// sim.run_for(Duration::from_secs(60)).expect_reached();
    /// sim.end_chaos();
    /// sim.run().expect_done();
    /// assert!(!sleeper.is_alive(), "it has slept for an hour, once");
    /// ```
    pub fn end_chaos(&mut self) {
        let Some(storm) = self.storm.as_ref().filter(|storm| !storm.is_over) else { return };
        let (number, holds) = (storm.number, Rc::clone(&storm.holds));
        let mut core = self.world.lock();
        if let Some(striker) = &mut core.striker {
            striker.disarm();
        }
        // A process that has died in the middle of a poll is dead, whatever happens now.
        let struck = core.take_fatal_strikes(number);
        drop(core);
        struck.into_iter().for_each(|strike| self.strike(strike));
        if let Some(storm) = &mut self.storm {
            storm.is_over = true;
        }
        holds.borrow_mut().end();
    }

    /// Returns the plan of this number, if it has not ended.
    fn storm(&self, number: u32) -> Option<&Storm> {
        self.storm.as_ref().filter(|storm| storm.number == number && !storm.is_over)
    }

    /// Lets a fault strike, now or after its delay.
    pub(in crate::sim) fn strike(&mut self, strike: Strike) {
        let Some(storm) = self.storm(strike.storm) else { return };
        if strike.delay > Duration::ZERO {
            let world = Arc::clone(&self.world);
            let later = Strike { delay: Duration::ZERO, ..strike };
            let request = move || world.lock().requests.push_back(Request::Strike(later));
            return self.after(strike.delay, request);
        }
        let (fault, holds) = (Rc::clone(&storm.faults[strike.fault]), Rc::clone(&storm.holds));
        let Some(number) = holds.borrow_mut().strike(&fault) else { return };
        let let_go = move || holds.borrow_mut().let_go(number);
        match fault.what().until() {
            Until::TimeIsUp => {
                let end = self.now() + fault.durations()[strike.duration];
                // A fault that ends later ends with its plan. Its event must not keep the run
                // from its end.
                if end <= self.config.max_time && end < Instant::MAX {
                    self.at(end, let_go);
                }
            }
            Until::EndOf(node) => {
                if strike.was_fatal {
                    node.kill();
                }
                let (node, life) = (node.clone(), node.life());
                self.when(move || !node.is_alive() || node.life() != life, let_go);
            }
            Until::PlanEnds => {}
        }
    }

    /// The plan's clock ticks: a fault may strike.
    pub(in crate::sim) fn tick(&mut self, number: u32) {
        if self.storm(number).is_some() && self.ticks() {
            self.world.lock().strike_at_tick(self.now());
            self.wind(number);
        }
    }

    /// Lets the plan's clock run up to its next tick, unless it stands.
    pub(in crate::sim) fn wind(&mut self, number: u32) {
        let Some(every) = self.storm(number).and_then(|storm| storm.every) else { return };
        if self.ticks() {
            let world = Arc::clone(&self.world);
            self.after(every, move || world.lock().requests.push_back(Request::Tick(number)));
        }
    }

    /// Returns whether the plan's clock ticks. If it does not, it stands until the kernel winds it.
    fn ticks(&self) -> bool {
        let Some(every) = self.storm.as_ref().and_then(|storm| storm.every) else { return false };
        let mut core = self.world.lock();
        let is_idle = core.silence(self.now()) > every.saturating_mul(IDLE_TICKS);
        let ticks = !is_idle && core.patience.is_awaited();
        let Some(striker) = core.striker.as_mut().filter(|striker| striker.is_armed()) else {
            return false;
        };
        striker.clock_stands = !ticks;
        ticks
    }
}
