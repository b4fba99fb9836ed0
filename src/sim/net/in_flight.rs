//! Wires: one direction of a connection, and what is in flight on it.
//!
//! An item put on a wire arrives after the link's latency, and its arrival is an event. The event
//! does not say which item arrives: it takes the front one. No event is earlier than that of a
//! previous item, so the order within a connection cannot break. Each item in flight that has not
//! stalled has one pending event. A dropped item's event stays pending too, and comes before those
//! of all later items. An item stalls if its time comes while its path is cut: its sender goes on
//! retransmitting it (see `tcp.rs`).

use crate::invariant::ensure;
use crate::sim::kernel::core::Core;
use crate::sim::kernel::event::Target;
use crate::sim::kernel::id::LinkId;
use crate::sim::net::path::Path;
use crate::sim::service::hangup::Hangup;
use crate::time::Instant;
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) enum Up<I> {
    Open,
    Data(I),
    Bytes(Vec<u8>),
    Close,
}

#[derive(Debug)]
pub(crate) enum Down<O> {
    Accepted,
    Refused,
    Data(O),
    Bytes(Vec<u8>),
    Close(Hangup),
}

/// An item in flight, and when it was sent.
#[derive(Debug)]
pub(crate) struct Flight<T> {
    pub(crate) sent: Instant,
    pub(crate) item: T,
}

/// One direction of a connection: what is in flight, in order.
#[derive(Debug)]
pub(crate) struct Wire<T> {
    in_flight: VecDeque<Flight<T>>,
    /// When the last item arrives. No later item arrives before it.
    last: (Instant, u16),
    /// The number of items whose time came while the path was cut, and the time of the first of
    /// them.
    stalled: u32,
    since: Instant,
    /// The number of arrivals to come for items that were dropped in flight. They come before those
    /// of any later item.
    stale: u32,
}

impl<T> Default for Wire<T> {
    fn default() -> Wire<T> {
        let last = (Instant::ZERO, 0);
        Wire { in_flight: VecDeque::new(), last, stalled: 0, since: Instant::ZERO, stale: 0 }
    }
}

/// The two ends of a connection's wires.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) service: u32,
    pub(crate) connection: u32,
    pub(crate) link: LinkId,
    pub(crate) path: Arc<Path>,
}

impl<T> Wire<T> {
    /// Puts an item on the wire. `words` says what it is, for people.
    pub(crate) fn send(
        &mut self,
        core: &mut Core,
        now: Instant,
        (route, up): (&Route, bool),
        item: T,
        words: fn(&T) -> String,
    ) {
        self.last = core.arrival(now, (route.link, up), self.last, &|| words(&item));
        // An item that would arrive at the end of time never does, nor does any after it.
        if self.last.0 == Instant::MAX {
            return;
        }
        if self.in_flight.capacity() == 0 {
            // On most wires one item is in flight, and items are large.
            self.in_flight.reserve_exact(1);
        }
        self.in_flight.push_back(Flight { sent: now, item });
        self.schedule(core, now, self.last, route, up);
    }

    fn schedule(&self, core: &mut Core, now: Instant, at: (Instant, u16), route: &Route, up: bool) {
        let target = Target::Arrival { service: route.service, connection: route.connection, up };
        core.agenda.push(now, at.0, at.1, target);
    }

    /// Schedules the stalled items for `at`.
    pub(crate) fn resume(
        &mut self,
        core: &mut Core,
        now: Instant,
        at: Instant,
        route: &Route,
        up: bool,
    ) {
        self.last = self.last.max((at, 0));
        for _ in 0..std::mem::take(&mut self.stalled) {
            self.schedule(core, now, (at, 0), route, up);
        }
    }

    /// Returns whether an arrival is that of an item that was dropped, and counts it.
    pub(crate) fn take_stale(&mut self) -> bool {
        let is_stale = self.stale > 0;
        self.stale -= u32::from(is_stale);
        is_stale
    }

    /// Removes and returns the front item, whose time has come.
    pub(crate) fn arrive(&mut self) -> Option<Flight<T>> {
        self.in_flight.pop_front()
    }

    /// Stalls the front item: its time has come, but the path is cut.
    pub(crate) fn stall(&mut self, now: Instant) {
        if self.in_flight.is_empty() {
            return;
        }
        if self.stalled == 0 {
            self.since = now;
        }
        self.stalled += 1;
    }

    /// Returns when the first of the stalled items stalled.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        (self.stalled > 0).then_some(self.since)
    }

    /// Every item in flight either has an arrival to come or has stalled. `coming` is the number of
    /// arrivals in the agenda.
    pub(crate) fn check_invariants(&self, coming: usize) -> Result<(), String> {
        let (flying, stalled) = (self.in_flight.len(), self.stalled as usize);
        let stale = self.stale as usize;
        ensure(stalled <= flying && flying + stale == coming + stalled, || {
            format!(
                "a wire has {flying} items, {stalled} stalled, {stale} dropped, {coming} to come"
            )
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Returns what is in flight, in order.
    pub(crate) fn flights(&self) -> impl Iterator<Item = &Flight<T>> {
        self.in_flight.iter()
    }

    /// Drops everything in flight.
    pub(crate) fn clear(&mut self) {
        let count = u32::try_from(self.in_flight.len());
        let flying = count.expect("fewer than 2^32 items are in flight on one wire");
        self.stale += flying - self.stalled;
        self.in_flight.clear();
        self.stalled = 0;
    }
}
