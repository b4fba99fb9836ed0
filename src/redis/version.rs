//! The versions of Redis and Valkey that a server can imitate, and how they differ.
//!
//! A [`Version`] is a name. Its [`Profile`] has every fact in which versions differ: code asks the
//! profile for the fact, never for the version. Tables (of commands, of fields of `INFO`) say of a
//! row which [`Versions`] have it.
//!
//! Invariant: a fact of 7.0.15 is the base; every later profile says only how it differs from the
//! one from which it descends.

mod changes;
mod defaults;
mod embedding;
mod facts;
mod profiles;
mod rdb;
mod set;

use crate::unknown_version::{UnknownVersion, newest, number_of};
pub(crate) use defaults::default_since;
pub(crate) use embedding::{Embedding, Placed};
pub(crate) use facts::{
    Access, Arguments, Buckets, Comparisons, Encodings, FieldSyntax, Fields, Groups, Inline,
    Numbers, Product, Profile, Requests, Sanitizing, SortNumbers, StreamRules, Tables, Texts,
    Waking, XreadLast,
};
pub(crate) use profiles::REDIS_7_2_4;
pub(crate) use rdb::{Hashes, Heading, Rdb, Streams};
pub(crate) use set::Versions;

/// The version of Redis or Valkey that a server imitates, where versions differ in a way that users
/// can see.
///
/// ```
/// use stunt_double::redis::{ServerOptions, Version};
///
/// let options = ServerOptions::default().with_version(Version::Valkey9_1);
/// assert_eq!(options.version().number(), "9.1.2");
/// assert_eq!("valkey-9.1".parse(), Ok(Version::Valkey9_1));
/// assert_eq!("8".parse(), Ok(Version::Redis8_6), "the newest that is modelled");
/// ```
///
/// Each was compared with the real server of the number that [`Version::number`] returns. Modules
/// that some of them bring along (vector sets, JSON, search, time series, probabilistic
/// structures) are not modelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// Redis 7.0.15, the reference.
    #[default]
    Redis7_0,
    /// Redis 7.2: scores in their shortest form, blocked commands that run again, time that stands
    /// still in a transaction.
    Redis7_2,
    /// Redis 7.4: hash fields that expire.
    Redis7_4,
    /// Redis 8.0: `HGETEX`, `HSETEX`, `HGETDEL`.
    Redis8_0,
    /// Redis 8.2: `XACKDEL`, `XDELEX`, more operations of `BITOP`.
    Redis8_2,
    /// Redis 8.6, with what came in 8.4: `SET … IFEQ`, `DELEX`, `DIGEST`, `MSETEX`, `XADD … IDMP`,
    /// `XREADGROUP … CLAIM`.
    Redis8_6,
    /// Valkey 8.0, which goes on from Redis 7.2.
    Valkey8_0,
    /// Valkey 8.1: `SET … IFEQ`.
    Valkey8_1,
    /// Valkey 9.1, with what came in 9.0: hash fields that expire, `DELIFEQ`.
    Valkey9_1,
}

impl Version {
    /// All versions: those of Redis, the oldest first, and then those of Valkey.
    pub const ALL: &'static [Version] = &[
        Version::Redis7_0,
        Version::Redis7_2,
        Version::Redis7_4,
        Version::Redis8_0,
        Version::Redis8_2,
        Version::Redis8_6,
        Version::Valkey8_0,
        Version::Valkey8_1,
        Version::Valkey9_1,
    ];

    /// The number of the real server that was compared, which `HELLO` and `INFO` report: `7.0.15`.
    #[must_use]
    pub const fn number(self) -> &'static str {
        self.profile().product.number
    }

    /// The name of the version: `redis-7.0`, `valkey-9.1`. It can be parsed again.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Version::Redis7_0 => "redis-7.0",
            Version::Redis7_2 => "redis-7.2",
            Version::Redis7_4 => "redis-7.4",
            Version::Redis8_0 => "redis-8.0",
            Version::Redis8_2 => "redis-8.2",
            Version::Redis8_6 => "redis-8.6",
            Version::Valkey8_0 => "valkey-8.0",
            Version::Valkey8_1 => "valkey-8.1",
            Version::Valkey9_1 => "valkey-9.1",
        }
    }

    /// The product and its number, as people write them: `Valkey 9.1.2`. It can be parsed again.
    #[must_use]
    pub fn title(self) -> String {
        format!("{} {}", self.profile().product.title, self.number())
    }

    /// The facts of this version.
    pub(crate) const fn profile(self) -> &'static Profile {
        match self {
            Version::Redis7_0 => &profiles::REDIS_7_0,
            Version::Redis7_2 => &profiles::REDIS_7_2,
            Version::Redis7_4 => &profiles::REDIS_7_4,
            Version::Redis8_0 => &profiles::REDIS_8_0,
            Version::Redis8_2 => &profiles::REDIS_8_2,
            Version::Redis8_6 => &profiles::REDIS_8_6,
            Version::Valkey8_0 => &profiles::VALKEY_8_0,
            Version::Valkey8_1 => &profiles::VALKEY_8_1,
            Version::Valkey9_1 => &profiles::VALKEY_9_1,
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A note that the error of an unknown name ends with.
const NOTE: &str = "; a number alone is one of Redis";

/// Reads a name such as `redis-8.2` or `valkey-9.1`, in upper or lower case. Without a product, it
/// is Redis. The number may be whole (`8.6.2`), or only its beginning: `8` is the newest Redis 8,
/// `valkey` the newest Valkey.
impl std::str::FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(name: &str) -> Result<Version, UnknownVersion> {
        let wanted = name.to_ascii_lowercase();
        let of = |product: &'static str| {
            let all = Version::ALL.iter().copied();
            all.filter(move |version| version.profile().product.name == product)
        };
        let found = if let Some(number) = number_of(&wanted, "valkey") {
            newest(number, of("valkey"), Version::number)
        } else {
            let number = number_of(&wanted, "redis").unwrap_or(&wanted);
            newest(number, of("redis"), Version::number).filter(|_| !wanted.is_empty())
        };
        found.ok_or_else(|| UnknownVersion::new(name, Version::ALL, NOTE))
    }
}
