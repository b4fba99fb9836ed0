//! The changes of an upgrade in words: a sentence for each fact in which a version differs from
//! the one before.
//!
//! Invariant: a sentence belongs to a fact of the profiles, so whoever changes the fact changes the
//! list.
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
        format!("RabbitMQ {self}")
    }
}

impl Version {
    /// The version here before this one, `None` of the first.
    #[must_use]
    pub const fn before(self) -> Option<Version> {
        match self {
            Version::V3_10 => None,
            Version::V4_0 => Some(Version::V3_10),
            Version::V4_3 => Some(Version::V4_0),
        }
    }

    /// The changes that applications meet with an upgrade to this version from the one
    /// [before](Version::before) it, a sentence or two for each, the most surprising first.
    ///
    /// ```
    /// use stunt_double::rabbitmq::Version;
    ///
    /// assert!(Version::V3_10.changes().is_empty());
    /// let surprises = Version::V4_3.changes();
    /// assert!(surprises[0].starts_with("A queue that is neither durable nor exclusive"));
    /// ```
    #[must_use]
    pub fn changes(self) -> Vec<&'static str> {
        version_changes::latest(FACTS, self)
    }

    /// The changes that applications meet with a move to this version from another one, an upgrade
    /// or a downgrade. This compares the two versions, so a change that a later version took back
    /// is not among them. A fact of only the other version is told with the sentence of the version
    /// that brought it: `As before RabbitMQ 4.0, which brought: "…"`.
    ///
    /// ```
    /// use stunt_double::rabbitmq::Version;
    ///
    /// let changes = Version::V4_3.changes_since(Version::V3_10);
    /// assert!(changes.iter().any(|change| change.contains("gives a message up after 20")));
    /// assert!(changes.iter().any(|change| change.contains("32 priorities")));
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

    /// Facts without a sentence: nobody meets them with an upgrade, or they are the upgrade itself.
    const UNTOLD: [&str; 3] = ["number", "server.copyright", "server.platform"];

    #[test]
    fn every_fact_that_changes_is_told_of() {
        check_told(Version::ALL, include_str!("changes/sentences.rs"), &UNTOLD, &[]);
        check_news(Version::ALL, FACTS);
    }
}
