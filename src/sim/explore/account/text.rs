//! The account as text: at most 40 lines, the cause first.
//!
//! Each part has a share of the lines, and says how many of its own it left out.

use super::{Account, Decision, Passing, Risk};
use crate::choice::Choice;
use crate::sim::trace::{Event, EventKind, Story};
use crate::time::Instant;
use std::fmt::{self, Write as _};

/// The lines that each part may take.
const MESSAGE: usize = 6;
const DECISIONS: usize = 3;
const ENDS: usize = 4;
const STORY: usize = 5;
const EVENTS: usize = 5;

/// The longest line, and the longest that names a choice.
const WIDTH: usize = 160;
const CHOICE: usize = 240;

pub(super) fn write(account: &Account, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = String::new();
    head(account, &mut text)?;
    decisions(account, &mut text)?;
    if let Some(passing) = &account.passing {
        apart(passing, &mut text)?;
    }
    if let Some(story) = story_of(account) {
        section(&mut text, &format!("the story of {} {}:", story.kind, story.subject))?;
        let steps = story.steps.iter().map(|step| timed(step.at, &step.who, &step.text));
        ends_of(&mut text, &steps.collect::<Vec<String>>(), STORY)?;
    }
    events(account, &mut text)?;
    for (what, path) in &account.files {
        writeln!(text, "  {what}: {path}")?;
    }
    if let Some(line) = &account.replay {
        writeln!(text, "  replay with: {line}")?;
    }
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

fn section(text: &mut String, title: &str) -> fmt::Result {
    writeln!(text, "  {title}")
}

fn head(account: &Account, text: &mut String) -> fmt::Result {
    let failure = &account.failure;
    write!(text, "seed {} failed", failure.seed)?;
    if !account.settings.is_empty() {
        write!(text, " ({})", account.settings)?;
    }
    let message = failure.to_string();
    let lines: Vec<&str> = message.lines().collect();
    let (first, rest) = lines.split_first().unwrap_or((&"", &[]));
    writeln!(text, ": {first}")?;
    let shown = rest.len().min(MESSAGE - 1);
    // The last line says where it panicked.
    let cut = rest.len() - shown;
    for line in rest[..shown.saturating_sub(1)].iter().chain(rest.last().filter(|_| shown > 0)) {
        writeln!(text, "{line}")?;
    }
    if cut > 0 {
        let lines = if cut == 1 { "line" } else { "lines" };
        writeln!(text, "  ({cut} more {lines} of the message)")?;
    }
    Ok(())
}

fn decisions(account: &Account, text: &mut String) -> fmt::Result {
    let (all, unquiet) = (account.found_with, account.found_unquiet);
    let Some(decisive) = account.decisive() else {
        return match all {
            0 => section(text, "nothing was drawn in the run, so no choice explains it"),
            _ => section(text, "no choice matters: the run also fails if all of them are calm"),
        };
    };
    section(
        text,
        &format!("the decisive choice (found among {unquiet} of {all} that were not calm):"),
    )?;
    writeln!(text, "  ▶ {}", moment(decisive))?;
    writeln!(text, "      {}", verdict(decisive))?;
    if let Some(rise) = rise(account, decisive) {
        writeln!(text, "      {rise}")?;
    }
    let others: Vec<&Decision> = account.decisions.iter().filter(|d| !d.is_decisive).collect();
    if others.is_empty() {
        return Ok(());
    }
    section(text, "it also needs:")?;
    let lines: Vec<String> = others.iter().map(|decision| moment(decision)).collect();
    ends_of(text, &lines, DECISIONS)
}

fn moment(decision: &Decision) -> String {
    format!("{:>11.6}  {}", decision.choice.at, decision.choice.told())
}

/// Returns an event as a line. Between two events of a world there are often only microseconds.
fn of_event(event: &Event) -> String {
    timed(event.at, &event.who, &event.kind)
}

fn timed(at: Instant, who: &str, what: &dyn fmt::Display) -> String {
    format!("{at:>11.6}  {who:<12} {what}")
}

/// Returns what is known of the decisive choice, in a sentence.
fn verdict(decision: &Decision) -> String {
    let mut parts = Vec::new();
    match decision.is_necessary {
        Some(true) => parts.push("with it calm, the run passes".to_owned()),
        Some(false) => parts.push("with it calm, the run still fails in another way".to_owned()),
        None => {}
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
    if after.failed <= before.failed || after.after == decisive.order + 1 {
        return None;
    }
    let (from, to) = (before.percent(), after.percent());
    let (since, until, of) = (before.at, after.at, after.of);
    let seeds = format!("of {of} fresh seeds");
    Some(format!(
        "the risk rises most between {since} and {until}: from {from} % to {to} % ({seeds})"
    ))
}

fn apart(passing: &Passing, text: &mut String) -> fmt::Result {
    if let Some(difference) = &passing.difference {
        section(text, "with it calm, the first thing to differ:")?;
        for (run, event) in [("failing", &difference.left), ("passing", &difference.right)] {
            match event {
                Some(event) => writeln!(text, "    {run} {}", of_event(event))?,
                None => writeln!(text, "    {run}  (the run has ended)")?,
            }
        }
    }
    let mut lines = Vec::new();
    for (service, failing, passing) in &passing.ends {
        let only = |these: &[String], those: &[String], run: &str| {
            let apart = these.iter().filter(|line| !those.contains(line));
            apart.map(|line| format!("{run}  {service}: {line}")).collect::<Vec<_>>()
        };
        lines.extend(only(failing, passing, "failing"));
        lines.extend(only(passing, failing, "passing"));
    }
    if lines.is_empty() {
        return Ok(());
    }
    section(text, "and at the end:")?;
    ends_of(text, &lines, ENDS)
}

/// Returns the story of what the failure names or, if it names nothing, of what the decisive choice
/// names or, if that is nothing either, of what was under way when it was made.
fn story_of(account: &Account) -> Option<&Story> {
    let decisive = account.decisive().map(|decision| &decision.choice);
    let words = decisive.map(Choice::told).unwrap_or_default();
    let named = |text: &str| {
        let stories = account.stories.iter().filter(|story| is_named(text, &story.subject));
        stories.max_by_key(|story| story.steps.len())
    };
    let under_way = || {
        let at = decisive?.at;
        let spans = |story: &&Story| {
            let mut times = story.steps.iter().map(|step| step.at);
            times.next().is_some_and(|first| first <= at) && times.any(|later| later >= at)
        };
        account.stories.iter().rfind(spans)
    };
    named(&account.failure.message).or_else(|| named(&words)).or_else(under_way)
}

/// Returns whether a text names a thing: its whole name, or the body of a numbered message.
fn is_named(text: &str, subject: &str) -> bool {
    let body = subject.strip_prefix('#').and_then(|rest| rest.split_once(' '));
    let body = body.map(|(_, body)| body.trim_matches('"'));
    has_word(text, subject) || body.is_some_and(|body| body.len() > 2 && has_word(text, body))
}

fn has_word(text: &str, word: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let after = text[at + word.len()..].chars().next();
            is_edge(text[..at].chars().next_back()) && is_edge(after)
        })
}

