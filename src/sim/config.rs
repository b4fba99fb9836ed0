//! The settings of a world, as one value.

use crate::choice::Tape;
use crate::sim::net::latency::Latency;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The order in which ready tasks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// First ready, first run. The seed has no influence.
    #[default]
    Fifo,
    /// Any ready task, or a due event, with equal probability.
    Random,
    /// Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010). Each task has a random
    /// priority and the highest runs; a due event is a task like any other. At `depth - 1` random
    /// moments, the one that would run falls below all others. This finds any bug that needs
    /// `depth` ordered events with probability at least 1 / (tasks * moments^(depth - 1)).
    Pct {
        /// The number of ordered events that the bug may need; at least 1.
        depth: u32,
        /// The approximate number of moments in a run at which there is more than one candidate. If
        /// it is `None`, a sweep learns it from a first run of its scenario, and a single world
        /// takes 1,000.
        moments: Option<u64>,
    },
    /// Partial order sampling (Yuan et al., CAV 2018). Each pending step has a random priority and
    /// the highest runs; then the pending steps of the same node, which race with it, are drawn
    /// anew. So each order of racing steps is about as likely as any other.
    Pos,
    /// Selectively uniform random walk (Zhao et al., ASPLOS 2025). A ready task is chosen in
    /// proportion to the steps that it still has to take, which makes every interleaving equally
    /// likely. A sweep learns the steps from a first run of its scenario. A single world knows none
    /// and walks as [`Strategy::Random`] does.
    Surw,
}

/// What a sweep has learned from a first run of its scenario, in which every choice was calm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Learned {
    /// The number of moments at which the schedule had a choice.
    pub(crate) moments: u64,
    /// The number of polls of each task.
    pub(crate) polls: BTreeMap<u64, u64>,
    /// The number of moments at which a fault of a plan could have struck.
    pub(crate) strikes: u64,
}

/// How much of its trace a world keeps in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retention {
    /// The digest and every event, including polls and the choices of nodes and of the test. All
    /// other choices are on the tape; see [`Config::with_recording`].
    All,
    /// The digest, and the last `n` events that are neither polls nor choices.
    Last(usize),
    /// The digest alone. Memory does not grow with the run.
    Digest,
    /// Nothing. The digest is that of an empty trace.
    Off,
}

/// The effect of a panic in a node's code. In either mode it ends the process and fails the run
/// ([`Outcome::Failed`](super::Outcome)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Panics {
    /// As in a program built with `panic = "abort"`: no destructor has an effect. Destructors do
    /// run while the panic unwinds, as they must in a test, but they can do nothing. If the code
    /// catches the panic, which it could not in such a program, and a destructor had tried to do
    /// something, the run fails too. Without such an attempt, the catch goes unnoticed.
    #[default]
    Abort,
    /// As in a program built with `panic = "unwind"`: destructors run while the process is still
    /// alive, and they may send. Code that catches the panic goes on.
    Unwind,
}

/// The settings of a [`Sim`](super::Sim).
///
/// ```
/// use stunt_double::sim::{Config, Sim, Strategy};
/// let sim = Sim::with_config(Config::new(42).with_strategy(Strategy::Random));
/// assert_eq!(sim.seed(), 42);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) seed: u64,
    pub(crate) strategy: Strategy,
    pub(crate) retention: Retention,
    pub(crate) max_steps: u64,
    pub(crate) max_time: Instant,
    pub(crate) tape: Option<Arc<Tape>>,
    /// Whether the seed's draws follow the tape.
    pub(crate) resumes: bool,
    pub(crate) record: bool,
    pub(crate) calm: bool,
    /// The latency of links; `None` if it was never set.
    pub(crate) latency: Option<Latency>,
    pub(crate) max_notes: usize,
    pub(crate) patience: u64,
    pub(crate) panics: Panics,
    pub(crate) learned: Option<Arc<Learned>>,
    pub(crate) stories: bool,
    /// Whether the scenario is unwound if the steps are used up, instead of being told.
    pub(crate) unwinds: bool,
}

impl Config {
    /// Returns the default settings with this seed: [`Strategy::Fifo`], no latency, the last 1,000
    /// events and 100,000 notes kept, at most 100,000,000 steps, at most 10,000,000 of them without
    /// time passing, no limit of time.
    #[must_use]
    pub fn new(seed: u64) -> Config {
        Config {
            seed,
            strategy: Strategy::Fifo,
            retention: Retention::Last(1_000),
            max_steps: 100_000_000,
            max_time: Instant::MAX,
            tape: None,
            resumes: false,
            record: false,
            calm: false,
            latency: None,
            max_notes: 100_000,
            patience: 10_000_000,
            panics: Panics::Abort,
            learned: None,
            stories: false,
            unwinds: false,
        }
    }

