//! Where the keys are among a command's arguments.
//!
//! A specification names a position and how to continue from there. `COMMAND` shows specifications
//! as they are, and `COMMAND GETKEYS` follows them.
//!
//! Source: <https://redis.io/docs/reference/key-specs/>.

use super::Args;
use crate::redis::value::number;

/// How a command uses a key, as bits. The names are those of `COMMAND INFO`.
pub(crate) mod usage {
    pub(crate) const RW: u16 = 1;
    pub(crate) const RO: u16 = 1 << 1;
    pub(crate) const OW: u16 = 1 << 2;
    pub(crate) const RM: u16 = 1 << 3;
    pub(crate) const ACCESS: u16 = 1 << 4;
    pub(crate) const UPDATE: u16 = 1 << 5;
    pub(crate) const INSERT: u16 = 1 << 6;
    pub(crate) const DELETE: u16 = 1 << 7;
    pub(crate) const NOT_KEY: u16 = 1 << 8;
    pub(crate) const VARIABLE: u16 = 1 << 9;
    pub(crate) const INCOMPLETE: u16 = 1 << 10;
    /// A comparison of `SET` reads the key. `COMMAND INFO` does not show it.
    pub(crate) const COMPARED: u16 = 1 << 11;

    /// The names, in the order in which `COMMAND INFO` lists them.
    pub(crate) const NAMES: [(u16, &str); 11] = [
        (RO, "RO"),
        (RW, "RW"),
        (OW, "OW"),
        (RM, "RM"),
        (ACCESS, "access"),
        (UPDATE, "update"),
        (INSERT, "insert"),
        (DELETE, "delete"),
        (NOT_KEY, "not_key"),
        (INCOMPLETE, "incomplete"),
        (VARIABLE, "variable_flags"),
    ];
}

/// How to continue from the position where a specification begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Find {
    /// Every `step`-th argument up to `last` positions further on; a negative `last` counts from
    /// the end.
    Range { last: i64, step: usize },
    /// The first half of the arguments.
    Half,
    /// A number of keys, followed by the keys.
    Number,
    /// A number of keys, followed by the keys, each with its value.
    Pairs,
    /// Only the command itself knows.
    Unknown,
}

/// Specification of some of a command's keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySpec {
    /// See [`usage`].
    pub(crate) usage: u16,
    /// The first position, unless there is a keyword.
    pub(crate) begin: usize,
    /// The keys are after this word, which is searched for from that position on. A negative
    /// position counts from the end and searches backwards.
    pub(crate) keyword: Option<(&'static str, i64)>,
    pub(crate) find: Find,
    /// Notes that `COMMAND` shows.
    pub(crate) notes: Option<&'static str>,
}

/// Returns the specification of one key at a position.
pub(crate) const fn key(usage: u16, begin: usize) -> KeySpec {
    range(usage, begin, 0, 1)
}

/// Returns the specification of keys from a position on; see [`Find::Range`].
pub(crate) const fn range(usage: u16, begin: usize, last: i64, step: usize) -> KeySpec {
    KeySpec { usage, begin, keyword: None, find: Find::Range { last, step }, notes: None }
}

/// Returns the specification of a number of keys at a position, and the keys.
pub(crate) const fn numbered(usage: u16, begin: usize) -> KeySpec {
    KeySpec { usage, begin, keyword: None, find: Find::Number, notes: None }
}

/// Returns the specification of a number of keys at a position, and the keys, each with its value.
pub(crate) const fn numbered_pairs(usage: u16, begin: usize) -> KeySpec {
    KeySpec { find: Find::Pairs, ..numbered(usage, begin) }
}

/// Returns the specification of the keys after a word, up to `last`; see [`Find::Range`].
pub(crate) const fn after(usage: u16, word: &'static str, from: i64, last: i64) -> KeySpec {
    let find = Find::Range { last, step: 1 };
    KeySpec { usage, begin: 0, keyword: Some((word, from)), find, notes: None }
}

/// Returns the specification of the keys after a word that is at this position or further on. As
/// many arguments follow the keys.
pub(crate) const fn half_after(usage: u16, word: &'static str, from: i64) -> KeySpec {
    KeySpec { usage, begin: 0, keyword: Some((word, from)), find: Find::Half, notes: None }
}

/// Returns the specification of keys that no rule finds.
pub(crate) const fn unknown(usage: u16, notes: &'static str) -> KeySpec {
    KeySpec { usage, begin: 0, keyword: None, find: Find::Unknown, notes: Some(notes) }
}

impl KeySpec {
    pub(crate) const fn noted(self, notes: &'static str) -> KeySpec {
        KeySpec { notes: Some(notes), ..self }
    }

    /// Returns the positions of the keys in a request, or `None` if the request does not match the
    /// specification.
    pub(crate) fn positions(&self, args: Args<'_>) -> Option<Vec<usize>> {
        let begin = match self.keyword {
            None => self.begin,
            Some((word, from)) => match position_after(args, word, from) {
                Some(begin) => begin,
                None => return Some(Vec::new()),
            },
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step } => {
                let end = if last >= 0 {
                    begin + usize::try_from(last).ok()?
                } else {
                    args.len().checked_sub(usize::try_from(-last).ok()?)?
                };
                (begin, end, step)
            }
            Find::Half => {
                let keys = args.len().saturating_sub(begin) / 2;
                (begin, begin + keys.checked_sub(1)?, 1)
            }
            Find::Number | Find::Pairs => {
                let step = if self.find == Find::Pairs { 2 } else { 1 };
                let count = number::parse_i64(args.get(begin)?)?;
                let count = usize::try_from(count).ok().filter(|n| *n > 0)?;
                let last = (count - 1).checked_mul(step)?.checked_add(begin + 1)?;
                (begin + 1, last, step)
            }
            Find::Unknown => return Some(Vec::new()),
        };
        if last >= args.len() || last < first {
            return None;
        }
        Some((first..=last).step_by(step).collect())
    }
}

/// Returns the position after a word. As in Redis, the last argument of a search forwards is not
/// looked at, nor the first of a search backwards.
fn position_after(args: Args<'_>, word: &str, from: i64) -> Option<usize> {
    let is_word = |at: &usize| args[*at].eq_ignore_ascii_case(word.as_bytes());
    let found = if from > 0 {
        (usize::try_from(from).ok()?..args.len().checked_sub(1)?).find(is_word)
    } else {
        let from = args.len().checked_sub(usize::try_from(-from).ok()?)?;
        (2..=from).rev().find(is_word)
    };
    found.map(|at| at + 1)
}
