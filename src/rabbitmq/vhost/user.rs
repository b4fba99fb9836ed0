//! Users: who may connect, to which vhosts, and what they may do there.
//!
//! A permission consists of three patterns over names of queues and exchanges: *configure* to
//! create and delete, *write* to publish and bind to, *read* to consume and bind from. The default
//! exchange is called `amq.default` here.
//!
//! Source: <https://www.rabbitmq.com/docs/access-control>.

#[cfg(feature = "definitions")]
use super::password::PasswordHash;
use super::pattern::{InvalidPattern, Pattern};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;

/// Limits of a user (`rabbitmqctl set_user_limits`); `None` means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// `max-connections`: maximum number of open connections.
    pub max_connections: Option<u32>,
    /// `max-channels`: maximum number of open channels, on all connections together.
    pub max_channels: Option<u32>,
}

/// The effect of an operation on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Configure,
    Write,
    Read,
}

/// The names that a user may configure, write to and read from: regular expressions, which may
/// match anywhere in a name unless they are anchored. An empty one matches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Names that it may declare and delete.
    pub configure: SmolStr,
    /// Names that it may publish and bind to.
    pub write: SmolStr,
    /// Names that it may consume and bind from.
    pub read: SmolStr,
}

impl Permissions {
    /// All permissions: `.*` three times.
    #[must_use]
    pub fn all() -> Permissions {
        Permissions::new(".*", ".*", ".*")
    }

    /// Permissions with these patterns.
    #[must_use]
    pub fn new(
        configure: impl Into<SmolStr>,
        write: impl Into<SmolStr>,
        read: impl Into<SmolStr>,
    ) -> Permissions {
        Permissions { configure: configure.into(), write: write.into(), read: read.into() }
    }
}

/// Permissions, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) permissions: Permissions,
    configure: Pattern,
    write: Pattern,
    read: Pattern,
}

impl Grant {
    pub(crate) fn new(permissions: Permissions) -> Result<Grant, InvalidPattern> {
        Ok(Grant {
            configure: Pattern::permission(&permissions.configure)?,
            write: Pattern::permission(&permissions.write)?,
            read: Pattern::permission(&permissions.read)?,
            permissions,
        })
    }

    pub(crate) fn allows(&self, access: Access, name: &str) -> bool {
        let pattern = match access {
            Access::Configure => &self.configure,
            Access::Write => &self.write,
            Access::Read => &self.read,
        };
        pattern.matches(if name.is_empty() { "amq.default" } else { name })
    }

    pub(crate) fn is_unrestricted(&self) -> bool {
        self.configure.is_all() && self.write.is_all() && self.read.is_all()
    }
}

/// A user's password.
#[derive(Clone, Debug)]
pub(crate) enum Password {
    Plain(SmolStr),
    /// Definitions contain only hashes.
    #[cfg(feature = "definitions")]
    Hashed(PasswordHash),
}

impl Password {
    pub(crate) fn matches(&self, password: &str) -> bool {
        match self {
            Password::Plain(own) => own == password,
            #[cfg(feature = "definitions")]
            Password::Hashed(hash) => hash.matches(password),
        }
    }

    /// Returns the hash of this password, for this user.
    #[cfg(feature = "definitions")]
    pub(crate) fn hash(&self, user: &str) -> PasswordHash {
        match self {
            Password::Plain(password) => PasswordHash::of(user, password),
            Password::Hashed(hash) => hash.clone(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) password: Password,
    pub(crate) tags: Vec<SmolStr>,
    pub(crate) limits: UserLimits,
    /// By vhost.
    pub(crate) grants: IndexMap<SmolStr, Grant, FxBuildHasher>,
    /// By vhost and topic exchange.
    pub(crate) topics: IndexMap<(SmolStr, SmolStr), Grant, FxBuildHasher>,
}

impl User {
    pub(crate) fn new(password: SmolStr) -> User {
        let (tags, limits) = (Vec::new(), UserLimits::default());
        let password = Password::Plain(password);
        User { password, tags, limits, grants: IndexMap::default(), topics: IndexMap::default() }
    }
}
