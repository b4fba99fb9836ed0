//! Messages that never arrive, as a trace that keeps everything is told of them.
//!
//! A wire's items are dropped when its connection is severed, given up or closed, and an item may
//! reach an end that is closed. None of this is an event: nobody in the world observes it. The
//! picture of a failure shows it all the same. Nothing here changes the world, and nothing here
//! runs for a message that arrives.

use crate::sim::kernel::world::World;
use crate::sim::net::conn::Conn;
use crate::sim::net::in_flight::{Down, Up};
use crate::sim::net::logged::{down_in_words, up_in_words};
use crate::sim::net::server::Server;
use crate::sim::service::contract::Service;
use crate::sim::trace::Trace;
use crate::sim::trace::lost::Lost;
use crate::time::Instant;
use std::sync::Arc;

impl<S: Service> Server<S> {
    /// Drops everything that is on its way to the server.
    pub(crate) fn lose_up(&self, world: &World, conn: &mut Conn<S>) {
        if !conn.up.is_empty() {
            let trace = &mut world.lock().trace;
            self.tell_up(trace, conn, Some(world.now()));
        }
        conn.up.clear();
    }

    /// Drops everything that is on its way to the node.
    pub(crate) fn lose_down(&self, world: &World, conn: &mut Conn<S>) {
        if !conn.down.is_empty() {
            let trace = &mut world.lock().trace;
            self.tell_down(trace, conn, Some(world.now()));
        }
        conn.down.clear();
    }

    /// Drops everything that is on its way to the server if something has stalled. The sender is
    /// gone, so stalled items are not retransmitted, and later items are useless to the other end
    /// without them.
    pub(crate) fn lose_stalled_up(&self, world: &World, conn: &mut Conn<S>) {
        if conn.up.stalled_since().is_some() {
            self.lose_up(world, conn);
        }
    }

    /// As [`Server::lose_stalled_up`], in the other direction.
    pub(crate) fn lose_stalled_down(&self, world: &World, conn: &mut Conn<S>) {
        if conn.down.stalled_since().is_some() {
            self.lose_down(world, conn);
        }
    }

    /// Tells the trace of an item that has reached a closed end of the server.
    pub(crate) fn tell_ignored_up(
        &self,
        world: &World,
        conn: &Conn<S>,
        (sent, item): (Instant, &Up<S::Input>),
    ) {
        let trace = &mut world.lock().trace;
        if trace.keeps_lost() {
            trace.lose(self.lost_up(conn, sent, item, Some(world.now())));
        }
    }

    /// Tells the trace of an item that has reached a closed end of the node.
    pub(crate) fn tell_ignored_down(
        &self,
        world: &World,
        conn: &Conn<S>,
        (sent, item): (Instant, &Down<S::Output>),
    ) {
        let trace = &mut world.lock().trace;
        if trace.keeps_lost() {
            trace.lose(self.lost_down(conn, sent, item, Some(world.now())));
        }
    }

    /// Tells the copy of a trace what is still in flight.
    pub(crate) fn tell_in_flight(&self, trace: &mut Trace) {
        if !trace.keeps_lost() || self.is_held_here() {
            return;
        }
        for (_, conn) in self.lock().connections.iter() {
            self.tell_up(trace, conn, None);
            self.tell_down(trace, conn, None);
        }
    }

    fn tell_up(&self, trace: &mut Trace, conn: &Conn<S>, at: Option<Instant>) {
        if trace.keeps_lost() {
            for flight in conn.up.flights() {
                trace.lose(self.lost_up(conn, flight.sent, &flight.item, at));
            }
        }
    }

    fn tell_down(&self, trace: &mut Trace, conn: &Conn<S>, at: Option<Instant>) {
        if trace.keeps_lost() {
            for flight in conn.down.flights() {
                trace.lose(self.lost_down(conn, flight.sent, &flight.item, at));
            }
        }
    }

    fn lost_up(
        &self,
        conn: &Conn<S>,
        sent: Instant,
        item: &Up<S::Input>,
        at: Option<Instant>,
    ) -> Option<Lost> {
        if matches!(item, Up::Open | Up::Close) {
            return None;
        }
        let text = up_in_words::<S>(item);
        let (from, to) = (Arc::clone(&conn.node_label), Arc::clone(&self.name));
        Some(Lost { sent, from, to, connection: conn.route.connection, text, lost: at })
    }

    fn lost_down(
        &self,
        conn: &Conn<S>,
        sent: Instant,
        item: &Down<S::Output>,
        at: Option<Instant>,
    ) -> Option<Lost> {
        if matches!(item, Down::Accepted | Down::Refused | Down::Close(_)) {
            return None;
        }
        let text = down_in_words::<S>(item);
        let (from, to) = (Arc::clone(&conn.server_label), Arc::clone(&conn.node_name));
        Some(Lost { sent, from, to, connection: conn.route.connection, text, lost: at })
    }
}
