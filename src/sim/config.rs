//! What a world is told at its construction, as one value.

use crate::choice::Tape;
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
    /// the digest. Other choices are on the tape; see [`Config::record`].
    All,
    /// The digest, and the last `n` events other than polls and choices.
    Last(usize),
    /// The digest alone: memory does not grow with the run.
    Digest,
    /// Nothing; the digest is that of an empty trace.
    Off,
}

/// The settings of a [`Sim`](super::Sim).
///
/// ```
/// use stunt_double::sim::{Config, Sim, Strategy};
/// let sim = Sim::with_config(Config::new(42).strategy(Strategy::Random));
/// assert_eq!(sim.seed(), 42);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) seed: u64,
    pub(super) strategy: Strategy,
    pub(super) retention: Retention,
    pub(super) max_steps: u64,
    pub(super) max_time: Instant,
    pub(super) tape: Option<Tape>,
    pub(super) record: bool,
    pub(super) calm: bool,
}

impl Config {
    /// The default settings with this seed: [`Strategy::Fifo`], the last 1,000
    /// events kept, at most 100,000,000 steps, no limit of time.
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
        }
    }

    /// Which ready task runs next.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Config {
        self.strategy = strategy;
        self
    }

    /// How much of the trace is kept.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Config {
        self.retention = retention;
        self
    }

    /// How many steps (polls of a task, events, and requests such as a kill)
    /// the world may take in all.
    /// A run that reaches it ends as [`Outcome::StepBudget`](super::Outcome).
    #[must_use]
    pub fn max_steps(mut self, steps: u64) -> Config {
        self.max_steps = steps;
        self
    }

    /// How far virtual time may go. A run whose next event lies beyond ends as
    /// [`Outcome::TimeBudget`](super::Outcome).
    #[must_use]
    pub fn max_time(mut self, time: Duration) -> Config {
        self.max_time = Instant::ZERO + time;
        self
    }

    /// Takes every choice from `tape` instead of the seed; calm where the tape
    /// has no more.
    #[must_use]
    pub fn replay(mut self, tape: Tape) -> Config {
        self.tape = Some(tape);
        self
    }

    /// Makes every choice 0, whatever the seed.
    #[must_use]
    pub fn calm(mut self) -> Config {
        self.calm = true;
        self
    }

    /// Keeps every choice, for [`Sim::tape`](super::Sim::tape).
    #[must_use]
    pub fn record(mut self) -> Config {
        self.record = true;
        self
    }

    /// What a replay needs beside the seed, in words: empty if that is enough.
    pub(super) fn beside_the_seed(&self) -> String {
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
