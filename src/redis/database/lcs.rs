//! `LCS`: the longest common subsequence of two strings.
//!
//! Of several subsequences of the same length, the result is the one found by walking back through
//! the table of dynamic programming, preferring the beginning of the second string where there is a
//! choice.
//!
//! Source: <https://redis.io/commands/lcs/>, `t_string.c`.

use super::Database;
use crate::redis::error::CommandError;
use crate::redis::value::{StringValue, Value};
use std::ops::Range;

/// The longest common subsequence of two strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lcs {
    /// The bytes of the subsequence.
    pub bytes: Vec<u8>,
    /// The matches that make it up, from the last to the first.
    pub matches: Vec<LcsMatch>,
}

/// A common substring of two strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LcsMatch {
    /// Its range in the first string.
    pub a: Range<usize>,
    /// Its range in the second string.
    pub b: Range<usize>,
}

impl Database {
    /// `LCS`: returns the longest common subsequence of two strings, where a missing key is an
    /// empty string. O(n × m) in time and memory.
    ///
    /// # Errors
    ///
    /// An error with a text of its own if a value is not a string, or if the table would be larger
    /// than a string may be.
    pub fn lcs(&mut self, a: &[u8], b: &[u8]) -> Result<Lcs, CommandError> {
        let limit = self.limits.string;
        let (a, b) = self.lcs_strings(a, b)?;
        let table = Table::of(a, b, limit)?;
        Ok(table.walk_back(a, b))
    }

    /// `LCS … LEN`: returns only the length.
    ///
    /// # Errors
    ///
    /// As [`Database::lcs`].
    pub fn lcs_len(&mut self, a: &[u8], b: &[u8]) -> Result<usize, CommandError> {
        let limit = self.limits.string;
        let (a, b) = self.lcs_strings(a, b)?;
        Ok(Table::of(a, b, limit)?.at(a.len(), b.len()) as usize)
    }

    /// Returns the strings to compare.
    pub(crate) fn lcs_strings(
        &mut self,
        a: &[u8],
        b: &[u8],
    ) -> Result<(&[u8], &[u8]), CommandError> {
        const NOT_STRINGS: CommandError =
            CommandError::text("ERR The specified keys must contain string values");
        let first = self.read::<StringValue>(a).is_ok();
        let second = self.read::<StringValue>(b).is_ok();
        if !first || !second {
            return Err(NOT_STRINGS);
        }
        let bytes = |key: &[u8]| match self.keyspace.get(key).map(|entry| &entry.value) {
            Some(Value::String(string)) => string.as_slice(),
            Some(_) | None => &[],
        };
        Ok((bytes(a), bytes(b)))
    }
}

/// Length of the longest common subsequence for each pair of prefixes of the two strings.
struct Table {
    lengths: Vec<u32>,
    width: usize,
}

impl Table {
    fn of(a: &[u8], b: &[u8], limit: u64) -> Result<Table, CommandError> {
        const TOO_LARGE: &str =
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
        const NO_MEMORY: &str =
            "ERR Insufficient memory, failed allocating transient memory for LCS";
        let width = b.len() + 1;
        let size = (a.len() as u128 + 1) * width as u128;
        if size * size_of::<u32>() as u128 > limit.into() {
            return Err(CommandError::text(TOO_LARGE));
        }
        let size = size as usize;
        let mut lengths = Vec::new();
        lengths.try_reserve_exact(size).map_err(|_| CommandError::text(NO_MEMORY))?;
        lengths.resize(size, 0);
        for (i, byte) in a.iter().enumerate() {
            let (above, row) = lengths[i * width..(i + 2) * width].split_at_mut(width);
            for (j, other) in b.iter().enumerate() {
                row[j + 1] = if byte == other { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
        Ok(Table { lengths, width })
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.lengths[i * self.width + j]
    }

    fn walk_back(&self, a: &[u8], b: &[u8]) -> Lcs {
        let mut found = Lcs::default();
        let (mut i, mut j) = (a.len(), b.len());
        let mut open: Option<LcsMatch> = None;
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                found.bytes.push(a[i - 1]);
                let piece = open.get_or_insert(LcsMatch { a: i..i, b: j..j });
                (i, j) = (i - 1, j - 1);
                (piece.a.start, piece.b.start) = (i, j);
                continue;
            }
            found.matches.extend(open.take());
            if self.at(i - 1, j) > self.at(i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        found.matches.extend(open);
        found.bytes.reverse();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::SetOptions;
    use super::*;

    #[test]
    fn the_last_match_comes_first() -> Result<(), CommandError> {
        let mut db = Database::new();
        db.set(b"a", b"ohmytext", SetOptions::default())?;
        db.set(b"b", b"mynewtext", SetOptions::default())?;
        let lcs = db.lcs(b"a", b"b")?;
        assert_eq!(lcs.bytes, b"mytext");
        let pieces = [LcsMatch { a: 4..8, b: 5..9 }, LcsMatch { a: 2..4, b: 0..2 }];
        assert_eq!(lcs.matches, pieces);
        assert_eq!(db.lcs_len(b"a", b"b")?, 6);
        assert_eq!(db.lcs(b"a", b"missing")?, Lcs::default());
        Ok(())
    }
}
