//! A connection as the world holds it: both ends, and what is in flight between them.
//!
//! The two ends know different things. The node's has a [`Phase`], the server's a [`ServerEnd`];
//! each changes only by what arrives there, by a call on that side, or by that machine's
//! own timers (`tcp.rs`), never because the other end knows something.

use super::id::NodeId;
use super::path::Keepalive;
use super::service::{Disconnected, Service, Waiter};
use super::trace::Actor;
use super::wire::{Down, Route, Up, Wire};
use crate::time::Instant;
use std::sync::Arc;

/// How far a connection is, as the node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open,
    Ended(Disconnected),
}

/// How a connection stands at the server's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerEnd {
    /// It has not yet heard of it, or has refused it.
    None,
    /// The machine knows of it.
    Open,
    /// Closed by either end, as each of them knows or will hear.
    Closed,
    /// Gone without a word: what still arrives for it is answered with a reset.
    Dead,
}

pub(super) struct Conn<S: Service> {
    pub(super) route: Route,
    pub(super) node: NodeId,
    pub(super) node_name: Arc<str>,
    /// What the trace calls either end: its name, and which connection it is of several.
    pub(super) node_label: Arc<str>,
    pub(super) server_label: Arc<str>,
    pub(super) actor: Actor,
    pub(super) phase: Phase,
    pub(super) server_end: ServerEnd,
    /// Whether the node's end is closed: no handle is left, or the node died.
    pub(super) abandoned: bool,
    /// Whether the node's machine lost its power while it had it, and is up again.
    pub(super) gone: bool,
    pub(super) rebooted: bool,
    /// Whether the node's operating system has given it up.
    pub(super) gave_up: bool,
    /// Whether what lies between has forgotten it.
    pub(super) lost: bool,
    /// Whether either machine has answered with a reset.
    pub(super) node_reset: bool,
    pub(super) server_reset: bool,
    /// How often the link's connections had been severed or forgotten when this began.
    pub(super) era: u32,
    pub(super) began: Instant,
    /// The server's end's, as it was when that was opened.
    pub(super) keepalive: Option<Keepalive>,
    /// When anything arrived last, at either end.
    pub(super) heard: Instant,
    /// When an end gives it up; see `tcp.rs`.
    pub(super) deadline: Option<Instant>,
    pub(super) up: Wire<Up<S::Input>>,
    pub(super) down: Wire<Down<S::Output>>,
    pub(super) session: S::Session,
    pub(super) opener: Waiter,
    /// When the session wants to look whether the server is still there.
    pub(super) watch: Option<Instant>,
}

impl<S: Service> Conn<S> {
    /// One that `node` begins to a server of this name: the `begun`-th on its link, in this era.
    pub(super) fn new(
        now: Instant,
        route: Route,
        (node, name, actor): (NodeId, &Arc<str>, Actor),
        server: &Arc<str>,
        (begun, era): (u32, u32),
    ) -> Conn<S> {
        let label = |name: &Arc<str>| match begun {
            1 => Arc::clone(name),
            n => format!("{name}#{n}").into(),
        };
        Conn {
            route,
            node,
            node_name: Arc::clone(name),
            node_label: label(name),
            server_label: label(server),
            actor,
            phase: Phase::Connecting,
            server_end: ServerEnd::None,
            abandoned: false,
            gone: false,
            rebooted: false,
            gave_up: false,
            lost: false,
            node_reset: false,
            server_reset: false,
            era,
            began: now,
            keepalive: None,
            heard: now,
            deadline: None,
            up: Wire::default(),
            down: Wire::default(),
            session: S::Session::default(),
            opener: Waiter::default(),
            watch: None,
        }
    }
}
