//! A sweep over seeds: its settings, and how it runs.
//!
//! Seeds are taken in rising order, so when one has failed only smaller ones are still running. The
//! smallest failure that was found is therefore the smallest in the range. It is then explained.

use super::account::Account;
use super::attempt::{attempt, on_threads};
use super::effort::{Effort, most_steps};
use super::environment::Environment;
use super::explain::Explainer;
use super::failure::Failure;
use super::folder;
use super::learn::learn;
use super::progress::Progress;
use super::replay;
use super::seen::see;
use super::shrink::Shrinker;
use super::sweep::{Explained, Sweep};
use super::tapes::{self, SavedTape, Tapes};
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
        let tapes = Tapes::of(Location::caller(), self.files, tapes::SEED);
        let forced = replay::forced_seed();
        // A person who runs one seed again may print in it, and wants to see that once.
        self.obey(environment.effort.or(forced.map(|_| 0)));
        self.config.latency.get_or_insert(LATENCY);
        let quiet = Quiet::begin();
        let learned = alone(|| {
            let mut config = self.config.clone();
            learn(&mut config, &scenario);
            config
        });
        self.config = learned;
        let progress = Progress::begin();
        let saved = match forced {
            None => self.run_saved(&tapes, &scenario),
            Some(_) => Vec::new(),
        };
        let found = Found::new(&self.range, &environment, forced);
        if saved.is_empty() || self.all {
            let threads = usize::try_from(found.count).unwrap_or(usize::MAX);
            on_threads(self.threads.min(threads), || self.run_some(&found, &progress, &scenario));
        }
        let wall_time = progress.elapsed();
        drop(progress);
        let ran = found.ran.load(SeqCst);
        let (failures, tape) = found.failures(saved, self.all);
        let replay = failures.first().map(Failure::replay);
        let settings = self.settings();
        let explain = |failure| alone(|| self.explain(failure, tape.as_ref(), &scenario));
        let mut explained = failures.first().map(explain);
        if let (Some(explained), Some(first), None) = (&mut explained, failures.first(), forced)
            && let Some(place) = explained.place_for_tape()
            && self.files
        {
            *place = alone(|| self.tape_of(first, &scenario));
        }
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

    pub(super) fn has_files(&self) -> bool {
        self.files
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

    /// Does what the environment asks for instead of what was set: this many runs to make a failure
    /// small.
    pub(super) fn obey(&mut self, effort: Option<u64>) {
        match effort {
            Some(0) => self.effort = Effort::none(),
            Some(runs) => self.effort = self.effort.with_shrink(runs),
            None => {}
        }
    }

    /// Runs the tapes that were saved, and returns those that fail: all, or the first.
    pub(super) fn run_saved<R: Report>(
        &self,
        tapes: &Tapes,
        scenario: &(impl Fn(&mut Sim) -> R + Sync),
    ) -> Vec<(Failure, Tape)> {
        let saved = tapes.load();
        if saved.is_empty() {
            return Vec::new();
        }
        let most = if self.all { usize::MAX } else { 1 };
        let run = |SavedTape { seed, tape, path }: SavedTape| {
            let config = self.config_of(seed).with_tape(tape.clone());
            let (failure, ()) = attempt(config, scenario, |_| ());
            failure.map(|failure| (failure.of_tape(Some(path)), tape))
        };
        alone(|| saved.iter().cloned().filter_map(run).take(most).collect())
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

    /// Returns the choices of a failing run, unless they were saved already.
    fn tape_of<R: Report>(
        &self,
        failure: &Failure,
        scenario: &impl Fn(&mut Sim) -> R,
    ) -> Option<Tape> {
        if failure.saved.is_some() {
            return None;
        }
        let config = self.config_of(failure.seed).with_recording();
        let (again, made) = attempt(config, scenario, Sim::tape);
        again.is_some_and(|again| again.is_like(failure)).then_some(made)
    }

    /// Explains a failure, if that is possible and wanted.
    pub(super) fn explain<R: Report>(
        &self,
        failure: &Failure,
        tape: Option<&Tape>,
        scenario: &(impl Fn(&mut Sim) -> R + Sync),
    ) -> Explained {
        if self.effort.shrink == 0 {
            return Explained::NotWanted(None);
        }
        if !self.effort.suffices(failure.steps) {
            return Explained::TooLong(failure.steps, None);
        }
        let mut config = self.config_of(failure.seed);
        config.limit_steps(most_steps(failure.steps));
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
            Shrinker::new((&config, scenario), failure, &tape, self.threads, self.effort);
        let smallest = shrinker.shrink();
        let seen = see(&config.clone().with_tape(smallest), scenario);
        let shrunk = seen.failure.clone().filter(|shrunk| shrunk.is_like(failure));
        let Some(shrunk) = shrunk else { return Explained::Fickle };
        let shrunk = shrunk.of_tape(failure.saved.clone());
        let budget = self.effort.on_asking(shrunk.steps);
        let explainer =
            Explainer { scenario, config: &config, failure, threads: self.threads, budget };
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

    /// Returns the failures, with the tape of the first if it was a saved one: that or the smallest
    /// seed, or all of them by rising seed.
    fn failures(self, saved: Vec<(Failure, Tape)>, all: bool) -> (Vec<Failure>, Option<Tape>) {
        let found = self.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        // With all wanted, a seed that fails by itself is told once.
        let is_new = |failure: &Failure| !all || found.iter().all(|it| it.seed != failure.seed);
        let saved = saved.into_iter().filter(|(failure, _)| is_new(failure));
        let mut failures: Vec<(Failure, Option<Tape>)> =
            saved.map(|(failure, tape)| (failure, Some(tape))).collect();
        if all || failures.is_empty() {
            failures.extend(found.into_iter().map(|failure| (failure, None)));
        }
        sort_by_key(&mut failures, |(failure, _)| failure.seed);
        failures.truncate(if all { usize::MAX } else { 1 });
        let tape = failures.first_mut().and_then(|(_, tape)| tape.take());
        (failures.into_iter().map(|(failure, _)| failure).collect(), tape)
    }
}

/// Runs `scenario` for each seed on every core, until the first failure, and explains that.
/// [`Seeds`] has more settings.
#[track_caller]
pub fn seeds<R: Report>(range: Range<u64>, scenario: impl Fn(&mut Sim) -> R + Sync) -> Sweep {
    Seeds::new(range).run(scenario)
}
