//! A recorded run's choices: kept, edited, written to text and read back.
//!
//! A tape is a list in the order in which the choices were made. Its text form has one choice per
//! line, `site entity n value`, so a failing run can be saved beside the test that replays it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A choice that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The name of the [`Site`](super::Site).
    pub site: Cow<'static, str>,
    /// The entity for which it was made.
    pub entity: u64,
    /// The number of possible answers: the value was in `0..n`.
    pub n: u64,
    /// The answer; 0 is calm.
    pub value: u64,
}

/// The choices of a run, in order.
///
/// ```
/// use stunt_double::Tape;
/// let mut tape: Tape = "link.latency 3 100 42\n".parse()?;
/// assert_eq!(tape.unquiet().count(), 1);
/// tape.set(0, 0);
/// assert_eq!(tape.to_string(), "link.latency 3 100 0\n");
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
        self.choices
            .iter()
            .try_for_each(|c| writeln!(f, "{} {} {} {}", c.site, c.entity, c.n, c.value))
    }
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
        write!(f, "line {line} of the tape is not `site entity n value`: {text:?}")
    }
}

impl std::error::Error for ParseTapeError {}

impl FromStr for Tape {
    type Err = ParseTapeError;

    fn from_str(text: &str) -> Result<Tape, ParseTapeError> {
        let parse = |line: &str| {
            let mut words = line.split(' ');
            let site = words.next()?.to_owned().into();
            let mut number = || words.next()?.parse().ok();
            let choice = Choice { site, entity: number()?, n: number()?, value: number()? };
            words.next().is_none().then_some(choice)
        };
        text.lines()
            .enumerate()
            .map(|(i, line)| {
                parse(line).ok_or_else(|| ParseTapeError { line: i + 1, text: line.to_owned() })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "a 0 10 3\nb.c 18446744073709551615 2 1\n";
        assert_eq!(text.parse::<Tape>().unwrap().to_string(), text);
    }

    #[test]
    fn a_bad_line_is_named() {
        for bad in ["a 0 10", "a 0 10 3 4", "a x 10 3", ""] {
            let error = format!("a 0 10 3\n{bad}\na 0 1 0").parse::<Tape>().unwrap_err();
            assert_eq!(error, ParseTapeError { line: 2, text: bad.to_owned() });
        }
    }
}
