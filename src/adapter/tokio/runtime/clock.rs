//! The clock of a node's runtime, which only the world moves.
//!
//! To move it to the next timer, the scheduler is made to park, with a canary, which is a timer at
//! the limit: tokio then moves its paused clock to the first timer. The hook that tokio calls after
//! a park wakes the future given to `block_on`, which ends before any task runs.

use super::NodeRuntime;
use crate::sim::guest::Guest;
use crate::time::Instant;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant as TokioInstant;

/// One tick of tokio's timers.
const TICK: Duration = Duration::from_millis(1);

/// Longer than any timer of tokio, which are capped at about two years.
const FAR: Duration = Duration::from_secs(100_000_000);

impl NodeRuntime {
    /// Returns the time that the node's clock has counted since the runtime began.
    fn node_elapsed(&self) -> Duration {
        self.node.machine_time_at(self.node.now()) - self.began
    }

    /// Returns the time that tokio's clock has counted since the runtime began.
    fn elapsed(&self) -> Duration {
        let _context = self.runtime().enter();
        TokioInstant::now() - self.epoch
    }

    /// Returns the world's time at which the node's clock will have counted `elapsed`.
    fn world_time(&self, elapsed: Duration) -> Instant {
        self.node.world_time(self.began.saturating_add(elapsed))
    }

    /// Moves tokio's clock, without firing timers.
    fn skip(&self, by: Duration) {
        if by.is_zero() {
            return;
        }
        self.has_fired.set(false);
        let _context = self.runtime().enter();
        // The clock moves at the first poll; what follows only yields.
        let advanced = pin!(tokio::time::advance(by));
        let _ = advanced.poll(&mut Context::from_waker(Waker::noop()));
    }

    /// Sets tokio's clock to the node's. Returns by how much it is ahead, if it is.
    pub(super) fn catch_up(&self) -> Option<Duration> {
        let (node, tokio) = (self.node_elapsed(), self.elapsed());
        self.skip(node.saturating_sub(tokio));
        tokio.checked_sub(node).filter(|lead| !lead.is_zero())
    }

    /// Parks the scheduler once, with a timer at `canary`, so that tokio moves its clock to its
    /// first timer and fires what is due. Runs nothing.
    fn park(&self, canary: Option<TokioInstant>) {
        // A timer that fires wakes nobody in the world: the visit that follows runs what it woke.
        let armed = self.main_woken.armed.swap(false, Relaxed);
        let mut timer = pin!(None);
        let mut polls = 0;
        self.runtime().block_on(poll_fn(|cx| {
            polls += 1;
            match (polls, canary) {
                // The first round only brings the timers up to date, and uses up what earlier
                // wakes have left: a woken scheduler parks without moving its clock.
                (1, _) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                (2, Some(at)) => {
                    timer.set(Some(tokio::time::sleep_until(at)));
                    let timer = timer.as_mut().as_pin_mut().expect("it was just set");
                    let _ = timer.poll(cx);
                    self.set_root(Some(cx.waker()));
                    Poll::Pending
                }
                (2, None) => {
                    // Without any timer a park would never end. A timer that is set while there
                    // is no earlier one unparks the scheduler at once, and is then taken back.
                    let brief = pin!(tokio::time::sleep(FAR));
                    let _ = brief.poll(cx);
                    self.set_root(Some(cx.waker()));
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        }));
        self.set_root(None);
        self.main_woken.armed.store(armed, Relaxed);
        self.has_fired.set(true);
        self.may_run.set(true);
    }

    fn set_root(&self, waker: Option<&Waker>) {
        *self.root.lock().unwrap_or_else(PoisonError::into_inner) = waker.cloned();
    }
}

impl Guest for NodeRuntime {
    fn enter(&self, call: &mut dyn FnMut()) {
        self.catch_up();
        let _context = self.runtime().enter();
        call();
    }

    fn advance(&self, until: Instant) -> Instant {
        let (now, tokio) = (self.node_elapsed(), self.elapsed());
        let limit = self.node.machine_time_at(until) - self.began;
        self.skip(now.saturating_sub(tokio));
        if !self.has_fired.get() {
            // It was behind, as after a pause: what is due by now runs before its clock moves on.
            return self.node.now();
        }
        let tick = floor(now) + TICK;
        if limit < tick {
            self.skip(limit - now);
            return until;
        }
        if now != floor(now) {
            // Tokio moves its clock by whole ticks, so it starts from one.
            self.skip(tick - now);
            return self.world_time(tick);
        }
        self.park(Some(self.epoch + floor(limit)));
        let reached = self.elapsed();
        if reached == limit { until } else { self.world_time(reached) }
    }

    fn advance_unbounded(&self) -> Option<Instant> {
        self.catch_up();
        if !self.has_fired.get() {
            return Some(self.node.now());
        }
        let before = self.elapsed();
        if before != floor(before) {
            // Tokio moves its clock by whole ticks, so it starts from one.
            let tick = floor(before) + TICK;
            self.skip(tick - before);
            return Some(self.world_time(tick));
        }
        self.park(None);
        let reached = self.elapsed();
        (reached > before).then(|| self.world_time(reached))
    }

    fn next_tick(&self, now: Instant) -> Instant {
        let elapsed = self.node.machine_time_at(now) - self.began;
        self.world_time(floor(elapsed) + TICK)
    }

    fn has_run(&self) -> bool {
        self.has_run.take()
    }
}

/// Returns the last tick at or before `elapsed`.
pub(in crate::adapter::tokio) fn floor(elapsed: Duration) -> Duration {
    Duration::new(elapsed.as_secs(), elapsed.subsec_millis() * 1_000_000)
}
