//! The stories that explain a failure: which of all, and where they part from the passing run's.
//!
//! A failing run tells of many messages and keys. What matters is what differs from the nearest
//! passing run: the thing that the failure names, that the program did something with in only one
//! of the runs, or whose life is not the same. If no life differs (a message was acknowledged and
//! then lost by the program itself), what was last in the struck one's hands is told.

use super::Account;
use super::concern::{Concern, has_word};
use crate::sim::trace::{Step, Story};
use crate::time::Instant;
use std::collections::BTreeMap;

/// The story of one thing in both runs.
#[derive(Debug)]
pub(crate) struct Tale<'a> {
    pub(crate) kind: &'static str,
    pub(crate) subject: &'a str,
    /// Its steps in the failing run.
    pub(crate) here: &'a [Step],
    /// Its steps in the passing run; `None` if there is none, or no such run.
    pub(crate) there: Option<&'a [Step]>,
    /// The first step that is not the same.
    pub(crate) apart: Option<usize>,
    worth: u64,
}

/// Returns the stories that explain most, the best first, at most two.
pub(super) fn tales<'a>(account: &'a Account, effects: &[String]) -> Vec<Tale<'a>> {
    let mut tales = pairs(account);
    for tale in &mut tales {
        let is_in = |text: &String| is_named(text, tale.subject);
        tale.worth = 4 * u64::from(is_in(&account.failure.message))
            + 5 * u64::from(effects.iter().any(is_in))
            + 3 * u64::from(tale.apart.is_some());
    }
    // What this run has is seen before what it lacks.
    let first =
        |tale: &Tale<'_>| (tale.here.is_empty(), tale.parting().or_else(|| tale.times().next()));
    tales.sort_by(|a, b| b.worth.cmp(&a.worth).then_with(|| first(a).cmp(&first(b))));
    let Some(best) = tales.first() else { return tales };
    if best.worth < 3 {
        return last_touched(account, tales).into_iter().collect();
    }
    // The second says something else: the queue beside the set, the key beside the message.
    let is_other =
        |tale: &&Tale<'_>| tale.worth >= 4 && (tale.apart.is_some() || tale.kind != best.kind);
    let second = tales[1..].iter().position(|tale| is_other(&tale));
    let second = second.map(|at| tales.remove(at + 1));
    tales.truncate(1);
    tales.extend(second);
    tales
}

impl Tale<'_> {
    /// Returns whether both are of one thing.
    pub(super) fn is(&self, other: &Tale<'_>) -> bool {
        (self.kind, self.subject) == (other.kind, other.subject)
            && self.here.is_empty() == other.here.is_empty()
    }

    fn times(&self) -> impl Iterator<Item = Instant> + '_ {
        self.here.iter().map(|step| step.at)
    }

    /// Returns when it parts from the passing run's.
    fn parting(&self) -> Option<Instant> {
        let at = self.apart?;
        let time = |steps: &[Step]| steps.get(at).or(steps.last()).map(|step| step.at);
        time(self.here).or_else(|| self.there.and_then(time))
    }
}

/// Returns the story of each thing, beside that of the passing run.
pub(super) fn pairs(account: &Account) -> Vec<Tale<'_>> {
    let theirs = account.passing.as_ref().map(|passing| passing.stories.as_slice());
    let mut twins = BTreeMap::new();
    for (name, story) in named(theirs.unwrap_or_default()) {
        twins.insert(name, story);
    }
    let mut tales = Vec::new();
    for (name, story) in named(&account.stories) {
        let twin = twins.remove(&name).map(|story| story.steps.as_slice());
        let apart = theirs.and_then(|_| first_apart(&story.subject, &story.steps, twin));
        let (kind, subject, here) = (story.kind, &*story.subject, story.steps.as_slice());
        tales.push(Tale { kind, subject, here, there: twin, apart, worth: 0 });
    }
    let mut only_there: Vec<&Story> = twins.into_values().collect();
    only_there.sort_by_key(|story| story.steps.first().map(|step| step.at));
    tales.extend(only_there.into_iter().map(|story| Tale {
        kind: story.kind,
        subject: &story.subject,
        here: &[],
        there: Some(&story.steps),
        apart: Some(0),
        worth: 0,
    }));
    tales
}

/// Returns stories by names that are the same in another run. A service numbers its messages in the
/// order of that run, so theirs is what they say, and how many said so before.
fn named(stories: &[Story]) -> Vec<((&'static str, &str, usize), &Story)> {
    let mut counts = BTreeMap::new();
    let names = stories.iter().map(|story| {
        let body = body_of(&story.subject).unwrap_or(&story.subject);
        let count: &mut usize = counts.entry((story.kind, body)).or_default();
        *count += 1;
        ((story.kind, body, *count), story)
    });
    names.collect()
}

/// Returns the first step that is not the same, for whatever is numbered numbers apart.
fn first_apart(subject: &str, here: &[Step], there: Option<&[Step]>) -> Option<usize> {
    let Some(there) = there else { return Some(0) };
    let is_numbered = body_of(subject).is_some();
    let text = |step: &Step| {
        let is_kept = |c: &char| !is_numbered || !c.is_ascii_digit();
        step.text.chars().filter(is_kept).collect::<String>()
    };
    let same = here.iter().zip(there).take_while(|(a, b)| text(a) == text(b)).count();
    (same < here.len() || same < there.len()).then_some(same)
}

/// Returns the last thing that the struck one had to do with before it was struck, or what was
/// under way then, or if nothing was struck what had the longest life.
fn last_touched<'a>(account: &Account, tales: Vec<Tale<'a>>) -> Option<Tale<'a>> {
    let Some(decisive) = account.decisive() else {
        return tales.into_iter().max_by_key(|tale| tale.here.len());
    };
    let (at, concern) = (decisive.choice.at, Concern::of(account));
    let worth = |tale: &Tale<'_>| {
        let before = tale.here.iter().filter(|step| step.at < at);
        let touched = before.filter(|step| concern.is_named_in(&step.text)).map(|step| step.at);
        let spans = tale.times().next() <= Some(at) && tale.times().any(|later| later >= at);
        (touched.max(), spans)
    };
    tales.into_iter().max_by_key(worth)
}

/// Returns what a numbered thing says.
fn body_of(subject: &str) -> Option<&str> {
    subject.strip_prefix('#')?.split_once(' ').map(|(_, body)| body)
}

/// Returns whether a text names a thing: its whole name, or the body of a numbered message.
fn is_named(text: &str, subject: &str) -> bool {
    let body = body_of(subject).map(|body| body.trim_matches('"'));
    has_word(text, subject) || body.is_some_and(|body| body.len() > 2 && has_word(text, body))
}
