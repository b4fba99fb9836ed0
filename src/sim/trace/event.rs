//! The kinds of events: on their way into a trace, and as a trace keeps them.
//!
//! A [`Record`] borrows, so that nothing is made of it unless it is kept; see `log.rs`. An
//! [`EventKind`] is the same, owned and with texts, as it is read. Each kind has its own number in
//! the digest, which never changes.

use super::running::Running;
use crate::choice::Site;
use crate::sim::service::hangup::Disconnected;
use crate::sim::trace::Actor;
use crate::time::Instant;
use std::fmt;
use std::sync::Arc;

/// How a message travelled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journey {
    /// The sender. With the number of the connection on its link, it makes the sender's label.
    pub(crate) sender: Actor,
    pub(crate) begun: u32,
    /// The number of the connection within its service.
    pub(crate) connection: u32,
    pub(crate) sent: Instant,
}

/// The name of an end of a connection: that of the node or service, and the connection's number
/// if it is not the first on its link.
pub(crate) fn label(name: &Arc<str>, begun: u64) -> Arc<str> {
    match begun {
        1 => Arc::clone(name),
        n => format!("{name}#{n}").into(),
    }
}

/// An event on its way into the trace.
#[derive(Clone, Copy)]
pub(crate) enum Record<'a> {
    Ran {
        task: u64,
    },
    Choice {
        site: Site,
        entity: u64,
        n: u64,
        value: u64,
    },
    Started,
    Killed,
    Exited,
    Failed {
        message: &'a str,
    },
    Paused,
    Resumed,
    Partitioned {
        service: &'a Arc<str>,
    },
    Healed {
        service: &'a Arc<str>,
    },
    Severed {
        service: &'a Arc<str>,
    },
    Blackholed {
        service: &'a Arc<str>,
    },
    Forgotten {
        service: &'a Arc<str>,
    },
    PowerLost,
    Terminated,
    GaveUp {
        peer: &'a Arc<str>,
    },
    Unawaited {
        from: &'a Arc<str>,
    },
    ClockSet {
        ahead: i64,
    },
    Drifts {
        ppm: i64,
    },
    Connected {
        service: &'a Arc<str>,
    },
    Refused {
        service: &'a Arc<str>,
    },
    Disconnected {
        peer: &'a Arc<str>,
        why: Option<Disconnected>,
    },
    /// A message, whose service writes what it needs of it into the log, and reads it back with the
    /// function of this number.
    Request {
        from: &'a Arc<str>,
        journey: Journey,
        print: u64,
        read: u32,
        write: &'a dyn Fn(&mut Vec<u8>),
    },
    Response {
        from: &'a Arc<str>,
        journey: Journey,
        print: u64,
        read: u32,
        write: &'a dyn Fn(&mut Vec<u8>),
    },
    Stopped {
        how: &'static str,
    },
    Wiped,
    Note {
        text: &'a str,
    },
}

/// The kind of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A task was polled.
    Ran {
        /// The task's number.
        task: u64,
    },
    /// A choice was made.
    Choice {
        /// The kind of decision.
        site: Site,
        /// The entity for which it was made.
        entity: u64,
        /// The number of possible answers.
        n: u64,
        /// The answer.
        value: u64,
    },
    /// A node or a service started.
    Started,
    /// A node was killed.
    Killed,
    /// A node's main task ended.
    Exited,
    /// A node's main task returned an error, one of its tasks panicked, or a service panicked.
    Failed(String),
    /// A node was paused.
    Paused,
    /// A node was resumed.
    Resumed,
    /// The node's link to this service was partitioned.
    Partitioned(Arc<str>),
    /// The node's link to this service healed.
    Healed(Arc<str>),
    /// The node's link to this service was severed.
    Severed(Arc<str>),
    /// The node's link to this service drops every packet.
    Blackholed(Arc<str>),
    /// Something on the way, such as a NAT, forgot the node's present connections to this service.
    Forgotten(Arc<str>),
    /// A node's machine lost its power.
    PowerLost,
    /// A node was asked to stop.
    Terminated,
    /// A service's operating system gave up a connection with this peer.
    GaveUp(Arc<str>),
    /// No caller was waiting for the answer that has just arrived from this service.
    Unawaited(Arc<str>),
    /// A service's calendar clock was set: this many nanoseconds ahead of the world's.
    ClockSet(i64),
    /// A service's clock drifts: this many parts per million faster than the world's.
    Drifts(i64),
    /// The node's connection to this service was accepted.
    Connected(Arc<str>),
    /// The node's connection to this service was refused.
    Refused(Arc<str>),
    /// A service or a node saw a connection with this peer end. For a node, `why` says how.
    Disconnected {
        /// The other end.
        peer: Arc<str>,
        /// The error that the node's code receives.
        why: Option<Disconnected>,
    },
    /// A service received a message from a node.
    Request {
        /// The node. If this is not its first connection to the service, the connection's number
        /// among them follows: `worker#2`.
        from: Arc<str>,
        /// The message, in a few words.
        text: String,
        /// The number of the connection. It is unique within the service.
        connection: u32,
        /// When the node sent it. The event's own time is that of its arrival.
        sent: Instant,
    },
    /// A node received a message from a service.
    Response {
        /// The service, as in a request.
        from: Arc<str>,
        /// The message, in a few words.
        text: String,
        /// The number of the connection. It is unique within the service.
        connection: u32,
        /// When the service sent it. The event's own time is that of its arrival.
        sent: Instant,
    },
    /// A service stopped, in this way.
    Stopped(&'static str),
    /// A service lost all its data.
    Wiped,
    /// A line written by the code under test.
    Note(String),
}

