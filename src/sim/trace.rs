//! The trace: what happened, when, and to which node or service.
//!
//! Every event goes into a running 128-bit digest, so two runs can be compared without storing
//! either. [`Retention`] sets how many events are also kept. The digest covers times, actors,
//! polls, choices, messages and notes, as little-endian words through XXH3. It is the same on every
//! platform.

pub(crate) mod compact;
pub(crate) mod event;
pub(crate) mod lanes;
mod log;
pub(crate) mod lost;
mod mermaid;
mod perfetto;
mod running;
mod story;

pub use event::EventKind;
pub use lost::Lost;
pub use story::{Step, Story, Told};

use super::config::Retention;
use crate::time::Instant;
use event::Record;
use indexmap::{IndexMap, IndexSet};
use log::Log;
pub(crate) use log::Read;
use running::Running;
use rustc_hash::FxBuildHasher;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The subject of an event: an index into the trace's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Actor(pub(crate) u32);

/// Up to this many names are searched linearly.
const FEW: usize = 16;

impl Actor {
    /// The world itself.
    pub(crate) const WORLD: Actor = Actor(0);
}

/// An event that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The world's time.
    pub at: Instant,
    /// The node or service it happened to, or `world`.
    pub who: Arc<str>,
    /// The kind of the event, with its details.
    pub kind: EventKind,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10.3}  {:<12} {}", self.at, self.who, self.kind)
    }
}

/// The digest of a trace: equal for equal runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    /// A hash of every event.
    pub hash: u128,
    /// The number of events.
    pub count: u64,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x} of {} events", self.hash, self.count)
    }
}

/// The tales of services, in order.
#[derive(Clone, Debug, Default)]
struct Tales(Vec<(Instant, Actor, Told)>);

/// The trace of a world; see [`Sim::trace`](super::Sim::trace).
#[derive(Clone)]
pub struct Trace {
    retention: Retention,
    names: Vec<Arc<str>>,
    /// The same names, as a set, once there are many.
    known: IndexSet<Arc<str>, FxBuildHasher>,
    running: Running,
    count: u64,
    kept: Log,
    /// The kept events with their texts, once somebody has read them. Only copies are read, and
    /// nothing is recorded in a copy.
    read: OnceLock<Vec<Event>>,
    /// Every note up to the limit, apart from the other events.
    notes: Vec<Event>,
    max_notes: usize,
    /// The messages that never arrived, if everything is kept.
    lost: Vec<Lost>,
    /// The number of notes beyond the limit.
    dropped_notes: u64,
    /// The tales of services about their messages and keys, if they were asked for any.
    told: Option<Box<Tales>>,
    /// Whether a dead process is being dropped, so that what happens now is not part of the run.
    pub(crate) silent: bool,
}

impl Trace {
    pub(crate) fn new(retention: Retention, max_notes: usize) -> Trace {
        // Room for the names of a small world.
        let mut names = Vec::with_capacity(8);
        names.push(Arc::from("world"));
        Trace {
            retention,
            names,
            known: IndexSet::default(),
            running: Running::default(),
            count: 0,
            kept: Log::default(),
            read: OnceLock::new(),
            notes: Vec::new(),
            max_notes,
            lost: Vec::new(),
            dropped_notes: 0,
            told: None,
            silent: false,
        }
    }

    pub(crate) fn actor(&mut self, name: &Arc<str>) -> Actor {
        self.names.push(Arc::clone(name));
        if self.names.len() > FEW {
            let unknown = self.names[self.known.len()..].iter().cloned();
            self.known.extend(unknown);
        }
        Actor(u32::try_from(self.names.len() - 1).expect("fewer than 2^32 actors"))
    }

    /// Returns whether a node, a service or the world itself has this name.
    pub(crate) fn has_actor(&self, name: &str) -> bool {
        match self.names.len() {
            ..=FEW => self.names.iter().any(|other| &**other == name),
            _ => self.known.contains(name),
        }
    }

    pub(crate) fn name(&self, actor: Actor) -> &Arc<str> {
        &self.names[actor.0 as usize]
    }

    /// Returns whether events are recorded. If not, no message needs a fingerprint.
    pub(crate) fn is_on(&self) -> bool {
        self.retention != Retention::Off
    }

    pub(crate) fn record(&mut self, at: Instant, who: Actor, record: Record<'_>) {
        if self.silent {
            return;
        }
        if let Record::Note { text } = record {
            self.keep_note(at, who, text);
        }
        if !self.is_on() {
            return;
        }
        self.count += 1;
        record.digest(at, who, &mut self.running);
        let detail = matches!(record, Record::Ran { .. } | Record::Choice { .. });
        let room = match self.retention {
            Retention::All => usize::MAX,
            Retention::Last(n) if !detail => n,
            Retention::Last(_) | Retention::Digest | Retention::Off => return,
        };
        if self.kept.len() >= room {
            self.kept.pop();
        }
        if room > 0 {
            self.kept.push(at, who, record);
        }
    }

    /// Records that a task was polled, which is the most frequent event.
    pub(crate) fn record_poll(&mut self, at: Instant, who: Actor, task: u64) {
        let record = Record::Ran { task };
        if self.retention == Retention::All {
            return self.record(at, who, record);
        }
        if self.is_on() && !self.silent {
            self.count += 1;
            record.digest(at, who, &mut self.running);
        }
    }

    fn keep_note(&mut self, at: Instant, who: Actor, text: &str) {
        if self.notes.len() < self.max_notes {
            let (who, kind) = (Arc::clone(self.name(who)), EventKind::Note(text.to_owned()));
            self.notes.push(Event { at, who, kind });
        } else {
            self.dropped_notes += 1;
        }
    }

