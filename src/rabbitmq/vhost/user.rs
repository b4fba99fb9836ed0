//! Users: who may connect, to which vhosts, and what they may touch there.
//!
//! A permission is three patterns over names of queues and exchanges:
//! *configure* to make and delete, *write* to publish and bind to, *read* to
//! consume and bind from. The default exchange is named `amq.default` for this.
//!
//! Source: <https://www.rabbitmq.com/docs/access-control>.

#[cfg(feature = "definitions")]
use super::password::PasswordHash;
use super::pattern::{InvalidPattern, Pattern};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;

/// What a user may have at most (`rabbitmqctl set_user_limits`); `None` is no
/// limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// `max-connections`: how many connections may be open.
    pub max_connections: Option<u32>,
    /// `max-channels`: how many channels may be open, on all connections
    /// together.
    pub max_channels: Option<u32>,
}

/// What an operation does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Configure,
    Write,
    Read,
}

/// Names a user may configure, write to and read from: regular expressions,
/// matching anywhere in a name unless anchored; an empty one matches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Names it may declare and delete.
    pub configure: SmolStr,
    /// Names it may publish and bind to.
    pub write: SmolStr,
    /// Names it may consume and bind from.
    pub read: SmolStr,
}

impl Permissions {
    /// Everything: `.*` three times.
    #[must_use]
    pub fn all() -> Permissions {
        Permissions::new(".*", ".*", ".*")
    }

    /// These patterns.
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

/// What is known of a user's password.
#[derive(Clone, Debug)]
pub(crate) enum Password {
    Plain(SmolStr),
    /// Definitions have hashes only.
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

    /// Its hash, of this user's password.
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
