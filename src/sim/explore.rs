//! Exploration: running many seeds, and proving that a seed determines its run.
//!
//! Each seed's world lives on one thread, from start to end. A sweep distributes the seeds over as
//! many threads as there are cores. No world can observe which thread runs it, or how long that
//! takes.

pub(super) mod page;
pub(super) mod replay;

use super::Sim;
use super::config::{Config, Retention, Strategy};
use super::outcome::panic_message;
use super::report::Report;
use super::trace::{Difference, Digest};
use crate::sim::kernel::quiet::{self, Quiet};
use crate::sim::net::latency::Latency;
use crate::sort::sort_by_key;

use crate::time::Instant;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// Runs `scenario` twice in worlds with these settings, and compares their complete traces.
///
/// # Errors
///
/// The first difference. It means that something in the scenario comes from outside the world, such
/// as a real clock or the iteration order of a `HashMap`.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::sim::{Config, check_determinism};
///
/// let digest = check_determinism(Config::new(3), |sim| {
///     sim.node("a", async |node| node.sleep(Duration::from_secs(1)).await);
///     sim.run().expect_done();
/// });
/// assert!(digest.is_ok());
/// ```
pub fn check_determinism(
    config: Config,
    mut scenario: impl FnMut(&mut Sim),
) -> Result<Digest, Box<Difference>> {
    let config = config.with_retention(Retention::All);
    let mut run = || {
        let mut sim = Sim::with_config(config.clone());
        scenario(&mut sim);
        sim.trace()
    };
    let (first, second) = (run(), run());
    match first.first_difference(&second) {
        Some(difference) => Err(Box::new(difference)),
        None => Ok(first.digest()),
    }
}

/// A seed whose scenario failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The message of the scenario's error or panic.
    pub message: String,
    /// The place of the panic, if it panicked: `tests/outbox.rs:12:5`.
    pub place: Option<String>,
    /// The world's time when the scenario panicked, if it did.
    pub at: Option<Instant>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        let place = self.place.iter().map(|place| format!("panicked at {place}"));
        let at = self.at.iter().map(|at| format!("the world's time was {at}"));
        match &*place.chain(at).collect::<Vec<_>>() {
            [] => Ok(()),
            more => write!(f, "\n  {}", more.join("; ")),
        }
    }
}

/// The default latency of messages in a sweep.
const LATENCY: Latency =
    Latency::Uniform { min: Duration::from_micros(100), max: Duration::from_millis(2) };

/// The result of a sweep over seeds.
#[derive(Clone, Debug)]
#[must_use = "failures are only told here; see `Sweep::expect_none`"]
pub struct Sweep {
    /// The number of seeds that ran.
    pub ran: u64,
    /// The failures, by rising seed. The first is the smallest failing seed of the range. There is
    /// only that one, unless [`Seeds::with_all_failures`] asked for all.
    pub failures: Vec<Failure>,
    /// The wall time of the sweep.
    pub wall_time: Duration,
    /// The shell command that runs the smallest failing seed again.
    pub replay: Option<String>,
    /// The settings that a replay needs besides the seed, such as `strategy Random`; empty if the
    /// defaults suffice.
    pub settings: String,
}

impl Sweep {
    /// Returns the number of seeds that ran per second of wall time.
    #[must_use]
    pub fn seeds_per_second(&self) -> f64 {
        self.ran as f64 / self.wall_time.as_secs_f64().max(1e-9)
    }

