//! The reach of an area: how far from its centre a point within may lie along each axis.
//!
//! Most points of the cells that cover an area are outside of it, and their difference in degrees
//! tells so without a sine.
//!
//! Invariant: a point beyond the reach is outside by the exact distance, too. The reach is
//! therefore longer than the area by more than rounding can shorten a distance.

use super::{Area, EARTH_RADIUS, Point, Shape, degrees, radians};

/// Greatest differences from the centre, in degrees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    centre: Point,
    latitude: f64,
    longitude: f64,
}

/// Rounding changes a distance by less than this part, but for opposite points (`asin` near 1).
const PART: f64 = 1e-6;
/// Subtracting two coordinates loses less than this, in radians.
const LOSS: f64 = 1e-11;

impl Reach {
    /// Returns the reach of an area. It is unlimited where no limit is certain.
    pub(super) fn of(area: &Area) -> Reach {
        let metres = area.unit.metres();
        let (up, aside) = match &area.shape {
            Shape::Circle { radius } => (metres * radius, metres * radius),
            Shape::Box { width, height } => (metres * height / 2.0, metres * width / 2.0),
            Shape::Polygon { .. } => return Reach::between(area),
        };
        // Half the angle at the centre of the earth.
        let half = |length: f64| length / (2.0 * EARTH_RADIUS) * (1.0 + PART) + LOSS;
        let latitude = degrees(2.0 * half(up));
        // A circle of latitude is shortest where the area is nearest to a pole.
        let edge = area.centre.latitude.abs() + latitude;
        let sine = libm::sin(half(aside)) / libm::cos(radians(edge));
        let is_limited = edge < 90.0 && half(aside) < std::f64::consts::FRAC_PI_2 && sine < 1.0;
        let longitude = if is_limited {
            degrees(2.0 * libm::asin(sine) * (1.0 + PART) + LOSS)
        } else {
            f64::INFINITY
        };
        Reach { centre: area.centre, latitude, longitude }
    }

    /// The reach of a polygon, whose edges are straight in degrees.
    fn between(area: &Area) -> Reach {
        let [west, south, east, north] = area.bounds();
        let Point { longitude, latitude } = area.centre;
        let farthest = |one: f64, other: f64| one.abs().max(other.abs()) * (1.0 + PART);
        Reach {
            centre: area.centre,
            latitude: farthest(north - latitude, latitude - south),
            longitude: farthest(east - longitude, longitude - west),
        }
    }

    /// Returns whether a point is outside for certain.
    pub(super) fn excludes(&self, point: Point) -> bool {
        let aside = (point.longitude - self.centre.longitude).abs();
        (point.latitude - self.centre.latitude).abs() > self.latitude
            || (aside > self.longitude && 360.0 - aside > self.longitude)
    }
}
