//! What an upgrade changes, in words: a sentence for each fact in which a version differs from the
//! one from which it descends.
//!
//! Invariant: a sentence belongs to a fact of the profiles, or to a set of versions that a row of
//! the command table names, so whoever changes the fact changes the lists. Which commands are new,
//! the table of commands knows.
//!
//! Source: each was observed on the real servers of these versions.

mod sentences;

use super::{Profile, Version};
use sentences::FACTS;

/// A fact of a profile that users notice.
struct Fact {
    holds: fn(&Profile) -> bool,
    /// The news where it begins to hold.
    begins: &'static str,
    /// The news where it no longer holds. Empty if it still holds wherever it was inherited.
    ends: &'static str,
}

impl Fact {
    /// Returns the sentence about what changes from a version to another one. It is empty if the
    /// fact ends there, and no version that descends from another has ended it.
    fn news(&self, from: Version, to: Version) -> Option<&'static str> {
        match ((self.holds)(from.profile()), (self.holds)(to.profile())) {
            (false, true) => Some(self.begins),
            (true, false) => Some(self.ends),
            (true, true) | (false, false) => None,
        }
    }
}

impl Version {
    /// The version here from which this one descends, `None` of the first. Valkey goes on from
    /// Redis 7.2.
    #[must_use]
    pub const fn before(self) -> Option<Version> {
        match self {
            Version::Redis7_0 => None,
            Version::Redis7_2 => Some(Version::Redis7_0),
            Version::Redis7_4 | Version::Valkey8_0 => Some(Version::Redis7_2),
            Version::Redis8_0 => Some(Version::Redis7_4),
            Version::Redis8_2 => Some(Version::Redis8_0),
            Version::Redis8_6 => Some(Version::Redis8_2),
            Version::Valkey8_1 => Some(Version::Valkey8_0),
            Version::Valkey9_1 => Some(Version::Valkey8_1),
        }
    }

    /// The changes that applications meet with an upgrade to this version from the one
    /// [before](Version::before) it, a sentence or two for each, the most surprising first. What
    /// only adds commands is in [`Version::new_commands`].
    ///
    /// ```
    /// use stunt_double::redis::Version;
    ///
    /// assert!(Version::Redis7_0.changes().is_empty());
    /// assert!(Version::Redis7_2.changes()[0].starts_with("A blocked client"));
    /// ```
    #[must_use]
    pub fn changes(self) -> Vec<&'static str> {
        let Some(before) = self.before() else { return Vec::new() };
        FACTS.iter().filter_map(|fact| fact.news(before, self)).collect()
    }

    /// The changes that applications meet with a move to this version from another one: an
    /// upgrade, a downgrade, or a change of product. This compares the two versions, so a change
    /// that a later version took back is not among them. A sentence begins with `No longer:` if it
    /// is about something that only the other version does.
    ///
    /// ```
    /// use stunt_double::redis::Version;
    ///
    /// let changes = Version::Valkey9_1.changes_since(Version::Redis7_4);
    /// assert!(changes.iter().any(|change| change.contains("server_mode")));
    /// // Commands that are gone are those that the older version has in addition.
    /// assert!(Version::Valkey8_1.new_commands_since(Version::Redis7_2).contains(&"commandlog"));
    /// assert!(Version::Redis7_4.new_commands_since(Version::Valkey8_1).contains(&"hexpire"));
    /// ```
    #[must_use]
    pub fn changes_since(self, other: Version) -> Vec<String> {
        let sentence = |fact: &Fact| match fact.news(other, self)? {
            "" => Some(format!("No longer: {}", fact.begins)),
            news => Some(news.to_owned()),
        };
        FACTS.iter().filter_map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unknown_version::facts_of;

    /// What nobody meets with an upgrade, what is the upgrade itself, and what belongs to a fact
    /// that is told.
    const UNTOLD: &[&str] = &[
        // Names and numbers of the product.
        "version",
        "product",
        "memory.at_start",
        "memory.allocator",
        "memory.resident",
        "memory.system",
        "memory.scripts",
        "memory.functions",
        "memory.tables",
        // Between masters and replicas.
        "selects_in_multi",
        "rewrites",
        // Part of new commands and options.
        "comparisons.join_conditions",
        "comparisons.count_hits",
        "comparisons.msetex_counts_pairs",
        "fields.latest",
        "fields.past_expires",
        "fields.due_are_gone",
        "fields.mark_digest",
        "fields.getex_reads",
        "fields.persisted_are_changes",
        "fields.ended_are_sent_together",
        "fields.sets_are_sent_bare",
        "fields.float_keeps_deadline",
        // Too small.
        "clock_wraps_exactly",
        "messages_close_leavers",
        "requests.nul_hides_count",
        "tables.empty_are_silent",
        "texts.arguments_have_display",
        "texts.help_is_imperative",
        "texts.client_has_own_buffer",
        "lua.set_repl_requires_one",
    ];

    /// A fact is told of if a sentence asks for it by its name.
    #[test]
    fn every_fact_that_changes_is_told_of() {
        let sentences = include_str!("changes/sentences.rs");
        let is_untold = |fact: &str| {
            let of = |untold: &&str| {
                fact == *untold
                    || fact.strip_prefix(untold).is_some_and(|rest| rest.starts_with('.'))
            };
            UNTOLD.iter().any(of)
        };
        let mut missing = Vec::new();
        for &version in Version::ALL {
            let Some(before) = version.before() else { continue };
            let (before, after) = (facts_of(before.profile()), facts_of(version.profile()));
            assert!(after.contains_key("lua.has_clock") && after.contains_key("event_classes"));
            let changed = after.iter().filter(|(fact, value)| before.get(*fact) != Some(*value));
            let is_named = |path: &str| sentences.contains(&format!("p.{path}"));
            let is_told = |fact: &str| {
                let of_a_group = fact.match_indices('.').nth(1).map(|(end, _)| &fact[..end]);
                is_named(fact) || of_a_group.is_some_and(is_named)
            };
            let missed = changed.filter(|(fact, _)| !is_told(fact) && !is_untold(fact));
            missing.extend(missed.map(|(fact, _)| format!("{fact} changes with {version}")));
        }
        assert!(missing.is_empty(), "say so: {missing:#?}");
    }
}
