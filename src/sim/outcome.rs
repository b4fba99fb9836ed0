//! How a run ended, and what to do about it.

use crate::time::Instant;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A task that can no longer move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its node.
    pub node: Arc<str>,
    /// What it waits for, in words; more than one where it waits for the
    /// first of several.
    pub what: Vec<String>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.node, self.what.join(", or "))
    }
}

/// A node or service that panicked, or a node whose main task ended with an
/// error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The node or the service, or `world` for an action of the test.
    pub node: Arc<str>,
    /// The world's time.
    pub at: Instant,
    /// The world's seed.
    pub seed: u64,
    /// What else made the run what it was, such as `strategy Random`: empty if
    /// the world's settings were the default as far as they matter to that.
    pub settings: String,
    /// Whether it was a panic.
    pub panicked: bool,
    /// What the panic or the error said.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.panicked { "panicked" } else { "failed" };
        write!(f, "{} {how} at {}, seed {}", self.node, self.at, self.seed)?;
        if !self.settings.is_empty() {
            write!(f, ", {}", self.settings)?;
        }
        write!(f, ": {}", self.message)?;
        write!(f, "\n  replay with: {}", super::replay::command(self.seed))
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a run that got stuck or failed says so only here; see `Outcome::expect_done`"]
pub enum Outcome {
    /// Every task has ended, except those of daemons; nothing is left to
    /// happen.
    Done,
    /// The moment or the condition asked for was reached.
    Reached,
    /// Nothing can happen any more, and these tasks still wait.
    Stuck(Vec<Waiting>),
    /// The world took as many steps as its
    /// [`Config::max_steps`](super::Config::max_steps) allows: it may be in a
    /// loop. Who ran last.
    StepBudget {
        /// The steps taken.
        steps: u64,
        /// The node whose task ran last.
        last: Arc<str>,
    },
    /// The next event lies beyond the world's
    /// [`Config::max_time`](super::Config::max_time).
    TimeBudget {
        /// When that event is.
        next: Instant,
    },
    /// A node or a service panicked, or a node failed. The world can be run on
    /// without it: its process is gone, as after a kill.
    Failed(Box<Problem>),
}

impl Outcome {
    /// Whether it is [`Outcome::Done`].
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Done)
    }

    /// Asserts that the run is done.
    ///
    /// # Panics
    ///
    /// If it is not, saying how it ended instead.
    #[track_caller]
    pub fn expect_done(self) {
        assert!(self.is_done(), "{self}");
    }

    /// Asserts that the moment or the condition asked for was reached.
    ///
    /// # Panics
    ///
    /// If it was not, saying how the run ended instead.
    #[track_caller]
    pub fn expect_reached(self) {
        assert!(matches!(self, Outcome::Reached), "{self}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Reached => {
                f.write_str("reached what was asked for, which is not to say that all is done")
            }
            Outcome::Stuck(waiting) => {
                f.write_str("stuck: nothing can happen any more, and these still wait:")?;
                waiting.iter().try_for_each(|w| write!(f, "\n  {w}"))
            }
            Outcome::StepBudget { steps, last } => {
                write!(f, "not done after {steps} steps (is {last} in a loop?)")
            }
            Outcome::TimeBudget { next } => {
                write!(f, "not done within the time budget; the next event is at {next}")
            }
            Outcome::Failed(problem) => problem.fmt(f),
        }
    }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
