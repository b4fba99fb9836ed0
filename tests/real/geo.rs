//! Thousands of random positions and areas: scores, distances, coordinates and the order of what a
//! search finds, to the last digit.

use crate::both::Both;
use crate::open::replies;
use crate::server::{RealServer, request};
use stunt_double::{Site, Stream};

/// Sends requests to both and compares all replies byte for byte.
pub(crate) fn compare(both: &mut Both<'_>, client: u64, requests: &[Vec<Vec<u8>>]) {
    for part in requests.chunks(16) {
        let words = |request: &[Vec<u8>]| -> Vec<String> {
            request.iter().map(|w| w.escape_ascii().to_string()).collect()
        };
        let ask = |both: &mut Both<'_>, part: &[Vec<Vec<u8>>]| {
            let bytes: Vec<u8> = part
                .iter()
                .flat_map(|r| request(&r.iter().map(Vec::as_slice).collect::<Vec<_>>()))
                .collect();
            both.send(client, &bytes);
            let (mut real, mut ours) = both.told().remove(&client).expect("who sends is listed");
            // A long reply arrives in parts.
            while replies(&real.bytes).len() < part.len() && !real.closed {
                let (more, none) = both.told().remove(&client).expect("who sends is listed");
                real.bytes.extend(more.bytes);
                ours.bytes.extend(none.bytes);
            }
            (real, ours)
        };
        let (real, ours) = ask(both, part);
        if real != ours {
            // They are asked again one by one, which finds the request if it only reads.
            for request in part {
                let (real, ours) = ask(both, std::slice::from_ref(request));
                assert_eq!(
                    real.bytes.escape_ascii().to_string(),
                    ours.bytes.escape_ascii().to_string(),
                    "{}",
                    words(request).join(" ")
                );
            }
            let asked: Vec<_> = part.iter().map(|r| words(r).join(" ")).collect();
            let (real, ours) = (real.bytes.escape_ascii(), ours.bytes.escape_ascii());
            panic!("differs: {asked:?}\n  real {real}\n  ours {ours}");
        }
    }
}

/// Returns the words of a line.
pub(crate) fn line(text: &str) -> Vec<Vec<u8>> {
    text.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
}

struct Dice(Stream);

impl Dice {
    fn below(&mut self, n: u32) -> u32 {
        self.0.choose(u64::from(n)) as u32
    }

    fn real(&mut self) -> f64 {
        f64::from(self.below(1 << 30)) / f64::from(1u32 << 30)
    }

    /// Positions in the whole world, close together, or among a few, which have equal distances.
    fn point(&mut self) -> (f64, f64) {
        match self.below(4) {
            0 => (self.real() * 360.0 - 180.0, self.real() * 170.0 - 85.0),
            1 => (7.0 + f64::from(self.below(3)) * 3.1, 51.0 + f64::from(self.below(2)) * 1.7),
            2 => (10.0 + self.real() / 10.0, 50.0 + self.real() / 10.0),
            _ => (10.0 + self.real() * 5.0, 50.0 + self.real() * 5.0),
        }
    }
}

#[test]
fn random_positions_and_areas() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    let mut dice = Dice(Stream::seeded(5, Site::new("test.geo"), 0));
    both.ask(2, &[b"HELLO", b"3"]);
    for round in 0..20u32 {
        let n = [3, 30, 300, 500][(round % 4) as usize];
        let mut requests = vec![line("DEL g")];
        for member in 0..n {
            let (x, y) = dice.point();
            requests.push(line(&format!("GEOADD g CH {x} {y} m{member}")));
        }
        compare(&mut both, 1, &requests);
        let mut requests = vec![line("ZRANGE g 0 -1 WITHSCORES")];
        for _ in 0..300 {
            let (one, other) = (dice.below(n), dice.below(n));
            let unit = ["m", "km", "ft", "mi"][dice.below(4) as usize];
            requests.push(line(&format!("GEODIST g m{one} m{other} {unit}")));
            requests.push(line(&format!("GEOPOS g m{one} m{other}")));
            requests.push(line(&format!("GEOHASH g m{one} m{other}")));
            let centre = if dice.below(2) == 0 {
                format!("FROMMEMBER m{one}")
            } else {
                let (x, y) = dice.point();
                format!("FROMLONLAT {x} {y}")
            };
            let size = |dice: &mut Dice| 10f64.powf(dice.real() * 5.0);
            let shape = if dice.below(2) == 0 {
                format!("BYRADIUS {} {unit}", size(&mut dice))
            } else {
                format!("BYBOX {} {} {unit}", size(&mut dice), size(&mut dice))
            };
            let order = ["", "ASC", "DESC"][dice.below(3) as usize];
            let count = match dice.below(3) {
                0 => String::new(),
                1 => format!("COUNT {}", 1 + dice.below(50)),
                _ => format!("COUNT {} ANY", 1 + dice.below(50)),
            };
            let with = ["", "WITHDIST", "WITHCOORD WITHHASH"][dice.below(3) as usize];
            requests.push(line(&format!("GEOSEARCH g {centre} {shape} {order} {count} {with}")));
        }
        compare(&mut both, 1 + u64::from(round % 2), &requests);
    }
}
