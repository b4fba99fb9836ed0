//! The catalogue: every command and subcommand with its number, by which rules know it.
//!
//! A container's number is followed by those of its subcommands. The real server lists commands in
//! the order of a hash table with a random seed, so that any order is one that it may have; this
//! order is that of the command table.
//!
//! Source: `acl.c` (`ACLGetCommandID`, `ACLLookupCommand`).

use crate::redis::command::describe::{CATEGORIES, category_bits};
use crate::redis::server::command::{Row, table};
use crate::redis::version::Version;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::ops::Range;
use std::sync::OnceLock;

/// A command, with its categories as bits.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) row: &'static Row,
    pub(crate) categories: u32,
}

#[derive(Debug)]
pub(crate) struct Catalogue {
    entries: IndexMap<&'static str, Entry, FxBuildHasher>,
}

/// Returns the catalogue of a version.
pub(crate) fn catalogue(version: Version) -> &'static Catalogue {
    static CATALOGUES: [OnceLock<Catalogue>; Version::ALL.len()] =
        [const { OnceLock::new() }; Version::ALL.len()];
    CATALOGUES[version as usize].get_or_init(|| {
        let rows = table(version).iter();
        let rows = rows.flat_map(|row| std::iter::once(row).chain(row.subcommands));
        let entries = rows.map(|row| (row.name, Entry { row, categories: category_bits(row) }));
        Catalogue { entries: entries.collect() }
    })
}

/// Returns a category as its bit, ignoring case.
pub(crate) fn category(name: &[u8]) -> Option<u32> {
    let at = CATEGORIES.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
    Some(1 << at)
}

impl Catalogue {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns all commands with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.values().enumerate()
    }

    /// Returns the number of a command of the table.
    pub(crate) fn number(&self, row: &Row) -> Option<usize> {
        self.entries.get_index_of(row.name)
    }

    /// Returns the command `name` or `container|subcommand` with its number, ignoring case.
    pub(crate) fn find(&self, name: &[u8]) -> Option<(usize, &'static Row)> {
        let name = String::from_utf8(name.to_ascii_lowercase()).ok()?;
        let (number, _, entry) = self.entries.get_full(name.as_str())?;
        Some((number, entry.row))
    }

    /// Returns the numbers of a command and of its subcommands.
    pub(crate) fn family(&self, number: usize) -> Range<usize> {
        let subcommands =
            self.entries.get_index(number).map_or(0, |(_, e)| e.row.subcommands.len());
        number..number + 1 + subcommands
    }
}
