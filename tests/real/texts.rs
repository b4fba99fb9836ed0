//! Random arguments, letter by letter: unusual numbers, floats, patterns and flags are read,
//! refused and written back in the same way by both.

use crate::both::Both;
use crate::differential::{number, shown};
use crate::open::{Hashed, Words, first_difference, replies};
use crate::server::{RealServer, request};
use std::collections::BTreeMap;
use stunt_double::{Site, Stream};

/// The replacement of a `@` in a line, and the lines.
struct Kind {
    name: &'static str,
    parts: &'static [&'static str],
    most: u64,
    lines: &'static [&'static str],
}

const DIGITS: &[&str] =
    &["0", "1", "2", "5", "9", "-", "+", " ", "00", "x", ".", "922337203685477580"];

const KINDS: &[Kind] = &[
    Kind {
        name: "integers",
        parts: DIGITS,
        most: 4,
        lines: &[
            "SET i @",
            "OBJECT ENCODING i",
            "INCR i",
            "INCRBY i @",
            "DECRBY i @",
            "APPEND i @",
            "DECR i",
            "GET i",
            "HSET h f @",
            "HINCRBY h f @",
            "HGET h f",
            "RPUSH l @",
            "LTRIM l -5 -1",
            "LINDEX l @",
            "LRANGE l @ @",
            "LREM l @ @",
            "LPOS l @ RANK @",
            "LPOS l @ COUNT @ MAXLEN @",
            "SADD s @",
            "OBJECT ENCODING s",
            "SMEMBERS s",
            "SPOP s 1000",
            "GETRANGE i @ @",
            "GETBIT i @",
            "BITCOUNT i @ @",
            "BITPOS i @ @ @",
            "LPOP l @",
            "SORT l LIMIT @ @ ALPHA",
            "SELECT 0",
            "MOVE none @",
            "SINTERCARD @ s LIMIT @",
            "EXPIRE none @",
            "SETRANGE empty @ ",
            "HSCAN h @",
            "SWAPDB @ @",
            "SWAPDB @ @",
            "FLUSHALL",
        ],
    },
    Kind {
        name: "floats",
        parts: &[
            "0",
            "1",
            "2",
            "5",
            "9",
            "-",
            "+",
            " ",
            ".",
            "e",
            "E",
            "inf",
            "nan",
            "0x",
            "p",
            "00",
            "3",
            "7",
            "e1",
            "e-",
            "e+1",
            "infinity",
            "INF",
            "(",
            "123456789",
            ".000000",
        ],
        most: 5,
        lines: &[
            "ZADD z @ m",
            "ZADD z @ n",
            "ZRANGE z 0 -1 WITHSCORES",
            "ZADD z INCR @ m",
            "ZINCRBY z @ m",
            "ZSCORE z m",
            "ZADD z 1 m 2 n",
            "ZCOUNT z @ +inf",
            "ZCOUNT z (@ @",
            "ZRANGEBYSCORE z @ @",
            "ZREMRANGEBYSCORE none @ @",
            "ZUNIONSTORE y 2 z z WEIGHTS @ 1",
            "ZRANGE y 0 -1 WITHSCORES",
            "SET f @",
            "INCRBYFLOAT f @",
            "INCRBYFLOAT f @",
            "GET f",
            "SET f 1.5",
            "INCRBYFLOAT f @",
            "HSET h f @",
            "HINCRBYFLOAT h f @",
            "HSET h f 10",
            "HINCRBYFLOAT h f @",
            "HGET h f",
            "MULTI",
            "BLPOP none @",
            "BZMPOP @ 1 none MIN",
            "BLMOVE none none LEFT LEFT @",
            "EXEC",
            "RPUSH l @ @ @",
            "SORT l",
            "SORT l DESC",
            "LTRIM l -9 -1",
            "DEL z y f h",
        ],
    },
    Kind {
        name: "patterns",
        parts: &["k", "1", "-", "^", "[", "]", "\\", "*", "?", "a", "z", "[a-z]", "[^", "\\]"],
        most: 7,
        lines: &[
            "MSET k1 1 ka 1 kz 1 k- 1 k^ 1 k[ 1 k] 1 k\\ 1 k* 1 k? 1 a 1 z 1 [a] 1 aa1 1 - 1",
            "SET @ 1",
            "KEYS @",
            "KEYS @",
            "KEYS @",
            "SCAN 0 COUNT 10000 MATCH @",
            "COMMAND LIST FILTERBY PATTERN set@",
            "CONFIG GET hash-max-listpack-@",
            "FLUSHALL",
        ],
    },
    Kind {
        name: "members' bounds",
        parts: &["(", "[", "-", "+", "a", "b", "ab", "\0", "\u{ff}", "1"],
        most: 3,
        lines: &[
            "ZADD z 0 @ 0 @ 0 a",
            "ZRANGEBYLEX z @ @",
            "ZREVRANGEBYLEX z @ @ LIMIT 1 2",
            "ZLEXCOUNT z @ @",
            "ZRANGE z @ @ BYLEX REV",
            "ZREMRANGEBYLEX z @ @",
            "ZCARD z",
            "ZREM z @",
        ],
    },
    Kind {
        name: "fields of bits",
        parts: &["u", "i", "0", "1", "8", "3", "6", "#", "-", " ", "x"],
        most: 3,
        lines: &[
            "SETRANGE b 0 abcdefgh",
            "BITFIELD b GET @ 0",
            "BITFIELD b GET u8 @",
            "BITFIELD_RO b GET @ @",
            "BITFIELD b SET @ 3 -1",
            "BITFIELD b OVERFLOW SAT INCRBY @ 7 100",
            "BITFIELD b OVERFLOW FAIL SET @ 1 9223372036854775807",
            "BITFIELD b INCRBY @ #1 -129",
            "GET b",
        ],
    },
    Kind {
        name: "settings",
        parts: &["K", "E", "g", "$", "l", "s", "h", "z", "x", "e", "t", "d", "m", "n", "A", "o"],
        most: 5,
        lines: &[
            "CONFIG SET notify-keyspace-events @",
            "CONFIG GET notify-keyspace-events",
            "CONFIG SET appendonly @",
            "HELLO @",
            "CLIENT NO-EVICT @",
            "OBJECT @",
            "CLIENT @",
            "CONFIG @",
            "_@ a", // no command, modelled or not
        ],
    },
    Kind {
        name: "sizes",
        parts: &["1", "2", "0", "k", "m", "g", "b", "K", "M", "B", "-", " ", "5", "."],
        most: 4,
        lines: &[
            "CONFIG SET proto-max-bulk-len 9@mb",
            "CONFIG GET proto-max-bulk-len",
            "CONFIG SET client-query-buffer-limit 9@gb",
            "CONFIG GET client-query-buffer-limit",
            "CONFIG SET hash-max-listpack-entries @",
            "CONFIG GET hash-max-listpack-entries",
            "CONFIG SET set-max-intset-entries @",
            "CONFIG GET set-max-intset-entries",
            "CONFIG SET zset-max-ziplist-value @",
            "CONFIG GET zset-max-listpack-value",
        ],
    },
];

