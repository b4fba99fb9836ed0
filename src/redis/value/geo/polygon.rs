//! `BYPOLYGON`: an area between vertices, in the plane of longitude and latitude.
//!
//! An edge is straight in that plane and does not cross the 180th meridian. A point is within if a
//! line from it to the east crosses the edges an odd number of times. Distances are from the
//! vertices' centroid: the mean of their directions, seen from the centre of the earth.
//!
//! Source: `geohash_helper.c` (Valkey 9), and the real server.

use super::{Bounds, Point, degrees, radians};

/// Returns whether a point is within.
pub(super) fn contains(vertices: &[Point], point: Point) -> bool {
    let mut is_within = false;
    let mut last = vertices.last();
    for vertex in vertices {
        if let Some(last) = last
            && (vertex.latitude > point.latitude) != (last.latitude > point.latitude)
            && point.longitude
                < (last.longitude - vertex.longitude) * (point.latitude - vertex.latitude)
                    / (last.latitude - vertex.latitude)
                    + vertex.longitude
        {
            is_within = !is_within;
        }
        last = Some(vertex);
    }
    is_within
}

/// Returns the coordinates between which the vertices lie.
pub(super) fn bounds(vertices: &[Point]) -> Bounds {
    let none = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    vertices.iter().fold(none, |[west, south, east, north], vertex| {
        let Point { longitude, latitude } = *vertex;
        [west.min(longitude), south.min(latitude), east.max(longitude), north.max(latitude)]
    })
}

/// Returns the greatest distance of a vertex from a point, in metres.
pub(super) fn radius(vertices: &[Point], centre: Point) -> f64 {
    vertices.iter().map(|vertex| centre.distance(*vertex)).fold(0.0, f64::max)
}

impl Point {
    /// Returns the mean of the directions of points, seen from the centre of the earth: from there
    /// a polygon's distances count. The mean of no points is the point 0, 0.
    #[must_use]
    pub fn centroid(points: &[Point]) -> Point {
        let [mut x, mut y, mut z] = [0.0; 3];
        for point in points {
            let (longitude, latitude) = (radians(point.longitude), radians(point.latitude));
            x += libm::cos(latitude) * libm::cos(longitude);
            y += libm::cos(latitude) * libm::sin(longitude);
            z += libm::sin(latitude);
        }
        let longitude = libm::atan2(y, x);
        let latitude = libm::atan2(z, (x * x + y * y).sqrt());
        Point { longitude: degrees(longitude), latitude: degrees(latitude) }
    }
}
