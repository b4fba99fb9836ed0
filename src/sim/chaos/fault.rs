//! One fault of a plan: what it does, and how it is undone.
//!
//! A fault that strikes where it cannot (a dead node, a stopped service) does nothing. Undoing a
//! fault that has not struck does nothing either, so a node that has ended by itself is never
//! started again.

use crate::Shutdown;
use crate::sim::handle::ServiceHandle;
use crate::sim::kernel::world::World;
use crate::sim::net::latency::Latency;
use crate::sim::net::link::Link;
use crate::sim::net::network::Watch;
use crate::sim::node::Node;
use crate::sim::service::contract::Service;
use std::cell::Cell;
use std::fmt;
use std::ops::Range;
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
    fn set_clock(&self, by: Duration, ahead: bool);
    fn set_drift(&self, ppm: i64);
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

    fn set_clock(&self, by: Duration, ahead: bool) {
        if ahead { self.set_clock_ahead(by) } else { self.set_clock_behind(by) }
    }

    fn set_drift(&self, ppm: i64) {
        self.set_clock_drift(ppm);
    }
}

/// A node or a service.
#[derive(Clone)]
pub(super) enum Victim {
    Node(Node),
    Service(Arc<dyn Serving>),
}

impl Victim {
    fn name(&self) -> &Arc<str> {
        match self {
            Victim::Node(node) => node.shared_name(),
            Victim::Service(service) => service.name(),
        }
    }

    fn world(&self) -> &Arc<World> {
        match self {
            Victim::Node(node) => node.world(),
            Victim::Service(service) => service.world(),
        }
    }

    fn watch(&self) -> Watch {
        match self {
            Victim::Node(node) => Watch::Node(node.id()),
            Victim::Service(service) => Watch::Service(service.id()),
        }
    }

    fn set_clock(&self, by: Duration, ahead: bool) {
        match self {
            Victim::Node(node) if ahead => node.set_clock_ahead(by),
            Victim::Node(node) => node.set_clock_behind(by),
            Victim::Service(service) => service.set_clock(by, ahead),
        }
    }

    fn set_drift(&self, ppm: i64) {
        match self {
            Victim::Node(node) => node.set_clock_drift(ppm),
            Victim::Service(service) => service.set_drift(ppm),
        }
    }
}

/// The kinds of faults.
pub(super) enum What {
    Kill { node: Node },
    KillForGood { node: Node },
    LosePower { node: Node },
    Terminate { node: Node },
    Pause { node: Node },
    Restart { victim: Victim },
    Stop { service: Arc<dyn Serving>, how: Shutdown, silently: bool },
    Partition { link: Link },
    Blackhole { link: Link },
    Sever { link: Link },
    Forget { link: Link },
    Slow { link: Link, latency: Latency, before: Cell<Option<Latency>> },
    Jump { victim: Victim, by: Duration, ahead: bool },
    Drift { victim: Victim, ppm: i64 },
}

impl What {
    pub(super) fn slow(link: &Link, latency: Latency) -> What {
        What::Slow { link: link.clone(), latency, before: Cell::new(None) }
    }

    pub(super) fn world(&self) -> &Arc<World> {
        match self {
            What::Kill { node }
            | What::KillForGood { node }
            | What::LosePower { node }
            | What::Terminate { node }
            | What::Pause { node } => node.world(),
            What::Stop { service, .. } => service.world(),
            What::Partition { link }
            | What::Blackhole { link }
            | What::Sever { link }
            | What::Forget { link }
            | What::Slow { link, .. } => link.world(),
            What::Restart { victim } | What::Jump { victim, .. } | What::Drift { victim, .. } => {
                victim.world()
            }
        }
    }

    /// Returns the messages at which it may strike.
    pub(super) fn watch(&self) -> Watch {
        match self {
            What::Kill { node }
            | What::KillForGood { node }
            | What::LosePower { node }
            | What::Terminate { node }
            | What::Pause { node } => Watch::Node(node.id()),
            What::Stop { service, .. } => Watch::Service(service.id()),
            What::Partition { link }
            | What::Blackhole { link }
            | What::Sever { link }
            | What::Forget { link }
            | What::Slow { link, .. } => Watch::Link(link.id()),
            What::Restart { victim } | What::Jump { victim, .. } | What::Drift { victim, .. } => {
                victim.watch()
            }
        }
    }

    /// Returns the name of the node or service that it strikes. Of a link it is the node.
    fn victim(&self) -> Arc<str> {
        match self {
            What::Kill { node }
            | What::KillForGood { node }
            | What::LosePower { node }
            | What::Terminate { node }
            | What::Pause { node } => Arc::clone(node.shared_name()),
            What::Stop { service, .. } => Arc::clone(service.name()),
            What::Partition { link }
            | What::Blackhole { link }
            | What::Sever { link }
            | What::Forget { link }
            | What::Slow { link, .. } => link.node_name(),
            What::Restart { victim } | What::Jump { victim, .. } | What::Drift { victim, .. } => {
                Arc::clone(victim.name())
            }
        }
    }

