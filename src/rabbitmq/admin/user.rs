//! `list_users` and the listings of permissions: `list_permissions`, `list_user_permissions`,
//! `list_topic_permissions`.

use super::cell::{Cell, Column};
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::vhost::user::{Permissions, UserLimits};
use crate::sort::sort_by;
use smol_str::SmolStr;

/// A user, as `list_users` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserRow {
    /// Its name.
    pub name: SmolStr,
    /// Its tags, such as `administrator`.
    pub tags: Vec<SmolStr>,
    /// Its limits.
    pub limits: UserLimits,
}

/// The permissions of a user in a vhost, as `list_permissions` shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PermissionRow {
    /// The vhost.
    pub vhost: SmolStr,
    /// The user.
    pub user: SmolStr,
    /// The permissions.
    pub permissions: Permissions,
}

/// The routing keys that a user may use at a topic exchange, as `list_topic_permissions` shows
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicPermissionRow {
    /// The vhost.
    pub vhost: SmolStr,
    /// The user.
    pub user: SmolStr,
    /// The exchange.
    pub exchange: SmolStr,
    /// Routing keys that it may publish with.
    pub write: SmolStr,
    /// Routing keys that it may bind with.
    pub read: SmolStr,
}

impl Broker {
    /// Returns the users, sorted by name.
    #[must_use]
    pub fn list_users(&self) -> Vec<UserRow> {
        let mut rows: Vec<UserRow> = self
            .users
            .iter()
            .map(|(name, user)| UserRow {
                name: name.clone(),
                tags: user.tags.clone(),
                limits: user.limits,
            })
            .collect();
        sort_by(&mut rows, |a, b| a.name.cmp(&b.name));
        rows
    }

    /// Returns the permissions in all vhosts, sorted by vhost and user.
    #[must_use]
    pub fn list_permissions(&self) -> Vec<PermissionRow> {
        let mut rows = Vec::new();
        for (name, user) in &self.users {
            rows.extend(user.grants.iter().map(|(vhost, grant)| PermissionRow {
                vhost: vhost.clone(),
                user: name.clone(),
                permissions: grant.permissions.clone(),
            }));
        }
        sort_by(&mut rows, |a, b| (&a.vhost, &a.user).cmp(&(&b.vhost, &b.user)));
        rows
    }

    /// Returns the topic permissions in all vhosts, sorted by vhost, user and exchange.
    #[must_use]
    pub fn list_topic_permissions(&self) -> Vec<TopicPermissionRow> {
        let mut rows = Vec::new();
        for (name, user) in &self.users {
            rows.extend(user.topics.iter().map(|((vhost, exchange), grant)| TopicPermissionRow {
                vhost: vhost.clone(),
                user: name.clone(),
                exchange: exchange.clone(),
                write: grant.permissions.write.clone(),
                read: grant.permissions.read.clone(),
            }));
        }
        sort_by(&mut rows, |a, b| {
            (&a.vhost, &a.user, &a.exchange).cmp(&(&b.vhost, &b.user, &b.exchange))
        });
        rows
    }
}

pub(super) const COLUMNS: &[Column<UserRow>] =
    &[("user", |row| (&row.name).into()), ("tags", |row| Cell::Tags(row.tags.clone()))];

pub(super) const PERMISSION_COLUMNS: &[Column<PermissionRow>] = &[
    ("user", |row| (&row.user).into()),
    ("configure", |row| (&row.permissions.configure).into()),
    ("write", |row| (&row.permissions.write).into()),
    ("read", |row| (&row.permissions.read).into()),
];

pub(super) const PERMISSIONS_OF_USER_COLUMNS: &[Column<PermissionRow>] = &[
    ("vhost", |row| (&row.vhost).into()),
    ("configure", |row| (&row.permissions.configure).into()),
    ("write", |row| (&row.permissions.write).into()),
    ("read", |row| (&row.permissions.read).into()),
];

pub(super) const TOPIC_COLUMNS: &[Column<TopicPermissionRow>] = &[
    ("user", |row| (&row.user).into()),
    ("exchange", |row| (&row.exchange).into()),
    ("write", |row| (&row.write).into()),
    ("read", |row| (&row.read).into()),
];
