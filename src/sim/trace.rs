//! The trace: what happened, when and to whom.
//!
//! Every event goes into a running 128-bit digest, so that two runs can be
//! compared without keeping either; how many are kept as well is the world's
//! [`Retention`]. The digest covers times, actors, polls, choices, messages
//! and notes, as fixed little-endian words through XXH3, and is the same on
//! every platform.

use super::config::Retention;
use super::service::Disconnected;
use crate::choice::Site;
use crate::time::Instant;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Who an event is about: an index into the trace's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Actor(u32);

impl Actor {
    /// The world itself.
    pub(super) const WORLD: Actor = Actor(0);
}

/// An event on its way into the trace; texts are made only if they are kept.
#[derive(Clone, Copy)]
pub(super) enum Record<'a> {
    Ran { task: u64 },
    Choice { site: Site, entity: u64, n: u64, value: u64 },
    Started,
    Killed,
    Exited,
    Failed { message: &'a str },
    Paused,
    Resumed,
    Partitioned { service: &'a Arc<str> },
    Healed { service: &'a Arc<str> },
    Severed { service: &'a Arc<str> },
    Blackholed { service: &'a Arc<str> },
    Forgotten { service: &'a Arc<str> },
    PowerLost,
    Terminated,
    GaveUp { peer: &'a Arc<str> },
    Unawaited { from: &'a Arc<str> },
    ClockSet { ahead: i64 },
    Drifts { ppm: i64 },
    Connected { service: &'a Arc<str> },
    Refused { service: &'a Arc<str> },
    Disconnected { peer: &'a Arc<str>, why: Option<Disconnected> },
    Request { from: &'a Arc<str>, print: u64, text: &'a dyn fmt::Display },
    Response { from: &'a Arc<str>, print: u64, text: &'a dyn fmt::Display },
    Stopped { how: &'static str },
    Wiped,
    Note { text: &'a str },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A task was polled.
    Ran {
        /// The task's number.
        task: u64,
    },
    /// A choice was made.
    Choice {
        /// At which site.
        site: Site,
        /// For whom.
        entity: u64,
        /// Among how many.
        n: u64,
        /// Which.
        value: u64,
    },
    /// A node or service started.
    Started,
    /// A node was killed.
    Killed,
    /// A node's main task ended.
    Exited,
    /// A node's main task ended with an error, one of its tasks panicked, or a
    /// service did.
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
    /// The node's present connections to this service were forgotten by what lies between.
    Forgotten(Arc<str>),
    /// A node's machine lost its power.
    PowerLost,
    /// A node was asked to stop.
    Terminated,
    /// A service's operating system gave up a connection with this peer.
    GaveUp(Arc<str>),
    /// The answer that has just arrived from this service had nobody waiting for it.
    Unawaited(Arc<str>),
    /// A service's calendar clock was set: this many nanoseconds ahead of the world's.
    ClockSet(i64),
    /// A service's clock drifts: this many parts per million faster than the world's.
    Drifts(i64),
    /// The node's connection to this service was accepted.
    Connected(Arc<str>),
    /// The node's connection to this service was refused.
    Refused(Arc<str>),
    /// A service or node saw a connection with this peer end; a node also why.
    Disconnected {
        /// The other end.
        peer: Arc<str>,
        /// What a node's code is told.
        why: Option<Disconnected>,
    },
    /// A service received this from a node.
    Request {
        /// The node.
        from: Arc<str>,
        /// What it said.
        text: String,
    },
    /// A node received this from a service.
    Response {
        /// The service.
        from: Arc<str>,
        /// What it said.
        text: String,
    },
    /// A service stopped: how.
    Stopped(&'static str),
    /// A service lost all it had.
    Wiped,
    /// A line written by the code under test.
    Note(String),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Ran { task } => write!(f, "ran task {task}"),
            What::Choice { site, entity, n, value } => {
                write!(f, "chose {value} of {n} at {} for {entity}", site.name())
            }
            What::Started => f.write_str("started"),
            What::Killed => f.write_str("killed"),
            What::Exited => f.write_str("exited"),
            What::Failed(message) => write!(f, "failed: {message}"),
            What::Paused => f.write_str("paused"),
            What::Resumed => f.write_str("resumed"),
            What::Partitioned(service) => write!(f, "partitioned from {service}"),
            What::Healed(service) => write!(f, "link to {service} healed"),
            What::Severed(service) => write!(f, "link to {service} severed"),
            What::Blackholed(service) => write!(f, "link to {service} drops everything"),
            What::Forgotten(service) => write!(f, "connections to {service} forgotten"),
            What::PowerLost => f.write_str("lost power"),
            What::Terminated => f.write_str("asked to stop"),
            What::GaveUp(peer) => write!(f, "gave up {peer}: it no longer answers"),
            What::Unawaited(from) => write!(f, "nobody waited for that answer of {from}"),
            What::ClockSet(ahead) => write!(f, "clock set to {ahead} ns ahead"),
            What::Drifts(ppm) => write!(f, "clock drifts by {ppm} ppm"),
            What::Connected(service) => write!(f, "connected to {service}"),
            What::Refused(service) => write!(f, "refused by {service}"),
            What::Disconnected { peer, why } => match why {
                Some(Disconnected::Reset) => write!(f, "disconnected from {peer} (reset)"),
                Some(Disconnected::TimedOut) => write!(f, "disconnected from {peer} (timed out)"),
                _ => write!(f, "disconnected from {peer}"),
            },
            What::Request { from, text } => write!(f, "<- {from}: {text}"),
            What::Response { from, text } => write!(f, "<- {from}: {text}"),
            What::Stopped(how) => write!(f, "stopped ({how})"),
            What::Wiped => f.write_str("wiped"),
            What::Note(text) => f.write_str(text),
        }
    }
}

/// An event that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The world's time.
    pub at: Instant,
    /// The node or service, or `world`.
    pub who: Arc<str>,
    /// What happened to it.
    pub what: What,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10.3}  {:<12} {}", self.at, self.who, self.what)
    }
}

/// The digest of a trace: equal for equal runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    /// A hash of every event.
    pub hash: u128,
    /// How many events there were.
    pub count: u64,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x} of {} events", self.hash, self.count)
    }
}

/// The trace of a world; see [`Sim::trace`](super::Sim::trace).
#[derive(Clone)]
pub struct Trace {
    retention: Retention,
    names: IndexSet<Arc<str>, FxBuildHasher>,
    hasher: Option<Box<Xxh3>>,
    count: u64,
    kept: VecDeque<Event>,
    /// Every note, apart from the rest, up to the limit.
    notes: Vec<Event>,
    max_notes: usize,
    /// How many more notes there were.
    dropped_notes: u64,
    /// Whether what happens now is not part of the run: a dead process is being dropped.
    pub(super) silent: bool,
}

impl Trace {
    pub(super) fn new(retention: Retention, max_notes: usize) -> Trace {
        let hasher = (retention != Retention::Off).then(|| Box::new(Xxh3::new()));
        Trace {
            retention,
            names: std::iter::once(Arc::from("world")).collect(),
            hasher,
            count: 0,
            kept: VecDeque::new(),
            notes: Vec::new(),
            max_notes,
            dropped_notes: 0,
            silent: false,
        }
    }

    pub(super) fn actor(&mut self, name: &Arc<str>) -> Actor {
        self.names.insert(Arc::clone(name));
        Actor(u32::try_from(self.names.len() - 1).expect("fewer than 2^32 actors"))
    }

    /// Whether somebody is called this, the world itself included.
    pub(super) fn has_actor(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(super) fn name(&self, actor: Actor) -> &Arc<str> {
        &self.names[actor.0 as usize]
    }

    /// Whether events are looked at: where not, a message's fingerprint need
    /// not be made.
    pub(super) fn is_on(&self) -> bool {
        self.hasher.is_some()
    }

    pub(super) fn record(&mut self, at: Instant, who: Actor, record: Record<'_>) {
        if self.silent {
            return;
        }
        if let Record::Note { text } = record {
            self.keep_note(at, who, text);
        }
        let Some(hasher) = &mut self.hasher else { return };
        self.count += 1;
        record.digest(at, who, hasher);
        let detail = matches!(record, Record::Ran { .. } | Record::Choice { .. });
        let room = match self.retention {
            Retention::All => usize::MAX,
            Retention::Last(n) if !detail => n,
            Retention::Last(_) | Retention::Digest | Retention::Off => return,
        };
        if self.kept.len() >= room {
            self.kept.pop_front();
        }
        if room > 0 {
            let who = Arc::clone(self.name(who));
            self.kept.push_back(Event { at, who, what: record.what() });
        }
    }

    fn keep_note(&mut self, at: Instant, who: Actor, text: &str) {
        if self.notes.len() < self.max_notes {
            let (who, what) = (Arc::clone(self.name(who)), What::Note(text.to_owned()));
            self.notes.push(Event { at, who, what });
        } else {
            self.dropped_notes += 1;
        }
    }

    /// The digest so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let hash = self.hasher.as_ref().map_or(0, |hasher| hasher.digest128());
        Digest { hash, count: self.count }
    }

    /// The events that were kept, oldest first.
    #[must_use]
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator {
        self.kept.iter()
    }

    /// Every note, one a line: `   1.500s  worker-1     done`. Notes are kept whatever the
    /// [`Retention`], up to [`Config::max_notes`](super::Config::max_notes); where there were
    /// more, the last line says how many, and [`Trace::dropped_notes`] too.
    #[must_use]
    pub fn notes(&self) -> String {
        let mut lines: String = self.notes.iter().map(|event| format!("{event}\n")).collect();
        if self.dropped_notes > 0 {
            let (kept, more) = (self.notes.len(), self.dropped_notes);
            lines += &format!("({more} more notes were not kept: Config::max_notes is {kept})\n");
        }
        lines
    }

    /// Every note as an event, oldest first; see [`Trace::notes`].
    #[must_use]
    pub fn note_events(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator {
        self.notes.iter()
    }

    /// How many notes were not kept, since there were more than
    /// [`Config::max_notes`](super::Config::max_notes).
    #[must_use]
    pub fn dropped_notes(&self) -> u64 {
        self.dropped_notes
    }

    /// What was kept, one event a line, without polls and choices.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.lines(|what| !matches!(what, What::Ran { .. } | What::Choice { .. }))
    }

    fn lines(&self, wanted: impl Fn(&What) -> bool) -> String {
        self.kept.iter().filter(|e| wanted(&e.what)).map(|e| format!("{e}\n")).collect()
    }

    /// Where two traces first differ; `None` if they are equal. Both should
    /// have been kept whole ([`Retention::All`]).
    #[must_use]
    pub fn first_difference(&self, other: &Trace) -> Option<Difference> {
        let (a, b) = (&self.kept, &other.kept);
        let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
        if same == a.len() && same == b.len() && self.digest() == other.digest() {
            return None;
        }
        let before = a.iter().skip(same.saturating_sub(3)).take(same.min(3)).cloned().collect();
        Some(Difference {
            index: same,
            before,
            left: a.get(same).cloned(),
            right: b.get(same).cloned(),
        })
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("retention", &self.retention)
            .field("count", &self.count)
            .field("kept", &self.kept.len())
            .finish_non_exhaustive()
    }
}

/// The first difference between two traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// How many kept events were equal before it.
    pub index: usize,
    /// The last few of those.
    pub before: Vec<Event>,
    /// What the first trace has there; `None` if it ended.
    pub left: Option<Event>,
    /// What the second trace has there; `None` if it ended.
    pub right: Option<Event>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |event: &Option<Event>| match event {
            Some(event) => event.to_string(),
            None => "(the trace ends, or differs only in what was not kept)".to_owned(),
        };
        writeln!(f, "the runs differ after {} equal events:", self.index)?;
        for event in &self.before {
            writeln!(f, "  both   {event}")?;
        }
        writeln!(f, "  first  {}", side(&self.left))?;
        write!(f, "  second {}", side(&self.right))
    }
}

impl Record<'_> {
    /// Feeds the event to the digest: four words, and the bytes of its text.
    fn digest(&self, at: Instant, who: Actor, hasher: &mut Xxh3) {
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
        hash(hasher, at, who, (kind, a, b), text);
    }

    fn what(self) -> What {
        match self {
            Record::Ran { task } => What::Ran { task },
            Record::Choice { site, entity, n, value } => What::Choice { site, entity, n, value },
            Record::Started => What::Started,
            Record::Killed => What::Killed,
            Record::Exited => What::Exited,
            Record::Failed { message } => What::Failed(message.to_owned()),
            Record::Paused => What::Paused,
            Record::Resumed => What::Resumed,
            Record::Partitioned { service } => What::Partitioned(Arc::clone(service)),
            Record::Healed { service } => What::Healed(Arc::clone(service)),
            Record::Severed { service } => What::Severed(Arc::clone(service)),
            Record::Connected { service } => What::Connected(Arc::clone(service)),
            Record::Refused { service } => What::Refused(Arc::clone(service)),
            Record::Disconnected { peer, why } => {
                What::Disconnected { peer: Arc::clone(peer), why }
            }
            Record::Blackholed { service } => What::Blackholed(Arc::clone(service)),
            Record::Forgotten { service } => What::Forgotten(Arc::clone(service)),
            Record::PowerLost => What::PowerLost,
            Record::Terminated => What::Terminated,
            Record::GaveUp { peer } => What::GaveUp(Arc::clone(peer)),
            Record::Unawaited { from } => What::Unawaited(Arc::clone(from)),
            Record::ClockSet { ahead } => What::ClockSet(ahead),
            Record::Drifts { ppm } => What::Drifts(ppm),
            Record::Request { from, text, .. } => {
                What::Request { from: Arc::clone(from), text: text.to_string() }
            }
            Record::Response { from, text, .. } => {
                What::Response { from: Arc::clone(from), text: text.to_string() }
            }
            Record::Stopped { how } => What::Stopped(how),
            Record::Wiped => What::Wiped,
            Record::Note { text } => What::Note(text.to_owned()),
        }
    }
}

fn hash(hasher: &mut Xxh3, at: Instant, who: Actor, words: (u64, u64, u64), text: Option<&str>) {
    let (kind, a, b) = words;
    let mut bytes = [0; 32];
    bytes[0..8].copy_from_slice(&at.as_nanos().to_le_bytes());
    bytes[8..16].copy_from_slice(&(u64::from(who.0) << 8 | kind).to_le_bytes());
    bytes[16..24].copy_from_slice(&a.to_le_bytes());
    bytes[24..32].copy_from_slice(&b.to_le_bytes());
    hasher.update(&bytes);
    if let Some(text) = text {
        hasher.update(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(retention: Retention, notes: &[&str]) -> Trace {
        let mut trace = Trace::new(retention, 10);
        for (i, note) in notes.iter().enumerate() {
            trace.record(Instant::from_nanos(i as u64), Actor::WORLD, Record::Ran { task: 1 });
            trace.record(Instant::from_nanos(i as u64), Actor::WORLD, Record::Note { text: note });
        }
        trace
    }

    #[test]
    fn the_digest_does_not_depend_on_what_is_kept() {
        let notes = ["a", "b", "c"];
        let digest = traced(Retention::All, &notes).digest();
        assert_eq!(traced(Retention::Last(1), &notes).digest(), digest);
        assert_eq!(traced(Retention::Digest, &notes).digest(), digest);
        assert_eq!(digest.count, 6);
        assert_ne!(traced(Retention::Digest, &["a", "c", "b"]).digest(), digest);
        assert_eq!(traced(Retention::Off, &notes).digest().count, 0);
    }

    const GOLDEN: &str = "ee970aef93bfb3ca4f85b5c884473034 of 4 events";

    /// A digest printed today must be comparable with one of another machine.
    #[test]
    fn golden_digest() {
        assert_eq!(traced(Retention::Digest, &["a", "b"]).digest().to_string(), GOLDEN);
    }

    #[test]
    fn the_last_n_are_the_last_without_polls() {
        let trace = traced(Retention::Last(2), &["a", "b", "c"]);
        let kept: Vec<_> = trace.events().map(|e| e.what.to_string()).collect();
        assert_eq!(kept, ["b", "c"]);
        assert_eq!(traced(Retention::Last(0), &["a"]).events().len(), 0);
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let a = traced(Retention::All, &["a", "b"]);
        let b = traced(Retention::All, &["a", "x"]);
        let c = traced(Retention::All, &["a"]);
        let difference = a.first_difference(&b).unwrap();
        assert_eq!((difference.index, difference.before.len()), (3, 3));
        let shown = difference.to_string();
        assert!(shown.contains("first      0.000s  world        b"), "{shown}");
        assert!(shown.contains("second     0.000s  world        x"), "{shown}");
        assert_eq!(a.first_difference(&c).unwrap().right, None);
        assert_eq!(a.first_difference(&a.clone()), None);
    }
}
