//! Links: what lies between a node and a service.
//!
//! A link delays what crosses it by its latency, never reorders the items of
//! one connection (neither TCP nor AMQP nor RESP does), may be *partitioned*
//! (what is sent waits until it heals, as TCP retransmits) and *severed* (its
//! connections are reset, and what was in flight is lost).

use super::node::{Node, NodeId};
use super::trace::Record;
use super::world::{Request, World};
use crate::choice::{Choices, Site};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const LATENCY: Site = Site::new("link.latency");

/// How long a message takes from one end of a link to the other.
///
/// The calm choice is the least latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Latency {
    /// Always this long. `Constant(Duration::ZERO)` is the default of a link.
    Constant(Duration),
    /// Any whole number of nanoseconds from `min` to `max`, equally likely.
    Uniform {
        /// The least.
        min: Duration,
        /// The greatest; taken as `min` if it is less.
        max: Duration,
    },
    /// `min` and an exponentially distributed rest of this mean: mostly near
    /// `min`, seldom much longer, never more than 23 means longer.
    Exponential {
        /// The least.
        min: Duration,
        /// The mean of what is added to it.
        mean: Duration,
    },
}

impl Latency {
    pub(super) fn draw(&self, choices: &mut Choices, entity: u64) -> Duration {
        match *self {
            Latency::Constant(latency) => latency,
            Latency::Uniform { min, max } => {
                let width = nanos(max).saturating_sub(nanos(min)).saturating_add(1);
                min.saturating_add(Duration::from_nanos(choices.choose(LATENCY, entity, width)))
            }
            Latency::Exponential { min, mean } => {
                let drawn = choices.choose(LATENCY, entity, 1 << 32);
                let rest = (u128::from(minus_ln(drawn)) * u128::from(nanos(mean))) >> 32;
                min.saturating_add(Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX)))
            }
        }
    }
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// -ln(1 - v / 2^32) with 32 binary places, for v in 0..2^32: the inverse of
/// the exponential distribution, by the shift-and-square binary logarithm, so
/// that every platform agrees on every bit.
fn minus_ln(v: u64) -> u64 {
    const LN_2: u128 = 2_977_044_472; // ln 2 * 2^32
    let x = (1_u64 << 32) - v.min((1 << 32) - 1);
    let whole = u64::from(x.ilog2());
    let mut mantissa = (x << (63 - whole)) >> 31; // in 2^32..2^33
    let mut fraction = 0_u64;
    for bit in (0..32).rev() {
        let square = (u128::from(mantissa) * u128::from(mantissa)) >> 32;
        mantissa = square as u64;
        if mantissa >= 1 << 33 {
            mantissa >>= 1;
            fraction |= 1 << bit;
        }
    }
    let log2 = whole << 32 | fraction;
    let minus_log2 = (32_u64 << 32) - log2;
    ((u128::from(minus_log2) * LN_2) >> 32) as u64
}

/// The number of a link, in order of first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LinkId(pub(super) u32);

#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) latency: Latency,
    pub(super) node: NodeId,
    pub(super) service: u32,
    pub(super) partitioned: Arc<AtomicBool>,
    /// How often it was severed: a connection belongs to the time before or
    /// after each.
    pub(super) era: u32,
}

impl LinkState {
    /// What choices call the link: by what it connects, so that the choices of
    /// one do not depend on which others are used.
    pub(super) fn entity(&self) -> u64 {
        u64::from(self.node.0) << 32 | u64::from(self.service)
    }
}

/// Every link that was used or asked for.
#[derive(Debug, Default)]
pub(super) struct Links(IndexMap<(NodeId, u32), LinkState, FxBuildHasher>);

impl Links {
    pub(super) fn between(&mut self, node: NodeId, service: u32) -> LinkId {
        let entry = self.0.entry((node, service));
        let id = LinkId(u32::try_from(entry.index()).expect("fewer than 2^32 links"));
        entry.or_insert_with(|| LinkState {
            latency: Latency::Constant(Duration::ZERO),
            node,
            service,
            partitioned: Arc::default(),
            era: 0,
        });
        id
    }
}

impl Index<LinkId> for Links {
    type Output = LinkState;

    fn index(&self, id: LinkId) -> &LinkState {
        &self.0[id.0 as usize]
    }
}

