//! Cells: the earth divided into rectangles, by as many halvings of each coordinate as a cell has
//! steps.
//!
//! The bits of a cell interleave those of its latitude (at even places) and its longitude. The
//! cells beside it are found by adding to either half of the bits. At the edge of the map the
//! addition wraps around.

use super::{LATITUDE, LONGITUDE, Point};

/// The bits of latitudes, and those of longitudes.
const EVEN: u64 = 0x5555_5555_5555_5555;
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// A cell. There are from 1 to 26 steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) bits: u64,
    pub(super) steps: u32,
}

/// The least and greatest coordinates of a cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edges {
    pub(super) longitude: (f64, f64),
    pub(super) latitude: (f64, f64),
}

impl Edges {
    pub(super) fn middle(&self) -> Point {
        let middle = |(min, max): (f64, f64), limits: (f64, f64)| {
            ((min + max) / 2.0).min(limits.1).max(limits.0)
        };
        let longitude = middle(self.longitude, LONGITUDE);
        Point { longitude, latitude: middle(self.latitude, LATITUDE) }
    }
}

impl Cell {
    /// Returns the cell of a point. A latitude at the very end of its range belongs to a cell that
    /// has one bit more.
    pub(super) fn of(point: Point, steps: u32, latitudes: (f64, f64)) -> Cell {
        let place = |x: f64, (min, max): (f64, f64)| {
            let offset = (x - min) / (max - min);
            (offset * (1u64 << steps) as f64) as u32
        };
        let (latitude, longitude) =
            (place(point.latitude, latitudes), place(point.longitude, LONGITUDE));
        Cell { bits: spread(latitude) | spread(longitude) << 1, steps }
    }

    pub(super) fn area(self) -> Edges {
        let edges = |bits: u64, (min, max): (f64, f64)| {
            let (place, parts) = (gathered(bits), (1u64 << self.steps) as f64);
            let edge = |place: u32| min + (f64::from(place) / parts) * (max - min);
            (edge(place), edge(place.wrapping_add(1)))
        };
        Edges { longitude: edges(self.bits >> 1, LONGITUDE), latitude: edges(self.bits, LATITUDE) }
    }

    /// Returns the cell that is `x` cells to the east and `y` to the north, each at most one.
    pub(super) fn neighbour(self, x: i32, y: i32) -> Cell {
        let unused = 64 - self.steps * 2;
        let moved = |own: u64, other: u64, by: i32| {
            // With the other coordinate's bits set, a carry passes over them.
            let (bits, filler) = (self.bits & own, other >> unused);
            let bits = match by {
                0 => return bits,
                1.. => bits.wrapping_add(filler + 1),
                _ => (bits | filler).wrapping_sub(filler + 1),
            };
            bits & (own >> unused)
        };
        Cell { bits: moved(ODD, EVEN, x) | moved(EVEN, ODD, y), ..self }
    }
}

/// Spreads the bits to the even places.
fn spread(n: u32) -> u64 {
    let mut bits = u64::from(n);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, EVEN),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Gathers the bits at the even places.
fn gathered(bits: u64) -> u32 {
    let mut bits = bits & EVEN;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}
