//! Latency: the distribution of a message's travel time.
//!
//! Latencies are drawn in whole numbers from the tape of choices, so every platform agrees on every
//! bit, and a tape of zeros means the smallest latency.

use crate::choice::{Choices, Place, Site};
use std::time::Duration;

const LATENCY: Site = Site::new("link.latency");

/// How long a message takes from one end of a link to the other.
///
/// The calm choice is the smallest latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Latency {
    /// Always this long. `Constant(Duration::ZERO)` is the default of a link.
    Constant(Duration),
    /// Any whole number of nanoseconds from `min` to `max`, equally likely.
    Uniform {
        /// The smallest latency.
        min: Duration,
        /// The greatest latency; `min` if it is less than that.
        max: Duration,
    },
    /// `min` plus an exponentially distributed part with this mean: mostly close to `min`, seldom
    /// much longer, never more than 23 means longer.
    Exponential {
        /// The smallest latency.
        min: Duration,
        /// The mean of the part beyond `min`.
        mean: Duration,
    },
}

impl Latency {
    /// Returns whether every message arrives at once.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Latency::Constant(Duration::ZERO))
    }

    /// Returns the smallest latency, in nanoseconds.
    pub(crate) fn least(&self) -> u64 {
        match *self {
            Latency::Constant(latency) => nanos(latency),
            Latency::Uniform { min, .. } | Latency::Exponential { min, .. } => nanos(min),
        }
    }

    /// Returns the latency of the next message, in nanoseconds. `place` is that of the link's
    /// choices.
    pub(crate) fn draw(&self, choices: &mut Choices, place: &mut Place, entity: u64) -> u64 {
        match *self {
            Latency::Constant(latency) => nanos(latency),
            Latency::Uniform { min, max } => {
                let min = nanos(min);
                let width = nanos(max).saturating_sub(min).saturating_add(1);
                min.saturating_add(choices.choose_at(place, LATENCY, entity, width))
            }
            Latency::Exponential { min, mean } => {
                let drawn = choices.choose_at(place, LATENCY, entity, 1 << 32);
                let rest = (u128::from(minus_ln(drawn)) * u128::from(nanos(mean))) >> 32;
                nanos(min).saturating_add(u64::try_from(rest).unwrap_or(u64::MAX))
            }
        }
    }
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns -ln(1 - v / 2^32) with 32 binary places, for v in 0..2^32: the inverse of the
/// exponential distribution. Computed by the shift-and-square binary logarithm, so that every
/// platform agrees on every bit.
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
        let mut draw = |latency: Latency, entity| {
            Duration::from_nanos(latency.draw(&mut choices, &mut Place::default(), entity))
        };
        let drawn: Vec<_> = (0..2_000).map(|_| draw(uniform, 0)).collect();
        assert!(drawn.iter().all(|d| (ms(2)..=ms(4)).contains(d)));

        let exponential = Latency::Exponential { min: ms(1), mean: ms(10) };
        let total: Duration = (0..20_000).map(|_| draw(exponential, 1)).sum();
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
            let least = latency.draw(&mut calm, &mut Place::default(), 0);
            assert_eq!(Duration::from_nanos(least), ms(3));
        }
    }

    #[test]
    fn a_backward_range_is_its_minimum() {
        let latency = Latency::Uniform { min: Duration::from_secs(2), max: Duration::from_secs(1) };
        let drawn = latency.draw(&mut Choices::seeded(1), &mut Place::default(), 0);
        assert_eq!(Duration::from_nanos(drawn), Duration::from_secs(2));
    }
}
