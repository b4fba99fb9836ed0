//! A master that a Sentinel watches: its replicas, the other Sentinels, and the failover.

use super::election::FailoverState;
use super::instance::Instance;
use super::options::Address;
use crate::time::Instant;
use indexmap::IndexMap;
use std::time::Duration;

/// A master that is watched.
#[derive(Debug)]
pub(crate) struct Master {
    pub(crate) quorum: usize,
    pub(crate) down_after: Duration,
    pub(crate) failover_timeout: Duration,
    pub(crate) parallel_syncs: usize,
    pub(crate) config_epoch: u64,
    pub(crate) itself: Instance,
    pub(crate) replicas: IndexMap<Address, Instance>,
    /// The other Sentinels, by their ids.
    pub(crate) sentinels: IndexMap<String, Instance>,
    /// Since when enough Sentinels agree that it is down.
    pub(crate) o_down: Option<Instant>,
    pub(crate) failover: Option<FailoverState>,
    pub(super) failover_epoch: u64,
    /// When the last failover began, its own or that of another for which it voted.
    pub(super) failover_began: Option<Instant>,
    pub(super) state_changed: Instant,
    pub(super) promoted: Option<Address>,
    pub(crate) forced: bool,
    pub(super) leader: Option<String>,
    pub(super) leader_epoch: u64,
}

impl Master {
    /// Returns all instances, the master first.
    pub(super) fn instances(&mut self) -> impl Iterator<Item = &mut Instance> {
        let others = self.replicas.values_mut().chain(self.sentinels.values_mut());
        std::iter::once(&mut self.itself).chain(others)
    }

    /// Returns the address that clients are told.
    pub(crate) fn current_address(&self) -> &Address {
        match (&self.promoted, self.failover) {
            (Some(promoted), Some(FailoverState::Reconfigures | FailoverState::UpdatesConfig)) => {
                promoted
            }
            (Some(_) | None, _) => &self.itself.address,
        }
    }

    /// Forgets everything but whom it watches.
    pub(super) fn forget_state(&mut self, now: Instant) {
        self.itself.begin(now);
        (self.o_down, self.failover, self.failover_began) = (None, None, None);
        (self.promoted, self.leader, self.forced) = (None, None, false);
        self.state_changed = now;
    }
}
