//! The parts of an account's text, and how they share its lines.
//!
//! A part is some lines about one thing, one of which matters most: what comes right before and
//! after it is kept, and what was left out is counted. What goes round and round is told once. If
//! the parts together are too long, those that can be spared most easily get shorter first.

use std::fmt::Write as _;

/// How many lines may make a round.
const ROUND: usize = 4;

/// How often a round must come before it is told once.
const ROUNDS: usize = 3;

/// Some lines about one thing.
pub(super) struct Part {
    /// The line above them; empty if there is none.
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// The line that matters most.
    pub(super) heart: usize,
    /// How many lines are shown, if there is room.
    pub(super) most: usize,
    /// How many are shown however little room there is; the title goes with the last.
    pub(super) least: usize,
    /// Whether the first line and the last are always shown.
    pub(super) with_ends: bool,
    /// Which parts are shortened first: those with the highest.
    pub(super) spare: u8,
}

impl Default for Part {
    fn default() -> Part {
        Part {
            title: String::new(),
            lines: Vec::new(),
            heart: 0,
            most: usize::MAX,
            least: usize::MAX,
            with_ends: false,
            spare: 0,
        }
    }
}

impl Part {
    /// Writes the part.
    fn write(&self, text: &mut String) {
        if self.lines.is_empty() || self.most == 0 {
            return;
        }
        if !self.title.is_empty() {
            let _ = writeln!(text, "{}", self.title);
        }
        // The first and the last are always shown, if there is room for more than them.
        let lines = &self.lines;
        let (first, last) = if self.with_ends && self.most > 3 { (1, 1) } else { (0, 0) };
        let inner = lines.len().min(first)..lines.len().saturating_sub(last).max(first);
        let room = self.most - first - last;
        let end = self.heart.saturating_sub(self.most * 2 / 5).saturating_add(room);
        let end = end.max(inner.start + room).min(inner.end);
        let start = end.saturating_sub(room).max(inner.start);
        put(text, &lines[..inner.start]);
        left_out(text, start - inner.start);
        put(text, &lines[start..end]);
        left_out(text, inner.end - end);
        put(text, &lines[inner.end.min(lines.len())..]);
    }

    fn height(&self) -> usize {
        let mut text = String::new();
        self.write(&mut text);
        text.lines().count()
    }

    /// Tells once what goes round and round, except the line that matters most.
    pub(super) fn fold(&mut self) {
        let heart = self.heart.min(self.lines.len());
        let (before, rest) = self.lines.split_at(heart);
        let (kept, after) = rest.split_at(rest.len().min(1));
        let mut lines = folded(before);
        self.heart = lines.len();
        lines.extend_from_slice(kept);
        lines.extend(folded(after));
        self.lines = lines;
    }
}

fn put(text: &mut String, lines: &[String]) {
    for line in lines {
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn left_out(text: &mut String, count: usize) {
    if count > 0 {
        let _ = writeln!(text, "    ({count} more)");
    }
}

/// Writes the parts in at most this many lines.
pub(super) fn write(mut parts: Vec<Part>, most: usize) -> String {
    for part in &mut parts {
        part.most = part.most.min(part.lines.len());
        part.least = part.least.min(part.most);
    }
    while parts.iter().map(Part::height).sum::<usize>() > most {
        // Below their least, too, if they must: only what cannot be spared at all stays.
        let longest = |part: &&mut Part| (part.most > part.least, part.spare, part.most);
        let spared = parts.iter_mut().filter(|part| part.most > 0 && part.spare > 0);
        let Some(part) = spared.max_by_key(longest) else { break };
        part.most -= 1;
    }
    let mut text = String::new();
    parts.iter().for_each(|part| part.write(&mut text));
    text
}

/// Returns lines with each round told once.
fn folded(lines: &[String]) -> Vec<String> {
    let shapes: Vec<String> = lines.iter().map(|line| shape(line)).collect();
    let mut told = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let times = |long: usize| {
            let rounds = shapes[at..].chunks_exact(long);
            rounds.take_while(|round| *round == &shapes[at..(at + long).min(shapes.len())]).count()
        };
        let round = (1..=ROUND).map(|long| (long, times(long))).find(|(_, n)| *n >= ROUNDS);
        let Some((long, times)) = round else {
            told.push(lines[at].clone());
            at += 1;
            continue;
        };
        told.extend_from_slice(&lines[at..at + long]);
        let above =
            if long == 1 { "the line above".to_owned() } else { format!("the {long} lines above") };
        told.push(format!("    ({} more like {above})", times - 1));
        at += long * times;
    }
    told
}

/// Returns a line without what counts: times and numbers.
fn shape(line: &str) -> String {
    line.trim_start().chars().filter(|c| !c.is_ascii_digit()).collect()
}
