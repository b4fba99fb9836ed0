//! Stories: the life of one message or one key, in the words of its service.
//!
//! A service tells what happens to its messages or keys only while somebody listens
//! ([`Config::with_stories`](crate::sim::Config::with_stories)): a sweep asks for it when it
//! explains a failure. What is told is not part of the digest.

use crate::time::Instant;
use std::fmt;
use std::sync::Arc;

/// Something that happened to a message or a key, as its service tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The kind of thing: `message`, `key`, `lock`.
    pub kind: &'static str,
    /// The thing. All that is told of one thing names it in the same way.
    pub subject: Arc<str>,
    /// What happened to it.
    pub text: String,
}

/// A step of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The world's time.
    pub at: Instant,
    /// The service that told it.
    pub who: Arc<str>,
    /// What happened.
    pub text: String,
}

/// Everything that was told of one thing, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The kind of thing: `message`, `key`, `lock`.
    pub kind: &'static str,
    /// The thing.
    pub subject: Arc<str>,
    /// What happened to it, in order.
    pub steps: Vec<Step>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:", self.kind, self.subject)?;
        for Step { at, who, text } in &self.steps {
            write!(f, "\n  {at:>10.3}  {who:<12} {text}")?;
        }
        Ok(())
    }
}
