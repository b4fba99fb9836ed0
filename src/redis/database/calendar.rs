//! The calendar: conversion between instants of the monotonic clock and calendar times.
//!
//! A machine's calendar clock is `ahead` nanoseconds ahead of the world's; behind, if negative.
//! Redis counts in milliseconds since the Unix epoch.

use super::keyspace::NEVER;
use crate::time::{Instant, WORLD_EPOCH};
use std::time::Duration;

/// Returns the calendar time at `now`, as the time since the Unix epoch.
pub(crate) fn calendar(now: Instant, ahead: i64) -> Duration {
    let shown = now.since_unix_epoch();
    let by = Duration::from_nanos(ahead.unsigned_abs());
    if ahead < 0 { shown.saturating_sub(by) } else { shown.saturating_add(by) }
}

/// Returns the calendar time at `now` in milliseconds.
pub(crate) fn calendar_ms(now: Instant, ahead: i64) -> i64 {
    i64::try_from(calendar(now, ahead).as_millis()).unwrap_or(NEVER - 1)
}

/// Returns the instant of a calendar time; the beginning of the world, if it is earlier.
pub(crate) fn instant_of_ms(ms: i64, ahead: i64) -> Instant {
    let since_start = i128::from(ms) * 1_000_000 - WORLD_EPOCH.as_nanos() as i128;
    let nanos = since_start - i128::from(ahead);
    Instant::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

/// Returns `at` moved by nanoseconds; the beginning of the world, if it is earlier.
pub(crate) fn moved(at: Instant, by: i64) -> Instant {
    match at {
        Instant::MAX => at,
        _ => Instant::from_nanos(at.as_nanos().saturating_add_signed(by)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_the_calendar_comes_when_the_calendar_shows_it() {
        for ahead in [0, 5_000_000_000, -5_000_000_000, 1, -1] {
            let at = Instant::from_nanos(60_000_000_000);
            let ms = calendar_ms(at, ahead);
            let when = instant_of_ms(ms, ahead);
            assert_eq!(calendar_ms(when, ahead), ms, "{ahead}");
            assert!(when <= at, "{ahead}");
            assert!(calendar_ms(Instant::from_nanos(when.as_nanos() - 1), ahead) < ms, "{ahead}");
        }
    }
}
