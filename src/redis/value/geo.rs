//! Positions on the earth as the scores of sorted sets: the arithmetic of the `GEO` commands.
//!
//! A [`Point`] becomes a score of 52 bits ([`Point::score`]): 26 bits of its latitude and 26 of its
//! longitude, interleaved. Points that are close have scores with a common prefix, so an area is
//! covered by at most nine ranges of scores ([`Area::boxes`]), of which [`search`] keeps the points
//! that are within the area. A score that is no position is read like one, as in Redis.
//!
//! Every result is the same on every platform. Sines come from the crate `libm`, not from the
//! platform. The real server uses glibc, whose last bit sometimes differs (and differs between
//! processors). Of 20 million random distances 33 were printed differently, all by one in the last
//! digit and between nearly opposite points.
//!
//! Source: `geo.c`, `geohash.c`, `geohash_helper.c`.

mod cell;
mod order;
mod polygon;
mod reach;

use super::{Sds, SortedSet};
use cell::Cell;
use reach::Reach;
use std::sync::Arc;

/// Mean radius of the earth in metres.
const EARTH_RADIUS: f64 = 6_372_797.560856;

const LONGITUDE: (f64, f64) = (-180.0, 180.0);
/// Latitudes end where the projection (EPSG:3857) is a square.
const LATITUDE: (f64, f64) = (-85.05112878, 85.05112878);

/// Half the length of the equator in metres, in the Mercator projection.
const MERCATOR_MAX: f64 = 20_037_726.37;

/// Bits of a score for each coordinate.
const STEPS: u32 = 26;

/// A position, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    longitude: f64,
    latitude: f64,
}

impl Point {
    /// Returns the position, or `None` if it is out of range: a longitude beyond ±180 degrees, or a
    /// latitude beyond ±85.05112878.
    #[must_use]
    pub fn new(longitude: f64, latitude: f64) -> Option<Point> {
        let within = |(min, max): (f64, f64), x: f64| min <= x && x <= max;
        let valid = within(LONGITUDE, longitude) && within(LATITUDE, latitude);
        valid.then_some(Point { longitude, latitude })
    }

    /// The longitude in degrees.
    #[must_use]
    pub fn longitude(self) -> f64 {
        self.longitude
    }

    /// The latitude in degrees.
    #[must_use]
    pub fn latitude(self) -> f64 {
        self.latitude
    }

    /// Returns the score that represents the position.
    #[must_use]
    pub fn score(self) -> f64 {
        self.bits() as f64
    }

    /// The number that becomes the score, which may not represent it exactly.
    pub(crate) fn bits(self) -> u64 {
        Cell::of(self, STEPS, LATITUDE).bits
    }

    /// Returns the position that a score represents: the middle of its cell. Any score represents
    /// one.
    #[must_use]
    pub fn from_score(score: f64) -> Point {
        Cell { bits: unsigned(score), steps: STEPS }.area().middle()
    }

    /// Returns the standard geohash: eleven letters, of which the last is always `0`.
    #[must_use]
    pub fn geohash(self) -> [u8; 11] {
        const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::of(self, STEPS, (-90.0, 90.0)).bits;
        let mut text = [b'0'; 11];
        for (at, letter) in text[..10].iter_mut().enumerate() {
            *letter = LETTERS[(bits >> (52 - (at + 1) * 5)) as usize & 31];
        }
        text
    }

    /// Returns the length of the great circle between two positions in metres.
    #[must_use]
    pub fn distance(self, other: Point) -> f64 {
        let v = libm::sin((radians(other.longitude) - radians(self.longitude)) / 2.0);
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let (here, there) = (radians(self.latitude), radians(other.latitude));
        let u = libm::sin((there - here) / 2.0);
        let a = u * u + libm::cos(here) * libm::cos(there) * v * v;
        2.0 * EARTH_RADIUS * libm::asin(a.sqrt())
    }
}

/// Converts as a cast of C on x86 does, where the language leaves it open: negative numbers wrap.
fn unsigned(score: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if score >= HALF { signed(score - HALF) as u64 ^ 1 << 63 } else { signed(score) as u64 }
}

/// Converts as a cast of C on x86 does: what does not fit is the least integer.
fn signed(x: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&x) { x as i64 } else { i64::MIN }
}

/// Returns a score as `WITHHASH` shows it: an integer.
#[must_use]
pub fn score_as_integer(score: f64) -> i64 {
    signed(score)
}

