//! Links: what lies between a node and a service.
//!
//! A link delays what crosses it by its latency and never reorders the items of
//! one connection (neither TCP nor AMQP nor RESP does). It may be *partitioned* (what is sent
//! waits until it heals) or a *black hole* (what is sent is retransmitted, and in the end given
//! up); its connections may be *severed* (reset, and what was in flight is lost) or *forgotten*
//! (cut for good, and neither end is told).

use crate::sim::kernel::core::Core;
use crate::sim::kernel::id::{LinkId, NodeId};
use crate::sim::kernel::turn::Request;
use crate::sim::kernel::world::World;
use crate::sim::net::latency::Latency;
use crate::sim::net::path::Path;
use crate::sim::trace::event::Record;
use std::sync::Arc;

/// The link between a node and a service; see
/// [`Node::link`](crate::sim::Node::link).
#[derive(Clone, Debug)]
pub struct Link {
    world: Arc<World>,
    id: LinkId,
    service: Arc<str>,
}

impl Link {
    pub(crate) fn between(
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
        let mut core = self.world.lock();
        if !core.withholds() {
            core.links[self.id].latency = latency;
        }
    }

    /// Stops everything on the link: what is in flight or sent waits, and neither
    /// end hears that the other has closed a connection, until [`Link::heal`], when it arrives
    /// at once. An end
    /// that watches the other, as RabbitMQ's do with heartbeats, may give it up; so do the
    /// operating systems, as for [`Link::blackhole`].
    pub fn partition(&self) {
        self.cut(Path::partition, Record::Partitioned { service: &self.service });
    }

    /// Drops every packet from now on, as a firewall or a dead route does: nothing crosses, in
    /// either direction, and no close is delivered. What is sent is retransmitted, at growing
    /// intervals: after [`Link::heal`] it arrives at the next attempt, unless its sender had
    /// given up by then. A sender gives up after 924.6 s (127 s for a connection attempt,
    /// 102.2 s for a socket whose process has closed it or died), as Linux does by default; an
    /// end that sends nothing is told nothing, unless it uses keepalive, as Redis does, or
    /// heartbeats, as RabbitMQ does if the client agrees. An end that gave up resets the
    /// other when that gets through to it again.
    pub fn blackhole(&self) {
        self.cut(Path::blackhole, Record::Blackholed { service: &self.service });
    }

    /// Lets everything cross again.
    pub fn heal(&self) {
        let mut core = self.world.lock();
        if core.withholds() {
            return;
        }
        if let Some(heal) = core.links[self.id].path.heal() {
            self.trace(&mut core, Record::Healed { service: &self.service });
            core.requests.push_back(Request::Heal { link: self.id, heal });
        }
    }

    /// Makes what lies between forget the link's present connections, as a NAT or a firewall
    /// does with idle ones or when it restarts: nothing crosses on them ever again, and
    /// neither end is told. Each end notices as it would a [black hole](Link::blackhole). New
    /// connections can be made at once.
    pub fn forget(&self) {
        let mut core = self.world.lock();
        if core.withholds() {
            return;
        }
        self.trace(&mut core, Record::Forgotten { service: &self.service });
        let before = core.links[self.id].next_era();
        core.requests.push_back(Request::Forget { link: self.id, before });
    }

    /// Whether the link is partitioned.
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        self.world.lock().links[self.id].path.is_partitioned()
    }

    /// Whether the link drops every packet.
    #[must_use]
    pub fn is_blackholed(&self) -> bool {
        self.world.lock().links[self.id].path.is_blackholed()
    }

    /// How many messages were sent on the link so far, in either direction: connection attempts
    /// and what answers and ends them among them. See [`Sim::at_message`](crate::sim::Sim::at_message).
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.world.lock().links[self.id].sent
    }

    /// Resets every connection on the link: both ends see it closed before
    /// anything else happens, and what was in flight is lost. New connections
    /// can be made at once.
    pub fn sever(&self) {
        let mut core = self.world.lock();
        if core.withholds() {
            return;
        }
        self.trace(&mut core, Record::Severed { service: &self.service });
        let before = core.links[self.id].next_era();
        core.requests.push_back(Request::Sever { link: self.id, before });
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub(crate) fn id(&self) -> LinkId {
        self.id
    }

    fn cut(&self, how: fn(&Path) -> bool, record: Record<'_>) {
        let mut core = self.world.lock();
        if !core.withholds() && how(&core.links[self.id].path) {
            self.trace(&mut core, record);
            core.requests.push_back(Request::Cut(self.id));
        }
    }

    fn trace(&self, core: &mut Core, record: Record<'_>) {
        let actor = core.processes[core.links[self.id].node].actor;
        core.trace.record(self.world.now(), actor, record);
    }
}
