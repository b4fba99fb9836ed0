//! A sweep over seeds: its settings, and how it runs.
//!
//! Seeds are taken in rising order, so when one has failed only smaller ones are still running. The
//! smallest failure that was found is therefore the smallest in the range. It is then explained.

use super::account::Account;
use super::attempt::{attempt, on_threads};
use super::environment::Environment;
use super::explain::{Explainer, see};
use super::failure::Failure;
use super::folder;
use super::learn::learn;
use super::progress::Progress;
use super::replay;
use super::shrink::Shrinker;
use super::sweep::{Explained, Sweep};
use super::tapes::Tapes;
use crate::choice::Tape;
use crate::sim::Sim;
use crate::sim::config::{Config, Strategy};
use crate::sim::kernel::quiet::Quiet;
use crate::sim::net::latency::Latency;
use crate::sim::report::Report;
use crate::sort::sort_by_key;
use std::ops::Range;
use std::panic::Location;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// The default latency of messages in a sweep.
const LATENCY: Latency =
    Latency::Uniform { min: Duration::from_micros(100), max: Duration::from_millis(2) };

/// How much a sweep does to explain a failure, in runs of the scenario. No clock decides anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effort {
    /// The runs that may be spent on making the failing run calm. 2,000 by default.
    pub shrink: u64,
    /// The moments of the run at which the risk is asked. 64 by default.
    pub moments: usize,
    /// The fresh seeds with which it is asked at each. 32 by default.
    pub seeds: u64,
    /// The steps of worlds that all of this may take. A run that takes many is repeated less often,
    /// and not at all if it could not be repeated eight times. 4,000,000 by default: about two
    /// seconds in a release build on two cores, and ten times that in a debug build. In a world
    /// with a tokio node or a client library of others, a step counts as ten.
    pub steps: u64,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { shrink: 2_000, moments: 64, seeds: 32, steps: 4_000_000 }
    }
}

impl Effort {
    /// Returns no effort: the failure is told as it was found.
    #[must_use]
    pub fn none() -> Effort {
        Effort { shrink: 0, moments: 0, seeds: 0, steps: 0 }
    }

    /// Sets the runs that may be spent on making the failing run calm.
    #[must_use]
    pub fn with_shrink(mut self, runs: u64) -> Effort {
        self.shrink = runs;
        self
    }

    /// Sets how the risk is asked: at this many moments, with this many fresh seeds at each.
    #[must_use]
    pub fn with_risk(mut self, moments: usize, seeds: u64) -> Effort {
        (self.moments, self.seeds) = (moments, seeds);
        self
    }

    /// Sets the steps of worlds that all of this may take.
    #[must_use]
    pub fn with_steps(mut self, steps: u64) -> Effort {
        self.steps = steps;
        self
    }

    /// Returns the effort for a run of this many steps; `None` if the run is too long.
    fn for_a_run_of(self, steps: u64) -> Option<Effort> {
        let runs = self.steps / steps.max(1);
        if self.shrink == 0 || runs < 8 {
            return None;
        }
        let shrink = self.shrink.min(runs / 2);
        let seeds = self.seeds.min((runs / 16).max(2));
        let moments = usize::try_from(runs / 2 / seeds.max(1)).unwrap_or(usize::MAX);
        Some(Effort { shrink, seeds, moments: self.moments.min(moments), ..self })
    }
}

/// A sweep over seeds, to be set up and run.
///
/// ```
/// use stunt_double::sim::{Seeds, Strategy};
/// use stunt_double::Site;
///
/// const DIE: Site = Site::new("example.die");
/// let sweep = Seeds::new(0..100).with_strategy(Strategy::Random).run(|sim| {
///     match sim.choose_told(DIE, 0, 6, |n| format!("the die shows {}", n + 1)) {
///         5 => Err("a six"),
///         _ => Ok(()),
///     }
/// });
/// assert_eq!(sweep.failures.len(), 1, "it stops at the first");
/// assert!(sweep.replay.as_deref().unwrap().starts_with("STUNT_DOUBLE_SEED="));
/// let account = sweep.account.unwrap();
/// assert_eq!(account.decisive().unwrap().choice.told(), "the die shows 6");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a sweep does nothing until it is run"]
pub struct Seeds {
    range: Range<u64>,
    config: Config,
    all: bool,
    threads: usize,
    effort: Effort,
    files: bool,
}

