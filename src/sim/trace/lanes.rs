//! Lanes: the nodes and services of a trace, as a picture of it shows them.
//!
//! A lane is an actor; its number is its place among the trace's names, and 0 is the world. The
//! ends of a connection are labels, which may carry the number of the connection (`worker#2`), so
//! the lane of a label is found here.

use super::{Event, EventKind, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The sort of an event: what a picture has a colour for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Poll,
    Choice,
    Message,
    Note,
    /// A process starts, ends in good order, or goes on; a link heals.
    Life,
    Connection,
    Fault,
    /// A node or a service failed by itself.
    Failure,
}

impl Class {
    /// The name of the class.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Class::Poll => "poll",
            Class::Choice => "choice",
            Class::Message => "message",
            Class::Note => "note",
            Class::Life => "life",
            Class::Connection => "connection",
            Class::Fault => "fault",
            Class::Failure => "failure",
        }
    }

    /// Returns the class of an event.
    pub(crate) fn of(kind: &EventKind) -> Class {
        match kind {
            EventKind::Ran { .. } => Class::Poll,
            EventKind::Choice { .. } => Class::Choice,
            EventKind::Request { .. } | EventKind::Response { .. } => Class::Message,
            EventKind::Note(_) => Class::Note,
            EventKind::Started
            | EventKind::Exited
            | EventKind::Resumed
            | EventKind::Terminated
            | EventKind::Healed(_) => Class::Life,
            EventKind::Connected(_)
            | EventKind::Refused(_)
            | EventKind::Disconnected { .. }
            | EventKind::GaveUp(_)
            | EventKind::Unawaited(_) => Class::Connection,
            EventKind::Killed
            | EventKind::Paused
            | EventKind::Partitioned(_)
            | EventKind::Severed(_)
            | EventKind::Blackholed(_)
            | EventKind::Forgotten(_)
            | EventKind::PowerLost
            | EventKind::ClockSet(_)
            | EventKind::Drifts(_)
            | EventKind::Stopped(_)
            | EventKind::Wiped => Class::Fault,
            EventKind::Failed(_) => Class::Failure,
        }
    }
}

/// The lanes of a trace.
pub(crate) struct Lanes<'a> {
    names: &'a [Arc<str>],
    numbers: BTreeMap<&'a str, usize>,
}

impl<'a> Lanes<'a> {
    pub(crate) fn of(trace: &'a Trace) -> Lanes<'a> {
        let names = trace.names.as_slice();
        let numbers = names.iter().enumerate().map(|(number, name)| (&**name, number)).collect();
        Lanes { names, numbers }
    }

    pub(crate) fn names(&self) -> &'a [Arc<str>] {
        self.names
    }

    /// Returns the lane of a name, or of the label of a connection's end.
    pub(crate) fn find(&self, label: &str) -> usize {
        let name = label.rsplit_once('#').map(|(name, _)| name);
        let of_connection = name.and_then(|name| self.numbers.get(name)).copied();
        let found = match (self.numbers.get(label).copied(), of_connection) {
            // Of a node of this name, or of another connection of a node of the shorter name. A
            // trace keeps each name once, and makes only the labels with numbers.
            (Some(lane), Some(_))
                if std::ptr::eq(&raw const *label, &raw const *self.names[lane]) =>
            {
                Some(lane)
            }
            (Some(_), Some(lane)) => Some(lane),
            (exact, other) => exact.or(other),
        };
        found.unwrap_or_default()
    }

    /// Returns the lanes of services: of those that received a request or sent an answer, accepted
    /// or refused a connection, or stopped.
    pub(crate) fn services(&self, events: impl Iterator<Item = &'a Event>) -> BTreeSet<usize> {
        let service = |event: &'a Event| match &event.kind {
            EventKind::Request { .. } | EventKind::Stopped(_) | EventKind::Wiped => {
                Some(self.find(&event.who))
            }
            EventKind::Response { from: service, .. }
            | EventKind::Connected(service)
            | EventKind::Refused(service) => Some(self.find(service)),
            _ => None,
        };
        events.filter_map(service).collect()
    }
}
