//! The account as text: at most 40 lines, the cause first.
//!
//! It says which choice decides, what happened around it in this run and in the nearest one that
//! passes, what differs between the two in the end, and the story of the thing that shows it.

use super::concern::{Concern, is_routine, telling};
use super::part::{self, Part};
use super::tale::{Tale, tales};
use super::{Account, Decision, Passing, Risk, Without};
use crate::sim::explore::passing::Effects;
use crate::sim::trace::{Event, Step};
use crate::time::Instant;
use std::collections::BTreeSet;
use std::fmt;

/// The most lines.
const LINES: usize = 40;

/// The longest line, and the longest that names a choice.
const WIDTH: usize = 160;
const CHOICE: usize = 240;

pub(super) fn write(account: &Account, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut parts = vec![head(account), decision(account), others(account)];
    let mut words = Vec::new();
    if let Some(passing) = &account.passing {
        let effects = passing.effects(&account.trace);
        parts.extend(around(account, passing));
        parts.push(lost(account, passing));
        parts.push(apart(passing, &effects));
        words = effects.words();
    }
    for (number, tale) in tales(account, &words).iter().enumerate() {
        parts.extend(story(account, tale, number));
    }
    let told: BTreeSet<&String> = parts.iter().flat_map(|part| &part.lines).collect();
    let end = end(account, &told);
    parts.push(end);
    parts.push(tail(account));
    let text = part::write(parts, LINES);
    let lines: Vec<String> = text.lines().map(short).collect();
    f.write_str(&lines.join("\n"))
}

/// Returns a line of a bearable width.
fn short(line: &str) -> String {
    let width = if line.trim_start().starts_with('▶') { CHOICE } else { WIDTH };
    match line.char_indices().nth(width) {
        // A command must be whole.
        Some((end, _)) if !line.trim_start().starts_with("replay with") => {
            format!("{} …", &line[..end])
        }
        _ => line.to_owned(),
    }
}

fn head(account: &Account) -> Part {
    let failure = &account.failure;
    let settings = &account.settings;
    let settings = if settings.is_empty() { String::new() } else { format!(" ({settings})") };
    let text = format!("{}{settings}: {failure}", failure.subject());
    // The first line says what is wrong, and the last where it panicked.
    let heart = 1;
    let lines = text.lines().map(str::to_owned).collect();
    Part { lines, heart, with_ends: true, most: 6, least: 4, spare: 1, ..Part::default() }
}

/// The decisive choice, and what is known of it.
fn decision(account: &Account) -> Part {
    let (all, unquiet) = (account.found_with, account.found_unquiet);
    let Some(decisive) = account.decisive() else {
        let line = match (all, account.decisions.len()) {
            (0, _) => "  nothing was drawn in the run, so no choice explains it".to_owned(),
            (_, 0) => "  no choice matters: the run also fails if all of them are calm".to_owned(),
            (_, left) => format!(
                "  the effort was spent with {left} choices left that are not calm, of which no \
                 single one is known to decide"
            ),
        };
        return Part { lines: vec![line], ..Part::default() };
    };
    let title =
        format!("  the decisive choice (found among {unquiet} of {all} that were not calm):");
    let mut lines =
        vec![format!("  ▶ {}", moment(decisive)), format!("      {}", verdict(decisive))];
    lines.extend(rise(account, decisive).map(|rise| format!("      {rise}")));
    Part { title, lines, ..Part::default() }
}

/// The other choices that the failure needs.
fn others(account: &Account) -> Part {
    let others = account.decisions.iter().filter(|decision| !decision.is_decisive);
    let lines = others.map(|decision| format!("    {}", moment(decision))).collect();
    let title = match account.decisive() {
        Some(_) => "  it also needs:".to_owned(),
        None => "  among them:".to_owned(),
    };
    Part { title, lines, most: 3, least: 1, spare: 3, ..Part::default() }
}

fn moment(decision: &Decision) -> String {
    format!("{:>11.6}  {}", decision.choice.at, decision.choice.told())
}

