//! `list_vhosts`.

use super::cell::{Cell, Column};
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::vhost::VHostLimits;
use crate::sort::sort_by;
use smol_str::SmolStr;

/// A vhost, as `list_vhosts` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VHostRow {
    /// Its name.
    pub name: SmolStr,
    /// Its description, usually empty.
    pub description: SmolStr,
    /// Whether it was ever described, even with an empty text.
    pub is_described: bool,
    /// Its tags, usually none.
    pub tags: Vec<SmolStr>,
    /// Its limits.
    pub limits: VHostLimits,
    /// The type of durable queues that ask for none, if it is set. Since 4.0 it is always set.
    pub default_queue_type: Option<QueueType>,
}

impl Broker {
    /// Returns the vhosts, sorted by name.
    #[must_use]
    pub fn list_vhosts(&self) -> Vec<VHostRow> {
        let implied = self.profile().names_queue_types.then_some(QueueType::Classic);
        let mut rows: Vec<VHostRow> = self
            .vhosts
            .iter()
            .map(|(_, vhost)| VHostRow {
                name: vhost.name.clone(),
                description: vhost.description.clone(),
                is_described: vhost.is_described,
                tags: vhost.tags.clone(),
                limits: vhost.limits,
                default_queue_type: vhost.default_queue_type.or(implied),
            })
            .collect();
        sort_by(&mut rows, |a, b| a.name.cmp(&b.name));
        rows
    }
}

pub(super) const COLUMNS: &[Column<VHostRow>] = &[
    ("name", |row| (&row.name).into()),
    ("description", |row| (&row.description).into()),
    // A vhost that was never described has no tags, not even an empty list.
    ("tags", |row| Cell::of(row.is_described.then(|| Cell::Tags(row.tags.clone())))),
    ("tracing", |_| false.into()),
    ("default_queue_type", |row| {
        row.default_queue_type.map_or("undefined", |kind| kind.name()).into()
    }),
];