    /// Keeps what a service tells.
    pub(crate) fn tell(&mut self, at: Instant, who: Actor, told: Told) {
        if !self.silent {
            self.told.get_or_insert_default().0.push((at, who, told));
        }
    }

    /// Returns what happened to each message and each key, by the order in which they were first
    /// told of. Empty unless the world was made with
    /// [`Config::with_stories`](super::Config::with_stories).
    #[must_use]
    pub fn stories(&self) -> Vec<Story> {
        type Thing<'a> = (&'a str, &'a str, Option<u32>);
        let mut stories: IndexMap<Thing<'_>, Story, FxBuildHasher> = IndexMap::default();
        let tales = self.told.iter().flat_map(|tales| &tales.0);
        for (at, who, Told { kind, subject, text }) in tales {
            let new = || Story { kind, subject: Arc::clone(subject), steps: Vec::new() };
            // Each service numbers its messages.
            let service = (*kind == "message").then_some(who.0);
            let story = stories.entry((*kind, &**subject, service)).or_insert_with(new);
            let who = Arc::clone(self.name(*who));
            story.steps.push(Step { at: *at, who, text: text.clone() });
        }
        stories.into_values().collect()
    }

    /// Returns the digest so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let hash = if self.is_on() { self.running.hash() } else { 0 };
        Digest { hash, count: self.count }
    }

    /// Returns the events that were kept, oldest first.
    #[must_use]
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator {
        self.read.get_or_init(|| self.kept.events(&self.names)).iter()
    }

    /// Adds a function that makes the text of a message from what its service has written. Returns
    /// its number.
    pub(crate) fn add_read(&mut self, read: Read) -> u32 {
        self.kept.add_read(read)
    }

    /// Returns every note, one per line: `   1.500s  worker-1     done`. Notes are kept at any
    /// [`Retention`], up to [`Config::with_max_notes`](super::Config::with_max_notes). If there
    /// were more, the last line and [`Trace::dropped_notes`] tell how many.
    #[must_use]
    pub fn notes(&self) -> String {
        let mut lines: String = self.notes.iter().map(|event| format!("{event}\n")).collect();
        if self.dropped_notes > 0 {
            let (kept, more) = (self.notes.len(), self.dropped_notes);
            lines +=
                &format!("({more} more notes were not kept: Config::with_max_notes is {kept})\n");
        }
        lines
    }

    /// Returns every note as an event, oldest first; see [`Trace::notes`].
    #[must_use]
    pub fn note_events(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator {
        self.notes.iter()
    }

    /// Returns the number of notes that exceeded
    /// [`Config::with_max_notes`](super::Config::with_max_notes) and were not kept.
    #[must_use]
    pub fn dropped_notes(&self) -> u64 {
        self.dropped_notes
    }

    /// Returns the kept events, one per line, without polls and choices.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.lines(EventKind::is_shown)
    }

    fn lines(&self, wanted: impl Fn(&EventKind) -> bool) -> String {
        self.events().filter(|e| wanted(&e.kind)).map(|e| format!("{e}\n")).collect()
    }

    /// Returns where two traces first differ; `None` if they are equal. Both should contain every
    /// event ([`Retention::All`]).
    #[must_use]
    pub fn first_difference(&self, other: &Trace) -> Option<Difference> {
        // Equal logs need no texts.
        if self.digest() == other.digest() && self.kept.is_same(&other.kept) {
            return None;
        }
        let (mut a, mut b) = (self.events(), other.events());
        let same = self.events().zip(other.events()).take_while(|(x, y)| x == y).count();
        if same == a.len() && same == b.len() && self.digest() == other.digest() {
            return None;
        }
        let before =
            self.events().skip(same.saturating_sub(3)).take(same.min(3)).cloned().collect();
        let (left, right) = (a.nth(same).cloned(), b.nth(same).cloned());
        Some(Difference { index: same, before, left, right })
    }
}

impl Trace {
    /// Returns the kept events that people see. The index of [`Trace::first_event_apart`] counts
    /// these.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Event> {
        self.events().filter(|event| event.kind.is_shown())
    }

    /// Returns where two traces first differ, polls and choices apart; `None` if they do not.
    pub(crate) fn first_event_apart(&self, other: &Trace) -> Option<Difference> {
        let (a, b): (Vec<&Event>, Vec<&Event>) = (self.shown().collect(), other.shown().collect());
        let index = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
        if index == a.len() && index == b.len() {
            return None;
        }
        let before = a[index.saturating_sub(3)..index].iter().map(|event| (*event).clone());
        let at = |events: &[&Event]| events.get(index).map(|event| (*event).clone());
        Some(Difference { index, before: before.collect(), left: at(&a), right: at(&b) })
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
    /// The number of kept events that are equal before it.
    pub index: usize,
    /// The last few of the equal events.
    pub before: Vec<Event>,
    /// The event of the first trace; `None` if that ended.
    pub left: Option<Event>,
    /// The event of the second trace; `None` if that ended.
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

    /// Digests must be comparable between machines and releases.
    #[test]
    fn golden_digest() {
        assert_eq!(traced(Retention::Digest, &["a", "b"]).digest().to_string(), GOLDEN);
    }

    #[test]
    fn the_last_n_are_the_last_without_polls() {
        let trace = traced(Retention::Last(2), &["a", "b", "c"]);
        let kept: Vec<_> = trace.events().map(|e| e.kind.to_string()).collect();
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
