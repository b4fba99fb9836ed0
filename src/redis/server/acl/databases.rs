//! The databases that a selector allows, and those that a request needs.
//!
//! A command needs the current database if it reads, writes or names keys, and besides it the
//! databases that are among its arguments. `FLUSHALL` needs all.
//!
//! Source: `acl.c` of Valkey 9.1, and the answers of `ACL DRYRUN` for each of its commands.

use super::rule_error::RuleError;
use crate::redis::command::Args;
use crate::redis::command::arguments::is;
use crate::redis::command::describe::{CATEGORIES, category_bits};
use crate::redis::command::flag;
use crate::redis::command::key_spec::usage;
use crate::redis::server::command::Row;
use crate::redis::value::number::is_space;
use std::collections::BTreeSet;

/// Databases, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Databases {
    All,
    Some(BTreeSet<usize>),
}

impl Databases {
    /// Reads `alldbs`, `resetdbs` or `db=number,…`. Returns `None` for other rules.
    pub(super) fn of_rule(word: &[u8]) -> Option<Result<Databases, RuleError>> {
        if is(word, "alldbs") {
            return Some(Ok(Databases::All));
        }
        if is(word, "resetdbs") {
            return Some(Ok(Databases::Some(BTreeSet::new())));
        }
        let (name, numbers) = word.split_at_checked(3)?;
        if !is(name, "db=") {
            return None;
        }
        let numbers = numbers.split(|byte| *byte == b',').map(number);
        Some(numbers.collect::<Result<_, _>>().map(Databases::Some))
    }

    fn has(&self, number: usize) -> bool {
        match self {
            Databases::All => true,
            Databases::Some(numbers) => numbers.contains(&number),
        }
    }

    /// Returns the rule that allows these databases; of none, an empty text.
    pub(super) fn describe(&self) -> String {
        match self {
            Databases::All => "alldbs".to_owned(),
            Databases::Some(numbers) if numbers.is_empty() => String::new(),
            Databases::Some(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                format!("db={}", numbers.join(","))
            }
        }
    }

    /// Returns the position of the word for which a request is denied: the number of a database, or
    /// the command's name if it is the current database.
    pub(super) fn denied(&self, command: &Row, words: Args<'_>, place: Place) -> Option<usize> {
        if *self == Databases::All {
            return None;
        }
        if NEED_ALL.contains(&command.name) {
            return Some(0);
        }
        let named = arguments(command.name, words);
        let is_denied = |at: &usize| {
            let number = words.get(*at).and_then(|word| place.number_of(word));
            // A word that names no database is an error of the command itself.
            number.is_some_and(|number| !self.has(number))
        };
        let has_keys = command.keys.iter().any(|spec| spec.usage & usage::NOT_KEY == 0);
        let needs_current = has_keys || (named.is_empty() && is_about_keys(command));
        let denied = named.into_iter().find(is_denied);
        denied.or((needs_current && !self.has(place.database)).then_some(0))
    }
}

/// Commands that need every database.
const NEED_ALL: [&str; 4] =
    ["flushall", "cluster|cancelslotmigrations", "cluster|migrateslots", "cluster|flushslot"];

/// Where a request runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The current database.
    pub(crate) database: usize,
    /// Number of databases that there are.
    pub(crate) count: usize,
}

impl Place {
    /// Returns the database that a word names, if there is one of that number.
    pub(crate) fn number_of(self, word: &[u8]) -> Option<usize> {
        let number: usize = std::str::from_utf8(word).ok()?.parse().ok()?;
        (number < self.count).then_some(number)
    }
}

/// Reads a number, which spaces may precede.
fn number(text: &[u8]) -> Result<usize, RuleError> {
    let spaces = text.iter().take_while(|byte| is_space(**byte)).count();
    let text = &text[spaces..];
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(RuleError::Syntax);
    }
    let value = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<i32>().ok());
    let value = value.filter(|value| !negative || *value == 0);
    value.and_then(|value| usize::try_from(value).ok()).ok_or(RuleError::Database)
}

/// Returns the positions of the arguments that are databases.
fn arguments(name: &str, words: Args<'_>) -> Vec<usize> {
    match name {
        "select" => vec![1],
        "move" => vec![2],
        "swapdb" => vec![1, 2],
        "copy" => (3..words.len()).filter(|at| is(words[*at], "db")).map(|at| at + 1).collect(),
        _ => Vec::new(),
    }
}

/// Returns whether a command that names neither keys nor databases is about the keys of one.
fn is_about_keys(command: &Row) -> bool {
    let keyspace = CATEGORIES.iter().position(|name| *name == "keyspace");
    command.has(flag::READONLY)
        || command.has(flag::WRITE)
        || keyspace.is_some_and(|at| category_bits(command) & 1 << at != 0)
}
