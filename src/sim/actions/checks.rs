//! The test's own checks of a run: what must always hold, and what must come to hold in time.
//!
//! Checks are made after every step, so a violation is found at its moment, by the step that caused
//! it. Each fails once. A check that panics does not hold, and says why with its message.

use crate::sim::outcome::panic_message;
use crate::time::Instant;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The answer of a check: `bool`, or a `Result` whose error says what is wrong.
pub trait Verdict {
    /// Returns what is wrong, in words; an empty text if there are no words for it.
    fn objection(self) -> Option<String>;
}

impl Verdict for bool {
    fn objection(self) -> Option<String> {
        if self { None } else { Some(String::new()) }
    }
}

impl<E: fmt::Display> Verdict for Result<(), E> {
    fn objection(self) -> Option<String> {
        self.err().map(|error| format!("{error:#}"))
    }
}

type Ask = Box<dyn FnMut() -> Option<String>>;

struct Check {
    name: String,
    /// The time by which it must have held once; `None` if it must always hold.
    within: Option<Instant>,
    ask: Ask,
    /// Why it did not hold when it was asked last.
    last: String,
}

/// The checks that have neither failed nor been fulfilled.
#[derive(Default)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    pub(super) fn add<V: Verdict>(
        &mut self,
        name: &str,
        within: Option<Instant>,
        mut check: impl FnMut() -> V + 'static,
    ) {
        let ask = Box::new(move || check().objection());
        self.0.push(Check { name: name.to_owned(), within, ask, last: String::new() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes every check, and returns what is wrong. What was fulfilled or has failed is gone.
    pub(super) fn make(&mut self, now: Instant) -> Vec<String> {
        let mut problems = Vec::new();
        self.0.retain_mut(|check| {
            let name = &check.name;
            // What happens after the deadline is too late.
            if let Some(within) = check.within.filter(|within| now > *within) {
                let why = because(&check.last);
                problems.push(format!("`{name}` did not come to hold by {within}{why}"));
                return false;
            }
            let asked = catch_unwind(AssertUnwindSafe(&mut check.ask));
            let objection = asked.unwrap_or_else(|panic| Some(panic_message(&*panic)));
            let must_hold = check.within.is_none();
            match objection {
                None => must_hold,
                Some(what) if must_hold => {
                    problems.push(format!("`{name}` does not hold{}", because(&what)));
                    false
                }
                Some(what) => {
                    check.last = what;
                    true
                }
            }
        });
        problems
    }

    /// Returns what can no longer come to hold, because nothing is left to happen.
    pub(super) fn give_up(&mut self) -> Vec<String> {
        let hopeless = self.0.extract_if(.., |check| check.within.is_some());
        let told = hopeless.map(|check| {
            let (name, why) = (check.name, because(&check.last));
            format!("`{name}` did not come to hold, and nothing is left to happen{why}")
        });
        told.collect()
    }
}

/// Returns what is wrong as the end of a sentence.
fn because(what: &str) -> String {
    if what.is_empty() { String::new() } else { format!(": {what}") }
}