/// Writes the last events of the run, choices and polls apart.
fn events(account: &Account, text: &mut String) -> fmt::Result {
    let shown = account
        .trace
        .events()
        .filter(|event| !matches!(event.kind, EventKind::Ran { .. } | EventKind::Choice { .. }));
    let lines: Vec<String> = shown.map(of_event).collect();
    if lines.is_empty() {
        return Ok(());
    }
    section(text, "the end of the run:")?;
    let cut = lines.len().saturating_sub(EVENTS);
    if cut > 0 {
        let events = if cut == 1 { "event" } else { "events" };
        writeln!(text, "    ({cut} {events} before)")?;
    }
    lines[cut..].iter().try_for_each(|line| writeln!(text, "  {line}"))
}

/// Writes lines; if there are too many, the first and the last of them.
fn ends_of(text: &mut String, lines: &[String], most: usize) -> fmt::Result {
    let cut = lines.len().saturating_sub(most);
    let first = if cut > 0 { (most - 1).div_ceil(2) } else { lines.len() };
    let last = if cut > 0 { most - 1 - first } else { 0 };
    for line in &lines[..first] {
        writeln!(text, "    {}", line.trim_end())?;
    }
    if cut > 0 {
        writeln!(text, "    ({} more)", cut + 1)?;
    }
    for line in &lines[lines.len() - last..] {
        writeln!(text, "    {}", line.trim_end())?;
    }
    Ok(())
}