impl Seeds {
    /// Returns a sweep over these seeds, on every core, that stops at the first failure. Each world
    /// has the default [`Config`], except that every message takes 0.1 to 2 ms, drawn from the
    /// seed. Something can therefore happen between any two messages, such as the death of their
    /// sender; without latency a sweep would never find a bug that shows only then.
    pub fn new(range: Range<u64>) -> Seeds {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (config, effort) = (Config::new(0), Effort::default());
        Seeds { range, config, all: false, threads, effort, files: true }
    }

    /// Sets the latency of each world's links, as [`Config::with_latency`] does.
    pub fn with_latency(mut self, latency: Latency) -> Seeds {
        self.config = self.config.with_latency(latency);
        self
    }

    /// Sets the settings of each world. Their seed is replaced. If they set no latency, the sweep's
    /// default applies.
    pub fn with_config(mut self, config: Config) -> Seeds {
        self.config = config;
        self
    }

    /// Sets the schedule of each world.
    pub fn with_strategy(mut self, strategy: Strategy) -> Seeds {
        self.config = self.config.with_strategy(strategy);
        self
    }

    /// Runs every seed and collects all failures, instead of stopping at the first.
    pub fn with_all_failures(mut self) -> Seeds {
        self.all = true;
        self
    }

    /// Sets how many threads run worlds; at least one.
    pub fn with_threads(mut self, threads: usize) -> Seeds {
        self.threads = threads.max(1);
        self
    }

    /// Sets how much is done to explain a failure.
    pub fn with_effort(mut self, effort: Effort) -> Seeds {
        self.effort = effort;
        self
    }

    /// Neither saves nor reads tapes beside the test, and writes no report.
    pub fn without_files(mut self) -> Seeds {
        self.files = false;
        self
    }

    /// Runs `scenario` once for each seed. A scenario fails by returning an error or by panicking.
    /// The first failure is explained: `scenario` runs many times more then, with choices of the
    /// failing run; see [`Effort`].
    ///
    /// The tapes that were saved beside this test run first. The environment may change which seeds
    /// run; see [`VARIABLES`](super::VARIABLES). If [`SEED_VARIABLE`](super::super::SEED_VARIABLE)
    /// is set, only that seed runs, even if it lies outside the range, and it is not explained.
    ///
    /// # Panics
    ///
    /// If an environment variable or a saved tape makes no sense.
    #[track_caller]
    pub fn run<R: Report>(mut self, scenario: impl Fn(&mut Sim) -> R + Sync) -> Sweep {
        let environment = Environment::read();
        let tapes = Tapes::of(Location::caller(), self.files);
        let forced = replay::forced_seed();
        // A person who runs one seed again may print in it, and wants to see that once.
        match environment.effort.or(forced.map(|_| 0)) {
            Some(0) => self.effort = Effort::none(),
            Some(runs) => self.effort = self.effort.with_shrink(runs),
            None => {}
        }
        self.config.latency.get_or_insert(LATENCY);
        let quiet = Quiet::begin();
        let learned = alone(|| {
            let mut config = self.config.clone();
            learn(&mut config, &scenario);
            config
        });
        self.config = learned;
        let progress = Progress::begin();
        let saved = if forced.is_none() { self.run_saved(&tapes, &scenario) } else { None };
        let found = Found::new(&self.range, &environment, forced);
        if saved.is_none() || self.all {
            on_threads(self.threads, || self.run_some(&found, &progress, &scenario));
        }
        let wall_time = progress.elapsed();
        drop(progress);
        let ran = found.ran.load(SeqCst);
        let (mut failures, tape) = found.failures(saved, self.all);
        if !self.all {
            failures.truncate(1);
        }
        let replay = failures.first().map(|failure| replay::command(failure.seed));
        let settings = self.settings();
        let explain = |failure| alone(|| self.explain(failure, tape.as_ref(), &scenario));
        let explained = failures.first().map(explain);
        drop(quiet);
        let mut sweep = Sweep::new(tapes, settings);
        sweep.take(explained, replay.as_ref());
        (sweep.ran, sweep.failures) = (ran, failures);
        (sweep.wall_time, sweep.replay) = (wall_time, replay);
        if self.files {
            folder::log(&sweep.to_json());
        }
        sweep
    }

