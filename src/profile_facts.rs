//! The facts of a version's profile as paths and values, for the tests that ask whether every fact
//! in which versions differ is told of.
//!
//! They are read from the profile's `Debug` text, so that a new fact cannot be left out.

use crate::version_changes::{Changing, Fact};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// Checks that each fact in which a version differs from the one before it is told of, or is one of
/// those that are left untold, never both. `sentences` is the source of the table, in which a fact
/// that is told of stands as `p.path`. Facts within a group are told of by its name.
pub(crate) fn check_told<V: Changing<Profile: Debug>>(
    versions: &[V],
    sentences: &str,
    untold: &[&str],
    groups: &[&str],
) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let named: BTreeSet<&str> = sentences.split(|c| !is_word(c)).collect();
    let is_named = |path: &str| {
        let path = format!("p.{path}");
        let within = |word: &&str| {
            word.strip_prefix(&*path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        named.iter().any(within)
    };
    let mut changed = BTreeSet::new();
    for version in versions {
        let Some(before) = version.ancestor() else { continue };
        let (before, after) = (facts_of(before.facts()), facts_of(version.facts()));
        assert!(after.len() > 50, "the facts are read");
        let differ = after.into_iter().filter(|(fact, value)| before.get(fact) != Some(value));
        changed.extend(differ.map(|(fact, _)| fact));
    }
    let is_wrong = |fact: &&String| {
        let group = groups.iter().find(|group| fact.starts_with(**group));
        is_named(group.unwrap_or(&fact.as_str())) == untold.contains(&fact.as_str())
    };
    let mut wrong: Vec<&str> = changed.iter().filter(is_wrong).map(String::as_str).collect();
    wrong.extend(untold.iter().filter(|fact| !changed.contains(**fact)));
    assert!(wrong.is_empty(), "these are not told of, or not without reason: {wrong:#?}");
}

/// Checks that no sentence is about a fact that all versions share.
pub(crate) fn check_news<V: Changing>(versions: &[V], facts: &[Fact<V::Profile>]) {
    for fact in facts {
        let holds = |version: &V| (fact.holds)(version.facts());
        let is_news = versions.iter().any(holds) && !versions.iter().all(holds);
        assert!(is_news, "{}{}", fact.begins, fact.ends);
        let ends_untold = |version: &V| {
            let before = version.ancestor();
            fact.ends.is_empty() && !holds(version) && before.is_some_and(|before| holds(&before))
        };
        assert!(!versions.iter().any(ends_untold), "it ends: {}", fact.begins);
    }
}

/// Returns the facts by their paths, such as `quorum.priorities`.
fn facts_of(profile: &impl Debug) -> BTreeMap<String, String> {
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