fn radians(degrees: f64) -> f64 {
    degrees * (std::f64::consts::PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (std::f64::consts::PI / 180.0)
}

fn latitude_distance(one: f64, other: f64) -> f64 {
    EARTH_RADIUS * (radians(other) - radians(one)).abs()
}

/// Returns a distance as replies show it: with four decimals, ties to even.
#[must_use]
pub fn format_distance(distance: f64) -> String {
    let scaled = signed((distance * 10_000.0).round_ties_even());
    let (sign, size) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
    format!("{sign}{}.{:04}", size / 10_000, size % 10_000)
}

/// A unit of distance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// `m`.
    #[default]
    Metres,
    /// `km`.
    Kilometres,
    /// `ft`.
    Feet,
    /// `mi`.
    Miles,
}

impl Unit {
    /// Returns the unit of this name, in either case.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Unit> {
        match &*name.to_ascii_lowercase() {
            b"m" => Some(Unit::Metres),
            b"km" => Some(Unit::Kilometres),
            b"ft" => Some(Unit::Feet),
            b"mi" => Some(Unit::Miles),
            _ => None,
        }
    }

    /// Length of the unit in metres.
    #[must_use]
    pub fn metres(self) -> f64 {
        match self {
            Unit::Metres => 1.0,
            Unit::Kilometres => 1_000.0,
            Unit::Feet => 0.3048,
            Unit::Miles => 1_609.34,
        }
    }
}

/// The shape of an area around its centre.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// `BYRADIUS`: a circle.
    Circle {
        /// The radius.
        radius: f64,
    },
    /// `BYBOX`: a rectangle along the axes.
    Box {
        /// Size from west to east.
        width: f64,
        /// Size from south to north.
        height: f64,
    },
    /// `BYPOLYGON` (Valkey 9): a polygon, whose centre is its [centroid](Point::centroid).
    Polygon {
        /// The vertices in their order, at least three. The last and the first have an edge, too.
        vertices: Arc<[Point]>,
    },
}

/// An area to search.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// The centre.
    pub centre: Point,
    /// The shape around it.
    pub shape: Shape,
    /// The unit of the shape's sizes.
    pub unit: Unit,
}

impl Area {
    /// Returns the area between these vertices.
    #[must_use]
    pub fn polygon(vertices: &[Point]) -> Area {
        let shape = Shape::Polygon { vertices: vertices.into() };
        Area { centre: Point::centroid(vertices), shape, unit: Unit::Metres }
    }
}

/// Least and greatest coordinates: west, south, east, north.
type Bounds = [f64; 4];

impl Area {
    /// Returns the distance of a point from the centre in metres, or `None` if the point is
    /// outside.
    #[must_use]
    pub fn distance_within(&self, point: Point) -> Option<f64> {
        let (centre, metres) = (self.centre, self.unit.metres());
        match &self.shape {
            Shape::Circle { radius } => {
                let distance = centre.distance(point);
                // A distance that is not a number is within.
                let outside = distance > radius * metres;
                (!outside).then_some(distance)
            }
            Shape::Box { width, height } => {
                let up = latitude_distance(point.latitude, centre.latitude);
                if up > height * metres / 2.0 {
                    return None;
                }
                let beside = Point { longitude: centre.longitude, ..point };
                if point.distance(beside) > width * metres / 2.0 {
                    return None;
                }
                Some(centre.distance(point))
            }
            Shape::Polygon { vertices } => {
                polygon::contains(vertices, point).then(|| centre.distance(point))
            }
        }
    }