impl Kind {
    fn text(&self, random: &mut Stream) -> String {
        let times = random.choose(self.most + 1);
        (0..times).map(|_| self.parts[random.choose(self.parts.len() as u64) as usize]).collect()
    }

    /// Returns a line's words, with something else for each `@`.
    fn words(&self, line: &str, random: &mut Stream) -> Words {
        let word = |word: &str| match word.split_once('@') {
            Some((before, after)) => format!("{before}{}{after}", self.text(random)).into_bytes(),
            None => word.as_bytes().to_vec(),
        };
        line.split(' ').map(word).collect()
    }
}

/// Returns the first difference of each line.
fn compare(real: &RealServer, kind: &Kind, rounds: u64, seed: u64) -> BTreeMap<usize, String> {
    let mut both = Both::new(real, "");
    let mut random = Stream::seeded(seed, Site::new("test.texts"), 0);
    let mut failures = BTreeMap::new();
    for _ in 0..rounds {
        let asked: Vec<Words> = kind.lines.iter().map(|l| kind.words(l, &mut random)).collect();
        let bytes: Vec<u8> = asked
            .iter()
            .flat_map(|words| request(&words.iter().map(Vec::as_slice).collect::<Vec<_>>()))
            .collect();
        both.send(1, &bytes);
        let (real, ours) = both.told().remove(&1).unwrap();
        assert_eq!(replies(&real.bytes).len(), asked.len(), "{}: all is answered", kind.name);
        // All sets that grow large are hash tables.
        let hashed = Hashed::from([b"s".to_vec()]);
        let Some(first) = first_difference(&asked, &real.bytes, &ours.bytes, &hashed) else {
            continue;
        };
        let line = shown(&asked[first]);
        let (real, ours) = (replies(&real.bytes), replies(&ours.bytes));
        let (real, ours) = (real.get(first), ours.get(first));
        failures
            .entry(first)
            .or_insert(format!("{}: {line}\n  real {real:?}\n  ours {ours:?}", kind.name));
        both.send(1, &request(&[b"FLUSHALL"]));
        both.told();
    }
    failures
}

#[test]
fn arguments_letter_by_letter() {
    let Some(real) = RealServer::start(&["--save", "", "--appendonly", "no"]) else { return };
    let rounds = number("STUNT_DOUBLE_REAL_CASES", 100);
    let seed = number("STUNT_DOUBLE_REAL_SEED", 1);
    let failures: Vec<String> =
        KINDS.iter().flat_map(|kind| compare(&real, kind, rounds, seed).into_values()).collect();
    assert!(failures.is_empty(), "seed {seed}\n{}", failures.join("\n"));
    let lines: usize = KINDS.iter().map(|kind| kind.lines.len()).sum();
    println!("{} lines from seed {seed} without a difference", lines as u64 * rounds);
}