    /// Returns what happens, in words.
    fn told(&self, lasting: Duration) -> String {
        let name = self.victim();
        match self {
            What::Kill { .. } => format!("{name} killed for {lasting:?}"),
            What::KillForGood { .. } => format!("{name} killed for good"),
            What::LosePower { .. } => format!("{name} without power for {lasting:?}"),
            What::Terminate { .. } => format!("{name} asked to stop and started again"),
            What::Pause { .. } => format!("{name} paused for {lasting:?}"),
            What::Restart { victim: Victim::Node(_) } => format!("{name} killed and restarted"),
            What::Restart { victim: Victim::Service(_) } => format!("{name} restarted"),
            What::Stop { silently: true, .. } => format!("{name} vanished for {lasting:?}"),
            What::Stop { how: Shutdown::PowerLoss, .. } => {
                format!("{name} lost power for {lasting:?}")
            }
            What::Stop { .. } => format!("{name} crashed for {lasting:?}"),
            What::Partition { link } => {
                format!("{name} – {} partitioned for {lasting:?}", link.service_name())
            }
            What::Blackhole { link } => {
                format!("{name} – {} dropped everything for {lasting:?}", link.service_name())
            }
            What::Sever { link } => {
                format!("connections of {name} to {} reset", link.service_name())
            }
            What::Forget { link } => {
                format!("connections of {name} to {} forgotten", link.service_name())
            }
            What::Slow { link, latency, .. } => {
                let to = link.service_name();
                format!("{name} – {to} slowed down to {latency:?} for {lasting:?}")
            }
            What::Jump { by, ahead, .. } => {
                let to = if *ahead { "ahead" } else { "behind" };
                format!("the clock of {name} jumped {by:?} {to}")
            }
            What::Drift { ppm, .. } => format!("the clock of {name} ran {ppm} ppm fast"),
        }
    }
}

/// A fault of a plan.
pub(super) struct Fault {
    what: What,
    /// How long it may last. Zero, if it does not last or lasts until the plan ends.
    durations: Vec<Duration>,
    /// Whether it has struck and was not undone.
    struck: Cell<bool>,
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what.told(self.durations[0]))
    }
}

impl Fault {
    pub(super) fn new(what: What, range: &Range<Duration>) -> Fault {
        let (least, most) = (range.start, range.end.max(range.start));
        let mut durations = vec![least, between(least, most), most];
        durations.dedup();
        Fault { what, durations, struck: Cell::new(false) }
    }

    /// Returns how long it may last: at least one duration.
    pub(super) fn durations(&self) -> &[Duration] {
        &self.durations
    }

    /// Returns whom it strikes, and what happens for each duration, in words.
    pub(super) fn told(&self) -> (Arc<str>, Vec<String>) {
        let told = self.durations.iter().map(|lasting| self.what.told(*lasting));
        (self.what.victim(), told.collect())
    }

    /// Returns the node to start again as soon as it has ended, if that is how the fault is undone.
    pub(super) fn restarts_at_end_of(&self) -> Option<&Node> {
        match &self.what {
            What::Terminate { node } if self.struck.get() => Some(node),
            _ => None,
        }
    }

    /// Strikes. Returns whether it is to be undone after its duration.
    pub(super) fn strike(&self) -> bool {
        match &self.what {
            What::Kill { node } if node.is_alive() => node.kill(),
            What::LosePower { node } if node.is_alive() => node.lose_power(),
            What::Pause { node } if node.is_alive() => node.pause(),
            What::Stop { service, silently: true, .. } if service.is_running() => service.vanish(),
            What::Stop { service, how, .. } if service.is_running() => service.stop(*how),
            What::Partition { link } => link.partition(),
            What::Blackhole { link } => link.blackhole(),
            What::Slow { link, latency, before } => {
                if before.get().is_none() {
                    before.set(Some(link.latency()));
                }
                link.set_latency(*latency);
            }
            _ => {
                self.strike_once();
                return false;
            }
        }
        self.struck.set(true);
        true
    }

    /// Strikes with what is not undone after a while.
    fn strike_once(&self) {
        match &self.what {
            What::KillForGood { node } => node.kill(),
            What::Terminate { node } if node.is_alive() => {
                node.terminate();
                self.struck.set(true);
            }
            What::Restart { victim: Victim::Node(node) } if node.is_alive() => node.restart(),
            What::Restart { victim: Victim::Service(service) } if service.is_running() => {
                service.stop(Shutdown::Clean);
                service.start();
            }
            What::Sever { link } => link.sever(),
            What::Forget { link } => link.forget(),
            What::Jump { victim, by, ahead } => {
                victim.set_clock(*by, *ahead);
                self.struck.set(true);
            }
            What::Drift { victim, ppm } => {
                victim.set_drift(*ppm);
                self.struck.set(true);
            }
            _ => {}
        }
    }

    /// Undoes what it did, if it struck.
    pub(super) fn undo(&self) {
        if !self.struck.take() {
            return;
        }
        match &self.what {
            What::Kill { node } | What::LosePower { node } | What::Terminate { node } => {
                if !node.is_alive() {
                    node.restart();
                }
            }
            What::Pause { node } => node.resume(),
            What::Stop { service, .. } => service.start(),
            What::Partition { link } | What::Blackhole { link } => link.heal(),
            What::Slow { link, before, .. } => {
                if let Some(latency) = before.take() {
                    link.set_latency(latency);
                }
            }
            What::Jump { victim, .. } => victim.set_clock(Duration::ZERO, true),
            What::Drift { victim, .. } => victim.set_drift(0),
            What::KillForGood { .. }
            | What::Restart { .. }
            | What::Sever { .. }
            | What::Forget { .. } => {}
        }
    }
}

/// Returns the duration halfway between two, by factors.
fn between(least: Duration, most: Duration) -> Duration {
    let nanos = (least.as_nanos().max(1) * most.as_nanos()).isqrt();
    let between = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    // Whole milliseconds read better.
    match u64::try_from(between.as_millis()) {
        Ok(millis) if millis > 0 => Duration::from_millis(millis).clamp(least, most),
        _ => between.clamp(least, most),
    }
}