impl EventKind {
    /// Returns whether people see it in a transcript: it is neither a poll nor a choice.
    pub(crate) fn is_shown(&self) -> bool {
        !matches!(self, EventKind::Ran { .. } | EventKind::Choice { .. })
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventKind::Ran { task } => write!(f, "ran task {task}"),
            EventKind::Choice { site, entity, n, value } => {
                write!(f, "chose {value} of {n} at {} for {entity}", site.name())
            }
            EventKind::Started => f.write_str("started"),
            EventKind::Killed => f.write_str("killed"),
            EventKind::Exited => f.write_str("exited"),
            EventKind::Failed(message) => write!(f, "failed: {message}"),
            EventKind::Paused => f.write_str("paused"),
            EventKind::Resumed => f.write_str("resumed"),
            EventKind::Partitioned(service) => write!(f, "partitioned from {service}"),
            EventKind::Healed(service) => write!(f, "link to {service} healed"),
            EventKind::Severed(service) => write!(f, "link to {service} severed"),
            EventKind::Blackholed(service) => write!(f, "link to {service} drops everything"),
            EventKind::Forgotten(service) => write!(f, "connections to {service} forgotten"),
            EventKind::PowerLost => f.write_str("lost power"),
            EventKind::Terminated => f.write_str("asked to stop"),
            EventKind::GaveUp(peer) => write!(f, "gave up {peer}: it no longer answers"),
            EventKind::Unawaited(from) => write!(f, "nobody waited for that answer of {from}"),
            EventKind::ClockSet(ahead) => write!(f, "clock set to {ahead} ns ahead"),
            EventKind::Drifts(ppm) => write!(f, "clock drifts by {ppm} ppm"),
            EventKind::Connected(service) => write!(f, "connected to {service}"),
            EventKind::Refused(service) => write!(f, "refused by {service}"),
            EventKind::Disconnected { peer, why } => match why {
                Some(Disconnected::Reset) => write!(f, "disconnected from {peer} (reset)"),
                Some(Disconnected::TimedOut) => write!(f, "disconnected from {peer} (timed out)"),
                _ => write!(f, "disconnected from {peer}"),
            },
            EventKind::Request { from, text, .. } => write!(f, "<- {from}: {text}"),
            EventKind::Response { from, text, .. } => write!(f, "<- {from}: {text}"),
            EventKind::Stopped(how) => write!(f, "stopped ({how})"),
            EventKind::Wiped => f.write_str("wiped"),
            EventKind::Note(text) => f.write_str(text),
        }
    }
}