    /// Sets how long messages take on every link; [`Link::set_latency`](super::Link::set_latency)
    /// changes it for one. Without latency nothing can happen between two messages that follow each
    /// other immediately, such as the death of their sender.
    #[must_use]
    pub fn with_latency(mut self, latency: Latency) -> Config {
        self.latency = Some(latency);
        self
    }

    /// Sets how many notes are kept; see [`Trace::notes`](super::Trace::notes).
    #[must_use]
    pub fn with_max_notes(mut self, notes: usize) -> Config {
        self.max_notes = notes;
        self
    }

    /// Sets how many steps may be taken without time passing, or while only daemons are alive,
    /// before a run ends as [`Outcome::Endless`](super::Outcome). The minimum is 10. A tenth of
    /// them is enough if all were polls, so a task that only yields is caught sooner.
    #[must_use]
    pub fn with_patience(mut self, steps: u64) -> Config {
        self.patience = steps;
        self
    }

    /// Sets what a panic in a node's code does.
    #[must_use]
    pub fn with_panics(mut self, panics: Panics) -> Config {
        self.panics = panics;
        self
    }

    /// Sets which ready task runs next.
    #[must_use]
    pub fn with_strategy(mut self, strategy: Strategy) -> Config {
        self.strategy = strategy;
        self
    }

    /// Sets how much of the trace is kept.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Config {
        self.retention = retention;
        self
    }

    /// Limits the steps of the world: polls of a task, events, and requests such as a kill. A run
    /// that reaches the limit ends as [`Outcome::StepBudget`](super::Outcome).
    #[must_use]
    pub fn with_max_steps(mut self, steps: u64) -> Config {
        self.max_steps = steps;
        self
    }

    /// Limits the steps of a world that only repeats another. A scenario that runs such a world
    /// again and again would never end once they are used up, so it is unwound.
    pub(crate) fn limit_steps(&mut self, steps: u64) {
        if steps < self.max_steps {
            (self.max_steps, self.unwinds) = (steps, true);
        }
    }

    /// Limits virtual time. A run whose next event lies beyond the limit ends as
    /// [`Outcome::TimeBudget`](super::Outcome).
    #[must_use]
    pub fn with_max_time(mut self, time: Duration) -> Config {
        self.max_time = Instant::ZERO + time;
        self
    }

    /// Takes every choice from `tape` instead of the seed. Choices are calm once the tape has no
    /// more.
    #[must_use]
    pub fn with_tape(mut self, tape: Tape) -> Config {
        self.tape = Some(Arc::new(tape));
        self.resumes = false;
        self
    }

    /// Takes the first choices from `tape`, and the others from the seed once the tape has no more.
    /// With a prefix of a recorded run ([`Tape::prefix`]) the world repeats that part of the run
    /// and goes on differently with each seed.
    #[must_use]
    pub fn with_prefix(mut self, tape: Tape) -> Config {
        self.tape = Some(Arc::new(tape));
        self.resumes = true;
        self
    }

    /// Makes every choice 0, whatever the seed.
    #[must_use]
    pub fn with_calm_choices(mut self) -> Config {
        self.calm = true;
        self
    }

    /// Records every choice, for [`Sim::tape`](super::Sim::tape).
    #[must_use]
    pub fn with_recording(mut self) -> Config {
        self.record = true;
        self
    }

    /// Asks every service to tell what happens to its messages or keys, for
    /// [`Trace::stories`](super::trace::Trace::stories). The run is the same with and without.
    #[must_use]
    pub fn with_stories(mut self) -> Config {
        self.stories = true;
        self
    }

    /// Returns the settings that a replay needs besides the seed, in words; empty if the seed
    /// suffices.
    pub(crate) fn beside_the_seed(&self) -> String {
        let strategy = match self.strategy {
            Strategy::Fifo => None,
            other => Some(format!("strategy {other:?}")),
        };
        let choices = match &self.tape {
            _ if self.calm => Some("calm".to_owned()),
            Some(_) if self.resumes => Some("after a tape".to_owned()),
            Some(_) => Some("replaying a tape".to_owned()),
            None => None,
        };
        strategy.into_iter().chain(choices).collect::<Vec<_>>().join(", ")
    }
}
