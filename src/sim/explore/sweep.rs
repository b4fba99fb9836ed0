//! The result of a sweep over seeds.

use super::account::Account;
use super::failure::Failure;
use super::folder;
use super::tapes::Tapes;
use crate::choice::Tape;
use crate::json::Json;
use std::fmt;
use std::time::Duration;

/// What the path of a saved tape is told as.
const TAPE: &str = "the tape, which runs first from now on";

/// The result of a sweep over seeds.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "failures are only told here; see `Sweep::expect_none`"]
pub struct Sweep {
    /// The number of seeds that ran. If one failed, how many others had run by then depends on the
    /// threads.
    pub ran: u64,
    /// The failures, by rising seed. The first is the smallest failing seed of the range. There is
    /// only that one, unless [`Seeds::with_all_failures`](super::Seeds::with_all_failures) asked
    /// for all.
    pub failures: Vec<Failure>,
    /// The explanation of the first failure. `None` if nothing failed, if
    /// [`Effort::none`](super::Effort::none) was asked for, if the run takes too many steps, or if
    /// the seed did not fail again when it was run a second time.
    pub account: Option<Box<Account>>,
    /// The wall time of the sweep, without that of its explanation.
    pub wall_time: Duration,
    /// The shell command that runs the smallest failing seed again.
    pub replay: Option<String>,
    /// The settings that a replay needs besides the seed, such as `strategy Random`; empty if the
    /// defaults suffice.
    pub settings: String,
    /// Whether a search of [`Schedules`](super::Schedules) has seen all there are, within its
    /// bounds if it has some.
    pub all_seen: bool,
    /// Why there is no account, if something failed.
    unexplained: Option<String>,
    /// The choices of the first failure, if there is no account of it, and where they were saved.
    unexplained_tape: Option<Tape>,
    saved: Option<String>,
    /// The name of what it runs.
    pub(super) unit: &'static str,
    /// What of all there is was not searched, in words.
    pub(super) bound: String,
    pub(super) tapes: Tapes,
}

/// What became of the explanation of a failure.
pub(super) enum Explained {
    By(Box<Account>),
    /// No effort is to be made. The choices of the run, if they are known.
    NotWanted(Option<Tape>),
    /// It did not happen again.
    Fickle,
    /// Its run takes this many steps; with its choices.
    TooLong(u64, Option<Tape>),
}

impl Explained {
    /// Returns where the choices of a failure belong that is not explained.
    pub(super) fn place_for_tape(&mut self) -> Option<&mut Option<Tape>> {
        match self {
            Explained::NotWanted(tape) | Explained::TooLong(_, tape) => Some(tape),
            Explained::By(_) | Explained::Fickle => None,
        }
    }
}

impl Sweep {
    /// Takes the explanation of the first failure.
    pub(super) fn take(&mut self, explained: Option<Explained>, replay: Option<&String>) {
        match explained {
            Some(Explained::By(mut account)) => {
                account.replay = replay.cloned();
                account.settings.clone_from(&self.settings);
                self.account = Some(account);
            }
            Some(Explained::Fickle) => {
                let why = "it did not fail again when it was run a second time: something in it \
                           comes from outside the world; `sim::check_determinism` shows what";
                self.unexplained = Some(why.to_owned());
            }
            Some(Explained::TooLong(steps, tape)) => {
                self.unexplained_tape = tape;
                self.unexplained = Some(format!(
                    "its run takes {steps} steps, too many to explain it by running it again and \
                     again; `Effort::with_steps` allows more"
                ));
            }
            Some(Explained::NotWanted(tape)) => self.unexplained_tape = tape,
            None => {}
        }
    }

    /// Returns a sweep that has not begun.
    pub(super) fn new(tapes: Tapes, settings: String) -> Sweep {
        Sweep {
            ran: 0,
            failures: Vec::new(),
            account: None,
            wall_time: Duration::ZERO,
            replay: None,
            settings,
            all_seen: false,
            unexplained: None,
            unexplained_tape: None,
            saved: None,
            unit: "seeds",
            bound: String::new(),
            tapes,
        }
    }

    /// Returns the number of seeds that ran per second of wall time.
    #[must_use]
    pub fn seeds_per_second(&self) -> f64 {
        self.ran as f64 / self.wall_time.as_secs_f64().max(1e-9)
    }

    /// Asserts that no seed failed. If one did, its tape is saved beside the test, where the next
    /// run finds it, and its report in the folder for reports; see
    /// [`VARIABLES`](super::VARIABLES).
    ///
    /// # Panics
    ///
    /// If one did. The message is the account of the failure, with the command that replays it.
    #[track_caller]
    pub fn expect_none(mut self) {
        if !self.failures.is_empty() {
            self.save();
        }
        assert!(self.failures.is_empty(), "{self}");
    }

    /// Writes what a person may want to keep. What cannot be written is left out: the failure
    /// itself matters more.
    fn save(&mut self) {
        if let (Some(tape), Some(first)) = (&self.unexplained_tape, self.failures.first()) {
            self.saved = self.tapes.save(first.seed, tape);
        }
        let Some(account) = &mut self.account else { return };
        if let Some(path) = self.tapes.save(account.failure.seed, &account.tape) {
            account.files.push((TAPE, path));
        }
        if self.tapes.writes() {
            let name = format!("{}.html", self.tapes.name());
            if let Some(path) = folder::write(&name, &account.to_html()) {
                account.files.push(("the picture, for a browser", path));
            }
        }
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.failures.first(), &self.account) {
            (None, _) if self.all_seen => {
                write!(f, "all {} {}{} seen, none failed", self.ran, self.unit, self.bound)
            }
            (None, _) => write!(f, "{} {}, none failed", self.ran, self.unit),
            (Some(_), Some(account)) => account.fmt(f),
            (Some(failure), None) => {
                f.write_str(&failure.subject())?;
                if !self.settings.is_empty() {
                    write!(f, " ({})", self.settings)?;
                }
                write!(f, ": {failure}")?;
                self.unexplained.iter().try_for_each(|why| write!(f, "\n  {why}"))?;
                let saved = self.saved.iter();
                saved.into_iter().try_for_each(|path| write!(f, "\n  {TAPE}: {path}"))?;
                self.replay.iter().try_for_each(|line| write!(f, "\n  replay with: {line}"))
            }
        }
    }
}

impl Sweep {
    /// Returns the sweep as a line of JSON, for the log of sweeps.
    pub(super) fn to_json(&self) -> String {
        let mut json = Json::default();
        let millis = u64::try_from(self.wall_time.as_millis()).unwrap_or(u64::MAX);
        json.object(|json| {
            json.key("test").text(&self.tapes.name());
            json.key("ran").number(self.ran);
            json.key("failed").number(self.failures.len() as u64);
            if let Some(first) = self.failures.first() {
                json.key("seed").number(first.seed);
                json.key("message").text(&first.message);
            }
            json.key("seconds").thousandths(millis);
            json.key("settings").text(&self.settings);
        });
        json.into_text()
    }
}
