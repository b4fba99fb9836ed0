//! Victims: nodes, and services of any kind, as a plan handles them.

use crate::Shutdown;
use crate::sim::handle::ServiceHandle;
use crate::sim::kernel::world::World;
use crate::sim::net::network::Watch;
use crate::sim::node::Node;
use crate::sim::service::contract::Service;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A service of any kind, as a plan handles it.
pub(crate) trait Serving {
    fn id(&self) -> u32;
    fn name(&self) -> &Arc<str>;
    fn world(&self) -> &Arc<World>;
    fn is_running(&self) -> bool;
    fn stop(&self, how: Shutdown);
    fn vanish(&self);
    fn start(&self);
    fn jump_clock(&self, by: Duration, ahead: bool);
    fn let_clock_drift(&self, ppm: i64);
    fn heal_clock(&self);
}

impl<S: Service> Serving for ServiceHandle<S> {
    fn id(&self) -> u32 {
        ServiceHandle::id(self)
    }

    fn name(&self) -> &Arc<str> {
        self.shared_name()
    }

    fn world(&self) -> &Arc<World> {
        ServiceHandle::world(self)
    }

    fn is_running(&self) -> bool {
        ServiceHandle::is_running(self)
    }

    fn stop(&self, how: Shutdown) {
        ServiceHandle::stop(self, how);
    }

    fn vanish(&self) {
        ServiceHandle::vanish(self);
    }

    fn start(&self) {
        ServiceHandle::start(self);
    }

    fn jump_clock(&self, by: Duration, ahead: bool) {
        ServiceHandle::jump_clock(self, by, ahead);
    }

    fn let_clock_drift(&self, ppm: i64) {
        ServiceHandle::let_clock_drift(self, ppm);
    }

    fn heal_clock(&self) {
        ServiceHandle::heal_clock(self);
    }
}

/// A node or a service.
#[derive(Clone)]
pub(crate) enum Victim {
    Node(Node),
    Service(Arc<dyn Serving>),
}

impl Victim {
    pub(super) fn name(&self) -> &Arc<str> {
        match self {
            Victim::Node(node) => node.shared_name(),
            Victim::Service(service) => service.name(),
        }
    }

    pub(super) fn world(&self) -> &Arc<World> {
        match self {
            Victim::Node(node) => node.world(),
            Victim::Service(service) => service.world(),
        }
    }

    pub(super) fn watch(&self) -> Watch {
        match self {
            Victim::Node(node) => Watch::Node(node.id()),
            Victim::Service(service) => Watch::Service(service.id()),
        }
    }

    /// Lets the calendar clock jump from where it is.
    pub(super) fn jump_clock(&self, by: Duration, ahead: bool) {
        match self {
            Victim::Node(node) => node.jump_clock(by, ahead),
            Victim::Service(service) => service.jump_clock(by, ahead),
        }
    }

    /// Lets the clock drift by this much more than the test lets it.
    pub(super) fn let_clock_drift(&self, ppm: i64) {
        match self {
            Victim::Node(node) => node.let_clock_drift(ppm),
            Victim::Service(service) => service.let_clock_drift(ppm),
        }
    }

    /// Lets the clock show what it would show without the plan.
    pub(super) fn heal_clock(&self) {
        match self {
            Victim::Node(node) => node.heal_clock(),
            Victim::Service(service) => service.heal_clock(),
        }
    }
}

impl fmt::Debug for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Victim").field(self.name()).finish()
    }
}