impl IndexMut<LinkId> for Links {
    fn index_mut(&mut self, id: LinkId) -> &mut LinkState {
        &mut self.0[id.0 as usize]
    }
}

/// The link between a node and a service; see
/// [`Node::link`](super::Node::link).
#[derive(Clone, Debug)]
pub struct Link {
    world: Arc<World>,
    id: LinkId,
    service: Arc<str>,
}

impl Link {
    pub(super) fn between(node: &Node, service: u32, service_name: &Arc<str>) -> Link {
        let id = node.world().lock().links.between(node.id(), service);
        Link { world: Arc::clone(node.world()), id, service: Arc::clone(service_name) }
    }

    /// Sets how long messages sent from now on take, in either direction.
    pub fn set_latency(&self, latency: Latency) {
        self.world.lock().links[self.id].latency = latency;
    }

    /// Stops everything on the link: what is in flight or sent waits, at
    /// neither end does a connection close, until [`Link::heal`].
    pub fn partition(&self) {
        self.set_partitioned(true, Record::Partitioned { service: &self.service });
    }

    /// Ends a partition: what waited arrives now, in order.
    pub fn heal(&self) {
        self.set_partitioned(false, Record::Healed { service: &self.service });
        self.world.lock().requests.push_back(Request::Heal(self.id));
    }

    /// Whether the link is partitioned.
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        self.world.lock().links[self.id].partitioned.load(Relaxed)
    }

    /// Resets every connection on the link: both ends see it closed before
    /// anything else happens, and what was in flight is lost. New connections
    /// can be made at once.
    pub fn sever(&self) {
        self.trace(Record::Severed { service: &self.service });
        let mut core = self.world.lock();
        let state = &mut core.links[self.id];
        state.era += 1;
        let before = state.era;
        core.requests.push_back(Request::Sever { link: self.id, before });
    }

    fn set_partitioned(&self, on: bool, record: Record<'_>) {
        let was = self.world.lock().links[self.id].partitioned.swap(on, Relaxed);
        if was != on {
            self.trace(record);
        }
    }

    fn trace(&self, record: Record<'_>) {
        let mut core = self.world.lock();
        let actor = core.nodes[core.links[self.id].node].actor;
        core.trace.record(self.world.now(), actor, record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_ln_is_right_to_a_millionth_and_starts_at_zero() {
        assert_eq!(minus_ln(0), 0);
        for v in [1, 1 << 20, 1 << 31, 3 << 30, (1 << 32) - 1_000, (1 << 32) - 1] {
            let exact = -(-(v as f64) / 4_294_967_296.0).ln_1p();
            let ours = minus_ln(v) as f64 / 4_294_967_296.0;
            assert!((ours - exact).abs() < 1e-6 * (1.0 + exact), "{v}: {ours} for {exact}");
        }
    }

    #[test]
    fn latencies_keep_their_bounds_and_their_mean() {
        let ms = Duration::from_millis;
        let mut choices = Choices::seeded(1);
        let uniform = Latency::Uniform { min: ms(2), max: ms(4) };
        let drawn: Vec<_> = (0..2_000).map(|_| uniform.draw(&mut choices, 0)).collect();
        assert!(drawn.iter().all(|d| (ms(2)..=ms(4)).contains(d)));

        let exponential = Latency::Exponential { min: ms(1), mean: ms(10) };
        let total: Duration = (0..20_000).map(|_| exponential.draw(&mut choices, 1)).sum();
        let mean = total / 20_000;
        assert!(
            (Duration::from_micros(10_800)..Duration::from_micros(11_200)).contains(&mean),
            "{mean:?}"
        );
    }

    #[test]
    fn calm_is_the_least_latency() {
        let ms = Duration::from_millis;
        let mut calm = Choices::calm();
        for latency in [
            Latency::Constant(ms(3)),
            Latency::Uniform { min: ms(3), max: ms(9) },
            Latency::Exponential { min: ms(3), mean: ms(9) },
        ] {
            assert_eq!(latency.draw(&mut calm, 0), ms(3));
        }
    }

    #[test]
    fn a_backward_range_is_its_minimum() {
        let latency = Latency::Uniform { min: Duration::from_secs(2), max: Duration::from_secs(1) };
        assert_eq!(latency.draw(&mut Choices::seeded(1), 0), Duration::from_secs(2));
    }
}
