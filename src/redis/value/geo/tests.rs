//! Positions: the documented example, scores that are none, and the partial sort.

use super::reach::Reach;
use super::*;
use proptest::prelude::*;

fn point(longitude: f64, latitude: f64) -> Point {
    Point::new(longitude, latitude).expect("it is in range")
}

#[test]
fn the_documented_example() {
    let (palermo, catania) = (point(13.361389, 38.115556), point(15.087269, 37.502669));
    assert_eq!(palermo.score(), 3_479_099_956_230_698.0);
    assert_eq!(&Point::from_score(palermo.score()).geohash(), b"sqc8b49rny0");
    let (palermo, catania) =
        (Point::from_score(palermo.score()), Point::from_score(catania.score()));
    assert_eq!(format_distance(palermo.distance(catania)), "166274.1516");
}

#[test]
fn any_score_is_a_position() {
    for score in [0.0, -1.0, 1e17, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -0.5] {
        let point = Point::from_score(score);
        assert!(Point::new(point.longitude, point.latitude).is_some(), "{score}");
    }
}

#[test]
fn a_partial_sort_finds_the_first() {
    for n in [0, 1, 6, 7, 8, 40, 41, 300] {
        for wanted in 1..=n {
            let member = |i: usize| Found {
                member: Sds::from(i.to_string()),
                score: 0.0,
                point: Point { longitude: 0.0, latitude: 0.0 },
                distance: (i * 7_919 % 31) as f64,
            };
            let mut found: Vec<Found> = (0..n).map(member).collect();
            let mut sorted: Vec<f64> = found.iter().map(|found| found.distance).collect();
            sorted.sort_by(f64::total_cmp);
            order::sort(&mut found, Order::Nearest, wanted);
            let first: Vec<f64> = found[..wanted].iter().map(|found| found.distance).collect();
            assert_eq!(first, sorted[..wanted]);
        }
    }
}

fn area() -> impl Strategy<Value = Area> {
    let size = prop_oneof![Just(0.0), (-9.0..8.0_f64).prop_map(libm::exp10), Just(f64::INFINITY),];
    let circle = size.clone().prop_map(|radius| Shape::Circle { radius });
    let rectangle = (size.clone(), size).prop_map(|(width, height)| Shape::Box { width, height });
    (prop_oneof![circle, rectangle], -180.0..180.0, -85.05..85.05).prop_map(
        |(shape, longitude, latitude)| Area {
            centre: point(longitude, latitude),
            shape,
            unit: Unit::Metres,
        },
    )
}

fn polygon() -> impl Strategy<Value = Area> {
    let vertices = proptest::collection::vec((-9.0..9.0, -9.0..9.0), 3..8);
    (-171.0..171.0, -76.0..76.0, vertices).prop_map(|(longitude, latitude, vertices)| {
        let vertex = |(aside, up)| point(longitude + aside, latitude + up);
        Area::polygon(&vertices.into_iter().map(vertex).collect::<Vec<_>>())
    })
}

/// Degrees away from a centre: far, near, or almost there.
fn degrees_away() -> impl Strategy<Value = f64> {
    let sign = prop_oneof![Just(-1.0), Just(1.0)];
    prop_oneof![
        Just(0.0),
        (sign, -14.0..2.6_f64).prop_map(|(sign, exponent)| sign * libm::exp10(exponent)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn what_is_beyond_the_reach_is_outside(
        area in prop_oneof![area(), polygon()],
        (aside, up) in (degrees_away(), degrees_away()),
    ) {
        let wrapped = (area.centre.longitude + aside + 540.0).rem_euclid(360.0) - 180.0;
        let other = point(wrapped, (area.centre.latitude + up).clamp(-85.05, 85.05));
        if Reach::of(&area).excludes(other) {
            prop_assert_eq!(area.distance_within(other), None);
        }
    }

    /// It does not matter where the vertices of a polygon begin, and in which direction they go.
    #[test]
    fn a_polygon_has_no_first_vertex(
        area in polygon(),
        turn in 0_usize..8,
        (aside, up) in (degrees_away(), degrees_away()),
    ) {
        let Shape::Polygon { vertices } = &area.shape else { unreachable!("it is a polygon") };
        let mut others = vertices.to_vec();
        others.rotate_left(turn % vertices.len());
        let Point { longitude, latitude } = area.centre;
        let other = point((longitude + aside).clamp(-180.0, 180.0), (latitude + up).clamp(-85.05, 85.05));
        let is_within = polygon::contains(vertices, other);
        prop_assert_eq!(polygon::contains(&others, other), is_within);
        others.reverse();
        prop_assert_eq!(polygon::contains(&others, other), is_within);
    }

    /// Points at the very edge of a circle, where the reach must not be too short.
    #[test]
    fn what_is_at_the_edge_is_within_reach(
        (longitude, latitude) in (-180.0..180.0, -85.05..85.05),
        (aside, up) in (degrees_away(), degrees_away()),
    ) {
        let centre = point(longitude, latitude);
        let wrapped = (longitude + aside + 540.0).rem_euclid(360.0) - 180.0;
        let other = point(wrapped, (latitude + up).clamp(-85.05, 85.05));
        let radius = centre.distance(other);
        let area = Area { centre, shape: Shape::Circle { radius }, unit: Unit::Metres };
        prop_assert!(!Reach::of(&area).excludes(other));
    }
}
