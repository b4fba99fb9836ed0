//! What a world is told at its construction, as one value.

use crate::choice::Tape;
use crate::sim::net::latency::Latency;
use crate::time::Instant;
use std::time::Duration;

/// Which of the tasks that are ready runs next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// First ready, first run: the calm schedule, whatever the seed.
    #[default]
    Fifo,
    /// Any ready task, or an event that is due, with equal probability.
    Random,
    /// Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010):
    /// each task has a random priority and the highest runs, but at
    /// `depth - 1` random moments among the first `steps` polls the running
    /// task falls below all others. Finds any bug that needs `depth` ordered
    /// events with probability at least
    /// 1 / (tasks * (steps + 1)^(depth - 1)); the 1 is the calm choice, no fall.
    Pct {
        /// How many ordered events the sought bug may need; at least 1.
        depth: u32,
        /// About how many polls the run has.
        steps: u64,
    },
}

/// How much of its trace a world keeps in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retention {
    /// Every event, with the polls and the choices of nodes and of the test, and
    /// the digest. Other choices are on the tape; see [`Config::with_recording`].
    All,
    /// The digest, and the last `n` events other than polls and choices.
    Last(usize),
    /// The digest alone: memory does not grow with the run.
    Digest,
    /// Nothing; the digest is that of an empty trace.
    Off,
}

/// What a panic in a node's code does. Either way it ends the process and fails the run
/// ([`Outcome::Failed`](super::Outcome)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Panics {
    /// As in a program built with `panic = "abort"`: no destructor says anything. One that
    /// runs while the panic unwinds, as it must in a test, can do nothing. If the
    /// code catches the panic, which it could not in such a program, and a destructor had tried
    /// to do something meanwhile, the run fails too; without that it cannot be noticed.
    #[default]
    Abort,
    /// As in a program built with `panic = "unwind"`: what the panic unwinds runs its
    /// destructors while the process is still alive, and they may send. Code that catches
    /// the panic goes on.
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
    pub(crate) tape: Option<Tape>,
    pub(crate) record: bool,
    pub(crate) calm: bool,
    /// Of links; `None` where nobody has said.
    pub(crate) latency: Option<Latency>,
    pub(crate) max_notes: usize,
    pub(crate) patience: u64,
    pub(crate) panics: Panics,
}

impl Config {
    /// The default settings with this seed: [`Strategy::Fifo`], no latency, the last 1,000
    /// events and 100,000 notes kept, at most 100,000,000 steps, 10,000,000 of them without
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
            record: false,
            calm: false,
            latency: None,
            max_notes: 100_000,
            patience: 10_000_000,
            panics: Panics::Abort,
        }
    }

    /// How long messages take on every link, until
    /// [`Link::set_latency`](super::Link::set_latency) says otherwise for one. Where
    /// messages take no time, nothing can happen between two of them that follow each other
    /// at once, such as the death of their sender.
    #[must_use]
    pub fn with_latency(mut self, latency: Latency) -> Config {
        self.latency = Some(latency);
        self
    }

    /// How many notes are kept; see [`Trace::notes`](super::Trace::notes).
    #[must_use]
    pub fn with_max_notes(mut self, notes: usize) -> Config {
        self.max_notes = notes;
        self
    }

    /// How many steps may be taken without time passing, or with none but daemons alive, before
    /// a run ends as [`Outcome::Endless`](super::Outcome); taken as at least 10. A tenth of them
    /// may be polls of tasks alone: a task that only yields is soon caught.
    #[must_use]
    pub fn with_patience(mut self, steps: u64) -> Config {
        self.patience = steps;
        self
    }

    /// What a panic in a node's code does.
    #[must_use]
    pub fn with_panics(mut self, panics: Panics) -> Config {
        self.panics = panics;
        self
    }

    /// Which ready task runs next.
    #[must_use]
    pub fn with_strategy(mut self, strategy: Strategy) -> Config {
        self.strategy = strategy;
        self
    }

    /// How much of the trace is kept.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Config {
        self.retention = retention;
        self
    }

    /// How many steps (polls of a task, events, and requests such as a kill)
    /// the world may take in all.
    /// A run that reaches it ends as [`Outcome::StepBudget`](super::Outcome).
    #[must_use]
    pub fn with_max_steps(mut self, steps: u64) -> Config {
        self.max_steps = steps;
        self
    }

    /// How far virtual time may go. A run whose next event lies beyond ends as
    /// [`Outcome::TimeBudget`](super::Outcome).
    #[must_use]
    pub fn with_max_time(mut self, time: Duration) -> Config {
        self.max_time = Instant::ZERO + time;
        self
    }

    /// Takes every choice from `tape` instead of the seed; calm where the tape
    /// has no more.
    #[must_use]
    pub fn with_tape(mut self, tape: Tape) -> Config {
        self.tape = Some(tape);
        self
    }

    /// Makes every choice 0, whatever the seed.
    #[must_use]
    pub fn with_calm_choices(mut self) -> Config {
        self.calm = true;
        self
    }

    /// Keeps every choice, for [`Sim::tape`](super::Sim::tape).
    #[must_use]
    pub fn with_recording(mut self) -> Config {
        self.record = true;
        self
    }

    /// What a replay needs beside the seed, in words: empty if that is enough.
    pub(crate) fn beside_the_seed(&self) -> String {
        let strategy = match self.strategy {
            Strategy::Fifo => None,
            other => Some(format!("strategy {other:?}")),
        };
        let choices = match &self.tape {
            _ if self.calm => Some("calm".to_owned()),
            Some(_) => Some("replaying a tape".to_owned()),
            None => None,
        };
        strategy.into_iter().chain(choices).collect::<Vec<_>>().join(", ")
    }
}
