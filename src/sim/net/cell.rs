//! A server's cell: its machine, its connections, and its timers, as one value behind a lock.

use crate::sim::kernel::clock::Clock;
use crate::sim::kernel::id::NodeId;
use crate::sim::kernel::task::WakeRef;
use crate::sim::kernel::timer::TimerKey;
use crate::sim::net::conn::{Conn, ServerEnd};
use crate::sim::net::path::Keepalive;
use crate::sim::net::table::Connections;
use crate::sim::service::contract::{Service, Waiter};
use crate::time::Instant;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A machine at work, with its connections.
pub(crate) struct Cell<S: Service> {
    pub(crate) machine: S,
    pub(crate) running: bool,
    /// Whether its machine is without power.
    pub(crate) off: bool,
    /// The machine's clock.
    pub(crate) clock: Clock,
    pub(crate) connections: Connections<S>,
    /// Whether a byte client ever connected. Without one, the machine is asked for typed messages
    /// only.
    pub(crate) serves_bytes: bool,
    /// Whether the machine tells what happens to its messages or keys.
    pub(crate) tells: bool,
    pub(crate) next_connection: u32,
    /// The keepalive of the connection that was accepted last.
    pub(crate) keepalive: Option<Arc<Keepalive>>,
    pub(crate) timer: Option<(Instant, TimerKey)>,
    /// When a background timer is due, as the world was told.
    pub(crate) housekeeping: Option<Instant>,
    /// When sessions check their server, in order.
    pub(crate) watches: BTreeSet<(Instant, u32)>,
    /// When ends of connections give up, in order.
    pub(crate) deadlines: BTreeSet<(Instant, u32)>,
    pub(crate) wakes: Vec<WakeRef>,
    /// The process that opens connections for the machine, on the same computer.
    pub(crate) companion: Option<NodeId>,
    /// That process, while it waits for something to do.
    pub(crate) errand: Waiter,
}

impl<S: Service> Cell<S> {
    pub(crate) fn new(machine: S) -> Cell<S> {
        Cell {
            machine,
            running: true,
            off: false,
            clock: Clock::default(),
            connections: Connections::default(),
            serves_bytes: false,
            tells: false,
            next_connection: 0,
            keepalive: None,
            timer: None,
            housekeeping: None,
            watches: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            wakes: Vec::new(),
            companion: None,
            errand: Waiter::default(),
        }
    }

    /// Returns a connection whose end at the server is open.
    pub(crate) fn open_at_server(&mut self, connection: u64) -> Option<&mut Conn<S>> {
        let conn = u32::try_from(connection).ok().and_then(|id| self.connections.get_mut(id));
        conn.filter(|conn| conn.server_end == ServerEnd::Open)
    }

    /// Tells the machine that a connection has ended.
    pub(crate) fn disconnect(&mut self, now: Instant, connection: u32) {
        let at = self.clock.machine_time(now);
        let of_bytes = self.connections.get(connection).is_some_and(|conn| conn.bytes.is_some());
        match self.machine.bytes().filter(|_| of_bytes) {
            Some(bytes) => bytes.disconnected(at, u64::from(connection)),
            None => self.machine.disconnected(at, u64::from(connection)),
        }
    }

    /// Removes a connection of which neither end will hear again.
    pub(crate) fn reap(&mut self, connection: u32) {
        let over = |conn: &Conn<S>| {
            let node_is_done = conn.abandoned && (conn.gone || conn.gave_up);
            let sends = !conn.up.is_empty() || !conn.down.is_empty();
            node_is_done && conn.server_end != ServerEnd::Open && !sends
        };
        if self.connections.get(connection).is_some_and(over) {
            self.forget(connection);
        }
    }

    pub(crate) fn forget(&mut self, connection: u32) {
        let Some(conn) = self.connections.remove(connection) else { return };
        if let Some(at) = conn.watch {
            self.watches.remove(&(at, connection));
        }
        if let Some(at) = conn.deadline {
            self.deadlines.remove(&(at, connection));
        }
    }
}
