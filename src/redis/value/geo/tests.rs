//! Positions: the documented example, scores that are none, and the partial sort.

use super::*;

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
