//! Reports: what the main task of a node returns, and how its process learns of it.

use super::kernel::quiet;
use super::outcome::Outcome;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The work of a task: a future, whatever it returns.
pub(crate) trait Work {
    /// Polls it. When it is done, returns what went wrong, if anything did.
    fn poll_report(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<String>>;
}

impl<F: Future<Output: Report>> Work for F {
    fn poll_report(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<String>> {
        self.poll(cx).map(Report::failure)
    }
}

/// The return value of a node's main task: nothing, or a `Result` whose error fails the run.
pub trait Report {
    /// Returns what went wrong, in words.
    fn failure(self) -> Option<String>;
}

impl Report for () {
    fn failure(self) -> Option<String> {
        None
    }
}

/// Names the type `!`, which has no stable name of its own.
trait Returns {
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}

/// For a main task that loops forever: its type is `!`, not `()`.
#[expect(private_interfaces, reason = "the type is never's, whatever it is called by")]
impl Report for <fn() -> ! as Returns>::Type {
    fn failure(self) -> Option<String> {
        self
    }
}

/// A run that is neither done nor has reached its goal is a failure, so a scenario may end with
/// `sim.run()`.
impl Report for Outcome {
    fn failure(self) -> Option<String> {
        match self {
            Outcome::Done | Outcome::Reached => None,
            other => {
                quiet::note_end(|| other.way());
                Some(other.to_string())
            }
        }
    }
}

impl<E: fmt::Display> Report for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| format!("{error:#}"))
    }
}