    /// Asserts that no seed failed.
    ///
    /// # Panics
    ///
    /// If one did. The message includes the failure and the command that replays it.
    #[track_caller]
    pub fn expect_none(self) {
        assert!(self.failures.is_empty(), "{self}");
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failures.first() {
            None => write!(f, "{} seeds, none failed", self.ran),
            Some(failure) => {
                write!(f, "seed {} failed", failure.seed)?;
                if !self.settings.is_empty() {
                    write!(f, " ({})", self.settings)?;
                }
                write!(f, ": {failure}")?;
                self.replay.iter().try_for_each(|line| write!(f, "\n  replay with: {line}"))
            }
        }
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
///     match sim.choose(DIE, 0, 6) {
///         5 => Err("a six"),
///         _ => Ok(()),
///     }
/// });
/// assert_eq!(sweep.failures.len(), 1, "it stops at the first");
/// assert!(sweep.replay.unwrap().starts_with("STUNT_DOUBLE_SEED="));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a sweep does nothing until it is run"]
pub struct Seeds {
    range: Range<u64>,
    config: Config,
    all: bool,
    threads: usize,
}

impl Seeds {
    /// Returns a sweep over these seeds, on every core, that stops at the first failure. Each world
    /// has the default [`Config`], except that every message takes 0.1 to 2 ms, drawn from the
    /// seed. Something can therefore happen between any two messages, such as the death of their
    /// sender; without latency a sweep would never find a bug that shows only then.
    pub fn new(range: Range<u64>) -> Seeds {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Seeds { range, config: Config::new(0), all: false, threads }
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

    /// Runs `scenario` once for each seed. A scenario fails by returning an error or by panicking.
    ///
    /// If [`SEED_VARIABLE`](super::SEED_VARIABLE) is set, only that seed runs, even if it lies
    /// outside the range.
    pub fn run<R: Report>(self, scenario: impl Fn(&mut Sim) -> R + Sync) -> Sweep {
        let Range { start, end } = self.range;
        let (first, count) = match replay::forced_seed() {
            Some(seed) => (seed, 1),
            None => (start, end.saturating_sub(start)),
        };
        let found = Found {
            first,
            next: AtomicU64::new(0),
            end: AtomicU64::new(count),
            failures: Mutex::new(Vec::new()),
            ran: AtomicU64::new(0),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "how long a sweep took is told to people only"
        )]
        let began = std::time::Instant::now();
        let current = std::thread::current();
        let name = current.name().unwrap_or("main");
        let quiet = Quiet::begin();
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                // The message of a panic and the replay command both use the thread's name.
                let thread = std::thread::Builder::new().name(name.to_owned());
                thread
                    .spawn_scoped(scope, || self.run_some(&found, &scenario))
                    .expect("the system can start a thread");
            }
        });
        drop(quiet);
        let mut failures = found.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        sort_by_key(&mut failures, |failure| failure.seed);
        if !self.all {
            failures.truncate(1);
        }
        let replay = failures.first().map(|failure| replay::command(failure.seed));
        let settings = self.config.beside_the_seed();
        Sweep {
            ran: found.ran.into_inner(),
            failures,
            wall_time: began.elapsed(),
            replay,
            settings,
        }
    }

    /// Runs seeds until none is left. Seeds are taken in rising order, so when one has failed only
    /// smaller ones are still running. The smallest failure found is therefore the smallest in the
    /// range.
    fn run_some<R: Report>(&self, found: &Found, scenario: &(impl Fn(&mut Sim) -> R + Sync)) {
        quiet::listen();
        loop {
            let index = found.next.fetch_add(1, SeqCst);
            if index >= found.end.load(SeqCst) {
                return;
            }
            let seed = found.first + index;
            let mut config = self.config.clone();
            config.seed = seed;
            config.latency.get_or_insert(LATENCY);
            let ended = catch_unwind(AssertUnwindSafe(|| {
                // The world is dropped inside `catch_unwind`, since its tasks may panic while they
                // are dropped.
                let mut sim = Sim::with_config(config);
                scenario(&mut sim).failure()
            }));
            found.ran.fetch_add(1, SeqCst);
            // Whatever this thread saw concerns the scenario: panics inside the world were caught
            // earlier.
            let seen = quiet::take();
            let (failed, seen) = match ended {
                Ok(failed) => (failed, quiet::Seen::default()),
                Err(panic) => (Some(panic_message(&*panic)), seen),
            };
            if let Some(message) = failed {
                if !self.all {
                    found.end.fetch_min(index, SeqCst);
                }
                let mut failures = found.failures.lock().unwrap_or_else(PoisonError::into_inner);
                let (place, at) = (seen.place, seen.at);
                failures.push(Failure { seed, message: without_replay(&message), place, at });
            }
        }
    }
}

/// Removes a world's own replay line from a message: the sweep prints one.
fn without_replay(message: &str) -> String {
    let lines = message.lines().filter(|line| !line.starts_with("  replay with: "));
    lines.collect::<Vec<_>>().join("\n")
}

struct Found {
    /// The first seed. The others are counted from it, so that the range may end at the largest
    /// `u64`.
    first: u64,
    next: AtomicU64,
    /// Seeds from this one on need not run.
    end: AtomicU64,
    failures: Mutex<Vec<Failure>>,
    ran: AtomicU64,
}

/// Runs `scenario` for each seed on every core, until the first failure. [`Seeds`] has more
/// settings.
pub fn seeds<R: Report>(range: Range<u64>, scenario: impl Fn(&mut Sim) -> R + Sync) -> Sweep {
    Seeds::new(range).run(scenario)
}
