//! Virtual time.
//!
//! An [`Instant`] is a number of nanoseconds since the world began, at [`Instant::ZERO`]. Every
//! machine is given it as an argument; nothing in this crate reads a clock. Arithmetic never wraps:
//! it is checked, or it saturates at [`Instant::MAX`], 584 years after the beginning, which stands
//! for "never".
//!
//! Calendar questions (`TIME`, a message's `timestamp`) are answered from [`WORLD_EPOCH`], which is
//! the same moment in every world. A transcript therefore does not depend on the day it was made.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// The calendar time of [`Instant::ZERO`], as the time since the Unix epoch: 2025-01-01T00:00:00Z.
pub const WORLD_EPOCH: Duration = Duration::from_secs(1_735_689_600);

/// A point in virtual time, in nanoseconds since the world began.
///
/// ```
/// use std::time::Duration;
/// use stunt_double::Instant;
///
/// let t = Instant::ZERO + Duration::from_millis(1_500);
/// assert_eq!(t.to_string(), "1.5s");
/// assert_eq!(t - Instant::ZERO, Duration::from_millis(1_500));
/// assert_eq!(Instant::MAX.checked_add(Duration::from_nanos(1)), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The beginning of the world.
    pub const ZERO: Instant = Instant(0);
    /// The last representable moment. A timer set for it never fires.
    pub const MAX: Instant = Instant(u64::MAX);

    /// Returns the moment `nanos` nanoseconds after the beginning.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Instant {
        Instant(nanos)
    }

    /// Returns the nanoseconds since the beginning.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the time since the beginning.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Returns the calendar time, as the time since the Unix epoch, counted from [`WORLD_EPOCH`].
    #[must_use]
    pub fn since_unix_epoch(self) -> Duration {
        WORLD_EPOCH.saturating_add(self.since_start())
    }

    /// Returns `self + d`, or `None` past [`Instant::MAX`].
    #[must_use]
    pub fn checked_add(self, d: Duration) -> Option<Instant> {
        let nanos = u64::try_from(d.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Instant)
    }

    /// Returns `self - d`, or `None` before [`Instant::ZERO`].
    #[must_use]
    pub fn checked_sub(self, d: Duration) -> Option<Instant> {
        let nanos = u64::try_from(d.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Instant)
    }

    /// Returns `self + d`, or [`Instant::MAX`] if that is past it.
    #[must_use]
    pub fn saturating_add(self, d: Duration) -> Instant {
        self.checked_add(d).unwrap_or(Instant::MAX)
    }

    /// Returns the instant this many nanoseconds later. Saturates at [`Instant::MAX`].
    pub(crate) fn after_nanos(self, nanos: u64) -> Instant {
        Instant(self.0.saturating_add(nanos))
    }

    /// Returns the time from `earlier` to `self`, or `None` if `earlier` is later.
    #[must_use]
    pub fn checked_duration_since(self, earlier: Instant) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_nanos)
    }

    /// Returns the time from `earlier` to `self`, or zero if `earlier` is later.
    #[must_use]
    pub fn saturating_duration_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Returns the earlier of two times, of which each may be missing.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// Saturates at [`Instant::MAX`].
impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, d: Duration) -> Instant {
        self.saturating_add(d)
    }
}

/// Saturates at [`Instant::MAX`].
impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

/// The time between two instants; zero if the right one is later.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// Seconds with as many decimals as needed: `9s`, `0.25s`. A width pads on the left and a precision
/// fixes the decimals, as for numbers.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let digits = format!("{nanos:09}");
        let decimals = match f.precision() {
            Some(p) => &digits[..p.min(9)],
            None => digits.trim_end_matches('0'),
        };
        let text =
            if decimals.is_empty() { format!("{secs}s") } else { format!("{secs}.{decimals}s") };
        write!(f, "{text:>0$}", f.width().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_never_wraps() {
        let d = Duration::from_secs(1);
        assert_eq!(Instant::MAX.checked_add(d), None);
        assert_eq!(Instant::MAX + d, Instant::MAX);
        assert_eq!(Instant::ZERO.checked_sub(d), None);
        assert_eq!(Instant::ZERO.checked_add(Duration::MAX), None);
        assert_eq!(Instant::ZERO + Duration::MAX, Instant::MAX);
        assert_eq!(Instant::ZERO - Instant::MAX, Duration::ZERO);
        assert_eq!(Instant::ZERO.checked_duration_since(Instant::MAX), None);
    }

    #[test]
    fn displays_seconds_without_idle_zeros() {
        assert_eq!(Instant::ZERO.to_string(), "0s");
        assert_eq!(Instant::from_nanos(1).to_string(), "0.000000001s");
        assert_eq!(Instant::from_nanos(9_250_000_000).to_string(), "9.25s");
        assert_eq!(format!("{:>8.3}", Instant::from_nanos(9_250_000_000)), "  9.250s");
    }

    #[test]
    fn the_calendar_starts_in_2025() {
        let t = Instant::ZERO + Duration::from_secs(60);
        assert_eq!(t.since_unix_epoch().as_secs(), 1_735_689_660);
    }
}
