//! A first run of a scenario, from which a sweep learns how long its runs are.
//!
//! Every choice of that run is calm, so it is the same for every seed of the sweep, and a replay of
//! one seed learns the same. It is made only for a strategy that needs it.

use super::attempt::attempt;
use crate::choice::Site;
use crate::sim::Sim;
use crate::sim::config::{Config, Learned, Retention, Strategy};
use crate::sim::kernel::schedule::READY;
use crate::sim::kernel::striker::STRIKE;
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
    let at = |site: Site| tape.choices().iter().filter(move |choice| choice.site == site.name());
    let (moments, strikes) = (at(READY).count() as u64, at(STRIKE).count() as u64);
    let mut learned = Learned { moments, strikes, ..Learned::default() };
    for event in sim.trace().events() {
        if let EventKind::Ran { task } = event.kind {
            *learned.polls.entry(task).or_default() += 1;
        }
    }
    learned
}
