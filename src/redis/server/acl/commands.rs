//! The commands that a selector allows, and the rules that describe them.
//!
//! Rules change a set of commands. Until Redis 7.0 nobody remembers the rules: what `ACL LIST`
//! prints is computed from the set. It begins with all commands or with none, continues with the
//! categories that bring it nearest, and ends with single commands. Later versions keep the rules.
//!
//! Source: `acl.c` (`ACLDescribeSelectorCommandRules`, `ACLUpdateCommandRules`).

use super::catalogue::{Catalogue, catalogue};
use crate::redis::command::describe::CATEGORIES;
use crate::redis::value::Sds;
use crate::redis::version::{Access, Version};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// A set of commands.
#[derive(Clone, Debug)]
pub(super) struct Commands {
    /// Whose commands they are.
    version: Version,
    /// For each number of the catalogue, whether the command is allowed. Empty as long as the set
    /// is as it began, so that a server without restricted users needs no catalogue.
    allowed: Vec<bool>,
    /// The set began with all commands, and so has those of modules that are loaded later.
    future: bool,
    /// Nothing was removed since all commands were allowed.
    pub(super) all: bool,
    /// First arguments with which commands are allowed that are not in the set.
    first_arguments: IndexMap<usize, Vec<Sds>, FxBuildHasher>,
    /// The rules since all commands, or none, were allowed, in versions that keep them.
    rules: Vec<Rule>,
}

/// A rule that was given: the name of a command or a category in lower case, and its sign.
#[derive(Clone, Debug)]
struct Rule {
    allow: bool,
    name: Sds,
}

impl Commands {
    /// Returns the set of no commands, or of all.
    pub(super) fn of(version: Version, all: bool) -> Commands {
        let (allowed, first_arguments) = (Vec::new(), IndexMap::default());
        Commands { version, allowed, future: all, all, first_arguments, rules: Vec::new() }
    }

    /// Returns what its version has of access control.
    pub(super) fn access(&self) -> &'static Access {
        &self.version.profile().access
    }

    /// Keeps a rule that was given. It replaces the former one of the same name, and those of the
    /// command's subcommands.
    pub(super) fn keep_rule(&mut self, name: &[u8], allow: bool) {
        if !self.access().rules_are_kept {
            return;
        }
        let name = name.to_ascii_lowercase();
        let is_replaced = |known: &Rule| {
            let rest = known.name.strip_prefix(name.as_slice());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"|"))
        };
        self.rules.retain(|known| !is_replaced(known));
        self.rules.push(Rule { allow, name: Sds::new(&name) });
    }

    /// Returns the set of no commands of the same version, or of all.
    pub(super) fn anew(&self, all: bool) -> Commands {
        Commands::of(self.version, all)
    }

    pub(super) fn catalogue(&self) -> &'static Catalogue {
        catalogue(self.version)
    }

    pub(super) fn has(&self, number: usize) -> bool {
        self.allowed.get(number).copied().unwrap_or(self.future)
    }

    /// Returns the first arguments with which a command is allowed.
    pub(super) fn first_arguments(&self, number: usize) -> &[Sds] {
        self.first_arguments.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Allows or forbids a command with its subcommands.
    pub(super) fn set(&mut self, number: usize, allow: bool) {
        self.first_arguments.shift_remove(&number);
        if self.allowed.is_empty() {
            self.allowed = vec![self.future; self.catalogue().len()];
        }
        let family = self.catalogue().family(number);
        self.allowed[family].fill(allow);
        self.all &= allow;
    }

    /// Allows or forbids the commands of some categories.
    pub(super) fn set_categories(&mut self, categories: u32, allow: bool) {
        for (number, entry) in self.catalogue().iter() {
            if entry.categories & categories != 0 {
                self.set(number, allow);
            }
        }
    }

    /// Allows a command with this first argument.
    pub(super) fn allow_first_argument(&mut self, number: usize, argument: &[u8]) {
        let known = self.first_arguments.entry(number).or_default();
        if !known.iter().any(|other| other.eq_ignore_ascii_case(argument)) {
            known.push(Sds::new(argument));
        }
    }

    /// Number of commands of a category that are in the set, and that are not.
    fn count(&self, category: u32) -> (usize, usize) {
        let of_category =
            self.catalogue().iter().filter(|(_, entry)| entry.categories & category != 0);
        of_category.fold(
            (0, 0),
            |(on, off), (number, _)| {
                if self.has(number) { (on + 1, off) } else { (on, off + 1) }
            },
        )
    }

    /// Returns the category that brings the set nearest: it has more commands in common with the
    /// set than others, the fewest others, and then the most in common.
    fn best_category(&self, applied: u32, additive: bool) -> Option<usize> {
        let mut best: Option<(usize, usize, usize)> = None;
        for at in (0..CATEGORIES.len()).filter(|at| applied & 1 << at == 0) {
            let (on, off) = self.count(1 << at);
            let (same, different) = if additive { (on, off) } else { (off, on) };
            let better = best.is_none_or(|(_, most, least)| {
                different < least || (different == least && same > most)
            });
            if same > different && better {
                best = Some((at, same, different));
            }
        }
        best.map(|(at, ..)| at)
    }

    /// Returns rules that make this set.
    pub(super) fn describe(&self) -> Vec<u8> {
        if !self.access().rules_are_kept {
            return self.computed_rules();
        }
        let mut rules = if self.future { "+@all" } else { "-@all" }.as_bytes().to_vec();
        for rule in &self.rules {
            rules.extend_from_slice(if rule.allow { b" +" } else { b" -" });
            rules.extend_from_slice(&rule.name);
        }
        rules
    }

    fn computed_rules(&self) -> Vec<u8> {
        let additive = !self.future;
        let (mut made, mut left) = (self.anew(self.future), self.clone());
        let sign = if additive { "+" } else { "-" };
        let mut rules = if additive { "-@all" } else { "+@all" }.as_bytes().to_vec();
        let mut applied = 0;
        while let Some(best) = left.best_category(applied, additive) {
            made.set_categories(1 << best, additive);
            left.set_categories(1 << best, !additive);
            rules.extend_from_slice(format!(" {sign}@{}", CATEGORIES[best]).as_bytes());
            applied |= 1 << best;
        }
        for (number, entry) in self.catalogue().iter() {
            let name = entry.row.name;
            let allowed = self.has(number);
            if allowed != made.has(number) {
                let sign = if allowed { "+" } else { "-" };
                rules.extend_from_slice(format!(" {sign}{name}").as_bytes());
                made.set(number, allowed);
            }
            for argument in self.first_arguments(number).iter().filter(|_| !allowed) {
                rules.extend_from_slice(format!(" +{name}|").as_bytes());
                rules.extend_from_slice(argument);
            }
        }
        rules
    }
}
