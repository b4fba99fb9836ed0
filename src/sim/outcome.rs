//! How a run ended, and how to reproduce it.

use crate::sim::kernel::quiet;
use crate::time::Instant;
use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A task that can no longer run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its node.
    pub node: Arc<str>,
    /// The place in the test that made the node.
    pub made_at: &'static Location<'static>,
    /// The things that it waits for, in words. More than one if it waits for the first of several.
    pub what: Vec<String>,
    /// Why that may never come, as far as it is known, in words: `partitioned from redis`.
    pub because: Vec<String>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.node, self.what.join(", or "))?;
        match &*self.because {
            [] => Ok(()),
            because => write!(f, " ({})", because.join("; ")),
        }
    }
}

/// A run in which nothing can happen any more although tasks still wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stuck {
    /// Those tasks, without the tasks of daemons.
    pub waiting: Vec<Waiting>,
    /// The world's time.
    pub at: Instant,
    /// The world's seed.
    pub seed: u64,
    /// The settings that the replay needs besides the seed; see [`Problem::settings`].
    pub settings: String,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stuck at {}, seed {}", self.at, self.seed)?;
        if !self.settings.is_empty() {
            write!(f, ", {}", self.settings)?;
        }
        f.write_str(": nothing can happen any more, and these still wait:")?;
        for waiting in &self.waiting {
            write!(f, "\n  {waiting}, node made at {}", waiting.made_at)?;
        }
        write!(f, "\n  replay with: {}", crate::sim::explore::replay::command(self.seed))
    }
}

/// Why a run seems to have no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endless {
    /// This many steps were taken without time passing: a loop that never waits, or messages that
    /// circulate at zero latency.
    NoTimePasses {
        /// The number of steps.
        steps: u64,
    },
    /// This many steps were taken while only daemons were alive. One of them may poll in a loop.
    OnlyDaemons {
        /// The number of steps.
        steps: u64,
    },
}

/// A node or a service that panicked, or a node whose main task returned an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The node or the service; `world` for an action of the test.
    pub node: Arc<str>,
    /// The place in the test that made it, if it is a node.
    pub made_at: Option<&'static Location<'static>>,
    /// The world's time.
    pub at: Instant,
    /// The world's seed.
    pub seed: u64,
    /// The settings that the replay needs besides the seed, such as `strategy Random`. Empty if the
    /// defaults suffice.
    pub settings: String,
    /// Whether it was a panic.
    pub panicked: bool,
    /// The message of the panic or the error.
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
        if let Some(made_at) = self.made_at {
            write!(f, "\n  node made at {made_at}")?;
        }
        write!(f, "\n  replay with: {}", crate::sim::explore::replay::command(self.seed))
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a run that got stuck or failed says so only here; see `Outcome::expect_done`"]
pub enum Outcome {
    /// Every task has ended, except those of daemons, and nothing is left to happen.
    Done,
    /// The requested moment or condition was reached.
    Reached,
    /// Nothing can happen any more, but tasks still wait.
    Stuck(Box<Stuck>),
    /// [`Sim::run_until`](super::Sim::run_until) ended before its condition held; the value says
    /// how.
    NotReached(Box<Outcome>),
    /// The run seems to have no end; see [`Config::with_patience`](super::Config::with_patience).
    Endless {
        /// Why.
        why: Endless,
        /// The world's time.
        at: Instant,
        /// The task that ran last: `worker-1/main`.
        task: Arc<str>,
    },
    /// The world took as many steps as [`Config::with_max_steps`](super::Config::with_max_steps)
    /// allows. It may be in a loop.
    StepBudget {
        /// The steps taken.
        steps: u64,
        /// The task that ran last: `worker-1/main`.
        last: Arc<str>,
    },
    /// The next event lies beyond [`Config::with_max_time`](super::Config::with_max_time).
    TimeBudget {
        /// The time of that event.
        next: Instant,
    },
    /// A node or a service panicked, or a node returned an error. The world can go on without it:
    /// its process is gone, as after a kill.
    Failed(Box<Problem>),
}

impl Outcome {
    /// Returns whether this is [`Outcome::Done`].
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Done)
    }

    /// Asserts that the run is done.
    ///
    /// # Panics
    ///
    /// If it is not. The message says how the run ended.
    #[track_caller]
    pub fn expect_done(self) {
        if !self.is_done() {
            quiet::note_end(|| self.way());
        }
        assert!(self.is_done(), "{self}");
    }

    /// Asserts that the requested moment or condition was reached.
    ///
    /// # Panics
    ///
    /// If it was not. The message says how the run ended.
    #[track_caller]
    pub fn expect_reached(self) {
        let is_reached = matches!(self, Outcome::Reached);
        if !is_reached {
            quiet::note_end(|| self.way());
        }
        assert!(is_reached, "{self}");
    }

    /// Returns what this end has in common with others of the same cause.
    pub(crate) fn way(&self) -> String {
        match self {
            Outcome::Done => "done".to_owned(),
            Outcome::Reached => "reached".to_owned(),
            Outcome::Stuck(stuck) => {
                let mut nodes: Vec<&str> = stuck.waiting.iter().map(|w| &*w.node).collect();
                nodes.sort_unstable();
                nodes.dedup();
                format!("stuck {nodes:?}")
            }
            Outcome::NotReached(end) => format!("not reached: {}", end.way()),
            Outcome::Endless { why: Endless::NoTimePasses { .. }, .. } => "no time".to_owned(),
            Outcome::Endless { why: Endless::OnlyDaemons { .. }, .. } => "daemons".to_owned(),
            Outcome::StepBudget { .. } => "steps".to_owned(),
            Outcome::TimeBudget { .. } => "time".to_owned(),
            Outcome::Failed(problem) => {
                let Problem { node, panicked, message, .. } = &**problem;
                format!("failed {node} {panicked} {}", skeleton(message))
            }
        }
    }
}

/// Returns a text without what tells only how far a run had come: numbers, and what is in brackets.
pub(crate) fn skeleton(text: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            c => out.push(c),
        }
    }
    out
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("done"),
            Outcome::Reached => {
                f.write_str("reached what was asked for, which is not to say that all is done")
            }
            Outcome::Stuck(stuck) => stuck.fmt(f),
            Outcome::NotReached(end) => write!(f, "the condition never held; the run ended: {end}"),
            Outcome::Endless { why: Endless::NoTimePasses { steps }, at, task } => {
                write!(
                    f,
                    "{steps} steps without time passing, at {at}, the last of task {task}: is it in a "
                )?;
                f.write_str("loop that never waits? (Config::with_patience allows more, and of polls alone a tenth)")
            }
            Outcome::Endless { why: Endless::OnlyDaemons { steps }, at, task } => {
                write!(
                    f,
                    "{steps} steps, up to {at}, with none but daemons alive, the last of task {task}: "
                )?;
                f.write_str("a daemon that polls never lets Sim::run end; use run_for or run_until")
            }
            Outcome::StepBudget { steps, last } => write!(
                f,
                "not done after {steps} steps, the last of task {last}: if it is to go on for \
                 ever, use run_for, or run_until with a condition that comes to hold; if it is \
                 a long run, raise Config::with_max_steps"
            ),
            Outcome::TimeBudget { next } => write!(
                f,
                "not done within the time budget; the next event is at {next} (use run_for or \
                 run_until, or raise Config::with_max_time)"
            ),
            Outcome::Failed(problem) => problem.fmt(f),
        }
    }
}

/// Returns the message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
