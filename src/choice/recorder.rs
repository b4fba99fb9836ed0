//! The record of a world's choices, in their one order.
//!
//! The [`Choices`](super::Choices) of a world and the streams that it handed out to its machines
//! share one record, so a choice's index is its place among all choices of the run. The world tells
//! the record the time. Whoever makes a choice may add who asked, and words for what it decided;
//! neither is made unless there is a record.

use super::Site;
use super::tape::{Choice, Tape};
use crate::time::Instant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A choice that was just made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) site: Site,
    pub(crate) entity: u64,
    pub(crate) n: u64,
    pub(crate) value: u64,
}

#[derive(Clone, Debug, Default)]
struct Recording {
    choices: Vec<Choice>,
    now: Instant,
}

/// A handle of the record. Its clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Recording>>);

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, made: Made) {
        let Made { site, entity, n, value } = made;
        let mut recording = self.lock();
        let at = recording.now;
        let choice = Choice { at, ..Choice::new(site.name(), entity, n, value) };
        recording.choices.push(choice);
    }

    /// Adds to the last choice who asked for it, and what it decided.
    pub(crate) fn attribute(&self, who: &Arc<str>, words: Option<String>) {
        if let Some(last) = self.lock().choices.last_mut() {
            last.who = Some(Arc::clone(who));
            last.words = words.map(String::into_boxed_str);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().choices.len()
    }

    pub(crate) fn set_now(&self, now: Instant) {
        self.lock().now = now;
    }

    pub(crate) fn tape(&self) -> Tape {
        self.lock().choices.iter().cloned().collect()
    }

    /// Returns a record of its own that begins with the same choices.
    pub(crate) fn copy(&self) -> Recorder {
        Recorder(Arc::new(Mutex::new(self.lock().clone())))
    }
}