    pub(super) fn config_of(&self, seed: u64) -> Config {
        let mut config = self.config.clone();
        config.seed = seed;
        config
    }

    /// Returns the settings that a replay needs besides the seed.
    pub(super) fn settings(&self) -> String {
        self.config.beside_the_seed()
    }

    /// Runs the tapes that were saved, and returns the first that fails.
    fn run_saved<R: Report>(
        &self,
        tapes: &Tapes,
        scenario: &(impl Fn(&mut Sim) -> R + Sync),
    ) -> Option<(Failure, Tape)> {
        let saved = tapes.load();
        if saved.is_empty() {
            return None;
        }
        alone(|| {
            saved.iter().find_map(|(seed, tape)| {
                let config = self.config_of(*seed).with_tape(tape.clone());
                let (failure, ()) = attempt(config, scenario, |_| ());
                failure.map(|failure| (failure, tape.clone()))
            })
        })
    }

    /// Runs seeds until none is left.
    fn run_some<R: Report>(
        &self,
        found: &Found,
        progress: &Progress,
        scenario: &(impl Fn(&mut Sim) -> R + Sync),
    ) {
        loop {
            let index = found.next.fetch_add(1, SeqCst);
            let is_late = found.limit.is_some_and(|limit| progress.elapsed() >= limit);
            if index >= found.end.load(SeqCst) || is_late {
                return;
            }
            let seed = found.first + index * found.step;
            let (failure, ()) = attempt(self.config_of(seed), scenario, |_| ());
            let ran = found.ran.fetch_add(1, SeqCst) + 1;
            if let Some(failure) = failure {
                if !self.all {
                    found.end.fetch_min(index, SeqCst);
                }
                found.lock().push(failure);
            }
            progress.tell(ran, found.count, found.limit, found.lock().len());
        }
    }

    /// Explains a failure, if that is possible and wanted.
    pub(super) fn explain<R: Report>(
        &self,
        failure: &Failure,
        tape: Option<&Tape>,
        scenario: &(impl Fn(&mut Sim) -> R + Sync),
    ) -> Explained {
        if self.effort.shrink == 0 {
            return Explained::NotWanted;
        }
        let Some(effort) = self.effort.for_a_run_of(failure.steps) else {
            return Explained::TooLong(failure.steps);
        };
        let mut config = self.config_of(failure.seed);
        // Another run may never end.
        config.max_steps = config.max_steps.min(failure.steps.saturating_mul(4) + 10_000);
        let first = match tape {
            Some(tape) => config.clone().with_tape(tape.clone()),
            None => config.clone(),
        };
        let (again, tape) = attempt(first.with_recording(), scenario, Sim::tape);
        if !again.is_some_and(|again| again.is_like(failure)) {
            return Explained::Fickle;
        }
        let (found_with, found_unquiet) = (tape.len(), tape.unquiet().count());
        let shrinker =
            Shrinker::new((&config, scenario), failure, &tape, self.threads, effort.shrink);
        let smallest = shrinker.shrink();
        let seen = see(&config.clone().with_tape(smallest), scenario);
        let shrunk = seen.failure.clone().filter(|shrunk| shrunk.is_like(failure));
        let Some(shrunk) = shrunk else { return Explained::Fickle };
        let explainer = Explainer {
            scenario,
            config: &config,
            failure,
            threads: self.threads,
            moments: effort.moments,
            seeds: effort.seeds,
        };
        // If the calm run fails, every other is no riskier.
        let is_calm = seen.tape.unquiet().next().is_none();
        let risk = if is_calm { Vec::new() } else { explainer.risk(&seen.tape) };
        let decisions = explainer.decisions(&seen.tape, &risk);
        let decisive = decisions.iter().find(|decision| decision.is_decisive);
        let passing = decisive.and_then(|decisive| explainer.passing(&seen, decisive.order));
        Explained::By(Box::new(Account {
            failure: shrunk,
            stories: seen.trace.stories(),
            tape: seen.tape,
            trace: seen.trace,
            decisions,
            risk,
            found_with,
            found_unquiet,
            passing,
            routine: seen.routine,
            replay: None,
            settings: String::new(),
            files: Vec::new(),
        }))
    }
}

