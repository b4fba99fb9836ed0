//! The invariants of a world between two steps, checked table by table.
//!
//! Each table checks itself in its own file. This file calls them and checks what several tables
//! must agree on. See [`Sim::check_invariants`].

use crate::invariant::ensure;
use crate::sim::Sim;
use crate::sim::kernel::agenda::Arrivals;
use crate::sim::kernel::core::Core;
use crate::sim::kernel::event::Target;
use crate::sim::kernel::timer::TimerKey;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

impl Sim {
    /// Checks that the world's tables agree with each other: every timer that is set has its event,
    /// every message in flight its arrival, every ready task its place in the schedule, and a dead
    /// process owns nothing. It costs as much as the world is large. Tests call it between steps.
    ///
    /// # Errors
    ///
    /// The first broken invariant, in words. That is a bug in this crate; please report it.
    pub fn check_invariants(&self) -> Result<(), String> {
        let arrivals = self.world.lock().check_invariants(self.now())?;
        for port in &self.ports {
            port.check_invariants(&arrivals)?;
        }
        Ok(())
    }
}

impl Core {
    fn check_invariants(&self, now: crate::Instant) -> Result<Arrivals, String> {
        self.timers.check_invariants()?;
        self.agenda.check_invariants(now)?;
        self.tasks.check_invariants()?;
        self.check_schedule()?;
        self.check_processes()?;
        let mut arrivals = Arrivals::new();
        let mut timers = Vec::new();
        for target in self.agenda.targets() {
            match target {
                Target::Arrival { service, connection, up } => {
                    *arrivals.entry((service, connection, up)).or_default() += 1;
                }
                Target::Timer(key) if self.timers.is_set(key) => timers.push(key),
                Target::Timer(_) | Target::Action(_) => {}
            }
        }
        let count = timers.len();
        let timers: IndexSet<TimerKey, FxBuildHasher> = timers.into_iter().collect();
        ensure(timers.len() == count, || "a timer has two events".to_owned())?;
        Ok(arrivals)
    }

    /// Every ready task is in the schedule or parked, exactly once.
    fn check_schedule(&self) -> Result<(), String> {
        let parked = self.processes.iter().flat_map(|process| process.parked.iter().copied());
        let waiting: Vec<_> = self.ready.iter().chain(parked).collect();
        for (id, task) in self.tasks.iter() {
            let places = waiting.iter().filter(|other| **other == id).count();
            ensure(places == usize::from(task.queued), || {
                format!("task {} has {places} places, queued: {}", id.number(), task.queued)
            })?;
        }
        Ok(())
    }

    /// A process that is not alive has no tasks, is not paused and has no timer.
    fn check_processes(&self) -> Result<(), String> {
        for process in self.processes.iter().filter(|process| process.main.is_none()) {
            let is_empty =
                process.parked.is_empty() && !process.is_paused() && process.grace.is_none();
            ensure(is_empty, || format!("{} is dead, but paused or timed", process.name))?;
        }
        for (id, task) in self.tasks.iter() {
            let process = &self.processes[task.node];
            ensure(process.main.is_some(), || {
                format!("{} is dead, but has task {}", process.name, id.number())
            })?;
        }
        Ok(())
    }
}
