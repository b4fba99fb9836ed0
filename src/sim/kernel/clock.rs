//! A machine's clock, which may be ahead of the world's, be behind it, or drift.
//!
//! It consists of the world's time and a few numbers. It never goes backwards except by its offset,
//! and a change of the drift keeps the time counted so far.
//!
//! The faults of a plan change it beside the test: an offset and a drift of theirs are added to the
//! test's own. When the plan lets go, the calendar shows what it would show without the plan. The
//! monotonic clock cannot go back: it keeps what it has gained.

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
    /// What a plan adds to the offset and to the drift.
    plan_offset: AtomicI64,
    plan_drift: AtomicI64,
    /// The nanoseconds that it has gained by drifts of plans.
    strayed: AtomicI64,
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
        let offset = self.offset();
        let by = Duration::from_nanos(offset.unsigned_abs());
        if offset < 0 { epoch.saturating_sub(by) } else { epoch.saturating_add(by) }
    }

    /// Returns the nanoseconds that it is ahead of the world's calendar by offsets.
    pub(crate) fn offset(&self) -> i64 {
        self.offset.load(Relaxed).saturating_add(self.plan_offset.load(Relaxed))
    }

    pub(crate) fn set_offset(&self, nanos: i64) {
        self.offset.store(nanos, Relaxed);
    }

    /// Returns the parts per million that it runs fast.
    pub(crate) fn drift(&self) -> i64 {
        let drift = self.drift.load(Relaxed).saturating_add(self.plan_drift.load(Relaxed));
        drift.max(SLOWEST)
    }

    /// Returns its ticks per million of the world's.
    fn rate(&self) -> u128 {
        rate(self.drift())
    }

    pub(crate) fn set_drift(&self, now: Instant, ppm: i64) {
        self.settle(now);
        self.drift.store(ppm.max(SLOWEST), Relaxed);
    }

    /// Moves it by this much because of a plan.
    pub(crate) fn jump(&self, nanos: i64) {
        let offset = self.plan_offset.load(Relaxed);
        self.plan_offset.store(offset.saturating_add(nanos), Relaxed);
    }

    /// Lets it run this much faster because of a plan.
    pub(crate) fn stray(&self, now: Instant, ppm: i64) {
        self.settle(now);
        self.plan_drift.store(ppm, Relaxed);
    }

    /// Returns whether a plan lets it drift.
    pub(crate) fn strays(&self) -> bool {
        self.plan_drift.load(Relaxed) != 0
    }

    /// Undoes what plans have done to the calendar and to the rate.
    pub(crate) fn heal(&self, now: Instant) {
        if self.strays() {
            self.stray(now, 0);
        }
        self.plan_offset.store(self.strayed.load(Relaxed).saturating_neg(), Relaxed);
    }

    /// Begins a new stretch of time, in which the rate may be another.
    fn settle(&self, now: Instant) {
        let gained = self.gained_by_plan(now);
        self.strayed.store(self.strayed.load(Relaxed).saturating_add(gained), Relaxed);
        let counted = u64::try_from(self.counted(now).as_nanos()).unwrap_or(u64::MAX);
        self.counted.store(counted, Relaxed);
        self.since.store(now.as_nanos(), Relaxed);
        self.skewed.store(true, Relaxed);
    }

    /// Returns what a plan's drift has added in the present stretch of time.
    fn gained_by_plan(&self, now: Instant) -> i64 {
        let world = (now - Instant::from_nanos(self.since.load(Relaxed))).as_nanos();
        let at = |rate: u128| i64::try_from(world.saturating_mul(rate) / MILLION);
        let without = at(rate(self.drift.load(Relaxed))).unwrap_or(i64::MAX);
        at(self.rate()).unwrap_or(i64::MAX).saturating_sub(without)
    }
}

/// The parts per million of a clock that almost stands still.
const SLOWEST: i64 = -999_999;

/// Returns the ticks of a clock with this drift per million of the world's.
fn rate(drift: i64) -> u128 {
    let rate = i128::from(drift) + MILLION as i128;
    u128::try_from(rate).expect("a drift is above -1,000,000")
}

const MILLION: u128 = 1_000_000;

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
