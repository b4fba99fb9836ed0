//! Subjects: what a strike that lasts may hold.

use super::victim::{Serving, Victim};
use crate::sim::net::link::Link;
use crate::sim::net::path::Cut;
use crate::sim::node::Node;
use std::sync::Arc;

/// A thing that a strike may hold.
#[derive(Clone)]
pub(super) enum Subject {
    /// A node's process, which is down or asked to stop.
    Process(Node),
    /// Whether a node's process runs, or is paused.
    Running(Node),
    Service(Arc<dyn Serving>),
    Cut(Link, Cut),
    Latency(Link),
    Clock(Victim),
}

impl Subject {
    /// Returns the kind of the subject, and the number of what it belongs to.
    pub(super) fn key(&self) -> (u32, u32) {
        match self {
            Subject::Process(node) => (0, node.id().0),
            Subject::Running(node) => (1, node.id().0),
            Subject::Service(service) => (2, service.id()),
            Subject::Cut(link, Cut::Partition) => (3, link.id().0),
            Subject::Cut(link, Cut::Blackhole) => (4, link.id().0),
            Subject::Latency(link) => (5, link.id().0),
            Subject::Clock(Victim::Node(node)) => (6, node.id().0),
            Subject::Clock(Victim::Service(service)) => (7, service.id()),
        }
    }

    /// Returns the number of the process's present life.
    pub(super) fn life(&self) -> u64 {
        match self {
            Subject::Process(node) | Subject::Running(node) => node.life(),
            _ => 0,
        }
    }

    /// The last strike has let go.
    pub(super) fn free(&self) {
        match self {
            // If it is still alive, its kill is about to be served.
            Subject::Process(node) => node.restart(),
            Subject::Running(node) => node.let_run(),
            Subject::Service(service) => service.start(),
            Subject::Cut(link, how) => link.heal_from_plan(*how),
            Subject::Latency(link) => link.end_slowness(),
            Subject::Clock(victim) => victim.heal_clock(),
        }
    }
}
