//! A failure, and whether another one is the same.
//!
//! A failing run is made smaller only as long as it fails *in the same way*: at the same place and
//! with the same end of the run. Numbers, and what is in brackets, may differ, because they tell
//! how far the run had come, not what went wrong.

use super::replay;
use crate::sim::kernel::quiet::Seen;
use crate::sim::outcome::skeleton;
use crate::time::Instant;
use std::fmt;

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
    /// How the run had ended, if the scenario failed because of that.
    end: Option<String>,
    /// The steps that the world had taken, as what they cost.
    pub(super) steps: u64,
    /// The saved tape that failed, if it was not the seed by itself.
    pub(super) saved: Option<String>,
}

impl Failure {
    pub(super) fn new((seed, steps): (u64, u64), message: &str, seen: Seen) -> Failure {
        let Seen { place, at, end } = seen;
        Failure { seed, message: without_replay(message), place, at, end, steps, saved: None }
    }

    /// Returns the failure as that of a saved tape, if it is one.
    pub(super) fn of_tape(mut self, saved: Option<String>) -> Failure {
        self.saved = saved;
        self
    }

    /// Returns what failed: the seed, or a tape that was saved.
    pub(super) fn subject(&self) -> String {
        match &self.saved {
            Some(path) => format!("the tape {path} failed"),
            None => format!("seed {} failed", self.seed),
        }
    }

    /// Returns the command that runs it again. Saved tapes run by themselves.
    pub(super) fn replay(&self) -> String {
        replay::command(Some(self.seed).filter(|_| self.saved.is_none()))
    }

    /// Returns whether both went wrong in the same way: the panic came from the same place or, if
    /// there was none, the messages are equal but for numbers and what is in brackets. If the run's
    /// end is what failed, the ends must be equal too.
    #[must_use]
    pub fn is_like(&self, other: &Failure) -> bool {
        let alike = self.place.is_some() || self.end.is_some() || {
            skeleton(&self.message) == skeleton(&other.message)
        };
        self.place == other.place && self.end == other.end && alike
    }
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

/// Removes a world's own replay line from a message: the sweep prints one.
fn without_replay(message: &str) -> String {
    let lines = message.lines().filter(|line| !line.starts_with("  replay with: "));
    lines.collect::<Vec<_>>().join("\n")
}
