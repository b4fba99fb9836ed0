//! The account of a failure: what a person reads first.
//!
//! An [`Account`] holds the calmest run that fails in the same way, and what was learned of it. As
//! text it takes at most 40 lines (`account/text.rs`).

mod concern;
mod part;
mod picture;
mod tale;
mod text;

use super::failure::Failure;
use super::passing::Passing;
use crate::choice::{Choice, Tape};
use crate::sim::trace::{Difference, Story, Trace};
use crate::time::Instant;
use std::fmt;
pub(crate) use tale::Tale;

/// The share of runs that fail if the first choices are those of the failing run and all others are
/// drawn anew.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Risk {
    /// The number of choices that are kept.
    pub after: usize,
    /// The time of the last of them.
    pub at: Instant,
    /// How many of these runs failed in the same way.
    pub failed: u64,
    /// The number of runs.
    pub of: u64,
}

impl Risk {
    /// Returns the share in percent, rounded.
    #[must_use]
    pub fn percent(&self) -> u64 {
        (self.failed * 100 + self.of / 2) / self.of.max(1)
    }
}

/// How a failing run ends with one of its choices made calm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Without {
    /// It passes.
    Passes,
    /// It fails in another way.
    FailsOtherwise,
    /// It fails in the same way.
    FailsTheSame,
}

/// A choice that is left in the failing run, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// Its place among all choices of the run.
    pub order: usize,
    /// The choice.
    pub choice: Choice,
    /// Whether it is the one at which the run went wrong: that of the largest jump of the risk.
    pub is_decisive: bool,
    /// How the run ends with this one calm; `None` if there were too many to ask.
    pub without: Option<Without>,
    /// How many of its other values fail too, of those that were tried.
    pub others_failing: u64,
    /// How many of its other values were tried.
    pub others_tried: u64,
    /// The risk before it.
    pub before: Option<Risk>,
    /// The risk after it.
    pub after: Option<Risk>,
}

impl Decision {
    /// Returns whether the failure needs it: without it the run does not fail in the same way.
    /// `None` if there were too many choices to ask.
    #[must_use]
    pub fn is_necessary(&self) -> Option<bool> {
        self.without.map(|end| end != Without::FailsTheSame)
    }

    /// Returns by how much it raises the risk, in runs.
    pub(super) fn jump(&self) -> u64 {
        let failed = |risk: &Option<Risk>| risk.as_ref().map_or(0, |risk| risk.failed);
        failed(&self.after).saturating_sub(failed(&self.before))
    }
}

/// The explanation of a failure; see [`Sweep::account`](super::Sweep).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// The failure of the run that is explained.
    pub failure: Failure,
    /// The choices of that run, every one.
    pub tape: Tape,
    /// The events of that run, every one.
    pub trace: Trace,
    /// The choices that are left, in order: those that the failure needs, unless the effort was
    /// spent before the others had gone. If there is none, the calm run fails.
    pub decisions: Vec<Decision>,
    /// The risk over time.
    pub risk: Vec<Risk>,
    /// What services told of the lives of their messages and keys.
    pub stories: Vec<Story>,
    /// The number of choices of the run that was found first.
    pub found_with: usize,
    /// How many of those were not calm.
    pub found_unquiet: usize,
    pub(super) passing: Option<Passing>,
    /// How messages begin that say little.
    pub(super) routine: Vec<&'static str>,
    /// The command that runs the seed again.
    pub(super) replay: Option<String>,
    pub(super) settings: String,
    /// Where the tape and the picture are, if they were written.
    pub(super) files: Vec<(&'static str, String)>,
}

impl Account {
    /// Returns the choice at which the run went wrong. If there is none, the calm run fails too, or
    /// the effort was spent before one was found without which it does not fail.
    #[must_use]
    pub fn decisive(&self) -> Option<&Decision> {
        self.decisions.iter().find(|decision| decision.is_decisive)
    }

    /// Returns what differs between this run and the nearest one that passes: the first event that
    /// is not the same, choices apart. `None` if there is no such run.
    #[must_use]
    pub fn difference(&self) -> Option<&Difference> {
        self.passing.as_ref()?.difference.as_ref()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}
