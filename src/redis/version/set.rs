//! Sets of versions: where a command, an option or a field of `INFO` exists.

use super::Version;

/// A set of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Versions(u16);

impl Versions {
    pub(crate) const ALL: Versions = Versions(u16::MAX);
    pub(crate) const VALKEY: Versions =
        Versions::of(&[Version::Valkey8_0, Version::Valkey8_1, Version::Valkey9_1]);
    /// Redis 7.2 and all that descend from it.
    pub(crate) const SINCE_7_2: Versions = Versions(Versions::ALL.0 & !1);
    pub(crate) const UNTIL_7_2: Versions = Versions::of(&[Version::Redis7_0, Version::Redis7_2]);
    pub(crate) const REDIS_7_2: Versions = Versions::of(&[Version::Redis7_2]);
    pub(crate) const REDIS_7_4: Versions = Versions::of(&[Version::Redis7_4]);
    /// Redis since 7.4. Valkey does not descend from it.
    pub(crate) const REDIS_SINCE_7_4: Versions =
        Versions(Versions::SINCE_7_2.0 & !Versions::VALKEY.0 & !(1 << Version::Redis7_2 as u16));
    /// Redis since 7.4, and Valkey, which took the same changes.
    pub(crate) const SINCE_7_4: Versions = Versions::REDIS_SINCE_7_4.or(Versions::VALKEY);
    pub(crate) const REDIS_SINCE_8_0: Versions =
        Versions::of(&[Version::Redis8_0, Version::Redis8_2, Version::Redis8_6]);
    pub(crate) const REDIS_SINCE_8_2: Versions =
        Versions::of(&[Version::Redis8_2, Version::Redis8_6]);
    pub(crate) const REDIS_8_6: Versions = Versions::of(&[Version::Redis8_6]);
    pub(crate) const VALKEY_8_0: Versions = Versions::of(&[Version::Valkey8_0]);
    pub(crate) const VALKEY_SINCE_8_1: Versions =
        Versions::of(&[Version::Valkey8_1, Version::Valkey9_1]);
    pub(crate) const VALKEY_9_1: Versions = Versions::of(&[Version::Valkey9_1]);
    /// Redis since 8.2, and Valkey.
    pub(crate) const SINCE_8_2: Versions = Versions::REDIS_SINCE_8_2.or(Versions::VALKEY);
    /// Where fields of hashes have deadlines.
    pub(crate) const WITH_FIELD_DEADLINES: Versions =
        Versions::REDIS_SINCE_7_4.or(Versions::VALKEY_9_1);
    pub(crate) const REDIS_SINCE_8_0_VALKEY_9_1: Versions =
        Versions::REDIS_SINCE_8_0.or(Versions::VALKEY_9_1);
    pub(crate) const REDIS_8_6_VALKEY_9_1: Versions = Versions::REDIS_8_6.or(Versions::VALKEY_9_1);

    const fn of(versions: &[Version]) -> Versions {
        let (mut bits, mut at) = (0, 0);
        while at < versions.len() {
            bits |= 1 << versions[at] as u16;
            at += 1;
        }
        Versions(bits)
    }

    /// Returns the versions that are in either set.
    pub(crate) const fn or(self, other: Versions) -> Versions {
        Versions(self.0 | other.0)
    }

    pub(crate) const fn has(self, version: Version) -> bool {
        self.0 & 1 << version as u16 != 0
    }

    /// Reads a set from its terms, between commas. A term is a version, `8.2` or `valkey-9.1`; a
    /// version and all that descend from it, `7.2+`, Valkey as well; or a version and the later
    /// ones of its product up to another, `7.4-8.2` or `valkey-8.0-8.1`. Any other text is no set.
    pub(crate) fn read(terms: &str) -> Option<Versions> {
        terms.split(',').try_fold(Versions(0), |set, term| Some(set.or(Versions::term(term)?)))
    }

    fn term(term: &str) -> Option<Versions> {
        let named = |name: &str| {
            let mut all = Version::ALL.iter().copied();
            all.find(|version| version.name().trim_start_matches("redis-") == name)
        };
        if let Some(version) = named(term) {
            return Some(Versions::of(&[version]));
        }
        let (first, last) = match term.strip_suffix('+') {
            Some(first) => (named(first)?, None),
            None => {
                let (first, last) = term.rsplit_once('-')?;
                let product = if first.starts_with("valkey-") { "valkey-" } else { "" };
                (named(first)?, Some(named(&format!("{product}{last}"))?))
            }
        };
        let is_valkey = |version: Version| Versions::VALKEY.has(version);
        // The order of the versions has those of Valkey last, which descend from Redis 7.2.
        let here = Version::ALL.iter().copied().filter(|version| *version >= first);
        let here = here.filter(|version| match last {
            Some(last) => *version <= last,
            None => is_valkey(first) || !is_valkey(*version) || first <= Version::Redis7_2,
        });
        let set = here.fold(Versions(0), |set, version| set.or(Versions::of(&[version])));
        (set != Versions(0)).then_some(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_name_versions() {
        let all = Versions::read("7.0+").expect("a set");
        assert!(Version::ALL.iter().all(|version| all.has(*version)));
        let same = |terms: &str, set: Versions| {
            let read = Versions::read(terms).expect(terms);
            for version in Version::ALL {
                assert_eq!(read.has(*version), set.has(*version), "{terms} {version}");
            }
        };
        same("7.2+", Versions::SINCE_7_2);
        same("7.4+", Versions::REDIS_SINCE_7_4);
        same("8.0-8.6,valkey-9.1", Versions::REDIS_SINCE_8_0_VALKEY_9_1);
        same("valkey-8.1-9.1", Versions::VALKEY_SINCE_8_1);
        same("valkey-8.0+", Versions::VALKEY);
        same("7.0-7.2", Versions::UNTIL_7_2);
        for wrong in ["", "7", "7.2++", "8.6-7.0", "8.0-valkey-8.1", "7.2,", "valkey", "redis-7.2"]
        {
            assert_eq!(Versions::read(wrong), None, "{wrong}");
        }
    }
}
