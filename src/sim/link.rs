//! Links: what lies between a node and a service.
//!
//! A link delays what crosses it by its latency, never reorders the items of
//! one connection (neither TCP nor AMQP nor RESP does), may be *partitioned*
//! (what is sent waits until it heals, as TCP retransmits) and *severed* (its
//! connections are reset, and what was in flight is lost).

use super::id::{LinkId, NodeId};
use super::latency::Latency;
use super::trace::Record;
use super::world::{Request, World};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The link between a node and a service; see
/// [`Node::link`](super::Node::link).
#[derive(Clone, Debug)]
pub struct Link {
    world: Arc<World>,
    id: LinkId,
    service: Arc<str>,
}

impl Link {
    pub(super) fn between(
        world: &Arc<World>,
        node: NodeId,
        service: u32,
        service_name: &Arc<str>,
    ) -> Link {
        let id = world.lock().links.between(node, service);
        Link { world: Arc::clone(world), id, service: Arc::clone(service_name) }
    }

    /// Sets how long messages sent from now on take, in either direction.
    pub fn set_latency(&self, latency: Latency) {
        self.world.lock().links[self.id].latency = latency;
    }

    /// Stops everything on the link: what is in flight or sent waits, and neither
    /// end hears that the other has closed a connection, until [`Link::heal`]. An end
    /// that watches the other, as RabbitMQ's do with heartbeats, may give it up.
    pub fn partition(&self) {
        self.set_partitioned(true, Record::Partitioned { service: &self.service });
    }

    /// Ends a partition: what waited arrives now, in order.
    pub fn heal(&self) {
        self.set_partitioned(false, Record::Healed { service: &self.service });
        self.world.lock().requests.push_back(Request::Heal(self.id));
    }

    /// Whether the link is partitioned.
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        self.world.lock().links[self.id].partitioned.load(Relaxed)
    }

    /// Resets every connection on the link: both ends see it closed before
    /// anything else happens, and what was in flight is lost. New connections
    /// can be made at once.
    pub fn sever(&self) {
        self.trace(Record::Severed { service: &self.service });
        let mut core = self.world.lock();
        let state = &mut core.links[self.id];
        state.era += 1;
        let before = state.era;
        core.requests.push_back(Request::Sever { link: self.id, before });
    }

    fn set_partitioned(&self, on: bool, record: Record<'_>) {
        let was = self.world.lock().links[self.id].partitioned.swap(on, Relaxed);
        if was != on {
            self.trace(record);
        }
    }

    fn trace(&self, record: Record<'_>) {
        let mut core = self.world.lock();
        let actor = core.processes[core.links[self.id].node].actor;
        core.trace.record(self.world.now(), actor, record);
    }
}
