//! The nearest run that passes, beside the failing one.
//!
//! Both run the same program with the same choices, except that the decisive one is calm. So what
//! only one of them has is what that choice did, and the rest of a failing run explains nothing.
//! Compared are events, what the program did by itself (its notes and ends), what the services hold
//! at the end, what never arrived, and the stories.

use super::seen::Seen;
use crate::sim::trace::{Difference, Event, EventKind, Lost, Story, Trace};
use crate::time::Instant;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The run that differs only in the decisive choice, and passes.
#[derive(Clone, Debug)]
pub(super) struct Passing {
    /// The first event that differs, choices apart. The failing run is the first.
    pub(super) difference: Option<Difference>,
    /// What a service holds at the end of one of the runs only, a thing a line: the service, the
    /// lines of the failing run, and those of the passing one. Services that hold the same are not
    /// here.
    pub(super) ends: Vec<(String, Vec<String>, Vec<String>)>,
    pub(super) trace: Trace,
    pub(super) stories: Vec<Story>,
}

impl Passing {
    /// Compares a failing run with a passing one.
    pub(super) fn between(failing: &Seen, passing: Seen) -> Passing {
        let difference = failing.trace.first_event_apart(&passing.trace);
        let ends = failing.ends.iter().map(|(service, failing)| {
            let theirs = passing.ends.iter().find(|(other, _)| other == service);
            let passing = theirs.map(|(_, lines)| lines.clone()).unwrap_or_default();
            let only = |these: &[String], those: &[String]| -> Vec<String> {
                these.iter().filter(|line| !those.contains(line)).cloned().collect()
            };
            (service.clone(), only(failing, &passing), only(&passing, failing))
        });
        let ends = ends.filter(|(_, failing, passing)| !failing.is_empty() || !passing.is_empty());
        let ends = ends.collect();
        Passing { difference, ends, stories: passing.trace.stories(), trace: passing.trace }
    }

    /// Returns what the program itself did in one of the runs only, or later.
    pub(super) fn effects(&self, failing: &Trace) -> Effects {
        let (here, there) = (effects(failing), effects(&self.trace));
        let (only_here, only_there) = (without(&here, &there), without(&there, &here));
        let mut later = Vec::new();
        if only_here.is_empty() && only_there.is_empty() {
            later = delays(&here, &there);
        }
        Effects { only_here, only_there, later }
    }

    /// Returns the messages that never arrived in the failing run, and did in the passing one.
    pub(super) fn lost(&self, failing: &Trace) -> Vec<Lost> {
        fn name(lost: &Lost) -> (&str, &str, &str) {
            (&lost.from, &lost.to, &lost.text)
        }
        let theirs: BTreeSet<_> = self.trace.lost().iter().map(name).collect();
        failing.lost().iter().filter(|lost| !theirs.contains(&name(lost))).cloned().collect()
    }
}

/// How the program itself did not do the same in both runs.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) only_here: Vec<Event>,
    pub(super) only_there: Vec<Event>,
    /// If it did the same, what it did later than in the passing run, with the time there. The
    /// latest come first.
    pub(super) later: Vec<(Event, Instant)>,
}

impl Effects {
    /// Returns all that the program says about it, in words.
    pub(super) fn words(&self) -> Vec<String> {
        let later = self.later.iter().map(|(event, _)| event);
        let all = self.only_there.iter().chain(&self.only_here).chain(later);
        all.map(|event| event.kind.to_string()).collect()
    }
}

/// Returns the events that only the code under test can tell.
fn effects(trace: &Trace) -> Vec<Event> {
    let is_effect = |event: &&Event| {
        use EventKind::{Exited, Failed, Note, Unawaited};
        matches!(event.kind, Note(_) | Failed(_) | Exited | Unawaited(_))
    };
    trace.events().filter(is_effect).cloned().collect()
}

/// Returns what makes two effects of different runs the same.
fn effect(event: &Event) -> (&str, String) {
    (&event.who, event.kind.to_string())
}

/// Returns which effects came later than the same ones of another run, the latest first.
fn delays(these: &[Event], those: &[Event]) -> Vec<(Event, Instant)> {
    let mut times: BTreeMap<_, VecDeque<Instant>> = BTreeMap::new();
    for event in those {
        times.entry(effect(event)).or_default().push_back(event.at);
    }
    let mut later = Vec::new();
    for event in these {
        let at = times.get_mut(&effect(event)).and_then(VecDeque::pop_front);
        later.extend(at.filter(|at| *at < event.at).map(|at| (event.clone(), at)));
    }
    later.sort_by_key(|(event, at)| (Reverse(event.at - *at), event.at));
    later
}

/// Returns the effects that others do not have, or not as often.
fn without(these: &[Event], those: &[Event]) -> Vec<Event> {
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for event in those {
        *counts.entry(effect(event)).or_default() += 1;
    }
    let mut only_here = Vec::new();
    for event in these {
        match counts.get_mut(&effect(event)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => only_here.push(event.clone()),
        }
    }
    only_here
}
