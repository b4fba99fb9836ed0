//! TCP: its timers, which end a connection whose peer no longer answers.
//!
//! A connection whose path is cut (a partition, a black hole, a NAT that forgot it, a machine
//! without power) hears nothing, and its ends are told nothing. An end notices only through a timer
//! of its own operating system: a connection attempt without an answer, something sent that is
//! retransmitted in vain, or keepalive probes if its program asked for them. An end that gives up
//! sends nothing either. If the other end ever gets something through again, it is answered with a
//! reset.
//!
//! An end has a deadline only while its peer is out of reach, so an intact connection costs nothing
//! here. Deadlines are background timers: they fire when they are due, but do not keep a run going
//! when no node waits.
//!
//! Source: RFC 9293, RFC 1122 section 4.2.3.6, and Linux's `tcp(7)` for the numbers.

use crate::sim::kernel::core::Core;
use crate::sim::kernel::id::{LinkId, NodeId};
use crate::sim::kernel::world::World;
use crate::sim::net::cell::Cell;
use crate::sim::net::conn::{Conn, Phase, ServerEnd};
use crate::sim::net::in_flight::{Down, Up};
use crate::sim::net::logged::{down_in_words, up_in_words};
use crate::sim::net::path::Heal;
use crate::sim::net::server::Server;
use crate::sim::service::contract::{Service, Wakes};
use crate::sim::service::hangup::{Disconnected, Hangup};
use crate::sim::trace::event::Record;
use crate::time::Instant;
use std::time::Duration;

/// How long data is retransmitted before its sender gives up: Linux's `tcp_retries2` of 15, at the
/// smallest round-trip time.
const RETRANSMISSION: Duration = Duration::from_millis(924_600);
/// The same for a socket that its process has closed, or left behind at its death: eight
/// retransmissions (`tcp_orphan_retries`).
const ORPHAN: Duration = Duration::from_millis(102_200);
/// How long a connection attempt waits for an answer: Linux's `tcp_syn_retries` of 6.
const CONNECT: Duration = Duration::from_secs(127);
/// The time to the first retransmission. It doubles for each further one.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(200);
/// The same for a connection attempt.
const FIRST_ATTEMPT: Duration = Duration::from_secs(1);
/// The longest time between two retransmissions.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Returns the first retransmission from `now` on of what was first sent at `since`.
fn next_retransmission(since: Instant, now: Instant, first: Duration) -> Instant {
    let (mut at, mut pause) = (since + first, first);
    while at < now {
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        at += pause;
    }
    at
}

impl<S: Service> Conn<S> {
    /// Returns when the node's end gives up.
    fn node_deadline(&self) -> Option<Instant> {
        if self.gone || self.gave_up {
            return None;
        }
        if self.phase == Phase::Connecting && !self.abandoned {
            let stalled = self.up.stalled_since().is_some() || self.down.stalled_since().is_some();
            return stalled.then(|| self.began + CONNECT);
        }
        let is_orphan = self.abandoned || matches!(self.phase, Phase::Ended(_));
        let patience = if is_orphan { ORPHAN } else { RETRANSMISSION };
        self.up.stalled_since().map(|since| since + patience)
    }

    /// Returns when the server's end gives up.
    fn server_deadline(&self, server_is_off: bool, now: Instant) -> Option<Instant> {
        if server_is_off {
            return None;
        }
        match self.server_end {
            ServerEnd::None | ServerEnd::Dead => None,
            ServerEnd::Closed => self.down.stalled_since().map(|since| since + ORPHAN),
            ServerEnd::Open => {
                let out_of_reach = self.lost || self.gone || !self.route.path.is_open();
                if !out_of_reach {
                    return None;
                }
                if let Some(since) = self.down.stalled_since() {
                    return Some(since + RETRANSMISSION);
                }
                let keepalive = self.keepalive.as_ref()?;
                // A machine that is up again answers the next probe with a reset.
                let answers = self.gone && self.rebooted && self.down_is_open();
                Some(match answers {
                    true => keepalive.next_probe(self.heard, now),
                    false => keepalive.gives_up(self.heard),
                })
            }
        }
    }

    /// The peer goes out of reach. Until now it has answered every keepalive probe.
    fn loses_reach(&mut self, now: Instant) {
        // A connection that was already out of reach has a deadline.
        if self.deadline.is_some() {
            return;
        }
        if let Some(idle) = self.keepalive.as_ref().map(|keepalive| keepalive.idle.as_nanos())
            && idle > 0
        {
            let answered = (now - self.heard).as_nanos() / idle * idle;
            self.heard += Duration::from_nanos(u64::try_from(answered).unwrap_or(u64::MAX));
        }
    }

