//! A user: whether and with which passwords one may log in, and selectors. The first selector, the
//! root, has the rules outside of parentheses.
//!
//! Source: `acl.c` (`ACLSetUser`, `ACLDescribeUser`).

use super::databases::Databases;
use super::rule_error::RuleError;
use super::selector::{Basis, Selector};
use crate::redis::command::arguments::is;
use crate::redis::database::sha256::sha256_hex;
use crate::redis::resp::inline;
use crate::redis::value::Sds;
use crate::redis::version::{Sanitizing, Version};

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) enabled: bool,
    pub(crate) any_password: bool,
    /// Whether `RESTORE` checks what the user sends, if a rule has said so.
    sanitize: Option<bool>,
    /// Digests, as 64 hexadecimal digits.
    pub(crate) passwords: Vec<Sds>,
    pub(super) root: Selector,
    pub(super) others: Vec<Selector>,
}

/// A digest in the form of a rule.
fn digest(text: &[u8]) -> Result<Sds, RuleError> {
    let valid = text.len() == 64 && text.iter().all(|b| matches!(b, b'a'..=b'f' | b'0'..=b'9'));
    if valid { Ok(Sds::new(text)) } else { Err(RuleError::Hash) }
}

impl User {
    /// Returns a new user, who may do nothing.
    pub(super) fn new(basis: Basis) -> User {
        User {
            enabled: false,
            any_password: false,
            sanitize: None,
            passwords: Vec::new(),
            root: Selector::new(basis),
            others: Vec::new(),
        }
    }

    /// Returns the default user as a server starts with it.
    pub(super) fn default_user(version: Version) -> User {
        let basis = Basis { all_channels: true, version };
        let mut user = User::new(basis);
        for rule in ["+@all", "~*", "on", "nopass"] {
            let applied = user.apply(rule.as_bytes(), basis);
            debug_assert_eq!(applied, Ok(()), "the rule is valid");
        }
        user
    }

    pub(crate) fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.others)
    }

    /// Returns whether the user may do everything.
    pub(super) fn is_unrestricted(&self) -> bool {
        self.selectors().any(|s| {
            s.commands.all && s.all_keys && s.all_channels && s.databases == Databases::All
        })
    }

    /// Returns whether the password is one of the user's.
    pub(crate) fn accepts(&self, password: &[u8]) -> bool {
        let known = || self.passwords.contains(&Sds::from(sha256_hex(password)));
        self.enabled && (self.any_password || known())
    }

    /// Replaces all passwords by one, or by any.
    pub(super) fn set_password(&mut self, password: Option<&[u8]>) {
        self.passwords = password.map(|p| Sds::from(sha256_hex(p))).into_iter().collect();
        self.any_password = password.is_none();
    }

    /// Applies a rule.
    pub(super) fn apply(&mut self, rule: &[u8], basis: Basis) -> Result<(), RuleError> {
        let word = rule.split(|byte| *byte == 0).next().unwrap_or_default();
        if rule.is_empty() {
            return Ok(());
        }
        if is(word, "on") || is(word, "off") {
            self.enabled = is(word, "on");
        } else if is(word, "skip-sanitize-payload") || is(word, "sanitize-payload") {
            self.sanitize = Some(is(word, "sanitize-payload"));
        } else if is(word, "nopass") || is(word, "resetpass") {
            self.any_password = is(word, "nopass");
            self.passwords.clear();
        } else if is(word, "clearselectors") {
            self.others.clear();
        } else if is(word, "reset") {
            *self = User { sanitize: Some(true), ..User::new(basis) };
        } else {
            match rule {
                [b'>', password @ ..] => self.add_password(sha256_hex(password).into()),
                [b'#', hash @ ..] => self.add_password(digest(hash)?),
                [b'<', password @ ..] => self.remove_password(&sha256_hex(password).into())?,
                [b'!', hash @ ..] => self.remove_password(&digest(hash)?)?,
                [b'(', rules @ .., b')'] => self.others.push(selector(rules, basis)?),
                _ => self.root.apply(rule)?,
            }
        }
        Ok(())
    }

    fn add_password(&mut self, hash: Sds) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.any_password = false;
    }

    fn remove_password(&mut self, hash: &Sds) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| known == hash);
        self.passwords.remove(at.ok_or(RuleError::UnknownPassword)?);
        Ok(())
    }

    /// The user's flags, in the order in which they are listed.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &'static str> {
        let sanitize = match self.root.commands.access().sanitizing {
            Sanitizing::WhenSaid => self.sanitize,
            Sanitizing::Always => self.sanitize.or(Some(true)),
            Sanitizing::Hidden => None,
        };
        let flags = [
            Some(if self.enabled { "on" } else { "off" }),
            self.any_password.then_some("nopass"),
            sanitize.map(|yes| if yes { "sanitize-payload" } else { "skip-sanitize-payload" }),
        ];
        flags.into_iter().flatten()
    }

    /// Returns rules that make this user.
    pub(crate) fn describe(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for flag in self.flags() {
            text.extend_from_slice(flag.as_bytes());
            text.push(b' ');
        }
        for password in &self.passwords {
            text.push(b'#');
            text.extend_from_slice(password);
            text.push(b' ');
        }
        text.extend(self.root.describe());
        for selector in &self.others {
            text.extend_from_slice(b" (");
            text.extend(selector.describe());
            text.push(b')');
        }
        text
    }
}

/// Returns the selector of the rules within parentheses. As in Redis, quotes that are not closed
/// make a selector without rules.
fn selector(rules: &[u8], basis: Basis) -> Result<Selector, RuleError> {
    let mut selector = Selector::new(basis);
    let rules = rules.split(|byte| *byte == 0).next().unwrap_or_default();
    let as_typed = basis.version.profile().requests.inline;
    let (mut bytes, mut ranges) = (Vec::new(), Vec::new());
    if inline::split(rules, as_typed, &mut bytes, &mut ranges) {
        for range in ranges {
            let rule = &bytes[range];
            // Unlike outside of parentheses, an empty rule is none that exists.
            if rule.is_empty() {
                return Err(RuleError::Syntax);
            }
            selector.apply(rule)?;
        }
    }
    Ok(selector)
}

/// Joins the arguments of selectors that are spread over several. Returns the argument that begins
/// a selector without end as an error.
pub(super) fn merge(rules: &[&[u8]]) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for rule in rules {
        if rule.starts_with(b"(") && !rule.ends_with(b")") {
            open = Some((rule, rule.to_vec()));
        } else if let Some((_, text)) = &mut open {
            text.push(b' ');
            text.extend(rule.split(|byte| *byte == 0).next().unwrap_or_default());
            if rule.ends_with(b")") {
                merged.extend(open.take().map(|(_, text)| text));
            }
        } else {
            merged.push(rule.to_vec());
        }
    }
    match open {
        Some((begin, _)) => Err(begin.to_vec()),
        None => Ok(merged),
    }
}
