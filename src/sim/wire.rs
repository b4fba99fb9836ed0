//! Wires: one direction of a connection, and what is in flight on it.
//!
//! An item put on a wire arrives after the link's latency, and its arrival is
//! an event. The event does not say which item arrives: it takes the front one,
//! and no event is earlier than that of an item sent before, so the order
//! within a connection cannot break. There are as many events to come as there
//! are items in flight and not stalled by a partition.

use super::event::Target;
use super::id::LinkId;
use super::world::Core;
use crate::time::Instant;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[derive(Debug)]
pub(super) enum Up<I> {
    Open,
    Data(I),
    Close,
}

#[derive(Debug)]
pub(super) enum Down<O> {
    Accepted,
    Refused,
    Data(O),
    Close,
}

/// One direction of a connection: what is in flight, in order.
#[derive(Debug)]
pub(super) struct Wire<T> {
    in_flight: VecDeque<T>,
    /// When the last item arrives: none sent later arrives before it.
    last: (Instant, u16),
    /// Items whose time came while the link was partitioned.
    stalled: u32,
}

impl<T> Default for Wire<T> {
    fn default() -> Wire<T> {
        Wire { in_flight: VecDeque::new(), last: (Instant::ZERO, 0), stalled: 0 }
    }
}

/// Where the wires of a connection lead.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) service: u32,
    pub(super) connection: u32,
    pub(super) link: LinkId,
    pub(super) partitioned: Arc<AtomicBool>,
}

impl<T> Wire<T> {
    pub(super) fn send(&mut self, core: &mut Core, now: Instant, route: &Route, up: bool, item: T) {
        self.last = core.arrival(now, route.link, self.last);
        self.in_flight.push_back(item);
        self.schedule(core, now, self.last, route, up);
    }

    fn schedule(&self, core: &mut Core, now: Instant, at: (Instant, u16), route: &Route, up: bool) {
        let target = Target::Arrival { service: route.service, connection: route.connection, up };
        core.agenda.push(now, at.0, at.1, target);
    }

    /// Schedules what waited for the link to heal.
    pub(super) fn resume(&mut self, core: &mut Core, now: Instant, route: &Route, up: bool) {
        for _ in 0..std::mem::take(&mut self.stalled) {
            self.schedule(core, now, (now, 0), route, up);
        }
    }

    /// The front item, whose time has come; `None` if it must wait.
    pub(super) fn arrive(&mut self, route: &Route) -> Option<T> {
        if route.partitioned.load(Relaxed) && !self.in_flight.is_empty() {
            self.stalled += 1;
            return None;
        }
        self.in_flight.pop_front()
    }

    pub(super) fn clear(&mut self) {
        self.in_flight.clear();
        self.stalled = 0;
    }
}
