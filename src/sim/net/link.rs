//! Links: the network between a node and a service.
//!
//! A link delays every message by its latency and never reorders the messages of one connection
//! (neither TCP nor AMQP nor RESP does). A link can be
//!
//! - *partitioned*: what is sent waits until the link heals;
//! - a *black hole*: what is sent is retransmitted, and finally given up.
//!
//! Its connections can be
//!
//! - *severed*: reset, and what was in flight is lost;
//! - *forgotten*: cut forever, and neither end is told.
//!
//! The faults of a plan cut and delay a link beside the test, so neither undoes what the other did,
//! except that [`Link::heal`] lets everything through.
//!
//! This file is the handle that sets the link's state. Messages that a partition holds back wait in
//! `in_flight.rs`, to which `server.rs` tells that their path is cut.

use crate::sim::kernel::core::Core;
use crate::sim::kernel::id::{LinkId, NodeId};
use crate::sim::kernel::turn::Request;
use crate::sim::kernel::world::World;
use crate::sim::net::latency::Latency;
use crate::sim::net::path::{By, Cut, Heal};
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

    /// Sets the latency of messages that are sent from now on, in either direction.
    pub fn set_latency(&self, latency: Latency) {
        let mut core = self.world.lock();
        if !core.withholds() {
            let state = &mut core.links[self.id];
            *state.own_latency.as_mut().unwrap_or(&mut state.latency) = latency;
        }
    }

    /// Stops everything on the link. What is in flight or is sent waits, including the news that an
    /// end has closed a connection. After [`Link::heal`] it all arrives at once. An end that
    /// watches the other, as RabbitMQ does with heartbeats, may give up on the other in the
    /// meantime; so may the operating systems, as for [`Link::blackhole`].
    pub fn partition(&self) {
        self.cut(Cut::Partition, By::Test);
    }

    /// Drops every packet from now on, in either direction, as a firewall or a dead route does. Not
    /// even a close is delivered. What is sent is retransmitted at growing intervals: after
    /// [`Link::heal`] it arrives at the next attempt, unless its sender has given up.
    ///
    /// As Linux does by default, a sender gives up after 924.6 s, a connection attempt after 127 s,
    /// and a socket whose process has closed it or died after 102.2 s. An end that sends nothing is
    /// told nothing, unless it uses keepalive, as Redis does, or heartbeats, as RabbitMQ does if
    /// the client agrees. After an end has given up, it answers with a reset when the other end
    /// gets through to it again.
    pub fn blackhole(&self) {
        self.cut(Cut::Blackhole, By::Test);
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        let mut core = self.world.lock();
        if core.withholds() {
            return;
        }
        let healed = core.links[self.id].path.heal();
        self.tell_healed(&mut core, healed);
    }

    fn tell_healed(&self, core: &mut Core, healed: Option<Heal>) {
        if let Some(heal) = healed {
            self.trace(core, Record::Healed { service: &self.service });
            core.requests.push_back(Request::Heal { link: self.id, heal });
        }
    }

    /// Cuts the link because of a fault of a plan.
    pub(crate) fn cut_by_plan(&self, how: Cut) {
        self.cut(how, By::Plan);
    }

    /// Undoes a cut by a plan. A cut by the test stays.
    pub(crate) fn heal_from_plan(&self, how: Cut) {
        let mut core = self.world.lock();
        let healed = core.links[self.id].path.heal_from_plan(how);
        self.tell_healed(&mut core, healed);
    }

    /// Lets messages take this long because of a fault of a plan.
    pub(crate) fn slow_down(&self, latency: Latency) {
        let state = &mut self.world.lock().links[self.id];
        state.own_latency.get_or_insert(state.latency);
        state.latency = latency;
    }

    /// Lets messages take as long as the test wants.
    pub(crate) fn end_slowness(&self) {
        let state = &mut self.world.lock().links[self.id];
        state.latency = state.own_latency.take().unwrap_or(state.latency);
    }

    /// Makes the network forget the link's present connections, as a NAT or a firewall does with
    /// idle ones or when it restarts. Nothing ever crosses on them again, and neither end is told.
    /// Each end notices as it would notice a [black hole](Link::blackhole). New connections are
    /// possible at once.
    pub fn forget(&self) {
        let mut core = self.world.lock();
        if core.withholds() {
            return;
        }
        self.trace(&mut core, Record::Forgotten { service: &self.service });
        let before = core.links[self.id].next_era();
        core.requests.push_back(Request::Forget { link: self.id, before });
    }

    /// Returns whether the link is partitioned.
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        self.world.lock().links[self.id].path.is_partitioned()
    }

    /// Returns whether the link drops every packet.
    #[must_use]
    pub fn is_blackholed(&self) -> bool {
        self.world.lock().links[self.id].path.is_blackholed()
    }

    /// Returns the number of messages sent on the link so far, in either direction, including
    /// connection attempts, their answers and the ends of connections. See
    /// [`Sim::at_message`](crate::sim::Sim::at_message).
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.world.lock().links[self.id].sent
    }

    /// Resets every connection on the link. Both ends see the reset before anything else happens,
    /// and what was in flight is lost. New connections are possible at once.
    pub fn sever(&self) {
        let mut core = self.world.lock();
        if core.withholds() {
            return;
        }
        self.trace(&mut core, Record::Severed { service: &self.service });
        let before = core.links[self.id].next_era();
        core.requests.push_back(Request::Sever { link: self.id, before });
    }

    pub(crate) fn service_name(&self) -> &str {
        &self.service
    }

    pub(crate) fn node_name(&self) -> Arc<str> {
        let core = self.world.lock();
        Arc::clone(&core.processes[core.links[self.id].node].name)
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub(crate) fn id(&self) -> LinkId {
        self.id
    }

    fn cut(&self, how: Cut, by: By) {
        let mut core = self.world.lock();
        if !core.withholds() && core.links[self.id].path.cut(how, by) {
            let service = &self.service;
            let record = match how {
                Cut::Partition => Record::Partitioned { service },
                Cut::Blackhole => Record::Blackholed { service },
            };
            self.trace(&mut core, record);
            core.requests.push_back(Request::Cut(self.id));
        }
    }

    fn trace(&self, core: &mut Core, record: Record<'_>) {
        let actor = core.processes[core.links[self.id].node].actor;
        core.trace.record(self.world.now(), actor, record);
    }
}
