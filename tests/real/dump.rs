//! `DUMP` gives the real server's bytes, for small values of each encoding and for long ones.
//! `RESTORE` takes the real server's bytes, and refuses damaged ones as it does.

use crate::both::Both;
use crate::geo::{compare, line};
use crate::open::replies;
use crate::server::RealServer;
use stunt_double::redis::Version;
use stunt_double::{Site, Stream};

/// The checksum of a payload, bit by bit.
fn crc64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u64::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x95ac_9329_ac4b_c9b5 } else { 0 }
        })
    })
}

/// Returns a payload with a right footer.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut payload = body.to_vec();
    payload.extend_from_slice(&[10, 0]);
    let checksum = crc64(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// Commands that make a value of each encoding at key `k`, in which nothing is left open.
pub(crate) fn makers(random: &mut Stream) -> Vec<Vec<Vec<u8>>> {
    let mut below = |n: u64| random.choose(n);
    let word = |below: &mut dyn FnMut(u64) -> u64| -> String {
        match below(9) {
            0 => below(300).to_string(),
            1 => format!("-{}", below(100_000)),
            2 => below(1 << 40).to_string(),
            3 => "ab".repeat(below(200) as usize + 1),
            4 => (0..below(300) + 1).map(|n| char::from(b'a' + (n * n % 26) as u8)).collect(),
            5 => format!("x{}", below(1_000)),
            6 => "z".repeat(below(5_000) as usize + 1),
            7 => (0..below(90) + 1).map(|_| char::from(b'a' + below(3) as u8)).collect(),
            _ => format!("{}.5", below(100)),
        }
    };
    let words = |below: &mut dyn FnMut(u64) -> u64, n: u64| -> String {
        (0..n).map(|_| word(below)).collect::<Vec<_>>().join(" ")
    };
    let n = [1, 3, 20, 120][below(4) as usize];
    let made = match below(10) {
        9 => {
            // Several nodes, some with deleted entries.
            let mut made = vec![line("DEL k")];
            for i in 0..n * 2 {
                let fields = ["f v", "f w g x", "other 12345"][below(3) as usize];
                made.push(line(&format!("XADD k 5-{} {fields}", i + 1)));
                if below(5) == 0 {
                    made.push(line(&format!("XDEL k 5-{}", below(i + 1))));
                }
            }
            return made;
        }
        0 | 1 => format!("SET k {}", word(&mut below)),
        2 => format!("RPUSH k {}", words(&mut below, n)),
        3 => format!("LPUSH k {}", words(&mut below, n)),
        4 => {
            let range = [100, 50_000, 5_000_000_000][below(3) as usize];
            let numbers: Vec<String> = (0..n).map(|_| below(range).to_string()).collect();
            format!("SADD k {}", numbers.join(" "))
        }
        5 => {
            let pairs: Vec<String> = (0..n).map(|i| format!("f{i} {}", below(1 << 20))).collect();
            format!("HSET k {}", pairs.join(" "))
        }
        6 => format!("HSET k a {} b 1", "v".repeat(below(65) as usize)),
        7 => {
            let pairs: Vec<String> = (0..n)
                .map(|i| match below(3) {
                    0 => format!("{} m{i}", below(100)),
                    1 => format!("{}.25 m{i}", below(1_000)),
                    _ => format!("{}e15 {i}", below(1_000)),
                })
                .collect();
            format!("ZADD k {}", pairs.join(" "))
        }
        _ => {
            let pairs: Vec<String> = (0..n)
                .map(|i| format!("{}.5 {}{i}", below(100), "m".repeat(below(90) as usize)))
                .collect();
            format!("ZADD k inf last {}", pairs.join(" "))
        }
    };
    vec![line("DEL k"), line(&made)]
}

#[test]
fn payloads_have_the_same_bytes() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "");
    let mut random = Stream::seeded(9, Site::new("test.dump"), 0);
    for _ in 0..60 {
        let mut requests = Vec::new();
        for _ in 0..20 {
            requests.extend(makers(&mut random));
            requests.push(line("DUMP k"));
            requests.push(line("OBJECT ENCODING k"));
        }
        compare(&mut both, 1, &requests);
    }
}

/// Returns the payload that the real server makes, having checked that ours is the same.
fn dumped(both: &mut Both<'_>) -> Vec<u8> {
    let (mut told, ours) = both.ask(1, &[b"DUMP", b"k"]);
    while replies(&told.bytes).is_empty() {
        let (more, _) = both.told().remove(&1).expect("who sends is listed");
        told.bytes.extend(more.bytes);
    }
    assert_eq!(told.bytes.escape_ascii().to_string(), ours.bytes.escape_ascii().to_string());
    replies(&told.bytes)[0].as_bytes().expect("a payload is a string").to_vec()
}

