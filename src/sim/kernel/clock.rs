//! A machine's clock, which may be ahead of the world's, be behind it, or drift.
//!
//! It consists of the world's time and four numbers. It never goes backwards except by its offset,
//! and a change of the drift keeps the time counted so far.

use crate::time::Instant;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How the clock of a node or a server differs from the world's.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Nanoseconds ahead of the world's calendar.
    offset: AtomicI64,
    /// Parts per million that it runs fast; at least -999,999.
    drift: AtomicI64,
    /// The world's time at which the present drift began, and the nanoseconds counted by then.
    since: AtomicU64,
    counted: AtomicU64,
    /// Whether it ever ran at another rate. Keeps the hot path to one read.
    skewed: AtomicBool,
}

/// Returns a duration as an offset in nanoseconds, capped at about 292 years.
pub(crate) fn offset(by: Duration) -> i64 {
    i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)
}

impl Clock {
    /// Returns the world's duration of a duration by this clock. Rounded up: a process that sleeps
    /// and then reads its clock must not find it too early.
    pub(crate) fn to_world(&self, local: Duration) -> Duration {
        if !self.skewed.load(Relaxed) {
            return local;
        }
        let over = self.rate();
        nanos(local.as_nanos().saturating_mul(MILLION).saturating_add(over - 1) / over)
    }

    /// Returns the time that it has counted since the world began.
    fn counted(&self, now: Instant) -> Duration {
        if !self.skewed.load(Relaxed) {
            return now.since_start();
        }
        let world = now - Instant::from_nanos(self.since.load(Relaxed));
        let local = nanos(world.as_nanos().saturating_mul(self.rate()) / MILLION);
        Duration::from_nanos(self.counted.load(Relaxed)).saturating_add(local)
    }

    /// Returns the time on a monotonic clock of this rate. A server's machine is given this as the
    /// time.
    pub(crate) fn machine_time(&self, now: Instant) -> Instant {
        if !self.skewed.load(Relaxed) {
            return now;
        }
        Instant::ZERO + self.counted(now)
    }

    /// Returns the world's time at which that clock shows `at`, or now if it already does.
    pub(crate) fn world_time(&self, now: Instant, at: Instant) -> Instant {
        if !self.skewed.load(Relaxed) || at == Instant::MAX {
            return at;
        }
        now + self.to_world(at - self.machine_time(now))
    }

    /// Returns the time on its calendar, as the time since the Unix epoch.
    pub(crate) fn calendar(&self, now: Instant) -> Duration {
        let epoch = crate::time::WORLD_EPOCH.saturating_add(self.counted(now));
        let offset = self.offset.load(Relaxed);
        let by = Duration::from_nanos(offset.unsigned_abs());
        if offset < 0 { epoch.saturating_sub(by) } else { epoch.saturating_add(by) }
    }

    pub(crate) fn set_offset(&self, nanos: i64) {
        self.offset.store(nanos, Relaxed);
    }

    /// Returns its ticks per million of the world's.
    fn rate(&self) -> u128 {
        let rate = i128::from(self.drift.load(Relaxed)) + MILLION as i128;
        u128::try_from(rate).expect("a drift is above -1,000,000")
    }

    pub(crate) fn set_drift(&self, now: Instant, ppm: i64) {
        let counted = u64::try_from(self.counted(now).as_nanos()).unwrap_or(u64::MAX);
        self.counted.store(counted, Relaxed);
        self.since.store(now.as_nanos(), Relaxed);
        self.drift.store(ppm.max(-999_999), Relaxed);
        self.skewed.store(true, Relaxed);
    }
}

const MILLION: u128 = 1_000_000;

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
