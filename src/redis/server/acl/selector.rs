//! A selector: commands together with the keys and channels with which they may be used.
//!
//! Source: `acl.c` (`ACLSetSelector`, `ACLDescribeSelector`).

use super::catalogue::category;
use super::commands::Commands;
use super::databases::Databases;
use super::rule_error::RuleError;
use crate::redis::command::arguments::is;
use crate::redis::database::glob;
use crate::redis::value::Sds;
use crate::redis::value::number::is_space;
use crate::redis::version::Version;

/// What rules stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    /// `acl-pubsub-default`: a new user may use all channels.
    pub(crate) all_channels: bool,
    /// Whose commands the rules name.
    pub(crate) version: Version,
}

/// What may be done with a key, as bits.
pub(crate) const READ: u8 = 1;
pub(crate) const WRITE: u8 = 2;

/// Keys, and what may be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyPattern {
    may: u8,
    pattern: Sds,
}

impl KeyPattern {
    fn describe(&self, text: &mut Vec<u8>) {
        let prefix: &[u8] = match self.may {
            READ => b"%R~",
            WRITE => b"%W~",
            _ => b"~",
        };
        text.extend_from_slice(prefix);
        text.extend_from_slice(&self.pattern);
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Selector {
    pub(super) commands: Commands,
    pub(super) all_keys: bool,
    pub(super) all_channels: bool,
    keys: Vec<KeyPattern>,
    pub(super) channels: Vec<Sds>,
    pub(super) databases: Databases,
}

/// Returns whether a name or pattern has spaces or NULs, which no rule may have.
pub(crate) fn has_spaces(text: &[u8]) -> bool {
    text.iter().any(|byte| is_space(*byte) || *byte == 0)
}

impl Selector {
    pub(super) fn new(basis: Basis) -> Selector {
        Selector {
            commands: Commands::of(basis.version, false),
            all_keys: false,
            all_channels: basis.all_channels,
            keys: Vec::new(),
            channels: Vec::new(),
            databases: Databases::All,
        }
    }

    /// Applies a rule, which is not empty.
    pub(super) fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        // Words are compared as C's strings are.
        let word = rule.split(|byte| *byte == 0).next().unwrap_or_default();
        if is(word, "allkeys") || word == b"~*" {
            self.all_keys = true;
            self.keys.clear();
        } else if is(word, "resetkeys") {
            self.all_keys = false;
            self.keys.clear();
        } else if is(word, "allchannels") || word == b"&*" {
            self.all_channels = true;
            self.channels.clear();
        } else if is(word, "resetchannels") {
            self.all_channels = false;
            self.channels.clear();
        } else if is(word, "allcommands") || is(word, "+@all") {
            self.commands = self.commands.anew(true);
        } else if is(word, "nocommands") || is(word, "-@all") {
            self.commands = self.commands.anew(false);
        } else if let Some(databases) = self.databases_of_rule(word) {
            self.databases = databases?;
        } else {
            match rule[0] {
                b'~' | b'%' => self.add_keys(rule)?,
                b'&' => self.add_channels(&rule[1..])?,
                b'+' | b'-' => self.change_commands(word)?,
                _ => return Err(RuleError::Syntax),
            }
        }
        Ok(())
    }

    /// Returns the databases that a rule allows, or `None` if it is not about databases.
    fn databases_of_rule(&self, word: &[u8]) -> Option<Result<Databases, RuleError>> {
        if self.commands.access().databases { Databases::of_rule(word) } else { None }
    }

    /// `~pattern`, `%R~pattern`, `%W~pattern` or `%RW~pattern`.
    fn add_keys(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AllKeys);
        }
        let (may, pattern) = match rule {
            [b'~', pattern @ ..] => (READ | WRITE, pattern),
            _ => {
                let end = rule.iter().position(|byte| *byte == b'~').unwrap_or(rule.len());
                let mut may = 0;
                for letter in &rule[1..end] {
                    let one = match letter.to_ascii_uppercase() {
                        b'R' => READ,
                        b'W' => WRITE,
                        _ => 0,
                    };
                    if one == 0 || may & one != 0 {
                        return Err(RuleError::Syntax);
                    }
                    may |= one;
                }
                (may, rule.get(end + 1..).unwrap_or_default())
            }
        };
        if may == 0 || has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => known.may |= may,
            None => self.keys.push(KeyPattern { may, pattern: Sds::new(pattern) }),
        }
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AllChannels);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| **known == *pattern) {
            self.channels.push(Sds::new(pattern));
        }
        Ok(())
    }

    /// `+command`, `-command`, `+@category`, `-@category`, or `+command|argument`.
    fn change_commands(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        let (allow, name) = (rule[0] == b'+', &rule[1..]);
        if let [b'@', name @ ..] = name {
            let category = category(name).ok_or(RuleError::UnknownCommand)?;
            self.commands.set_categories(category, allow);
            self.commands.keep_rule(&rule[1..], allow);
            return Ok(());
        }
        let catalogue = self.commands.catalogue();
        let found = catalogue.find(name);
        let bar = name.iter().rposition(|byte| *byte == b'|').filter(|_| allow);
        let Some(bar) = bar else {
            let (number, _) = found.ok_or(RuleError::UnknownCommand)?;
            self.commands.set(number, allow);
            self.commands.keep_rule(name, allow);
            return Ok(());
        };
        let argument = &name[bar + 1..];
        let (number, command) = catalogue.find(&name[..bar]).ok_or(RuleError::UnknownCommand)?;
        if command.name.contains('|') {
            return Err(RuleError::FirstArgument);
        }
        if argument.is_empty() {
            return Err(RuleError::Syntax);
        }
        if command.subcommands.is_empty() {
            self.commands.allow_first_argument(number, argument);
        } else {
            let (number, _) = found.ok_or(RuleError::UnknownCommand)?;
            self.commands.set(number, true);
        }
        self.commands.keep_rule(name, allow);
        Ok(())
    }

    /// Returns whether this may be done with a key.
    pub(super) fn may_use_key(&self, key: &[u8], may: u8) -> bool {
        let fits = |known: &KeyPattern| {
            known.may & may == may && glob::matches(&known.pattern, key, false)
        };
        self.all_keys || self.keys.iter().any(fits)
    }

    /// Returns whether this may be done with every key.
    pub(super) fn may_use_every_key(&self, may: u8) -> bool {
        let fits = |known: &KeyPattern| known.may & may == may && *known.pattern == *b"*";
        self.all_keys || self.keys.iter().any(fits)
    }

    /// Returns the rules for commands, separated by spaces.
    pub(crate) fn describe_commands(&self) -> Vec<u8> {
        self.commands.describe()
    }

    /// Returns the rules for keys, separated by spaces.
    pub(crate) fn describe_keys(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if self.all_keys {
            text.extend_from_slice(b"~*");
        }
        for (at, pattern) in self.keys.iter().enumerate() {
            if at > 0 {
                text.push(b' ');
            }
            pattern.describe(&mut text);
        }
        text
    }

    /// Returns the rules for channels, separated by spaces.
    pub(crate) fn describe_channels(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let patterns: Vec<Vec<u8>> =
            self.channels.iter().map(|pattern| [b"&", &pattern[..]].concat()).collect();
        patterns.join(&b' ')
    }

    /// Returns the rule for databases, empty for none of them. `None` in versions without.
    pub(crate) fn describe_databases(&self) -> Option<String> {
        self.commands.access().databases.then(|| self.databases.describe())
    }

    /// Returns all rules.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut text = self.describe_keys();
        if !text.is_empty() {
            text.push(b' ');
        }
        if !self.all_channels {
            text.extend_from_slice(b"resetchannels ");
        }
        let channels = self.describe_channels();
        if !channels.is_empty() {
            text.extend_from_slice(&channels);
            text.push(b' ');
        }
        match &self.databases {
            Databases::All => {}
            Databases::Some(numbers) if numbers.is_empty() => text.extend_from_slice(b"resetdbs "),
            some @ Databases::Some(_) => {
                text.extend_from_slice(format!("{} ", some.describe()).as_bytes());
            }
        }
        text.extend_from_slice(&self.commands.describe());
        text
    }
}

/// Returns whether a channel, or a pattern of channels, is among the patterns. A pattern must be
/// one of them as it is.
pub(crate) fn is_among(patterns: &[Sds], channel: &[u8], is_pattern: bool) -> bool {
    patterns.iter().any(|pattern| {
        if is_pattern { **pattern == *channel } else { glob::matches(pattern, channel, false) }
    })
}