/// Returns an event as a line. Between two events of a world there are often only microseconds.
pub(super) fn of_event(event: &Event) -> String {
    timed(event.at, &event.who, &event.kind)
}

fn timed(at: Instant, who: &str, what: &dyn fmt::Display) -> String {
    // A message of several lines is one line here.
    let what = what.to_string().replace('\n', " ⏎ ");
    format!("{at:>11.6}  {who:<12} {what}")
}

/// Returns what is known of the decisive choice, in a sentence.
fn verdict(decision: &Decision) -> String {
    let mut parts = Vec::new();
    match decision.without {
        Some(Without::Passes) => parts.push("with it calm, the run passes".to_owned()),
        Some(Without::FailsOtherwise) => {
            parts.push("with it calm, the run fails in another way".to_owned());
        }
        // The decisive one is necessary.
        Some(Without::FailsTheSame) | None => {}
    }
    if decision.others_tried > 0 {
        parts.push(match (decision.others_failing, decision.others_tried) {
            (0, _) => "no other value of it fails".to_owned(),
            (1, tried) => format!("1 of {tried} other values fails too"),
            (failing, tried) => format!("{failing} of {tried} other values fail too"),
        });
    }
    if let (Some(before), Some(after)) = (&decision.before, &decision.after)
        && after.failed > before.failed
    {
        let (before, after, of) = (before.percent(), after.percent(), after.of);
        let seeds = format!("of {of} fresh seeds");
        parts.push(format!("the risk goes from {before} % to {after} % here ({seeds})"));
    }
    parts.join("; ")
}

/// Returns where the risk rises most, if that is not at the decisive choice.
fn rise(account: &Account, decisive: &Decision) -> Option<String> {
    let steps = account.risk.windows(2).map(|pair| (&pair[0], &pair[1]));
    let rise = |(a, b): &(&Risk, &Risk)| (b.failed.saturating_sub(a.failed), b.after);
    let (before, after) = steps.max_by_key(rise)?;
    let is_told = after.after == decisive.order + 1 || before.at == after.at;
    if after.failed <= before.failed || is_told {
        return None;
    }
    let (from, to) = (before.percent(), after.percent());
    let (since, until, of) = (before.at, after.at, after.of);
    let seeds = format!("of {of} fresh seeds");
    Some(format!(
        "the risk rises most between {since} and {until}: from {from} % to {to} % ({seeds})"
    ))
}

/// What happened around the decisive choice: to those it strikes before, to everybody after.
fn around(account: &Account, passing: &Passing) -> Option<Part> {
    let difference = passing.difference.as_ref()?;
    let concern = Concern::of(account);
    let mut lines = Vec::new();
    let mut heart = None;
    for (at, event) in telling(&account.trace, &account.routine) {
        if at < difference.index && !concern.is_about(event) {
            continue;
        }
        if at >= difference.index {
            heart.get_or_insert(lines.len());
        }
        lines.push(format!("    {}", of_event(event)));
    }
    let heart = heart.unwrap_or(lines.len().saturating_sub(1));
    let title = "  around it:".to_owned();
    let mut around = Part { title, lines, heart, most: 9, least: 5, spare: 5, ..Part::default() };
    around.fold();
    Some(around)
}

/// What never arrived in this run only.
fn lost(account: &Account, passing: &Passing) -> Part {
    let lost = passing.lost(&account.trace).into_iter();
    let lines = lost.filter(|lost| !is_routine(&lost.text, &account.routine)).map(|lost| {
        let what = format!("never arrived, from {}: {}", lost.from, lost.text);
        format!("    {}", timed(lost.sent, &lost.to, &what))
    });
    let (title, lines) = ("  lost on the way:".to_owned(), lines.collect());
    Part { title, lines, most: 2, least: 1, spare: 4, ..Part::default() }
}

/// The most lines of one kind of difference.
const SHOWN: usize = 3;

