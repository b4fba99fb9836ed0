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
}
