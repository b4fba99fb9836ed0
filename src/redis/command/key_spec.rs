//! Where a command's keys are among its arguments.
//!
//! A specification names a position and how to go on from there; `COMMAND` shows
//! them as they stand, and `COMMAND GETKEYS` follows them.
//!
//! Source: <https://redis.io/docs/reference/key-specs/>.

use super::Args;
use crate::redis::value::number;

/// What is done with a key, as bits; the names are those of `COMMAND INFO`.
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

    /// In the order in which `COMMAND INFO` lists them.
    pub(crate) const NAMES: [(u16, &str); 10] = [
        (RO, "RO"),
        (RW, "RW"),
        (OW, "OW"),
        (RM, "RM"),
        (ACCESS, "access"),
        (UPDATE, "update"),
        (INSERT, "insert"),
        (DELETE, "delete"),
        (NOT_KEY, "not_key"),
        (VARIABLE, "variable_flags"),
    ];
}

/// How to go on from the position a specification begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Find {
    /// Keys up to the one `last` further on, or where that is negative, so far
    /// before the end; every `step`-th argument.
    Range { last: i64, step: usize },
    /// A number of keys, which follow it.
    Number,
    /// Somewhere: only the command itself can tell.
    Unknown,
}

/// Some of a command's keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySpec {
    /// See [`usage`].
    pub(crate) usage: u16,
    /// The position that it begins at.
    pub(crate) begin: usize,
    pub(crate) find: Find,
    /// Remarks that `COMMAND` shows.
    pub(crate) notes: Option<&'static str>,
}

/// One key at a position.
pub(crate) const fn key(usage: u16, begin: usize) -> KeySpec {
    range(usage, begin, 0, 1)
}

/// Keys from a position on; see [`Find::Range`].
pub(crate) const fn range(usage: u16, begin: usize, last: i64, step: usize) -> KeySpec {
    KeySpec { usage, begin, find: Find::Range { last, step }, notes: None }
}

/// A number of keys at a position, and the keys.
pub(crate) const fn numbered(usage: u16, begin: usize) -> KeySpec {
    KeySpec { usage, begin, find: Find::Number, notes: None }
}

/// Keys that no rule finds.
pub(crate) const fn unknown(usage: u16, notes: &'static str) -> KeySpec {
    KeySpec { usage, begin: 0, find: Find::Unknown, notes: Some(notes) }
}

impl KeySpec {
    pub(crate) const fn noted(self, notes: &'static str) -> KeySpec {
        KeySpec { notes: Some(notes), ..self }
    }

    /// The positions of the keys in a request; `None` if the request is wrong
    /// about them.
    pub(crate) fn positions(&self, args: Args<'_>) -> Option<Vec<usize>> {
        let (first, last, step) = match self.find {
            Find::Range { last, step } => {
                let end = if last >= 0 {
                    self.begin + usize::try_from(last).ok()?
                } else {
                    args.len().checked_sub(usize::try_from(-last).ok()?)?
                };
                (self.begin, end, step)
            }
            Find::Number => {
                let count = number::parse_i64(args.get(self.begin)?)?;
                let count = usize::try_from(count).ok().filter(|n| *n > 0)?;
                (self.begin + 1, self.begin.checked_add(count)?, 1)
            }
            Find::Unknown => return Some(Vec::new()),
        };
        if last >= args.len() {
            return None;
        }
        Some((first..=last).step_by(step).collect())
    }
}
