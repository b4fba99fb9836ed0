//! Access control: users, what each may do, and the log of what was denied.
//!
//! Every client has a user, whom its commands are checked against. A server starts with the user
//! `default`, who may do everything and logs in by connecting, unless there is a password.
//!
//! `user` has a user's rules and `selector` those for commands, keys, channels and, in Valkey 9.1,
//! databases; `check` applies them to a request. The invariant: as long as no user is restricted,
//! `restricts` is false and no command is checked.
//!
//! Source: <https://redis.io/docs/management/security/acl/>, `acl.c`.

pub(crate) mod catalogue;
pub(crate) mod check;
mod commands;
pub(crate) mod databases;
pub(crate) mod file;
pub(crate) mod log;
mod rule_error;
pub(crate) mod selector;
pub(crate) mod user;

use crate::redis::value::Sds;
use crate::redis::version::Version;
use file::AclFile;
use log::Log;
use selector::Basis;
use std::collections::BTreeMap;
use user::User;

/// The name of the user of a client that has not logged in.
pub(crate) const DEFAULT_USER: &str = "default";

/// All users.
#[derive(Debug)]
pub(crate) struct Acl {
    version: Version,
    users: BTreeMap<Sds, User>,
    /// Some user may not do everything.
    pub(crate) restricts: bool,
    /// A client is logged in by connecting: the default user is on and has any password.
    pub(crate) is_open: bool,
    pub(crate) log: Log,
}

impl Acl {
    /// Returns the users of a server with this password.
    pub(crate) fn new(version: Version, password: Option<&[u8]>) -> Acl {
        let mut user = User::default_user(version);
        user.set_password(password);
        let users = BTreeMap::from([(Sds::from(DEFAULT_USER), user)]);
        let mut acl = Acl { version, users, restricts: false, is_open: true, log: Log::default() };
        acl.changed();
        acl
    }

    fn basis(&self, all_channels: bool) -> Basis {
        Basis { all_channels, version: self.version }
    }

    /// Updates what follows from the users.
    fn changed(&mut self) {
        self.restricts = self.users.values().any(|user| !user.is_unrestricted());
        self.is_open = self.default_user().is_some_and(|user| user.enabled && user.any_password);
    }

    /// Returns all users by name, in order.
    pub(crate) fn users(&self) -> impl ExactSizeIterator<Item = (&Sds, &User)> {
        self.users.iter()
    }

    pub(crate) fn user(&self, name: &[u8]) -> Option<&User> {
        self.users.get(name)
    }

    pub(crate) fn default_user(&self) -> Option<&User> {
        self.user(DEFAULT_USER.as_bytes())
    }

    /// Replaces the default user's passwords (`requirepass`).
    pub(crate) fn set_default_password(&mut self, password: Option<&[u8]>) {
        if let Some(user) = self.users.get_mut(DEFAULT_USER.as_bytes()) {
            user.set_password(password);
        }
        self.changed();
    }

    /// Returns the user as it is after these rules, or a new one. `all_channels` is
    /// `acl-pubsub-default`.
    ///
    /// # Errors
    ///
    /// The text of the error; a rule that is refused makes all of them refused.
    pub(crate) fn with_rules(
        &self,
        name: &[u8],
        rules: &[&[u8]],
        all_channels: bool,
    ) -> Result<User, String> {
        let shown = |text: &[u8]| {
            let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(text).into_owned()
        };
        let rules = user::merge(rules).map_err(|begin| {
            format!("Unmatched parenthesis in acl selector starting at '{}'.", shown(&begin))
        })?;
        let basis = self.basis(all_channels);
        let mut user = self.user(name).cloned().unwrap_or_else(|| User::new(basis));
        for rule in rules {
            user.apply(&rule, basis).map_err(|why| {
                format!("Error in ACL SETUSER modifier '{}': {}", shown(&rule), why.text())
            })?;
        }
        Ok(user)
    }

    /// Replaces all users with those of a file. Without one of that name, the default user is as at
    /// first.
    ///
    /// # Errors
    ///
    /// The text of all errors in the file; then nothing has changed.
    pub(crate) fn load(&mut self, file: &AclFile, all_channels: bool) -> Result<(), String> {
        let mut users = file.users(self.basis(all_channels))?;
        users.entry(Sds::from(DEFAULT_USER)).or_insert_with(|| User::default_user(self.version));
        self.users = users;
        self.changed();
        Ok(())
    }

    /// Returns the text of a file with all users.
    pub(crate) fn to_file(&self) -> Vec<u8> {
        let lines = self.lines().map(|line| [&line[..], b"\n"].concat());
        lines.collect::<Vec<_>>().concat()
    }

    /// Returns a line for each user, as in a file.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        self.users.iter().map(|(name, user)| [b"user ", &name[..], b" ", &user.describe()].concat())
    }

    /// Adds or replaces a user.
    pub(crate) fn put(&mut self, name: &[u8], user: User) {
        self.users.insert(Sds::new(name), user);
        self.changed();
    }

    /// Removes a user. Returns whether there was one.
    pub(crate) fn remove(&mut self, name: &[u8]) -> bool {
        let removed = self.users.remove(name).is_some();
        self.changed();
        removed
    }
}
