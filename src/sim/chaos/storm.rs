//! A plan of faults at work.
//!
//! The kernel chooses at each moment (`kernel/striker.rs`) and requests what was chosen. Here it
//! happens, at once or after its delay, and is undone when its time is over. When the plan ends, no
//! fault strikes any more, and all that have struck are undone. What is still scheduled then does
//! nothing.

use super::{Chaos, Fault};
use crate::sim::Sim;
use crate::sim::kernel::executor::GoOn;
use crate::sim::kernel::striker::{Kind, Strike, Striker};
use crate::sim::kernel::turn::{Housekeeping, Request};
use crate::sim::outcome::Outcome;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// After this many ticks in which no task has run, a plan's clock stops.
const IDLE_TICKS: u32 = 1_000;

/// A plan at work in a world.
pub(crate) struct Storm {
    faults: Vec<Rc<Fault>>,
    is_over: Rc<Cell<bool>>,
    every: Option<Duration>,
}

/// Begins a plan.
pub(super) fn start(plan: Chaos, sim: &mut Sim) {
    for world in &plan.worlds {
        sim.world.expect_same(world);
    }
    assert!(
        sim.storm.as_ref().is_none_or(|storm| storm.is_over.get()),
        "this world has a plan of faults already: put all faults into one `Chaos`, or end the \
         first plan with `Sim::end_chaos`"
    );
    let one_in = plan.one_in.or_else(|| {
        let learned = sim.config.learned.as_ref().map(|learned| learned.messages);
        let messages = learned.filter(|messages| *messages > 0)?;
        // About as many faults as may strike, over the whole run.
        Some((messages / u64::from(plan.limit.max(1))).max(2))
    });
    let mut core = sim.world.lock();
    let is_recorded = core.choices.is_recording();
    drop(core);
    let kinds = plan.faults.iter().map(|fault| Kind {
        durations: fault.durations().len() as u64,
        told: is_recorded.then(|| fault.told()),
    });
    let kinds: Vec<Kind> = kinds.collect();
    core = sim.world.lock();
    let striker = Striker::new(&mut core.choices, kinds, one_in, plan.limit, plan.swarms);
    core.watch(striker, &plan.watches);
    drop(core);
    let faults = plan.faults.into_iter().map(Rc::new).collect();
    sim.storm = Some(Storm { faults, is_over: Rc::default(), every: plan.every });
    sim.schedule_tick();
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
    /// Links heal and have their latencies back, clocks show the right time, services run, and
    /// nodes that faults have killed start again, except [for good](Chaos::kill_for_good). A no-op
    /// if there is no plan.
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
        let Some(storm) = &self.storm else { return };
        if storm.is_over.replace(true) {
            return;
        }
        if let Some(striker) = &mut self.world.lock().striker {
            striker.disarm();
        }
        for fault in &storm.faults {
            fault.undo();
        }
    }

    /// Lets a fault strike, now or after its delay.
    pub(in crate::sim) fn strike(&mut self, strike: Strike) {
        let Some(storm) = self.storm.as_ref().filter(|storm| !storm.is_over.get()) else { return };
        if strike.delay > Duration::ZERO {
            let world = Arc::clone(&self.world);
            let later = Strike { delay: Duration::ZERO, ..strike };
            let request = move || world.lock().requests.push_back(Request::Strike(later));
            return self.after(strike.delay, request);
        }
        let (fault, is_over) = (Rc::clone(&storm.faults[strike.fault]), Rc::clone(&storm.is_over));
        let lasting = fault.durations()[strike.duration];
        let is_undone = fault.strike();
        let undo = {
            let fault = Rc::clone(&fault);
            move || {
                if !is_over.get() {
                    fault.undo();
                }
            }
        };
        if is_undone {
            self.after(lasting, undo);
        } else if let Some(node) = fault.restarts_at_end_of() {
            let node = node.clone();
            self.when(move || !node.is_alive(), undo);
        }
    }

    /// The plan's clock ticks: a fault may strike.
    pub(in crate::sim) fn tick(&mut self) {
        self.world.lock().strike_at_tick(self.now());
        self.schedule_tick();
    }

    /// Schedules the next tick, unless the plan has none or nothing runs any more.
    fn schedule_tick(&mut self) {
        let Some(storm) = self.storm.as_ref().filter(|storm| !storm.is_over.get()) else { return };
        let Some(every) = storm.every else { return };
        let core = self.world.lock();
        let is_armed = core.striker.as_ref().is_some_and(|striker| striker.is_armed());
        let is_idle = core.silence(self.now()) > every.saturating_mul(IDLE_TICKS);
        let goes_on = is_armed && !is_idle && core.patience.is_awaited();
        drop(core);
        if goes_on {
            let world = Arc::clone(&self.world);
            self.after(every, move || world.lock().requests.push_back(Request::Tick));
        }
    }
}