/// Returns what the program did in one of the runs only, or later.
pub(super) fn in_words(effects: &Effects) -> Vec<String> {
    let mut lines = Vec::new();
    let Effects { only_here, only_there, later } = effects;
    for (run, events) in [("this run", only_here), ("the passing run", only_there)] {
        for event in events.iter().take(SHOWN) {
            lines.push(format!("only in {run}: {}", of_event(event).trim_start()));
        }
        if events.len() > SHOWN {
            lines.push(format!("only in {run}: ({} more like that)", events.len() - SHOWN));
        }
    }
    for (event, at) in later.iter().take(SHOWN) {
        let late = of_event(event);
        lines.push(format!("later: {} (there at {at})", late.trim_start()));
    }
    lines
}

/// What differs between the two runs in the end.
fn apart(passing: &Passing, effects: &Effects) -> Part {
    let mut lines = in_words(effects);
    for (service, failing, passing) in &passing.ends {
        for (run, holds) in [("this run", failing), ("the passing run", passing)] {
            let ends = holds.iter().take(SHOWN);
            lines.extend(ends.map(|line| format!("at the end of {run}: {service}: {line}")));
        }
    }
    lines.iter_mut().for_each(|line| line.insert_str(0, "    "));
    let title =
        "  beside the nearest run that passes, in which only that choice is calm:".to_owned();
    let most = 3 * SHOWN;
    Part { title, lines, most, least: 4, spare: 2, ..Part::default() }
}

/// A story, with what the passing run tells instead.
fn story(account: &Account, tale: &Tale<'_>, number: usize) -> Vec<Part> {
    let Tale { kind, subject, here, there, apart, .. } = *tale;
    let line = |step: &Step| format!("    {}", timed(step.at, &step.who, &step.text));
    let note = match (account.passing.is_some(), here.is_empty(), there, apart) {
        (false, ..) => "",
        (true, true, ..) => " (in this run its service never took one)",
        (true, _, None, _) => " (there is none in the passing run)",
        (true, _, Some(_), None) => {
            " (the passing run tells the same: its service did nothing else)"
        }
        (true, _, Some(_), Some(_)) => "",
    };
    let title = format!("  the story of {kind} {subject}{note}:");
    let lines: Vec<String> = here.iter().map(line).collect();
    let decisive = account.decisive().map(|decisive| decisive.choice.at);
    let at_choice = || {
        let before = |at| here.iter().take_while(|step| step.at <= at).count();
        decisive.map_or(0, |at| before(at).saturating_sub(1))
    };
    let heart = apart.unwrap_or_else(at_choice).min(lines.len().saturating_sub(1));
    let (most, least, spare) = if number == 0 { (10, 5, 4) } else { (5, 0, 8) };
    let mut main = Part { title, lines, heart, most, least, with_ends: true, spare };
    main.fold();
    let (least, spare) = if number == 0 { (2, 6) } else { (0, 8) };
    let mut other = Part { most: 3, least, spare, ..Part::default() };
    if let (Some(apart), Some(there)) = (apart, there) {
        other.lines = there[apart..].iter().map(line).collect();
        other.title = "    in the passing run, instead:".to_owned();
        if here.is_empty() {
            main.lines = std::mem::take(&mut other.lines);
            main.title = format!("  the story of {kind} {subject} in the passing run{note}:");
        }
        other.fold();
    }
    vec![main, other]
}

/// The last events of the run, without what is told already.
fn end(account: &Account, told: &BTreeSet<&String>) -> Part {
    let events: Vec<&Event> = telling(&account.trace, &account.routine).map(|(_, e)| e).collect();
    let lines = events.iter().rev().map(|event| format!("    {}", of_event(event)));
    let mut lines: Vec<String> = lines.take_while(|line| !told.contains(line)).collect();
    lines.reverse();
    let heart = lines.len().saturating_sub(1);
    let title = "  the end of the run:".to_owned();
    let most = if account.passing.is_some() { 3 } else { 8 };
    let mut end = Part { title, lines, heart, most, least: 0, spare: 9, ..Part::default() };
    end.fold();
    end
}

/// Where the rest is.
fn tail(account: &Account) -> Part {
    let files = account.files.iter().map(|(what, path)| format!("  {what}: {path}"));
    let replay = account.replay.iter().map(|line| format!("  replay with: {line}"));
    Part { lines: files.chain(replay).collect(), ..Part::default() }
}
