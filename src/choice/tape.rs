//! A recorded run's choices: kept, edited, written to text and read back.
//!
//! A tape is a list in the order in which the choices were made. Its text form has one choice per
//! line, so a failing run can be saved beside the test that replays it. The first line names the
//! version. Version 2 has the columns `site entity n value at`, where `at` is the virtual time in
//! nanoseconds, and then, after a tab each, who asked and what was decided. A text without such a
//! line has the first four columns only, and is still read.

use crate::time::Instant;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The first line of a tape's text.
const VERSION: &str = "stunt-double tape 2";

/// A choice that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// The name of the [`Site`](super::Site).
    pub site: Cow<'static, str>,
    /// The entity for which it was made.
    pub entity: u64,
    /// The number of possible answers: the value was in `0..n`.
    pub n: u64,
    /// The answer; 0 is calm.
    pub value: u64,
    /// The world's time.
    pub at: Instant,
    /// The node or service that asked, or `world`; `None` if that is not known.
    pub who: Option<Arc<str>>,
    /// The decision in words; `None` if only the numbers say it.
    pub words: Option<Box<str>>,
}

impl Choice {
    /// Returns a choice at the beginning of the world, without words.
    #[must_use]
    pub fn new(site: impl Into<Cow<'static, str>>, entity: u64, n: u64, value: u64) -> Choice {
        let (site, at) = (site.into(), Instant::ZERO);
        Choice { site, entity, n, value, at, who: None, words: None }
    }

    /// Returns what was decided: its words, or the numbers.
    #[must_use]
    pub fn told(&self) -> String {
        match &self.words {
            Some(words) => words.to_string(),
            None => {
                let Choice { site, n, value, .. } = self;
                format!("drew {value} of 0 to {} at {site} (calm: 0)", n.saturating_sub(1))
            }
        }
    }
}

/// The choices of a run, in order.
///
/// ```
/// use stunt_double::Tape;
/// let mut tape: Tape = "link.latency 3 100 42\n".parse()?;
/// assert_eq!(tape.unquiet().count(), 1);
/// tape.set(0, 0);
/// assert_eq!(tape.to_string(), "stunt-double tape 2\nlink.latency 3 100 0 0\n");
/// assert_eq!(tape.unquiet().count(), 0);
/// # Ok::<(), stunt_double::ParseTapeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape {
    choices: Vec<Choice>,
}

impl Tape {
    /// Returns the choices, in the order in which they were made.
    #[must_use]
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// Returns the number of choices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.choices.len()
    }

    /// Returns whether there are no choices.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.choices.is_empty()
    }

    /// Returns the positions of the choices that are not calm: the ones that a minimizer tries to
    /// set to 0.
    pub fn unquiet(&self) -> impl Iterator<Item = usize> + '_ {
        self.choices.iter().enumerate().filter(|(_, c)| c.value != 0).map(|(i, _)| i)
    }

    /// Returns the first `length` choices: the run up to a moment.
    #[must_use]
    pub fn prefix(&self, length: usize) -> Tape {
        self.choices.iter().take(length).cloned().collect()
    }

    /// Changes the choice at `index`. Returns `false` if there is none.
    pub fn set(&mut self, index: usize, value: u64) -> bool {
        match self.choices.get_mut(index) {
            Some(choice) => {
                choice.value = value;
                true
            }
            None => false,
        }
    }
}

impl FromIterator<Choice> for Tape {
    fn from_iter<I: IntoIterator<Item = Choice>>(choices: I) -> Tape {
        Tape { choices: choices.into_iter().collect() }
    }
}

impl Extend<Choice> for Tape {
    fn extend<I: IntoIterator<Item = Choice>>(&mut self, choices: I) {
        self.choices.extend(choices);
    }
}

impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{VERSION}")?;
        for choice in &self.choices {
            let Choice { site, entity, n, value, at, who, words } = choice;
            write!(f, "{site} {entity} {n} {value} {}", at.as_nanos())?;
            if who.is_some() || words.is_some() {
                write!(f, "\t{}", escaped(who.as_deref().unwrap_or_default()))?;
            }
            if let Some(words) = words {
                write!(f, "\t{}", escaped(words))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Returns a text that fits into a column.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            (_, Some('t')) => out.push('\t'),
            (_, Some('n')) => out.push('\n'),
            (_, Some('r')) => out.push('\r'),
            (_, Some(other)) => out.push(other),
            (c, None) => out.push(c),
        }
    }
    out
}

/// A line of text that is not a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTapeError {
    /// The line's number, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl fmt::Display for ParseTapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParseTapeError { line, text } = self;
        write!(f, "line {line} of the tape is not `site entity n value at`: {text:?}")
    }
}

impl std::error::Error for ParseTapeError {}

impl FromStr for Tape {
    type Err = ParseTapeError;

    fn from_str(text: &str) -> Result<Tape, ParseTapeError> {
        let has_version = text.lines().next() == Some(VERSION);
        let lines = text.lines().enumerate().skip(usize::from(has_version));
        lines
            .map(|(i, line)| {
                let choice = parse(line, has_version);
                choice.ok_or_else(|| ParseTapeError { line: i + 1, text: line.to_owned() })
            })
            .collect()
    }
}

fn parse(line: &str, has_version: bool) -> Option<Choice> {
    let mut columns = line.split('\t');
    let mut numbers = columns.next()?.split(' ');
    let site = numbers.next()?.to_owned();
    let mut number = || numbers.next()?.parse().ok();
    let mut choice = Choice::new(site, number()?, number()?, number()?);
    if has_version {
        choice.at = Instant::from_nanos(number()?);
        let mut text = || columns.next().map(unescaped).filter(|text| !text.is_empty());
        choice.who = text().map(Arc::from);
        choice.words = text().map(String::into_boxed_str);
    }
    (numbers.next().is_none() && columns.next().is_none()).then_some(choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "stunt-double tape 2\na 0 10 3 5\nb.c 18446744073709551615 2 1 0\tworker 1\n\
                    d 0 2 1 7\tworld\tkilled \\\\ at\\tonce\\n\n";
        let tape: Tape = text.parse().unwrap();
        assert_eq!(tape.to_string(), text);
        assert_eq!(tape.choices()[2].words.as_deref(), Some("killed \\ at\tonce\n"));
        assert_eq!(tape.choices()[1].who.as_deref(), Some("worker 1"));
    }

    #[test]
    fn a_tape_of_the_first_version_is_read() {
        let tape: Tape = "a 0 10 3\nb.c 18446744073709551615 2 1\n".parse().unwrap();
        let expected = [Choice::new("a", 0, 10, 3), Choice::new("b.c", u64::MAX, 2, 1)];
        assert_eq!(tape.choices(), expected);
    }

    #[test]
    fn a_bad_line_is_named() {
        for bad in ["a 0 10", "a 0 10 3 4", "a x 10 3", "", "a 0 10 3\tx"] {
            let error = format!("a 0 10 3\n{bad}\na 0 1 0").parse::<Tape>().unwrap_err();
            assert_eq!(error, ParseTapeError { line: 2, text: bad.to_owned() });
        }
        for bad in ["a 0 10 3", "a 0 10 3 x", "a 0 10 3 4\t\t\tx"] {
            let error = format!("{VERSION}\n{bad}").parse::<Tape>().unwrap_err();
            assert_eq!(error, ParseTapeError { line: 2, text: bad.to_owned() });
        }
    }
}
