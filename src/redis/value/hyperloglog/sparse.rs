//! The sparse encoding: runs of equal registers.
//!
//! | byte | run |
//! |---|---|
//! | `00nnnnnn` | n + 1 registers that are 0, *short* |
//! | `01nnnnnn nnnnnnnn` | n + 1 registers that are 0, *long* |
//! | `1cccccnn` | n + 1 registers that are c + 1 |
//!
//! A change replaces the run that has the register by up to three, and then joins runs of equal
//! registers nearby, if they fit into one. That is not always the shortest encoding, but it is the
//! server's.

use super::{Corrupt, REGISTERS};
use std::fmt;

/// The greatest count of a run's registers.
const MOST_COUNT: u8 = 32;
/// The most registers of a run whose count is not 0.
const MOST_EQUAL: usize = 4;
/// The most registers of a short run of zeros.
const MOST_SHORT: usize = 64;
/// How many runs are looked at after a change.
const SCANNED: usize = 5;

/// One long run of zeros.
pub(super) const ALL_ZERO: [u8; 2] = long(REGISTERS);

const fn long(len: usize) -> [u8; 2] {
    let n = (len - 1) as u16;
    (n | 1 << 14).to_be_bytes()
}

fn equal(count: u8, len: usize) -> u8 {
    (count - 1) << 2 | (len - 1) as u8 | 1 << 7
}

/// A run of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) count: u8,
    pub(super) len: usize,
    /// Number of bytes that encode it.
    size: usize,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, self.size) {
            (0, 1) => write!(f, "z:{}", self.len),
            (0, _) => write!(f, "Z:{}", self.len),
            (count, _) => write!(f, "v:{count},{}", self.len),
        }
    }
}

/// Returns the first run. A missing second byte is 0.
fn first(bytes: &[u8]) -> Option<Run> {
    let byte = *bytes.first()?;
    let low = usize::from(byte & 63);
    Some(match byte >> 6 {
        0 => Run { count: 0, len: low + 1, size: 1 },
        1 => {
            let next = bytes.get(1).copied().unwrap_or(0);
            Run { count: 0, len: (low << 8 | usize::from(next)) + 1, size: 2 }
        }
        _ => Run { count: (byte >> 2 & 31) + 1, len: usize::from(byte & 3) + 1, size: 1 },
    })
}

/// Returns the runs in order.
pub(super) fn runs(mut bytes: &[u8]) -> impl Iterator<Item = Run> {
    std::iter::from_fn(move || {
        let run = first(bytes)?;
        bytes = bytes.get(run.size..).unwrap_or_default();
        Some(run)
    })
}

/// The result of raising a register.
pub(super) enum Raised {
    /// It was at least as high.
    Same,
    Changed,
    /// The sparse encoding has no room for it. Nothing has changed.
    TooLarge,
}

/// Raises a register in the runs after `header` to at least this count, unless the whole string
/// would become longer than `max`.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    header: usize,
    register: usize,
    count: u8,
    max: u64,
) -> Result<Raised, Corrupt> {
    if count > MOST_COUNT {
        return Ok(Raised::TooLarge);
    }
    // The run that has the register: its place, the first register, and the place before it.
    let (mut at, mut begin, mut before) = (header, 0, None);
    let run = loop {
        let run = bytes.get(at..).and_then(first).ok_or(Corrupt)?;
        if register < begin + run.len {
            break run;
        }
        before = Some(at);
        (at, begin) = (at + run.size, begin + run.len);
    };
    if run.count >= count {
        return Ok(Raised::Same);
    }
    if run.size == 1 && run.len == 1 {
        bytes[at] = equal(count, 1);
    } else {
        let (left, right) = (register - begin, begin + run.len - 1 - register);
        let mut split = Vec::with_capacity(5);
        push(&mut split, run.count, left);
        split.push(equal(count, 1));
        push(&mut split, run.count, right);
        let grown = bytes.len() as u64 + split.len() as u64 - run.size as u64;
        if split.len() > run.size && grown > max {
            return Ok(Raised::TooLarge);
        }
        let end = (at + run.size).min(bytes.len());
        bytes.splice(at..end, split);
    }
    join(bytes, before.unwrap_or(header));
    Ok(Raised::Changed)
}

/// Appends a run, unless it is empty.
fn push(runs: &mut Vec<u8>, count: u8, len: usize) {
    match (count, len) {
        (_, 0) => {}
        (0, ..=MOST_SHORT) => runs.push((len - 1) as u8),
        (0, _) => runs.extend_from_slice(&long(len)),
        (count, _) => runs.push(equal(count, len)),
    }
}

/// Joins runs of equal registers among those from this place on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..SCANNED {
        let Some(run) = bytes.get(at..).and_then(first) else { return };
        if run.count == 0 {
            at += run.size;
            continue;
        }
        let joined = bytes.get(at + 1..).and_then(first).filter(|next| next.count == run.count);
        match joined.map(|next| next.len + run.len).filter(|len| *len <= MOST_EQUAL) {
            Some(len) => {
                bytes.remove(at);
                bytes[at] = equal(run.count, len);
            }
            None => at += 1,
        }
    }
}
