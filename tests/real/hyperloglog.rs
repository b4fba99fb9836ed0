//! HyperLogLogs of random elements, byte for byte: sparse, about to become dense, dense, merged,
//! and corrupt.

use crate::both::Both;
use crate::geo::{compare, line};
use crate::server::RealServer;
use stunt_double::redis::Version;
use stunt_double::{Site, Stream};

#[test]
fn sketches_have_the_same_bytes() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    let mut random = Stream::seeded(3, Site::new("test.hll"), 0);
    let lacks_mend =
        matches!(real.version(), Version::Redis7_2 | Version::Redis7_4 | Version::Valkey8_0);
    let mut below = |n: u64| random.choose(n);
    for round in 0..40 {
        let max = [3_000, 0, 20, 100, 1_000, 16_000][round % 6];
        let mut requests =
            vec![line("FLUSHALL"), line(&format!("CONFIG SET hll-sparse-max-bytes {max}"))];
        for _ in 0..60 {
            let key = below(3);
            let first = below(100_000);
            let elements = [1, 3, 40, 200][below(4) as usize];
            let all: Vec<String> = (first..first + elements).map(|n| format!("e{n}")).collect();
            requests.push(line(&format!("PFADD h{key} {}", all.join(" "))));
            let other = below(4);
            match below(6) {
                0 => requests.push(line(&format!("PFMERGE h{key} h{other}"))),
                1 => requests.push(line(&format!("PFCOUNT h{key} h{other}"))),
                2 => requests.push(line(&format!("PFDEBUG DECODE h{key}"))),
                // The builds of these versions lack a later mend: they count damaged sketches.
                3 if !lacks_mend => {
                    let at = 16 + below(30);
                    let mut request = line(&format!("SETRANGE h{key} {at}"));
                    request.push(vec![below(256) as u8]);
                    requests.push(request);
                }
                _ => {}
            }
            requests.push(line(&format!("PFCOUNT h{key}")));
            requests.push(line(&format!("GET h{key}")));
        }
        for key in 0..3 {
            requests.push(line(&format!("PFDEBUG ENCODING h{key}")));
            requests.push(line(&format!("PFDEBUG GETREG h{key}")));
            requests.push(line(&format!("PFDEBUG TODENSE h{key}")));
            requests.push(line(&format!("GET h{key}")));
        }
        requests.push(line("DEBUG DIGEST"));
        compare(&mut both, 1, &requests);
    }
}