/// Runs `work` on a thread of its own, whose panics are not printed.
pub(super) fn alone<T: Send>(work: impl Fn() -> T + Sync) -> T {
    let result = Mutex::new(None);
    on_threads(1, || *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(work()));
    let result = result.into_inner().unwrap_or_else(PoisonError::into_inner);
    result.expect("the thread has ended, and it has done its work")
}

/// What the threads of a sweep share.
struct Found {
    /// The first seed. The others are counted from it in steps, so that the range may end at the
    /// largest `u64`.
    first: u64,
    step: u64,
    count: u64,
    limit: Option<Duration>,
    next: AtomicU64,
    /// Seeds from this one on need not run.
    end: AtomicU64,
    failures: Mutex<Vec<Failure>>,
    ran: AtomicU64,
}

impl Found {
    fn new(range: &Range<u64>, environment: &Environment, forced: Option<u64>) -> Found {
        let Range { start, end } = environment.seeds.as_ref().unwrap_or(range).clone();
        // For a soak the time decides, and the range goes on.
        let end = if environment.time.is_some() { u64::MAX } else { end };
        let (shard, step) = environment.shard.unwrap_or((0, 1));
        let (first, step, count) = match forced {
            Some(seed) => (seed, 1, 1),
            None => {
                let first = start.saturating_add(shard);
                (first, step, end.saturating_sub(first).div_ceil(step))
            }
        };
        Found {
            first,
            step,
            count,
            limit: environment.time.filter(|_| forced.is_none()),
            next: AtomicU64::new(0),
            end: AtomicU64::new(count),
            failures: Mutex::new(Vec::new()),
            ran: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Failure>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the failures by rising seed, that of a saved tape first, with the tape of the first.
    fn failures(self, saved: Option<(Failure, Tape)>, all: bool) -> (Vec<Failure>, Option<Tape>) {
        let mut failures = self.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        sort_by_key(&mut failures, |failure| failure.seed);
        match saved {
            None => (failures, None),
            // If every seed ran, a failure of a saved seed may be there twice.
            Some((failure, _))
                if all && failures.first().is_some_and(|f| f.seed <= failure.seed) =>
            {
                (failures, None)
            }
            Some((failure, tape)) => {
                failures.retain(|other| other.seed != failure.seed);
                failures.insert(0, failure);
                (failures, Some(tape))
            }
        }
    }
}

/// Runs `scenario` for each seed on every core, until the first failure, and explains that.
/// [`Seeds`] has more settings.
#[track_caller]
pub fn seeds<R: Report>(range: Range<u64>, scenario: impl Fn(&mut Sim) -> R + Sync) -> Sweep {
    Seeds::new(range).run(scenario)
}
