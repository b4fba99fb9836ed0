//! Ports: what the run loop needs of a server, whatever its machine.
//!
//! The world's events and the requests of its handles arrive here. Each call locks the server once
//! and leaves it settled: outputs on the wires, timers set.

use crate::Shutdown;
use crate::invariant::ensure;
use crate::sim::kernel::agenda::Arrivals;
use crate::sim::kernel::id::{LinkId, NodeId};
use crate::sim::kernel::task::WakeRef;
use crate::sim::kernel::turn::Request;
use crate::sim::kernel::world::World;
use crate::sim::net::conn::{Conn, Phase};
use crate::sim::net::path::Heal;
use crate::sim::net::server::Server;
use crate::sim::service::contract::{Service, Session, Wakes};
use crate::sim::service::hangup::Disconnected;
use crate::sim::trace::event::Record;
use crate::sim::trace::{Actor, Trace};
use crate::time::Instant;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The run loop's view of a service of any kind.
pub(crate) trait Port {
    /// Something arrives, at the service (`up`) or at a node. If `bursts`, so does what arrives
    /// next, as long as nothing else comes first.
    fn arrive(&self, world: &World, connection: u32, up: bool, bursts: bool);
    fn timeout(&self, world: &World);
    fn node_died(&self, world: &World, node: NodeId);
    fn node_vanished(&self, world: &World, node: NodeId);
    fn node_rebooted(&self, world: &World, node: NodeId);
    fn cut(&self, world: &World, link: LinkId);
    fn healed(&self, world: &World, link: LinkId, heal: Heal);
    fn severed(&self, world: &World, link: LinkId, before: u32);
    fn forgotten(&self, world: &World, link: LinkId, before: u32);
    /// Returns the service's name, and what its machine holds.
    fn portrait(&self, world: &World) -> (String, Vec<String>);
    /// Returns how its messages begin that say little.
    fn routine(&self) -> &'static [&'static str];
    fn tell_in_flight(&self, trace: &mut Trace);
    /// Returns why nodes may wait in vain for this server: the node, and the reason.
    fn hindrances(&self, world: &World) -> Vec<(Arc<str>, String)>;
    fn actor(&self) -> Actor;
    fn check_invariants(&self, arrivals: &Arrivals) -> Result<(), String>;
    /// One of the calls above has panicked: the process is gone.
    fn panicked(&self, world: &World);
}

impl<S: Service> Port for Server<S> {
    fn arrive(&self, world: &World, connection: u32, up: bool, bursts: bool) {
        let mut cell = self.lock();
        let mut next = Some((connection, up));
        while let Some((connection, up)) = next {
            if up {
                self.arrive_up(world, &mut cell, connection);
            } else {
                self.arrive_down(world, &mut cell, connection);
            }
            if !bursts || cell.wakes.iter().any(WakeRef::is_foreign) {
                break;
            }
            let mut core = world.lock();
            cell.wakes.drain(..).for_each(|wake| core.wake(&wake));
            next = core.go_on_with(world.now(), self.id);
        }
        self.wake(world, cell);
    }

    fn timeout(&self, world: &World) {
        let mut cell = self.lock();
        let now = world.now();
        cell.timer.take_if(|(at, _)| *at <= now);
        cell.housekeeping.take_if(|at| *at <= now);
        let at = cell.clock.machine_time(now);
        let due = [cell.machine.poll_timeout(), cell.machine.poll_housekeeping()];
        if cell.running && due.into_iter().flatten().any(|due| due <= at) {
            cell.machine.handle_timeout(at);
        }
        self.look_after_sessions(world, &mut cell);
        self.give_up_the_silent(world, &mut cell);
        self.settle(world, &mut cell);
        self.wake(world, cell);
    }

    fn node_died(&self, world: &World, node: NodeId) {
        let mut cell = self.lock();
        for connection in cell.connections.of_node(node) {
            self.abandon(world, &mut cell, connection);
        }
        self.wake(world, cell);
    }

    fn node_vanished(&self, world: &World, node: NodeId) {
        Server::node_vanished(self, world, node);
    }

    fn node_rebooted(&self, world: &World, node: NodeId) {
        Server::node_rebooted(self, world, node);
    }

    fn cut(&self, world: &World, link: LinkId) {
        Server::cut(self, world, link);
    }

    fn healed(&self, world: &World, link: LinkId, heal: Heal) {
        Server::healed(self, world, link, heal);
    }

