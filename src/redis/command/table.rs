//! The command table of a version: rows by name, ignoring case.
//!
//! The rows are constants of 7.0.15, and those of later commands, which name their versions. A
//! table has the rows of one version, with its amendments ([`AMENDMENTS`]): rows that are as they
//! were are shared with all tables.

use super::amendments::{AMENDMENTS, Change};
use super::{Args, Command};
use crate::redis::error::CommandError;
use crate::redis::version::{Profile, Version};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

/// All commands by name.
#[derive(Debug)]
pub(crate) struct Table<S: 'static> {
    profile: &'static Profile,
    by_name: IndexMap<&'static [u8], &'static Command<S>, FxBuildHasher>,
    /// For each [`shape`] of a name, the first command of that shape. Most names are found here.
    by_shape: Vec<Option<&'static Command<S>>>,
}

/// The number of shapes.
const SHAPES: usize = 1024;

/// A number below [`SHAPES`] that most names share with no other; the same in either case.
fn shape(name: &[u8]) -> usize {
    let letter = |at: usize| name.get(at).map_or(0, |byte| usize::from(byte & 0x1f));
    let last = name.len().wrapping_sub(1);
    (name.len() + letter(0) * 32 + letter(1) * 11 + letter(last) * 101) % SHAPES
}

/// Greatest length of a command's name.
const LONGEST: usize = 32;

/// The amendments of a version, by command.
type Amendments = IndexMap<&'static str, SmallVec<[Change; 2]>, FxBuildHasher>;

fn amendments_of(version: Version) -> Amendments {
    let mut by_command = Amendments::with_capacity_and_hasher(AMENDMENTS.len(), FxBuildHasher);
    for amendment in AMENDMENTS.iter().filter(|amendment| amendment.versions.has(version)) {
        by_command.entry(amendment.command).or_default().push(amendment.change);
    }
    by_command
}

/// Returns the row as it is in a version. An amended one lives as long as the program, which makes
/// each once.
fn amended<S>(
    row: &'static Command<S>,
    version: Version,
    amendments: &Amendments,
) -> &'static Command<S> {
    let changes = amendments.get(row.name).map_or(&[][..], SmallVec::as_slice);
    let all_exist = row.subcommands.iter().all(|sub| sub.versions.has(version));
    let kept = || row.subcommands.iter().filter(|sub| sub.versions.has(version));
    let subcommands: Vec<_> = kept().map(|sub| amended(sub, version, amendments)).collect();
    let same = kept().zip(&subcommands).all(|(old, new)| std::ptr::eq(old, *new));
    if all_exist && same && changes.is_empty() {
        return row;
    }
    let mut new = *row;
    if !(all_exist && same) {
        let subcommands: Vec<Command<S>> = subcommands.into_iter().copied().collect();
        new.subcommands = subcommands.leak();
    }
    for change in changes {
        change.apply(&mut new);
    }
    Box::leak(Box::new(new))
}

impl<S> Table<S> {
    /// Returns the table of the commands in these groups that a version has and that are selected
    /// by their names.
    pub(crate) fn new(
        groups: &[&'static [Command<S>]],
        version: Version,
        has: fn(&str) -> bool,
    ) -> Table<S> {
        let selected = |row: &&Command<S>| row.versions.has(version) && has(row.name);
        let rows = groups.iter().copied().flatten().filter(selected);
        let amendments = amendments_of(version);
        let rows: Vec<_> = rows.map(|row| amended(row, version, &amendments)).collect();
        let mut by_shape = vec![None; SHAPES];
        for command in &rows {
            by_shape[shape(command.name.as_bytes())].get_or_insert(*command);
        }
        let by_name: IndexMap<_, _, _> =
            rows.iter().map(|command| (command.name.as_bytes(), *command)).collect();
        debug_assert_eq!(by_name.len(), rows.len(), "each command has one row");
        Table { profile: version.profile(), by_name, by_shape }
    }

    /// Returns the command of this name, ignoring case.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&'static Command<S>> {
        if let Some(command) = self.by_shape[shape(name)]
            && command.name.as_bytes().eq_ignore_ascii_case(name)
        {
            return Some(command);
        }
        let mut lower = [0; LONGEST];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.by_name.get(&*lower).copied()
    }

    /// Returns the command or subcommand that a request calls, or the error that Redis answers if
    /// there is none.
    pub(crate) fn resolve(&self, args: Args<'_>) -> Result<&'static Command<S>, CommandError> {
        let Some(command) = self.get(args[0]) else { return Err(self.unknown_command(args)) };
        let found = match args.get(1) {
            Some(name) if !command.subcommands.is_empty() => {
                command.subcommand(name).ok_or_else(|| unknown_subcommand(args))?
            }
            Some(_) | None => command,
        };
        if !found.accepts(args.len()) {
            return Err(found.arity_error());
        }
        Ok(found)
    }

    /// Returns the command or subcommand that a request names, whatever its arguments.
    pub(crate) fn named(&self, args: Args<'_>) -> Option<&'static Command<S>> {
        let command = self.get(args[0])?;
        match args.get(1).filter(|_| !command.subcommands.is_empty()) {
            Some(name) => command.subcommand(name),
            None => Some(command),
        }
    }

    /// The facts of the version.
    pub(crate) fn profile(&self) -> &'static Profile {
        self.profile
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Command<S>> {
        self.by_name.values().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Redis shows up to 128 characters of the arguments.
    fn unknown_command(&self, args: Args<'_>) -> CommandError {
        let mut shown = String::new();
        for arg in &args[1..] {
            if shown.len() >= 128 {
                break;
            }
            let room = 128 - shown.len();
            shown.push_str(&format!("'{}' ", preview(arg, room)));
        }
        let name = preview(args[0], 128);
        if shown.is_empty() && self.profile.texts.unknown_command_has_no_tail {
            return CommandError::format(format!("ERR unknown command '{name}'"));
        }
        let tail = format!(", with args beginning with: {shown}");
        CommandError::format(format!("ERR unknown command '{name}'{tail}"))
    }
}

/// Returns the first bytes of a word as text for an error; a NUL ends it.
fn preview(word: &[u8], most: usize) -> String {
    let word = word.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(&word[..word.len().min(most)]).into_owned()
}

fn unknown_subcommand(args: Args<'_>) -> CommandError {
    let name = preview(args[1], 128);
    let container = preview(args[0], 128).to_uppercase();
    CommandError::format(format!("ERR unknown subcommand '{name}'. Try {container} HELP."))
}

/// Returns the error of a subcommand with wrong options, or with too many.
pub(crate) fn wrong_subcommand(args: Args<'_>, container: &str) -> CommandError {
    CommandError::format(format!(
        "ERR unknown subcommand or wrong number of arguments for '{}'. Try {container} HELP.",
        preview(args[1], 128)
    ))
}
