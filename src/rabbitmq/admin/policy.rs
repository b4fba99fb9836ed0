//! `list_policies` and `list_operator_policies`.

use super::cell::Column;
use super::text::Json;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::vhost::VHost;
use crate::rabbitmq::vhost::policy::{Policies, Policy};
use crate::sort::sort_by;
use smol_str::SmolStr;

/// A policy, as `list_policies` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyRow {
    /// The vhost it is in.
    pub vhost: SmolStr,
    /// The policy.
    pub policy: Policy,
}

impl Broker {
    /// Returns the policies of all vhosts, sorted by vhost and name.
    #[must_use]
    pub fn list_policies(&self) -> Vec<PolicyRow> {
        self.policy_rows(|vhost| &vhost.policies)
    }

    /// Returns the operator policies of all vhosts, sorted by vhost and name.
    #[must_use]
    pub fn list_operator_policies(&self) -> Vec<PolicyRow> {
        self.policy_rows(|vhost| &vhost.operator_policies)
    }

    fn policy_rows(&self, which: impl Fn(&VHost) -> &Policies) -> Vec<PolicyRow> {
        let rows = self.vhosts.iter().flat_map(|(_, vhost)| {
            let row =
                |policy: &Policy| PolicyRow { vhost: vhost.name.clone(), policy: policy.clone() };
            which(vhost).iter().map(row).collect::<Vec<_>>()
        });
        let mut rows: Vec<PolicyRow> = rows.collect();
        sort_by(&mut rows, |a, b| (&a.vhost, &a.policy.name).cmp(&(&b.vhost, &b.policy.name)));
        rows
    }
}

pub(super) const COLUMNS: &[Column<PolicyRow>] = &[
    ("vhost", |row| (&row.vhost).into()),
    ("name", |row| (&row.policy.name).into()),
    ("pattern", |row| (&row.policy.pattern).into()),
    ("apply-to", |row| row.policy.apply_to.name().into()),
    ("definition", |row| Json(&row.policy.definition).to_string().into()),
    ("priority", |row| row.policy.priority.into()),
];