    /// Returns the ranges of scores that cover the area, in the order in which the server searches
    /// them: the centre's cell, then north, south, east, west, and the corners. A range excludes
    /// its end.
    #[must_use]
    pub fn boxes(&self) -> Vec<(f64, f64)> {
        let cells = self.cells();
        let mut boxes = Vec::new();
        let mut last = 0;
        for (at, cell) in cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            // Neighbours in a huge area can be the same cell. The first cell is not compared.
            if last != 0 && cells[last] == Some(*cell) {
                continue;
            }
            let score = |bits: u64| (bits << (52 - cell.steps * 2)) as f64;
            boxes.push((score(cell.bits), score(cell.bits + 1)));
            last = at;
        }
        boxes
    }

    /// Returns the cells of [`boxes`](Area::boxes), without those that cannot hold a point.
    fn cells(&self) -> [Option<Cell>; 9] {
        let [west, south, east, north] = self.bounds();
        let mut steps = self.steps();
        let at = |steps: u32| Cell::of(self.centre, steps, LATITUDE);
        let far = |cell: Cell, x: i32, y: i32| cell.neighbour(x, y).area();
        let cell = at(steps);
        let too_small = far(cell, 0, 1).latitude.1 < north
            || far(cell, 0, -1).latitude.0 > south
            || far(cell, 1, 0).longitude.1 < east
            || far(cell, -1, 0).longitude.0 > west;
        if steps > 1 && too_small {
            steps -= 1;
        }
        let cell = at(steps);
        let area = cell.area();
        let small = steps >= 2;
        let excluded = |x: i32, y: i32| {
            small
                && ((y < 0 && area.latitude.0 < south)
                    || (y > 0 && area.latitude.1 > north)
                    || (x < 0 && area.longitude.0 < west)
                    || (x > 0 && area.longitude.1 > east))
        };
        let directions =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        directions.map(|(x, y)| (!excluded(x, y)).then(|| cell.neighbour(x, y)))
    }

    /// Returns the coordinates between which the area lies, or about that.
    fn bounds(&self) -> Bounds {
        let metres = self.unit.metres();
        let (width, height) = match &self.shape {
            Shape::Circle { radius } => (metres * radius, metres * radius),
            Shape::Box { width, height } => (metres * (width / 2.0), metres * (height / 2.0)),
            Shape::Polygon { vertices } => return polygon::bounds(vertices),
        };
        let Point { longitude, latitude } = self.centre;
        let up = degrees(height / EARTH_RADIUS);
        // The circle of latitude that is nearer to the pole is shorter.
        let edge = if latitude < 0.0 { latitude - up } else { latitude + up };
        let aside = degrees(width / EARTH_RADIUS / libm::cos(radians(edge)));
        [longitude - aside, latitude - up, longitude + aside, latitude + up]
    }

    /// Returns how many bits of each coordinate the cells have, at first.
    fn steps(&self) -> u32 {
        let mut range = match &self.shape {
            Shape::Circle { radius } => *radius,
            Shape::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
            Shape::Polygon { vertices } => polygon::radius(vertices, self.centre),
        } * self.unit.metres();
        if range == 0.0 {
            return STEPS;
        }
        let mut steps = 1i32;
        while range < MERCATOR_MAX {
            range *= 2.0;
            steps += 1;
        }
        steps -= 2;
        // Towards the poles a cell is narrower.
        let latitude = self.centre.latitude.abs();
        steps -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        steps.clamp(1, STEPS as i32).unsigned_abs()
    }
}

/// The order of what a search returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `ASC`: from the nearest.
    Nearest,
    /// `DESC`: from the farthest.
    Farthest,
}

/// What to search for.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Where.
    pub area: Area,
    /// The order. Without one, members come in the order of the [boxes](Area::boxes), unless there
    /// is a `count` without `any`: then the nearest are first.
    pub order: Option<Order>,
    /// `COUNT`: the greatest number of members. 0 is unlimited.
    pub count: usize,
    /// `ANY`: the first members that are found count, not the first in order.
    pub any: bool,
}

/// A member that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The member.
    pub member: Sds,
    /// Its score.
    pub score: f64,
    /// The position that the score represents.
    pub point: Point,
    /// Distance from the centre in metres.
    pub distance: f64,
}

/// Returns the members of a sorted set whose scores are positions within an area.
#[must_use]
pub fn search(set: &SortedSet, search: &Search) -> Vec<Found> {
    let limit = if search.any { search.count } else { 0 };
    let mut found = Vec::new();
    let full = |found: &Vec<Found>| limit != 0 && found.len() >= limit;
    let reach = Reach::of(&search.area);
    for (min, max) in search.area.boxes() {
        if full(&found) {
            break;
        }
        for (member, score) in set.from_score(min).take_while(|(_, score)| *score < max) {
            let point = Point::from_score(score);
            if reach.excludes(point) {
                continue;
            }
            if let Some(distance) = search.area.distance_within(point) {
                found.push(Found { member: member.clone(), score, point, distance });
            }
            if full(&found) {
                break;
            }
        }
    }
    let nearest_first = search.count != 0 && !search.any;
    let order = search.order.or(nearest_first.then_some(Order::Nearest));
    let wanted = if search.count == 0 { found.len() } else { search.count.min(found.len()) };
    if let Some(order) = order {
        order::sort(&mut found, order, wanted);
    }
    found.truncate(wanted);
    found
}

#[cfg(test)]
mod tests;
