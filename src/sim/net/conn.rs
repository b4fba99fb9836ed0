//! A connection as the world holds it: both ends, and what is in flight between them.
//!
//! The two ends know different things. The node's end has a [`Phase`], the server's a
//! [`ServerEnd`]. Each changes only by what arrives there, by a call on that side, or by a timer of
//! that machine (`tcp.rs`); never because the other end knows something.

use crate::sim::kernel::id::NodeId;
use crate::sim::net::in_flight::{Down, Route, Up, Wire};
use crate::sim::net::path::Keepalive;
use crate::sim::net::pulse::Pulse;
use crate::sim::service::contract::{Service, Waiter};
use crate::sim::service::hangup::Disconnected;
use crate::sim::trace::Actor;
use crate::sim::trace::event::{Journey, label};
use crate::time::Instant;
use std::collections::VecDeque;
use std::sync::Arc;

/// The bytes that have arrived at a node's end and have not been read yet, and its heartbeats.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) unread: VecDeque<u8>,
    pub(crate) reader: Waiter,
    /// What a reader waits for, in words.
    pub(crate) awaited: Arc<str>,
    /// The heartbeats that the world sends for the client, if any.
    pub(crate) pulse: Option<Pulse>,
}

impl Received {
    /// Returns the empty buffer of a connection to the server of this name.
    pub(crate) fn new(server: &str) -> Received {
        let awaited = format!("bytes from {server}").into();
        Received { unread: VecDeque::new(), reader: Waiter::default(), awaited, pulse: None }
    }

    /// Takes what has arrived.
    pub(crate) fn take(&mut self, bytes: Vec<u8>) {
        if self.unread.is_empty() {
            self.unread = bytes.into();
        } else {
            self.unread.extend(bytes);
        }
    }
}

/// The state of a connection, as the node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    Open,
    Ended(Disconnected),
}

/// The state of a connection at the server's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerEnd {
    /// The machine has not heard of it yet, or has refused it.
    None,
    /// The machine knows it.
    Open,
    /// One end closed it, and the other knows or will hear of it.
    Closed,
    /// Gone silently. Whatever still arrives for it is answered with a reset.
    Dead,
}

pub(crate) struct Conn<S: Service> {
    pub(crate) route: Route,
    pub(crate) node: NodeId,
    pub(crate) node_name: Arc<str>,
    /// The names of both ends in the trace, with the connection's number if there are several.
    pub(crate) node_label: Arc<str>,
    pub(crate) server_label: Arc<str>,
    /// The number of the connection on its link.
    pub(crate) begun: u32,
    pub(crate) actor: Actor,
    pub(crate) phase: Phase,
    pub(crate) server_end: ServerEnd,
    /// Whether the node's end is closed: no handle is left, or the node died.
    pub(crate) abandoned: bool,
    /// Whether the node's machine lost its power during the connection, and whether it is up again.
    pub(crate) gone: bool,
    pub(crate) rebooted: bool,
    /// Whether the node's operating system has given it up.
    pub(crate) gave_up: bool,
    /// Whether something on the way, such as a NAT, has forgotten it.
    pub(crate) lost: bool,
    /// Whether either machine has answered with a reset.
    pub(crate) node_reset: bool,
    pub(crate) server_reset: bool,
    /// How many times the link's connections had been severed or forgotten when this one began.
    pub(crate) era: u32,
    pub(crate) began: Instant,
    /// The keepalive of the server's end, fixed when that end was opened.
    pub(crate) keepalive: Option<Arc<Keepalive>>,
    /// When anything last arrived, at either end.
    pub(crate) heard: Instant,
    /// When one of the ends gives it up; see `tcp.rs`.
    pub(crate) deadline: Option<Instant>,
    pub(crate) up: Wire<Up<S::Input>>,
    pub(crate) down: Wire<Down<S::Output>>,
    pub(crate) session: S::Session,
    /// The bytes received by the node's end, if this is a connection of bytes.
    pub(crate) bytes: Option<Box<Received>>,
    pub(crate) opener: Waiter,
    /// When the session checks next whether the server is still there.
    pub(crate) watch: Option<Instant>,
}

impl<S: Service> Conn<S> {
    /// Returns a connection that `node` begins to the server of this name: number `begun` on its
    /// link, in this era.
    pub(crate) fn new(
        now: Instant,
        route: Route,
        (node, name, actor): (NodeId, &Arc<str>, Actor),
        server: &Arc<str>,
        (begun, era): (u32, u32),
    ) -> Conn<S> {
        Conn {
            route,
            node,
            node_name: Arc::clone(name),
            node_label: label(name, begun.into()),
            server_label: label(server, begun.into()),
            begun,
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
            bytes: None,
            opener: Waiter::default(),
            watch: None,
        }
    }

    /// Returns how a message of this sender travelled, which is one of the two ends.
    pub(crate) fn journey(&self, sender: Actor, sent: Instant) -> Journey {
        Journey { sender, begun: self.begun, connection: self.route.connection, sent }
    }

    /// Returns whether what the node sends reaches the server's machine.
    pub(crate) fn up_is_open(&self, server_is_off: bool) -> bool {
        self.route.path.is_open() && !self.lost && !server_is_off
    }

    /// Returns whether what the server sends reaches the node's machine.
    pub(crate) fn down_is_open(&self) -> bool {
        self.route.path.is_open() && !self.lost && (!self.gone || self.rebooted)
    }
}
