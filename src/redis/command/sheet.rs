//! Texts about commands in a file, whose lines each belong to some versions.
//!
//! A name begins a line, and words may follow it. The lines below that begin with a space belong
//! to the name, in their order. Of these a line that not all versions have says first, in braces,
//! which ones do, in the terms of [`Versions::read`]. What begins with `#` is for the reader.
//!
//! Invariant: the lines of a name that belong to a version are what the real server of that version
//! says, in its order.

use crate::redis::version::{Version, Versions};
use std::collections::BTreeMap;

/// The words after a name, and the lines below it.
type Entry = (&'static str, Vec<(Versions, &'static str)>);

/// A file that was read.
pub(super) struct Sheet(BTreeMap<&'static str, Entry>);

impl Sheet {
    pub(super) fn read(file: &'static str) -> Sheet {
        let mut entries = BTreeMap::new();
        let mut lines = file.lines().filter(|line| !line.starts_with('#')).peekable();
        while let Some(first) = lines.next() {
            let (name, words) = first.split_once(' ').unwrap_or((first, ""));
            let below = std::iter::from_fn(|| lines.next_if(|line| line.starts_with(' ')));
            let lines = below.map(|line| read_line(&line[1..])).collect();
            let former = entries.insert(name, (words, lines));
            debug_assert!(former.is_none(), "a name comes once: {name}");
        }
        Sheet(entries)
    }

    /// Returns the words after a name, and the lines of it that a version has.
    pub(super) fn of(
        &self,
        name: &str,
        version: Version,
    ) -> Option<(&'static str, impl Iterator<Item = &'static str>)> {
        let (words, lines) = self.0.get(name)?;
        let here = lines.iter().filter(move |(versions, _)| versions.has(version));
        Some((words, here.map(|(_, line)| *line)))
    }
}

/// Reads a line below a name.
fn read_line(line: &'static str) -> (Versions, &'static str) {
    let Some(rest) = line.strip_prefix('{') else { return (Versions::ALL, line) };
    let (terms, line) = rest.split_once("} ").expect("a line that begins with a brace closes it");
    (
        Versions::read(terms).expect("a file that is part of the program names versions that are"),
        line,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_its_lines_in_their_order() {
        let sheet =
            Sheet::read("# comment\nget 1.0.0 string\n a\n {7.2+} b\n {valkey-9.1} c\n d\nset\n");
        let of = |version| {
            let (words, lines) = sheet.of("get", version).expect("it is there");
            (words, lines.collect::<String>())
        };
        assert_eq!(of(Version::Redis7_0), ("1.0.0 string", "ad".to_owned()));
        assert_eq!(of(Version::Redis8_6), ("1.0.0 string", "abd".to_owned()));
        assert_eq!(of(Version::Valkey9_1), ("1.0.0 string", "abcd".to_owned()));
        assert_eq!(
            sheet.of("set", Version::Redis7_0).map(|(words, lines)| (words, lines.count())),
            Some(("", 0))
        );
        assert!(sheet.of("nosuch", Version::Redis7_0).is_none());
    }
}