#[test]
fn payloads_are_restored_and_damaged_ones_refused() {
    let Some(real) = RealServer::start(&["--save", "", "--sanitize-dump-payload", "yes"]) else {
        return;
    };
    let mut both = Both::new(&real, "KEA");
    let mut random = Stream::seeded(11, Site::new("test.restore"), 0);
    let mut accepted = 0;
    let knows_listpacks = real.version() != Version::Redis7_0;
    for _ in 0..150 {
        for request in makers(&mut random) {
            both.ask(1, &request.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        let payload = dumped(&mut both);
        let restore = |payload: &[u8]| {
            vec![
                b"RESTORE".to_vec(),
                b"r".to_vec(),
                b"0".to_vec(),
                payload.to_vec(),
                b"REPLACE".to_vec(),
            ]
        };
        let checks = ["DEBUG DIGEST-VALUE r", "OBJECT ENCODING r", "DEL r"];
        let mut requests = vec![restore(&payload), line("DUMP r")];
        requests.extend(checks.iter().map(|check| line(check)));
        for _ in 0..20 {
            let mut body = payload[..payload.len() - 10].to_vec();
            match random.choose(6) {
                0 => body.truncate(random.choose(body.len() as u64) as usize),
                1 => {
                    let at = random.choose(body.len() as u64) as usize;
                    body.insert(at, random.choose(256) as u8);
                }
                2 => body[0] = random.choose(24) as u8,
                _ => {
                    let near = (body.len() as u64).min(24);
                    let at = random.choose(near) as usize;
                    body[at] = random.choose(256) as u8;
                }
            }
            // Modules are another matter, and so are streams, of which the real server checks less.
            if body.first().is_some_and(|kind| matches!(kind, 6 | 7 | 15 | 19)) {
                continue;
            }
            requests.push(restore(&sealed(&body)));
            // Since 7.2 a node that says it is plain keeps a short list from being a listpack.
            let of_damaged =
                checks.iter().filter(|check| !knows_listpacks || !check.starts_with("OBJECT"));
            requests.extend(of_damaged.map(|check| line(check)));
        }
        accepted += requests.len() / 4;
        compare(&mut both, 1, &requests);
    }
    println!("{accepted} payloads");
}

#[test]
fn streams_with_groups_are_restored() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "KEA");
    let socket = &mut real.connect();
    for request in [
        "XADD k 1-1 f v",
        "XADD k 2-1 f v g w",
        "XADD k 3-1 f v",
        "XGROUP CREATE k first 0",
        "XGROUP CREATE k second 2-1 ENTRIESREAD 2",
        "XGROUP CREATE k third $",
        "XREADGROUP GROUP first ann COUNT 2 STREAMS k >",
        "XREADGROUP GROUP first bob STREAMS k >",
        "XGROUP CREATECONSUMER k third idle",
        "XDEL k 1-1",
        "XSETID k 9-9",
    ] {
        socket.request(&line(request).iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
    let told = replies(&socket.request(&[b"DUMP", b"k"]));
    let payload = told[0].as_bytes().expect("a payload is a string");
    let restore = [b"RESTORE", &b"r"[..], b"0", payload, b"REPLACE"].map(<[u8]>::to_vec).to_vec();
    let mut requests = vec![restore];
    requests.extend(
        [
            "DUMP r",
            "XRANGE r - +",
            "XPENDING r first",
            "XINFO STREAM r",
            "XINFO GROUPS r",
            "XLEN r",
            "DEBUG DIGEST-VALUE r",
            "XADD r 9-10 a b",
            "DUMP r",
        ]
        .map(line),
    );
    compare(&mut both, 1, &requests);
}

/// Payloads of hashes whose fields have deadlines: the same bytes where no order is open, and each
/// server takes the other's. Versions without deadlines refuse the commands, and the payload is of
/// a plain hash.
#[test]
fn hashes_with_deadlines_are_dumped_and_restored() {
    let Some(real) = RealServer::start(&["--save", ""]) else { return };
    let mut both = Both::new(&real, "KEA");
    let read = ["HPEXPIRETIME r FIELDS 4 a b c d", "OBJECT ENCODING r"];
    for limit in ["512", "0"] {
        let set = format!("CONFIG SET hash-max-listpack-entries {limit}");
        compare(&mut both, 1, &[line("DEL k r"), line(&set)]);
        for makes in [
            "HSET k a 1 b 2 c xyz d -70000",
            "HPEXPIREAT k 4102444800000 FIELDS 1 b",
            "HPEXPIREAT k 4102444700000 FIELDS 1 c",
            "HPEXPIREAT k 4102444800000 FIELDS 1 d",
            "HSET k e v",
        ] {
            compare(&mut both, 1, &[line(makes)]);
            let dump = [b"DUMP".to_vec(), b"k".to_vec()];
            let dump: Vec<&[u8]> = dump.iter().map(Vec::as_slice).collect();
            let (told, ours) = both.ask(1, &dump);
            if limit == "512" {
                let bytes = |told: &[u8]| told.escape_ascii().to_string();
                assert_eq!(bytes(&told.bytes), bytes(&ours.bytes), "{makes}");
            }
            for payload in [&told.bytes, &ours.bytes] {
                let payload = replies(payload)[0].as_bytes().expect("a string").to_vec();
                let restore = [b"RESTORE", &b"r"[..], b"0", &payload, b"REPLACE"];
                let mut requests = vec![restore.map(<[u8]>::to_vec).to_vec()];
                requests.extend(read.map(line));
                compare(&mut both, 1, &requests);
            }
        }
    }
}
