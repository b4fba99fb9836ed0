//! Messages that never arrived, beside the events of a trace.
//!
//! They are no events: nothing in the world observes that a message is lost, and the digest does
//! not cover it. They are kept only under [`Retention::All`], for the picture of a failure.

use super::Trace;
use crate::sim::config::Retention;
use crate::time::Instant;
use std::fmt;
use std::sync::Arc;

/// A message that was sent and never arrived; see [`Trace::lost`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// When it was sent.
    pub sent: Instant,
    /// The sender, as in [`EventKind::Request`](super::EventKind::Request).
    pub from: Arc<str>,
    /// The node or service that it was sent to.
    pub to: Arc<str>,
    /// The number of the connection. It is unique within the service.
    pub connection: u32,
    /// The message, in a few words.
    pub text: String,
    /// When it was lost: its connection broke, or it reached an end that was closed. `None` if it
    /// was still in flight when the trace was taken.
    pub lost: Option<Instant>,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lost { sent, from, to, text, .. } = self;
        write!(f, "{sent:>10.3}  {to:<12} <- {from}: {text} (never arrived)")
    }
}

impl Trace {
    /// Returns the messages that were sent and never arrived, in the order in which they were
    /// lost, and then those that were in flight when the trace was taken. They are kept under
    /// [`Retention::All`] only, and are not part of the digest.
    ///
    /// Some loss leaves no entry: an answer to a client that had closed its connection is never
    /// sent.
    #[must_use]
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// Returns whether lost messages are kept.
    pub(crate) fn keeps_lost(&self) -> bool {
        self.retention == Retention::All && !self.silent
    }

    pub(crate) fn lose(&mut self, lost: Option<Lost>) {
        self.lost.extend(lost);
    }
}
