//! The facts of a version's profile as paths and values, for the tests that ask whether every fact
//! in which versions differ is told of.
//!
//! They are read from the profile's `Debug` text, so that a new fact cannot be left out.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// Returns the facts by their paths, such as `quorum.priorities`.
pub(crate) fn facts_of(profile: &impl Debug) -> BTreeMap<String, String> {
    let mut path: Vec<String> = Vec::new();
    let mut facts = BTreeMap::new();
    for line in format!("{profile:#?}").lines() {
        let depth = (line.len() - line.trim_start().len()) / 4;
        let Some(depth) = depth.checked_sub(1) else { continue };
        path.truncate(depth);
        let value = match line.trim().split_once(": ") {
            Some((name, value)) if name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                path.push(name.to_owned());
                value
            }
            _ => line.trim(),
        };
        if !path.is_empty() {
            facts.entry(path.join(".")).or_insert_with(String::new).push_str(value);
        }
    }
    facts
}
