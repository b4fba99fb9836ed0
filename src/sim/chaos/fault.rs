//! One fault of a plan: what it does, what it holds, and its words.
//!
//! A fault that strikes where it cannot (a node that has ended by itself, a stopped service) does
//! nothing. Where something of the plan is down already, another fault keeps it down for longer.
//! How a fault is undone is `holds.rs`.

use super::subject::Subject;
use super::victim::{Serving, Victim};
use crate::Shutdown;
use crate::sim::kernel::striker::Fatal;
use crate::sim::kernel::world::World;
use crate::sim::net::latency::Latency;
use crate::sim::net::link::Link;
use crate::sim::net::network::Watch;
use crate::sim::net::path::Cut;
use crate::sim::node::Node;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The kinds of faults.
pub(super) enum What {
    Kill { node: Node },
    KillForGood { node: Node },
    LosePower { node: Node },
    Terminate { node: Node },
    Pause { node: Node },
    Restart { victim: Victim },
    Crash { service: Arc<dyn Serving> },
    Vanish { service: Arc<dyn Serving>, told: &'static str },
    Partition { link: Link },
    Blackhole { link: Link },
    Sever { link: Link },
    Forget { link: Link },
    Slow { link: Link, latency: Latency },
    Jump { victim: Victim, by: Duration, ahead: bool },
    Drift { victim: Victim, ppm: i64 },
}

impl What {
    pub(super) fn world(&self) -> &Arc<World> {
        match self {
            What::Kill { node }
            | What::KillForGood { node }
            | What::LosePower { node }
            | What::Terminate { node }
            | What::Pause { node } => node.world(),
            What::Crash { service } | What::Vanish { service, .. } => service.world(),
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
            What::Crash { service } | What::Vanish { service, .. } => Watch::Service(service.id()),
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

    /// Returns what a strike holds. `None` if nothing of it lasts.
    pub(super) fn subject(&self) -> Option<Subject> {
        Some(match self {
            What::Kill { node }
            | What::KillForGood { node }
            | What::LosePower { node }
            | What::Terminate { node } => Subject::Process(node.clone()),
            What::Pause { node } => Subject::Running(node.clone()),
            What::Crash { service } | What::Vanish { service, .. } => {
                Subject::Service(Arc::clone(service))
            }
            What::Partition { link } => Subject::Cut(link.clone(), Cut::Partition),
            What::Blackhole { link } => Subject::Cut(link.clone(), Cut::Blackhole),
            What::Slow { link, .. } => Subject::Latency(link.clone()),
            What::Jump { victim, .. } | What::Drift { victim, .. } => {
                Subject::Clock(victim.clone())
            }
            What::Restart { .. } | What::Sever { .. } | What::Forget { .. } => return None,
        })
    }

    /// Returns the process that it ends before that does anything else.
    pub(super) fn fatal(&self) -> Option<Fatal> {
        match self {
            What::Kill { node }
            | What::KillForGood { node }
            | What::LosePower { node }
            | What::Restart { victim: Victim::Node(node) } => Some(Fatal::Always(node.id())),
            What::Terminate { node } => Some(Fatal::UnlessHandled(node.id())),
            _ => None,
        }
    }

    /// Returns how it ends.
    pub(super) fn until(&self) -> Until<'_> {
        match self {
            What::Terminate { node } => Until::EndOf(node),
            What::KillForGood { .. } | What::Jump { .. } | What::Drift { .. } => Until::PlanEnds,
            _ => Until::TimeIsUp,
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
            What::Crash { service } | What::Vanish { service, .. } => Arc::clone(service.name()),
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
            What::Crash { .. } => format!("{name} crashed for {lasting:?}"),
            What::Vanish { told, .. } => format!("{name} {told} for {lasting:?}"),
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
            What::Slow { link, latency } => {
                let to = link.service_name();
                format!("{name} – {to} slowed down to {latency:?} for {lasting:?}")
            }
            What::Jump { by, ahead, .. } => {
                let to = if *ahead { "ahead" } else { "behind" };
                format!("the clock of {name} jumped {by:?} {to}")
            }
            What::Drift { ppm, .. } => {
                let how = if *ppm < 0 { "slow" } else { "fast" };
                format!("the clock of {name} ran {} ppm {how}", ppm.unsigned_abs())
            }
        }
    }
}

impl What {
    /// Strikes with what lasts. `is_held` says whether a strike holds the subject already. Returns
    /// whether this one now does.
    pub(super) fn strike(&self, is_held: bool) -> bool {
        let strikes = match self {
            What::Kill { node } | What::KillForGood { node } | What::LosePower { node } => {
                node.is_alive() || is_held
            }
            What::Terminate { node } | What::Pause { node } => node.is_alive(),
            What::Crash { service } | What::Vanish { service, .. } => {
                service.is_running() || is_held
            }
            _ => true,
        };
        if !strikes {
            return false;
        }
        match self {
            What::Kill { node } | What::KillForGood { node } => node.kill(),
            What::LosePower { node } => node.lose_power(),
            What::Terminate { node } => node.terminate(),
            What::Pause { node } => node.hold(),
            What::Crash { service } => service.stop(Shutdown::Kill),
            What::Vanish { service, .. } => service.vanish(),
            What::Partition { link } => link.cut_by_plan(Cut::Partition),
            What::Blackhole { link } => link.cut_by_plan(Cut::Blackhole),
            What::Slow { link, latency } => link.slow_down(*latency),
            What::Jump { victim, by, ahead } => victim.jump_clock(*by, *ahead),
            What::Drift { victim, ppm } => victim.let_clock_drift(*ppm),
            What::Restart { .. } | What::Sever { .. } | What::Forget { .. } => self.strike_once(),
        }
        true
    }

    /// Strikes with what does not last.
    pub(super) fn strike_once(&self) {
        match self {
            What::Restart { victim: Victim::Node(node) } if node.is_alive() => node.restart(),
            What::Restart { victim: Victim::Service(service) } if service.is_running() => {
                service.stop(Shutdown::Clean);
                service.start();
            }
            What::Sever { link } => link.sever(),
            What::Forget { link } => link.forget(),
            _ => {}
        }
    }

    /// A later strike on the same subject has let go, and this one is the last that holds it.
    pub(super) fn goes_on(&self) {
        if let What::Slow { link, latency } = self {
            link.slow_down(*latency);
        }
    }
}

/// How a strike ends.
pub(super) enum Until<'a> {
    /// When its time is over.
    TimeIsUp,
    /// When the node's process ends.
    EndOf(&'a Node),
    /// When the plan ends, or never.
    PlanEnds,
}

/// A fault of a plan.
pub(super) struct Fault {
    what: What,
    /// How long it may last. Zero, if it does not last or lasts until the plan ends.
    durations: Vec<Duration>,
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
        Fault { what, durations }
    }

    pub(super) fn what(&self) -> &What {
        &self.what
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
}

/// Returns the duration halfway between two, by factors.
fn between(least: Duration, most: Duration) -> Duration {
    // The product overflows from 19 s times forever on; the roots' product is as good then.
    let (least_nanos, most_nanos) = (least.as_nanos().max(1), most.as_nanos());
    let nanos = match least_nanos.checked_mul(most_nanos) {
        Some(product) => product.isqrt(),
        None => least_nanos.isqrt() * most_nanos.isqrt(),
    };
    let between = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    // Whole milliseconds read better.
    match u64::try_from(between.as_millis()) {
        Ok(millis) if millis > 0 => Duration::from_millis(millis).clamp(least, most),
        _ => between.clamp(least, most),
    }
}
