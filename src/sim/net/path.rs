//! Paths: whether anything crosses a link, and keepalive, which notices that nothing does.

use crate::time::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

/// Whether anything crosses a link. The test and the faults of a plan cut it independently.
#[derive(Debug, Default)]
pub(crate) struct Path(AtomicU8);

/// A way in which a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Partition,
    Blackhole,
}

/// Those who cut links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Test,
    Plan,
}

impl Cut {
    fn bit(self, by: By) -> u8 {
        match (self, by) {
            (Cut::Partition, By::Test) => 1,
            (Cut::Blackhole, By::Test) => 2,
            (Cut::Partition, By::Plan) => 4,
            (Cut::Blackhole, By::Plan) => 8,
        }
    }

    /// Returns the bits of this way, whoever cut the link.
    fn bits(self) -> u8 {
        self.bit(By::Test) | self.bit(By::Plan)
    }
}

/// How a link started to work again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heal {
    /// After a partition: what waited arrives at once.
    AtOnce,
    /// After a black hole: what waited arrives with its next retransmission.
    ByRetransmission,
}

impl Path {
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Relaxed) == 0
    }

    pub(crate) fn is_partitioned(&self) -> bool {
        self.0.load(Relaxed) & Cut::Partition.bits() != 0
    }

    pub(crate) fn is_blackholed(&self) -> bool {
        self.0.load(Relaxed) & Cut::Blackhole.bits() != 0
    }

    /// Cuts the link. Returns whether this changed anything.
    pub(crate) fn cut(&self, how: Cut, by: By) -> bool {
        self.0.fetch_or(how.bit(by), Relaxed) & how.bits() == 0
    }

    /// Heals the link. Returns how, or `None` if it was not cut.
    pub(crate) fn heal(&self) -> Option<Heal> {
        heal_from(self.0.swap(0, Relaxed))
    }

    /// Undoes a cut by the plan. Returns how the link healed, or `None` if it did not: it was not
    /// cut by the plan, or is still cut in another way or by the test.
    pub(crate) fn heal_from_plan(&self, how: Cut) -> Option<Heal> {
        let bit = how.bit(By::Plan);
        let was = self.0.fetch_and(!bit, Relaxed);
        if was == bit { heal_from(was) } else { None }
    }
}

/// Returns how a link heals that is cut in these ways.
fn heal_from(bits: u8) -> Option<Heal> {
    match bits {
        0 => None,
        bits if bits & Cut::Blackhole.bits() == 0 => Some(Heal::AtOnce),
        _ => Some(Heal::ByRetransmission),
    }
}

/// The keepalive of one end of a connection: when its operating system probes a silent peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// The silence before the first probe (`TCP_KEEPIDLE`).
    pub idle: Duration,
    /// The time between two probes (`TCP_KEEPINTVL`).
    pub interval: Duration,
    /// The number of probes that may stay unanswered (`TCP_KEEPCNT`).
    pub probes: u32,
}

impl Keepalive {
    /// Returns a server's keepalive: the allocation of the last connection, unless the server has
    /// another keepalive by now.
    pub(crate) fn shared(
        last: &mut Option<Arc<Keepalive>>,
        now: Option<Keepalive>,
    ) -> Option<Arc<Keepalive>> {
        if last.as_deref() != now.as_ref() {
            *last = now.map(Arc::new);
        }
        last.clone()
    }

    /// Returns when a peer that was last heard at `heard` counts as dead.
    pub(crate) fn gives_up(&self, heard: Instant) -> Instant {
        heard + self.idle.saturating_add(self.interval.saturating_mul(self.probes))
    }

    /// Returns the first probe from `now` on.
    pub(crate) fn next_probe(&self, heard: Instant, now: Instant) -> Instant {
        let mut at = heard + self.idle;
        for _ in 1..self.probes {
            if at >= now {
                break;
            }
            at += self.interval;
        }
        at.max(now)
    }
}
