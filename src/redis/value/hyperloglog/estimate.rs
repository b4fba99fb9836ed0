//! The estimate of the number of elements, calculated in the server's order.
//!
//! Source: Ertl, <https://arxiv.org/abs/1702.01284>, sections 4 and 5.

use super::REGISTERS;

/// The greatest count of a register that an element can cause.
const HIGHEST: usize = 51;

/// How many registers have each count.
#[derive(Clone, Debug)]
pub(super) struct Histogram([usize; 64]);

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram([0; 64])
    }
}

impl Histogram {
    /// Counts registers that have this count.
    pub(super) fn add(&mut self, count: u8, registers: usize) {
        self.0[usize::from(count & 63)] += registers;
    }

    pub(super) fn estimate(&self) -> u64 {
        /// `0.5 / ln(2)`
        const ALPHA: f64 = 0.721_347_520_444_481_7;
        let m = REGISTERS as f64;
        let with = |count: usize| self.0[count] as f64;
        let mut z = m * tau((m - with(HIGHEST)) / m);
        for count in (1..HIGHEST).rev() {
            z += with(count);
            z *= 0.5;
        }
        z += m * sigma(with(0) / m);
        let estimate = (ALPHA * m * m / z).round();
        // What no integer holds becomes the least one on x86.
        if estimate < 9_223_372_036_854_775_808.0 { estimate as u64 } else { 1 << 63 }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        // With corrupt runs the sum may become infinite, and then not a number.
        if z == before || z.is_nan() {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before || z.is_nan() {
            return z / 3.0;
        }
    }
}
