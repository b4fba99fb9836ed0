//! The file of users (`aclfile`): lines as those of `ACL LIST`. All of them are loaded, or none.
//!
//! Source: `acl.c` (`ACLLoadFromFile`, `ACLSaveToFile`).

use super::rule_error::RuleError;
use super::selector::{Basis, has_spaces};
use super::user::{User, merge};
use crate::redis::value::Sds;
use std::collections::BTreeMap;

/// The file, as it is on the server's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AclFile {
    pub(crate) path: String,
    pub(crate) text: Sds,
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// Returns a line without the spaces around it.
fn trimmed<'a>(text: &'a [u8], spaces: &[u8]) -> &'a [u8] {
    let begin = text.iter().position(|b| !spaces.contains(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !spaces.contains(b)).map_or(begin, |last| last + 1);
    &text[begin..end]
}

impl AclFile {
    /// Returns the users of the file. `basis` is `acl-pubsub-default`.
    ///
    /// # Errors
    ///
    /// The text of all errors in the lines.
    pub(super) fn users(&self, basis: Basis) -> Result<BTreeMap<Sds, User>, String> {
        let (mut users, mut errors) = (BTreeMap::new(), String::new());
        for (at, line) in self.text.split(|byte| *byte == b'\n').enumerate() {
            let line = trimmed(line, b" \t\r\n");
            if !line.is_empty() {
                self.read_line(line, at + 1, basis, &mut users, &mut errors);
            }
        }
        if errors.is_empty() {
            return Ok(users);
        }
        Err(errors
            + "WARNING: ACL errors detected, no change to the previously active ACL rules was \
               performed")
    }

    fn read_line(
        &self,
        line: &[u8],
        number: usize,
        basis: Basis,
        users: &mut BTreeMap<Sds, User>,
        errors: &mut String,
    ) {
        let place = format!("{}:{number}", self.path);
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let [b"user", name, rules @ ..] = words.as_slice() else {
            *errors +=
                &format!("{place} should start with user keyword followed by the username. ");
            return;
        };
        if has_spaces(name) {
            let name = shown(name);
            *errors += &format!("'{place}: username '{name}' contains invalid characters. ");
            return;
        }
        if users.contains_key(*name) {
            let name = shown(name);
            *errors += &format!("WARNING: Duplicate user '{name}' found on line {number}. ");
            return;
        }
        let mut user = User::new(basis);
        match merge(rules) {
            Ok(rules) => apply(&mut user, &rules, basis, &place, errors),
            Err(_) => *errors += &format!("{place}: Unmatched parenthesis in selector definition."),
        }
        users.insert(Sds::new(name), user);
    }
}

/// Applies the rules of a line. Of the errors, all unknown commands are told, and one other.
fn apply(user: &mut User, rules: &[Vec<u8>], basis: Basis, place: &str, errors: &mut String) {
    let mut told = false;
    for rule in rules {
        let rule = trimmed(rule, b"\t\r\n");
        match user.apply(rule, basis) {
            Ok(()) => {}
            Err(why @ RuleError::UnknownCommand) => {
                let (rule, why) = (shown(rule), why.text());
                *errors += &format!("{place}: Error in applying operation '{rule}': {why}. ");
            }
            Err(_) if told => {}
            Err(why) => {
                told = true;
                *errors += &format!("{place}: {}. ", why.text());
            }
        }
    }
}
