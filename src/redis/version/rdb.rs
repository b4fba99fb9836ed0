//! The files and payloads that a version writes and reads.
//!
//! A version reads those of every version before it. What it reads of later ones, and of the other
//! product, is decided here alone.
//!
//! Source: `rdb.c` of each version, and what the real servers read.

/// The format of files and of the payloads of `DUMP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rdb {
    pub(crate) version: u16,
    /// The last of the versions that both products have; Valkey's own ones begin at
    /// [`Rdb::FIRST_OF_VALKEY`].
    pub(crate) common: u16,
    pub(crate) streams: Streams,
    pub(crate) hashes: Hashes,
    pub(crate) heading: Heading,
}

/// The files that may begin with `VALKEY`. All others begin with `REDIS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heading {
    /// None.
    Redis,
    /// Those of any version.
    Either,
    /// Those of the versions that Redis does not have.
    Own,
}

impl Rdb {
    /// The first version that Valkey does not share with Redis. Its files begin with another word.
    pub(crate) const FIRST_OF_VALKEY: u16 = 80;

    /// Returns whether payloads of a version are read. If the check is relaxed, Valkey reads later
    /// ones of its own, and from 9.1 on those of the other product.
    pub(crate) fn reads(self, version: u16, is_relaxed: bool) -> bool {
        let is_own = version >= Rdb::FIRST_OF_VALKEY;
        version <= self.common
            || is_own && version <= self.version
            || is_relaxed
                && match self.heading {
                    Heading::Redis => false,
                    Heading::Either => is_own,
                    Heading::Own => true,
                }
    }

    /// Returns whether files of a version are read that begin with `VALKEY`, or with `REDIS`.
    pub(crate) fn reads_file(self, is_valkey: bool, version: u16, is_relaxed: bool) -> bool {
        let is_own = version >= Rdb::FIRST_OF_VALKEY;
        match (is_valkey, self.heading) {
            (false, _) => !is_own && self.reads(version, is_relaxed),
            (true, Heading::Redis) => false,
            (true, Heading::Either) => version <= self.common || is_relaxed,
            (true, Heading::Own) => is_own && self.reads(version, is_relaxed),
        }
    }

    /// Returns the first bytes of a file of a version.
    pub(crate) fn magic(version: u16) -> String {
        match version {
            Rdb::FIRST_OF_VALKEY.. => format!("VALKEY{version:03}"),
            version => format!("REDIS{version:04}"),
        }
    }
}

/// How a hash is written whose fields have deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hashes {
    /// It does not exist.
    Plain,
    /// Since Redis 7.4: deadlines count from the next one.
    Relative,
    /// Since Valkey 9: a deadline follows each value.
    Absolute,
}

/// The parts of a stream that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Of a consumer, when it was seen.
    Seen,
    /// Also when it was active.
    Active,
    /// Also the settings of producers that send again.
    Idempotent,
}
