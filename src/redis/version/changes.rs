//! The changes that an upgrade brings, in words: a sentence for each fact in which a version
//! differs from the one from which it descends.
//!
//! Invariant: a sentence belongs to a fact of the profiles, or to a set of versions that a row of
//! the command table names, so whoever changes the fact changes the lists. Which commands are new,
//! the table of commands knows.
//!
//! Source: each was observed on the real servers of these versions.

mod sentences;

use super::{Profile, Version};
use crate::version_changes::{self, Changing};
use sentences::FACTS;

impl Changing for Version {
    type Profile = Profile;

    fn facts(self) -> &'static Profile {
        self.profile()
    }

    fn ancestor(self) -> Option<Version> {
        self.before()
    }

    fn short_title(self) -> String {
        let name = self.name();
        let number = name.split_once('-').map_or(name, |(_, number)| number);
        format!("{} {number}", self.profile().product.title)
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
        version_changes::latest(FACTS, self)
    }

    /// The changes that applications meet with a move to this version from another one: an
    /// upgrade, a downgrade, or a change of product. This compares the two versions, so a change
    /// that a later version took back is not among them. A fact of only the other version is told
    /// with the sentence of the version that brought it: `As before Redis 7.4, which brought: "…"`.
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
        version_changes::between(FACTS, other, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile_facts::{check_news, check_told};

    /// Facts without a sentence: nobody meets them with an upgrade, they are the upgrade itself, or
    /// they belong to a fact that is told of.
    const UNTOLD: &[&str] = &[
        // Names and numbers of the product.
        "product.name",
        "product.title",
        "product.number",
        "product.rdb_field",
        "product.redis_number",
        "product.tells_atomics",
        "product.compiler",
        // Between masters and replicas.
        "selects_in_multi",
        "rewrites.keep_pxat",
        "rewrites.reads_set_position",
        "rewrites.entries_keep_position",
        "rewrites.geoadd",
        "rewrites.confirm_syncs",
        "rewrites.asks_count_without_history",
        // Part of new commands and options.
        "comparisons.join_conditions",
        "comparisons.count_hits",
        "comparisons.msetex_counts_pairs",
        "fields.due_are_gone",
        "fields.mark_digest",
        "fields.getex_reads",
        "fields.persisted_are_changes",
        "fields.ended_are_sent_together",
        "fields.sets_are_sent_bare",
        "fields.float_keeps_deadline",
        // Too small.
        "arguments.pfdebug_takes_simd",
        "clock_wraps_exactly",
        "messages_close_leavers",
        "requests.nul_hides_count",
        "tables.empty_are_silent",
        "texts.arguments_have_display",
        "texts.help_is_imperative",
        "texts.client_has_own_buffer",
        "texts.latency_page",
        "product.lolwut",
        "product.draws_fractals",
        "memory.queues_are_text",
        "lua.set_repl_requires_one",
    ];

    /// Facts whose parts are told of together.
    const GROUPS: [&str; 2] = ["encodings.embedding", "tables.buckets"];

    #[test]
    fn every_fact_that_changes_is_told_of() {
        check_told(Version::ALL, include_str!("changes/sentences.rs"), UNTOLD, &GROUPS);
        check_news(Version::ALL, FACTS);
    }
}