    /// Retransmits what waits on either wire.
    fn resume(&mut self, core: &mut Core, now: Instant, heal: Heal, off: bool) {
        let first = match self.phase {
            Phase::Connecting => FIRST_ATTEMPT,
            Phase::Open | Phase::Ended(_) => FIRST_RETRANSMISSION,
        };
        let moment = |since| match heal {
            Heal::AtOnce => now,
            Heal::ByRetransmission => next_retransmission(since, now, first),
        };
        if self.up_is_open(off)
            && let Some(since) = self.up.stalled_since()
        {
            self.up.resume(core, now, moment(since), &self.route, true);
        }
        if self.down_is_open()
            && let Some(since) = self.down.stalled_since()
        {
            self.down.resume(core, now, moment(since), &self.route, false);
        }
    }
}

impl<S: Service> Cell<S> {
    /// Recomputes when an end of a connection gives up.
    pub(crate) fn retime(&mut self, connection: u32, now: Instant) {
        let Some(conn) = self.connections.get_mut(connection) else { return };
        let ends = [conn.node_deadline(), conn.server_deadline(self.off, now)];
        let wanted = ends.into_iter().flatten().min();
        if let Some(at) = std::mem::replace(&mut conn.deadline, wanted) {
            self.deadlines.remove(&(at, connection));
        }
        self.deadlines.extend(wanted.map(|at| (at, connection)));
    }

    /// Recomputes, for every connection, when an end gives up.
    pub(crate) fn retime_every(&mut self, now: Instant) {
        let all: Vec<u32> = self.connections.iter().map(|(number, _)| number).collect();
        all.into_iter().for_each(|connection| self.retime(connection, now));
    }

    /// Does something to each connection of a node, and recomputes when its ends give up.
    fn with_each_of(&mut self, node: NodeId, now: Instant, mut act: impl FnMut(&mut Conn<S>)) {
        let theirs = self.connections.of_node(node);
        for connection in &theirs {
            self.connections.get_mut(*connection).into_iter().for_each(&mut act);
        }
        theirs.into_iter().for_each(|connection| self.retime(connection, now));
    }
}

impl<S: Service> Server<S> {
    /// Ends the connections whose peers were silent for too long.
    pub(crate) fn give_up_the_silent(&self, world: &World, cell: &mut Cell<S>) {
        let now = world.now();
        while let Some(&(at, connection)) = cell.deadlines.first()
            && at <= now
        {
            cell.deadlines.pop_first();
            let Some(conn) = cell.connections.get_mut(connection) else { continue };
            conn.deadline = None;
            if conn.node_deadline().is_some_and(|at| at <= now) {
                conn.gave_up = true;
                self.lose_up(world, conn);
                let mut wakes = Wakes(&mut cell.wakes);
                self.end_at_node(world, conn, Disconnected::TimedOut, &mut wakes);
            }
            if conn.server_deadline(cell.off, now).is_some_and(|at| at <= now) {
                self.lose_down(world, conn);
                if std::mem::replace(&mut conn.server_end, ServerEnd::Dead) == ServerEnd::Open {
                    let record = Record::GaveUp { peer: &conn.node_label };
                    world.lock().trace.record(now, self.actor, record);
                    cell.disconnect(now, connection);
                }
            }
            cell.watch(connection);
            cell.retime(connection, now);
            cell.reap(connection);
        }
    }

    /// Something arrived at a node's machine for a connection that it does not know (any more). The
    /// machine answers with a reset.
    pub(crate) fn reset_by_node(&self, world: &World, conn: &mut Conn<S>) {
        if conn.server_end == ServerEnd::Open && !std::mem::replace(&mut conn.node_reset, true) {
            self.lose_down(world, conn);
            conn.up.send(
                &mut world.lock(),
                world.now(),
                (&conn.route, true),
                Up::Close,
                up_in_words::<S>,
            );
        }
    }

    /// Something arrived at the server's machine for a connection that it does not know (any more).
    /// The machine answers with a reset.
    pub(crate) fn reset_by_server(&self, world: &World, conn: &mut Conn<S>) {
        if !std::mem::replace(&mut conn.server_reset, true) {
            let reset = Down::Close(Hangup::Reset);
            conn.down.send(
                &mut world.lock(),
                world.now(),
                (&conn.route, false),
                reset,
                down_in_words::<S>,
            );
        }
    }

