//! Paths: whether anything crosses a link, and keepalive, which notices that nothing does.

use crate::time::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

/// Whether anything crosses a link.
#[derive(Debug, Default)]
pub(crate) struct Path(AtomicU8);

const PARTITIONED: u8 = 1;
const BLACKHOLED: u8 = 2;

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
        self.0.load(Relaxed) & PARTITIONED != 0
    }

    pub(crate) fn is_blackholed(&self) -> bool {
        self.0.load(Relaxed) & BLACKHOLED != 0
    }

    /// Returns whether this changed anything.
    pub(crate) fn partition(&self) -> bool {
        self.0.fetch_or(PARTITIONED, Relaxed) & PARTITIONED == 0
    }

    /// Returns whether this changed anything.
    pub(crate) fn blackhole(&self) -> bool {
        self.0.fetch_or(BLACKHOLED, Relaxed) & BLACKHOLED == 0
    }

    /// Heals the link. Returns how, or `None` if it was not cut.
    pub(crate) fn heal(&self) -> Option<Heal> {
        match self.0.swap(0, Relaxed) {
            0 => None,
            PARTITIONED => Some(Heal::AtOnce),
            _ => Some(Heal::ByRetransmission),
        }
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
