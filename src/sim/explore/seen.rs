//! A run of which everything is kept that a person may want to see.

use super::attempt::attempt;
use super::failure::Failure;
use crate::choice::Tape;
use crate::sim::Sim;
use crate::sim::config::{Config, Retention};
use crate::sim::report::Report;
use crate::sim::trace::Trace;

/// A run that was seen in full.
pub(super) struct Seen {
    pub(super) failure: Option<Failure>,
    pub(super) tape: Tape,
    pub(super) trace: Trace,
    /// What each service holds at the end.
    pub(super) ends: Vec<(String, Vec<String>)>,
    /// How the messages of its services begin that say little.
    pub(super) routine: Vec<&'static str>,
}

/// Runs the scenario once, recording everything that a person may want to see.
pub(super) fn see<R: Report>(config: &Config, scenario: &impl Fn(&mut Sim) -> R) -> Seen {
    let config = config.clone().with_recording().with_retention(Retention::All).with_stories();
    let look = |sim: &Sim| (sim.tape(), sim.trace(), sim.portraits(), sim.routine());
    let (failure, (tape, trace, ends, routine)) = attempt(config, scenario, look);
    Seen { failure, tape, trace, ends, routine }
}
