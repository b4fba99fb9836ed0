//! Scores: the numbers by which sorted sets and `SORT` order.

use std::cmp::Ordering;

/// A number that is not NaN, so that numbers have a total order. -0.0 equals 0.0.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Score(f64);

impl Score {
    /// Returns a score, or `None` for NaN.
    #[inline]
    pub(crate) fn new(score: f64) -> Option<Score> {
        if score.is_nan() { None } else { Some(Score(score)) }
    }

    #[inline]
    pub(crate) fn into_inner(self) -> f64 {
        self.0
    }
}

impl Eq for Score {}

#[allow(clippy::derive_ord_xor_partial_ord, reason = "both are the order of numbers")]
impl Ord for Score {
    #[inline]
    fn cmp(&self, other: &Score) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}