    fn forgotten(&self, world: &World, link: LinkId, before: u32) {
        Server::forgotten(self, world, link, before);
    }

    fn severed(&self, world: &World, link: LinkId, before: u32) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        let node = world.lock().links[link].node;
        for connection in cell.connections.of_node(node) {
            let conn = cell.connections.get_mut(connection).filter(|conn| conn.era < before);
            let Some(conn) = conn else { continue };
            self.lose_up(world, conn);
            self.lose_down(world, conn);
            self.end_at_node(world, conn, Disconnected::Reset, &mut Wakes(&mut cell.wakes));
            let abandoned = conn.abandoned;
            self.end_at_server(world, cell, connection);
            cell.watch(connection);
            cell.retime(connection, world.now());
            if abandoned {
                cell.forget(connection);
            }
        }
        self.settle(world, cell);
        self.wake(world, guard);
    }

    fn portrait(&self, world: &World) -> (String, Vec<String>) {
        let cell = self.lock();
        let at = cell.clock.machine_time(world.now());
        (self.name.to_string(), cell.machine.portrait(at))
    }

    fn routine(&self) -> &'static [&'static str] {
        S::routine()
    }

    fn tell_in_flight(&self, trace: &mut Trace) {
        Server::tell_in_flight(self, trace);
    }

    fn hindrances(&self, world: &World) -> Vec<(Arc<str>, String)> {
        let cell = self.lock();
        let mut found: Vec<(Arc<str>, String)> = Vec::new();
        for (_, conn) in cell.connections.iter().filter(|(_, conn)| !conn.abandoned) {
            let name = &self.name;
            let why = match &*conn.route.path {
                path if path.is_blackholed() => format!("its link to {name} drops everything"),
                path if path.is_partitioned() => format!("partitioned from {name}"),
                _ if conn.lost => format!("its connection to {name} was forgotten on the way"),
                _ if cell.off => format!("{name} has no power"),
                _ if matches!(conn.phase, Phase::Ended(_)) => continue,
                _ => match conn.session.hindrance() {
                    Some(why) => why,
                    None => continue,
                },
            };
            let entry = (Arc::clone(&conn.node_name), why);
            if !found.contains(&entry) && !world.lock().processes[conn.node].is_paused() {
                found.push(entry);
            }
        }
        found
    }

    fn actor(&self) -> Actor {
        self.actor
    }

    fn check_invariants(&self, arrivals: &Arrivals) -> Result<(), String> {
        let cell = self.lock();
        for (id, conn) in cell.connections.iter() {
            let coming = |up| arrivals.get(&(self.id, id, up)).copied().unwrap_or(0);
            conn.up.check_invariants(coming(true))?;
            conn.down.check_invariants(coming(false))?;
        }
        let times = |time: fn(&Conn<S>) -> Option<Instant>| -> BTreeSet<(Instant, u32)> {
            cell.connections.iter().filter_map(|(id, conn)| Some((time(conn)?, id))).collect()
        };
        let watched = times(|conn| conn.watch) == cell.watches;
        ensure(watched, || format!("{}: watches are not those of its connections", self.name))?;
        let timed = times(|conn| conn.deadline) == cell.deadlines;
        ensure(timed, || format!("{}: deadlines are not those of its connections", self.name))?;
        let found = cell.connections.is_consistent();
        ensure(found, || format!("{}: connections by node differ", self.name))?;
        let idle = cell.running || cell.timer.is_none();
        ensure(idle, || format!("{} is down, but has a timer", self.name))
    }

    /// Kills the server without asking for the output that it has not sent yet. The server is
    /// marked as down before the machine is told, because the machine may panic again.
    fn panicked(&self, world: &World) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        if !std::mem::take(&mut cell.running) {
            return;
        }
        let now = world.now();
        Self::close_all(world, cell, Shutdown::Kill);
        let mut core = world.lock();
        if let Some((_, key)) = cell.timer.take() {
            core.cancel_timer(key);
        }
        cell.housekeeping = cell.poll_housekeeping(now);
        core.set_housekeeping(self.id, cell.housekeeping);
        let how = Shutdown::Kill;
        core.trace.record(now, self.actor, Record::Stopped { how: how.name() });
        core.requests.extend(cell.companion.map(Request::Kill));
        drop(core);
        cell.machine.stop(cell.clock.machine_time(now), how);
    }
}
