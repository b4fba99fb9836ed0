//! Stories: the life of one message or one key, in the words of its service.
//!
//! A service tells what happens to its messages or keys only while somebody listens
//! ([`Config::with_stories`](crate::sim::Config::with_stories)): a sweep asks for it when it
//! explains a failure. What is told is not part of the digest.

use crate::time::Instant;
use std::fmt;
use std::sync::Arc;

/// Something that happened to a message or a key, as its service tells it.
///
/// ```
/// use stunt_double::sim::trace::Told;
///
/// let told = Told::new("key", "stock", "taken by shop");
/// assert_eq!((told.kind, &*told.subject), ("key", "stock"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Told {
    /// The kind of thing: `message`, `key`, `lock`.
    pub kind: &'static str,
    /// The thing. All that is told of one thing names it in the same way.
    pub subject: Arc<str>,
    /// What happened to it.
    pub text: String,
}

impl Told {
    /// Something that happened to a thing of this kind.
    #[must_use]
    pub fn new(kind: &'static str, subject: impl Into<Arc<str>>, text: impl Into<String>) -> Told {
        Told { kind, subject: subject.into(), text: text.into() }
    }
}

/// A step of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The world's time.
    pub at: Instant,
    /// The service that told it.
    pub who: Arc<str>,
    /// What happened.
    pub text: String,
}

/// Everything that was told of one thing, in order. The messages of two services are different
/// things, even if both are named alike; the keys of that name are one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