impl Record<'_> {
    /// Feeds the event to the digest: four words, and the bytes of its text.
    #[inline]
    pub(crate) fn digest(&self, at: Instant, who: Actor, running: &mut Running) {
        let (kind, a, b, text): (u64, u64, u64, Option<&str>) = match *self {
            Record::Ran { task } => (1, task, 0, None),
            Record::Choice { site, entity, n, value } => {
                (2, entity, n ^ value.rotate_left(32), Some(site.name()))
            }
            Record::Started => (3, 0, 0, None),
            Record::Killed => (4, 0, 0, None),
            Record::Exited => (5, 0, 0, None),
            Record::Failed { message } => (6, 0, 0, Some(message)),
            Record::Paused => (7, 0, 0, None),
            Record::Resumed => (8, 0, 0, None),
            Record::Partitioned { service } => (9, 0, 0, Some(service)),
            Record::Healed { service } => (10, 0, 0, Some(service)),
            Record::Severed { service } => (11, 0, 0, Some(service)),
            Record::Connected { service } => (12, 0, 0, Some(service)),
            Record::Refused { service } => (13, 0, 0, Some(service)),
            Record::Disconnected { peer, why } => {
                (14, why.map_or(0, |why| 1 + why as u64), 0, Some(peer))
            }
            Record::Request { from, print, .. } => (15, print, 0, Some(from)),
            Record::Response { from, print, .. } => (16, print, 0, Some(from)),
            Record::Stopped { how } => (17, 0, 0, Some(how)),
            Record::Wiped => (18, 0, 0, None),
            Record::Note { text } => (19, text.len() as u64, 0, Some(text)),
            Record::Blackholed { service } => (20, 0, 0, Some(service)),
            Record::Forgotten { service } => (21, 0, 0, Some(service)),
            Record::PowerLost => (22, 0, 0, None),
            Record::Terminated => (23, 0, 0, None),
            Record::GaveUp { peer } => (24, 0, 0, Some(peer)),
            Record::Unawaited { from } => (25, 0, 0, Some(from)),
            Record::ClockSet { ahead } => (26, ahead as u64, 0, None),
            Record::Drifts { ppm } => (27, ppm as u64, 0, None),
        };
        feed(running, at, who, (kind, a, b), text.unwrap_or_default());
    }

    /// Returns the kind of a rare event. The log writes others itself.
    pub(super) fn kind(self) -> EventKind {
        match self {
            Record::Ran { .. }
            | Record::Choice { .. }
            | Record::Request { .. }
            | Record::Response { .. } => unreachable!("the log writes it"),
            Record::Started => EventKind::Started,
            Record::Killed => EventKind::Killed,
            Record::Exited => EventKind::Exited,
            Record::Failed { message } => EventKind::Failed(message.to_owned()),
            Record::Paused => EventKind::Paused,
            Record::Resumed => EventKind::Resumed,
            Record::Partitioned { service } => EventKind::Partitioned(Arc::clone(service)),
            Record::Healed { service } => EventKind::Healed(Arc::clone(service)),
            Record::Severed { service } => EventKind::Severed(Arc::clone(service)),
            Record::Connected { service } => EventKind::Connected(Arc::clone(service)),
            Record::Refused { service } => EventKind::Refused(Arc::clone(service)),
            Record::Disconnected { peer, why } => {
                EventKind::Disconnected { peer: Arc::clone(peer), why }
            }
            Record::Blackholed { service } => EventKind::Blackholed(Arc::clone(service)),
            Record::Forgotten { service } => EventKind::Forgotten(Arc::clone(service)),
            Record::PowerLost => EventKind::PowerLost,
            Record::Terminated => EventKind::Terminated,
            Record::GaveUp { peer } => EventKind::GaveUp(Arc::clone(peer)),
            Record::Unawaited { from } => EventKind::Unawaited(Arc::clone(from)),
            Record::ClockSet { ahead } => EventKind::ClockSet(ahead),
            Record::Drifts { ppm } => EventKind::Drifts(ppm),
            Record::Stopped { how } => EventKind::Stopped(how),
            Record::Wiped => EventKind::Wiped,
            Record::Note { text } => EventKind::Note(text.to_owned()),
        }
    }
}

fn feed(running: &mut Running, at: Instant, who: Actor, words: (u64, u64, u64), text: &str) {
    let (kind, a, b) = words;
    let mut bytes = [0; 32];
    bytes[0..8].copy_from_slice(&at.as_nanos().to_le_bytes());
    bytes[8..16].copy_from_slice(&(u64::from(who.0) << 8 | kind).to_le_bytes());
    bytes[16..24].copy_from_slice(&a.to_le_bytes());
    bytes[24..32].copy_from_slice(&b.to_le_bytes());
    running.feed(&bytes, text.as_bytes());
}