    /// The link of these connections was cut. The timers of their ends start.
    pub(crate) fn cut(&self, world: &World, link: LinkId) {
        let mut cell = self.lock();
        let (now, node) = (world.now(), world.lock().links[link].node);
        cell.with_each_of(node, now, |conn| conn.loses_reach(now));
        self.settle(world, &mut cell);
    }

    /// The link works again.
    pub(crate) fn healed(&self, world: &World, link: LinkId, heal: Heal) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        let (now, off, node) = (world.now(), cell.off, world.lock().links[link].node);
        cell.with_each_of(node, now, |conn| {
            if conn.lost {
                return;
            }
            if !conn.gone && !off {
                conn.heard = now;
            }
            conn.resume(&mut world.lock(), now, heal, off);
        });
        self.settle(world, cell);
    }

    /// A NAT or a firewall has forgotten the connections of earlier eras.
    pub(crate) fn forgotten(&self, world: &World, link: LinkId, before: u32) {
        let mut cell = self.lock();
        let (now, node) = (world.now(), world.lock().links[link].node);
        cell.with_each_of(node, now, |conn| {
            if conn.era < before {
                conn.loses_reach(now);
                conn.lost = true;
            }
        });
        self.settle(world, &mut cell);
    }

    /// A node's machine has lost its power. Nothing it owns reports that.
    pub(crate) fn node_vanished(&self, world: &World, node: NodeId) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        let now = world.now();
        for connection in cell.connections.of_node(node) {
            let conn = cell.connections.get_mut(connection).filter(|conn| !conn.gone);
            let Some(conn) = conn else { continue };
            conn.loses_reach(now);
            conn.gone = true;
            if !std::mem::replace(&mut conn.abandoned, true) {
                self.end_session(conn, Disconnected::ClosedHere, &mut Wakes(&mut cell.wakes));
            }
            // Data that had left the machine still arrives. Data that awaits retransmission does
            // not.
            self.lose_stalled_up(world, conn);
            cell.watch(connection);
            cell.retime(connection, now);
            cell.reap(connection);
        }
        self.settle(world, cell);
        self.wake(world, guard);
    }

    /// A node's machine is up again. It resets what arrives for its earlier connections.
    pub(crate) fn node_rebooted(&self, world: &World, node: NodeId) {
        let mut guard = self.lock();
        let cell = &mut *guard;
        let (now, off) = (world.now(), cell.off);
        cell.with_each_of(node, now, |conn| {
            if conn.gone && !std::mem::replace(&mut conn.rebooted, true) {
                conn.resume(&mut world.lock(), now, Heal::ByRetransmission, off);
            }
        });
        self.settle(world, cell);
    }

    /// The server's machine has power again. What was sent to it in the meantime arrives with the
    /// next retransmission.
    pub(crate) fn power_is_back(&self, world: &World, cell: &mut Cell<S>) {
        let now = world.now();
        for conn in cell.connections.values_mut() {
            conn.resume(&mut world.lock(), now, Heal::ByRetransmission, false);
        }
        cell.retime_every(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::net::path::Keepalive;

    #[test]
    fn retransmissions_double_up_to_two_minutes() {
        let ms = |n| Instant::ZERO + Duration::from_millis(n);
        let next = |now| next_retransmission(ms(0), ms(now), FIRST_RETRANSMISSION);
        let expected = [(0, 200), (200, 200), (201, 600), (601, 1_400), (51_001, 102_200)];
        for (now, at) in expected {
            assert_eq!(next(now), ms(at), "from {now} ms on");
        }
        assert_eq!(next(204_601), ms(324_600), "no pause is longer than two minutes");
        assert_eq!(next(900_000), ms(924_600));
    }

    #[test]
    fn redis_keepalive_takes_twice_its_interval() {
        let secs = |n| Instant::ZERO + Duration::from_secs(n);
        let of = |idle, interval| Keepalive {
            idle: Duration::from_secs(idle),
            interval: Duration::from_secs(interval),
            probes: 3,
        };
        assert_eq!(of(300, 100).gives_up(secs(10)), secs(610));
        assert_eq!(of(2, 1).gives_up(secs(10)), secs(15));
        assert_eq!(of(300, 100).next_probe(secs(0), secs(5)), secs(300));
        assert_eq!(of(300, 100).next_probe(secs(0), secs(301)), secs(400));
    }
}
