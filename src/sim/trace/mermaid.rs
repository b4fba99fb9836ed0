//! A trace as a sequence diagram in Mermaid's notation, which many readers of Markdown draw.
//!
//! Mermaid reads `;` and `#` as syntax, a newline as the end of a statement, and some words as
//! keywords. So a participant is a number, its name is an alias, and each character that is neither
//! a letter, a digit nor a harmless mark is written as an entity. Invariant: whatever the names and
//! texts are, each event is one statement, and the diagram shows their characters.

use super::lanes::Lanes;
use super::{Event, EventKind, Lost, Trace};
use crate::sort::sort_by_key;
use crate::time::Instant;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A longer text is cut: a diagram has no room for it.
const LONGEST: usize = 100;

/// A statement of the diagram.
enum Line<'a> {
    Event(&'a Event),
    Lost(&'a Lost),
}

impl Line<'_> {
    fn at(&self) -> Instant {
        match self {
            Line::Event(event) => event.at,
            Line::Lost(lost) => lost.lost.unwrap_or(Instant::MAX),
        }
    }
}

impl Trace {
    /// Returns the last `limit` of the kept events as a Mermaid sequence diagram, without polls and
    /// choices. If there were more, the first line says how many were left out. Messages that never
    /// arrived end in a cross. Their place is where they were lost, or the end.
    ///
    /// ```
    /// use stunt_double::sim::Sim;
    ///
    /// let mut sim = Sim::new(1);
    /// sim.node("sleeper", async |node| node.note("good morning"));
    /// sim.run().expect_done();
    /// let diagram = sim.trace().to_mermaid(100);
    /// assert!(diagram.starts_with("sequenceDiagram\n    participant p1 as sleeper\n"));
    /// assert!(diagram.contains("    Note over p1: 0.000s good morning\n"));
    /// ```
    #[must_use]
    pub fn to_mermaid(&self, limit: usize) -> String {
        let lanes = Lanes::of(self);
        let mut lines: Vec<Line<'_>> = self.shown().map(Line::Event).collect();
        lines.extend(self.lost().iter().map(Line::Lost));
        sort_by_key(&mut lines, Line::at);
        let left_out = lines.len().saturating_sub(limit);
        let (mut body, mut used) = (String::new(), BTreeSet::new());
        for line in &lines[left_out..] {
            put(&mut body, &lanes, &mut used, line);
        }
        if used.is_empty() {
            used.insert(0);
        }
        let mut diagram = "sequenceDiagram\n".to_owned();
        for lane in &used {
            let name = escaped(&lanes.names()[*lane]);
            let _ = writeln!(diagram, "    participant p{lane} as {name}");
        }
        if left_out > 0 {
            let lane = used.first().expect("at least one participant is named");
            let events = if left_out == 1 { "event" } else { "events" };
            let _ =
                writeln!(diagram, "    Note over p{lane}: {left_out} earlier {events} left out");
        }
        diagram + &body
    }
}

fn put(body: &mut String, lanes: &Lanes<'_>, used: &mut BTreeSet<usize>, line: &Line<'_>) {
    let mut lane = |name: &str| {
        let lane = lanes.find(name);
        used.insert(lane);
        lane
    };
    let _ = match line {
        Line::Event(Event { at, who, kind }) => match kind {
            EventKind::Request { from, text, .. } | EventKind::Response { from, text, .. } => {
                let (from, to, text) = (lane(from), lane(who), escaped(text));
                writeln!(body, "    p{from}->>p{to}: {at:.3} {text}")
            }
            other => {
                let (who, text) = (lane(who), escaped(&other.to_string()));
                writeln!(body, "    Note over p{who}: {at:.3} {text}")
            }
        },
        Line::Lost(Lost { sent, from, to, text, .. }) => {
            let (from, to, text) = (lane(from), lane(to), escaped(text));
            writeln!(body, "    p{from}-xp{to}: {sent:.3} {text} (never arrived)")
        }
    };
}

/// Writes everything but letters, digits and harmless marks as entities, and a line break as
/// `<br/>`.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for (count, character) in text.trim().chars().enumerate() {
        if count == LONGEST {
            escaped.push('…');
            break;
        }
        match character {
            '\n' => escaped.push_str("<br/>"),
            ' ' | '.' | ',' | '-' | '/' | '(' | ')' | '_' => escaped.push(character),
            _ if character.is_alphanumeric() => escaped.push(character),
            // What cannot be shown is not part of an entity either.
            _ if character.is_control() => escaped.push('\u{fffd}'),
            _ => {
                let _ = write!(escaped, "#{};", u32::from(character));
            }
        }
    }
    escaped
}
