//! Every schedule of a small scenario: a depth-first search of the choices, without a seed.
//!
//! The first run is calm. Each next one repeats the last up to its last choice that has a further
//! value, takes that value, and is calm afterwards. So every combination is run once, and when none
//! is left all of them were seen. Choices of many values, such as latencies, are not searched: they
//! stay calm. A bound on the delays, the sum of all values, makes the search small and still finds
//! most bugs (Emmi et al., POPL 2011).

use super::attempt::attempt;
use super::effort::Effort;
use super::environment::Environment;
use super::failure::Failure;
use super::folder;
use super::replay;
use super::seeds::{Seeds, alone};
use super::sweep::Sweep;
use super::tapes::{self, Tapes};
use crate::choice::{Choice, Tape};
use crate::sim::Sim;
use crate::sim::config::{Config, Strategy};
use crate::sim::kernel::quiet::Quiet;
use crate::sim::net::latency::Latency;
use crate::sim::report::Report;
use std::panic::Location;
use std::time::Duration;

/// A search of all schedules of a scenario, to be set up and run.
///
/// ```
/// use stunt_double::sim::{Schedules, Sim};
///
/// let sweep = Schedules::new(1_000).run(|sim: &mut Sim| {
///     for name in ["a", "b", "c"] {
///         sim.node(name, async |node| node.note("ran"));
///     }
///     sim.run().expect_done();
/// });
/// assert_eq!(sweep.to_string(), "all 6 schedules seen, none failed");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a search does nothing until it is run"]
pub struct Schedules {
    limit: u64,
    delays: Option<u64>,
    most: u64,
    seeds: Seeds,
}

impl Schedules {
    /// Returns a search of at most `limit` schedules that stops at the first failure. Any ready
    /// task may be next, or a due event before any; events of one instant may come in any order;
    /// and so may the other choices of up to 16 values, such as the test's own. Links have no
    /// latency.
    pub fn new(limit: u64) -> Schedules {
        let config = Config::new(0)
            .with_strategy(Strategy::Random)
            .with_latency(Latency::Constant(Duration::ZERO));
        Schedules { limit, delays: None, most: 16, seeds: Seeds::new(0..1).with_config(config) }
    }

    /// Searches only the schedules in which the sum of all choices is at most this: how often, and
    /// by how many places, something is not first come, first served.
    pub fn with_delays(mut self, delays: u64) -> Schedules {
        self.delays = Some(delays);
        self
    }

    /// Sets of how many values a choice may be that is searched; larger ones stay calm. 16 by
    /// default.
    pub fn with_values(mut self, most: u64) -> Schedules {
        self.most = most;
        self
    }

    /// Sets the latency of each world's links.
    pub fn with_latency(mut self, latency: Latency) -> Schedules {
        self.seeds = self.seeds.with_latency(latency);
        self
    }

    /// Sets how much is done to explain a failure.
    pub fn with_effort(mut self, effort: Effort) -> Schedules {
        self.seeds = self.seeds.with_effort(effort);
        self
    }

    /// Neither saves nor reads tapes beside the test, and writes no report.
    pub fn without_files(mut self) -> Schedules {
        self.seeds = self.seeds.without_files();
        self
    }

    /// Runs `scenario` once for each schedule, after those that were saved beside this test. A
    /// scenario fails by returning an error or by panicking. The first failure is explained, as
    /// that of a sweep.
    ///
    /// # Panics
    ///
    /// If an environment variable or a saved tape makes no sense.
    #[track_caller]
    pub fn run<R: Report>(mut self, scenario: impl Fn(&mut Sim) -> R + Sync) -> Sweep {
        self.seeds.obey(Environment::read().effort);
        let tapes = Tapes::of(Location::caller(), self.seeds.has_files(), tapes::SCHEDULE);
        let quiet = Quiet::begin();
        let sweep = alone(|| self.search(tapes.clone(), &scenario));
        drop(quiet);
        if self.seeds.has_files() {
            folder::log(&sweep.to_json());
        }
        sweep
    }

    fn search<R: Report>(&self, tapes: Tapes, scenario: &(impl Fn(&mut Sim) -> R + Sync)) -> Sweep {
        let progress = super::progress::Progress::begin();
        let mut sweep = Sweep::new(tapes, self.seeds.settings());
        sweep.unit = "schedules";
        let fail = |sweep: &mut Sweep, failure: Failure, tape: &Tape| {
            // A search has no seed: the same program finds the same schedule.
            let replay = replay::command(None);
            sweep.take(Some(self.seeds.explain(&failure, Some(tape), scenario)), Some(&replay));
            sweep.replay = Some(replay);
            sweep.failures.push(failure);
        };
        if let Some((failure, tape)) = self.seeds.run_saved(&sweep.tapes, scenario).pop() {
            fail(&mut sweep, failure, &tape);
            return sweep;
        }
        if let Some(delays) = self.delays {
            sweep.bound =
                format!(" with at most {delays} delay{}", if delays == 1 { "" } else { "s" });
        }
        let mut is_cut = false;
        let mut prefix = Some(Tape::default());
        while let Some(tape) = prefix.take_if(|_| sweep.ran < self.limit) {
            let config = self.seeds.config_of(0).with_tape(tape).with_recording();
            let (failure, made) = attempt(config, scenario, Sim::tape);
            sweep.ran += 1;
            is_cut |= made.choices().iter().any(|choice| choice.n > self.most);
            progress.tell(sweep.ran, self.limit, None, sweep.failures.len());
            if let Some(failure) = failure {
                fail(&mut sweep, failure, &made);
                break;
            }
            prefix = self.next(&made);
            sweep.all_seen = prefix.is_none();
        }
        if is_cut {
            sweep.bound += &format!(" (choices of more than {} values stay calm)", self.most);
        }
        sweep.wall_time = progress.elapsed();
        sweep
    }

    /// Returns the prefix that follows this run in the search.
    fn next(&self, made: &Tape) -> Option<Tape> {
        let choices = made.choices();
        let mut delays: u64 = choices.iter().map(|choice| choice.value).sum();
        for (index, choice) in choices.iter().enumerate().rev() {
            delays -= choice.value;
            let value = choice.value + 1;
            let fits = self.delays.is_none_or(|most| delays + value <= most);
            if choice.n <= self.most && value < choice.n && fits {
                let mut tape = made.prefix(index);
                tape.extend([Choice { value, ..choice.clone() }]);
                return Some(tape);
            }
        }
        None
    }
}
