//! Watches: the sessions that look from time to time whether the server is still there.
//!
//! When a session wants to look is known for each connection, and in order for all of
//! a server; the first is when the server's housekeeping is due, if that has none
//! sooner.

use crate::sim::kernel::world::World;
use crate::sim::net::conn::{Conn, Phase};
use crate::sim::net::server::{Cell, Server};
use crate::sim::net::wire::Up;
use crate::sim::service::{Disconnected, Service, Session, Wakes};
use crate::time::Instant;
use std::collections::BTreeSet;
use std::time::Duration;

/// A process that stands still looks when it goes on, at most so much later.
const AGAIN: Duration = Duration::from_secs(1);

impl<S: Service> Conn<S> {
    pub(crate) fn wants_to_look(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open => self.session.poll_housekeeping(),
            Phase::Connecting | Phase::Ended(_) => None,
        }
    }
}

impl<S: Service> Cell<S> {
    /// When the machine, if it runs, or a session wants to do its housekeeping, or an end of a
    /// connection gives up.
    pub(crate) fn poll_housekeeping(&self, now: Instant) -> Option<Instant> {
        let machine = if self.running { self.machine.poll_housekeeping() } else { None };
        let machine = machine.map(|at| self.clock.world_time(now, at));
        let first = |set: &BTreeSet<(Instant, u32)>| set.first().map(|(at, _)| *at);
        let others = [first(&self.watches), first(&self.deadlines)];
        machine.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// Sees when a session wants to look next.
    pub(crate) fn watch(&mut self, connection: u32) {
        let Some(conn) = self.connections.get_mut(&connection) else { return };
        let wanted = conn.wants_to_look();
        if let Some(at) = std::mem::replace(&mut conn.watch, wanted) {
            self.watches.remove(&(at, connection));
        }
        self.watches.extend(wanted.map(|at| (at, connection)));
    }
}

impl<S: Service> Server<S> {
    /// Asks the sessions whose time has come whether they give up.
    pub(crate) fn look_after_sessions(&self, world: &World, cell: &mut Cell<S>) {
        let now = world.now();
        while let Some(&(at, connection)) = cell.watches.first()
            && at <= now
        {
            cell.watches.pop_first();
            let Some(conn) = cell.connections.get_mut(&connection) else { continue };
            conn.watch = None;
            if world.lock().processes[conn.node].paused {
                let again = now.saturating_add(AGAIN);
                conn.watch = Some(again);
                cell.watches.insert((again, connection));
                continue;
            }
            if !conn.abandoned && conn.session.gives_up(now) {
                let mut wakes = Wakes(&mut cell.wakes);
                self.end_at_node(world, conn, Disconnected::TimedOut, &mut wakes);
                conn.down.clear();
                conn.up.send(&mut world.lock(), now, &conn.route, true, Up::Close);
            }
            cell.watch(connection);
        }
    }
}
