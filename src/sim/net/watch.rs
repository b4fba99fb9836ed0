//! Watches: when sessions, and the heartbeats of byte clients, check that their server is still
//! there.
//!
//! Each connection knows when its session checks next, and the server keeps these times in order.
//! The first of them is when the server's background timer is due, unless the machine's own is
//! earlier.

use crate::sim::kernel::world::World;
use crate::sim::net::cell::Cell;
use crate::sim::net::conn::{Conn, Phase};
use crate::sim::net::in_flight::Up;
use crate::sim::net::logged::up_in_words;
use crate::sim::net::pulse::{Look, Pulse};
use crate::sim::net::server::Server;
use crate::sim::service::contract::{Service, Session, Wakes};
use crate::sim::service::hangup::Disconnected;
use crate::time::{Instant, earlier};
use std::collections::BTreeSet;
use std::time::Duration;

/// A paused process checks at most this long after it was resumed.
const AGAIN: Duration = Duration::from_secs(1);

impl<S: Service> Conn<S> {
    pub(crate) fn wants_to_look(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open => {
                let pulse = self.bytes.as_ref().and_then(|bytes| bytes.pulse.as_ref());
                let pulse = pulse.filter(|_| !self.abandoned).map(Pulse::next_look);
                earlier(self.session.poll_housekeeping(), pulse)
            }
            Phase::Connecting | Phase::Ended(_) => None,
        }
    }
}

impl<S: Service> Cell<S> {
    /// Returns when the next background timer is due: of the machine if it runs, of a session, or
    /// of an end that gives up.
    pub(crate) fn poll_housekeeping(&self, now: Instant) -> Option<Instant> {
        let machine = if self.running { self.machine.poll_housekeeping() } else { None };
        let machine = machine.map(|at| self.clock.world_time(now, at));
        let first = |set: &BTreeSet<(Instant, u32)>| set.first().map(|(at, _)| *at);
        earlier(machine, earlier(first(&self.watches), first(&self.deadlines)))
    }

    /// Recomputes when a session checks next.
    pub(crate) fn watch(&mut self, connection: u32) {
        let Some(conn) = self.connections.get_mut(connection) else { return };
        let wanted = conn.wants_to_look();
        if let Some(at) = std::mem::replace(&mut conn.watch, wanted) {
            self.watches.remove(&(at, connection));
        }
        self.watches.extend(wanted.map(|at| (at, connection)));
    }
}

impl<S: Service> Server<S> {
    /// Asks the sessions that are due whether they give up.
    pub(crate) fn look_after_sessions(&self, world: &World, cell: &mut Cell<S>) {
        let now = world.now();
        while let Some(&(at, connection)) = cell.watches.first()
            && at <= now
        {
            cell.watches.pop_first();
            let Some(conn) = cell.connections.get_mut(connection) else { continue };
            conn.watch = None;
            if world.lock().processes[conn.node].is_paused() {
                let again = now.saturating_add(AGAIN);
                conn.watch = Some(again);
                cell.watches.insert((again, connection));
                continue;
            }
            let look = match conn.bytes.as_mut().and_then(|bytes| bytes.pulse.as_mut()) {
                Some(pulse) if !conn.abandoned => pulse.look(now),
                _ => Look::Fine,
            };
            if let Look::Beat(bytes) = look {
                let beat = Up::Bytes(bytes.to_vec());
                conn.up.send(&mut world.lock(), now, (&conn.route, true), beat, up_in_words::<S>);
            }
            if !conn.abandoned && (look == Look::Dead || conn.session.gives_up(now)) {
                let mut wakes = Wakes(&mut cell.wakes);
                self.end_at_node(world, conn, Disconnected::TimedOut, &mut wakes);
                self.lose_down(world, conn);
                conn.up.send(
                    &mut world.lock(),
                    now,
                    (&conn.route, true),
                    Up::Close,
                    up_in_words::<S>,
                );
            }
            cell.watch(connection);
        }
    }
}
