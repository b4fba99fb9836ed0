//! The changes from one version of a server to another, in words: a sentence for each fact in which
//! their profiles differ.
//!
//! Invariant: a sentence belongs to a fact of the profiles, so whoever changes the fact changes the
//! lists, and any two versions can be compared.

/// A version of a server, as far as changes need it.
pub(crate) trait Changing: Copy + 'static {
    /// Everything in which versions differ.
    type Profile: 'static;

    fn facts(self) -> &'static Self::Profile;

    /// The version from which this one descends.
    fn ancestor(self) -> Option<Self>;

    /// The product and the beginning of its number, as people write them: `Redis 7.4`.
    fn short_title(self) -> String;
}

/// A fact of a profile that users notice.
pub(crate) struct Fact<P: 'static> {
    pub(crate) holds: fn(&P) -> bool,
    /// The news where it begins to hold.
    pub(crate) begins: &'static str,
    /// The news where it no longer holds. Empty if it still holds wherever it was inherited.
    pub(crate) ends: &'static str,
}

/// A fact that holds wherever it was inherited.
pub(crate) const fn fact<P>(holds: fn(&P) -> bool, begins: &'static str) -> Fact<P> {
    Fact { holds, begins, ends: "" }
}

impl<P> Fact<P> {
    /// Returns the sentence about what changes from a version to another one. It is empty if the
    /// fact ends there, and no version that descends from another has ended it.
    fn news(&self, from: &P, to: &P) -> Option<&'static str> {
        match ((self.holds)(from), (self.holds)(to)) {
            (false, true) => Some(self.begins),
            (true, false) => Some(self.ends),
            (true, true) | (false, false) => None,
        }
    }

    /// Returns the sentence about a fact that ends where nobody has ended it: what it was like
    /// before the version that brought it.
    fn undone<V: Changing<Profile = P>>(&self, from: V) -> String {
        let mut brought = from;
        while let Some(before) = brought.ancestor().filter(|before| (self.holds)(before.facts())) {
            brought = before;
        }
        format!("As before {}, which brought: \"{}\"", brought.short_title(), self.begins)
    }
}

/// Returns the changes from the version before.
pub(crate) fn latest<V: Changing>(facts: &[Fact<V::Profile>], version: V) -> Vec<&'static str> {
    let Some(before) = version.ancestor() else { return Vec::new() };
    facts.iter().filter_map(|fact| fact.news(before.facts(), version.facts())).collect()
}

/// Returns the changes from any version to another.
pub(crate) fn between<V: Changing>(facts: &[Fact<V::Profile>], from: V, to: V) -> Vec<String> {
    let sentence = |fact: &Fact<V::Profile>| match fact.news(from.facts(), to.facts())? {
        "" => Some(fact.undone(from)),
        news => Some(news.to_owned()),
    };
    facts.iter().filter_map(sentence).collect()
}
