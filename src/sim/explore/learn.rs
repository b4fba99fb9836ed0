//! A first run of a scenario, from which a sweep learns how long its runs are.
//!
//! Every choice of that run is calm, so it is the same for every seed of the sweep, and a replay of
//! one seed learns the same. It is made only for a strategy that needs it.

use super::attempt::attempt;
use crate::sim::Sim;
use crate::sim::config::{Config, Learned, Retention, Strategy};
use crate::sim::kernel::schedule::READY;
use crate::sim::report::Report;
use crate::sim::trace::EventKind;
use std::sync::Arc;

/// Learns what the strategy of these settings needs, if it needs anything.
pub(super) fn learn<R: Report>(config: &mut Config, scenario: &impl Fn(&mut Sim) -> R) {
    if !matches!(config.strategy, Strategy::Pct { moments: None, .. } | Strategy::Surw) {
        return;
    }
    let calm = config.clone().with_calm_choices().with_retention(Retention::All).with_recording();
    let (_, learned) = attempt(calm, scenario, look);
    config.learned = Some(Arc::new(learned));
}

fn look(sim: &Sim) -> Learned {
    let tape = sim.tape();
    let moments = tape.choices().iter().filter(|choice| choice.site == READY.name());
    let mut learned = Learned { moments: moments.count() as u64, ..Learned::default() };
    for event in sim.trace().events() {
        match event.kind {
            EventKind::Ran { task } => *learned.polls.entry(task).or_default() += 1,
            EventKind::Request { .. } | EventKind::Response { .. } => learned.messages += 1,
            _ => {}
        }
    }
    learned
}
