//! Cursors.

use super::{TIME, Trap};

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "scan_counts",
        script: &[
            (1, "SCAN 0 COUNT 0", "-ERR syntax error\r\n"),
            (1, "SCAN 0 COUNT -1", "-ERR syntax error\r\n"),
            (1, "SCAN 0 COUNT text", "-ERR value is not an integer or out of range\r\n"),
            (1, "SCAN text", "-ERR invalid cursor\r\n"),
            (1, "SCAN 0 BOGUS", "-ERR syntax error\r\n"),
            (1, "SCAN 0 MATCH", "-ERR syntax error\r\n"),
            (1, "SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
            (1, "SSCAN missing 0 COUNT 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
            (1, "SSCAN missing text", "-ERR invalid cursor\r\n"),
            (1, "SADD s 1", ":1\r\n"),
            (1, "SSCAN s 0 COUNT 0", "-ERR syntax error\r\n"),
            (
                1,
                "HSCAN s 0",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ],
    },
    Trap {
        name: "compact_encodings_are_scanned_at_once",
        script: &[
            (1, "SADD s {1..20}", ":20\r\n"),
            (
                1,
                "SSCAN s 0 COUNT 1",
                "*2\r\n$1\r\n0\r\n*20\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n$2\r\n10\r\n$2\r\n11\r\n$2\r\n12\r\n$2\r\n13\r\n$2\r\n14\r\n$2\r\n15\r\n$2\r\n16\r\n$2\r\n17\r\n$2\r\n18\r\n$2\r\n19\r\n$2\r\n20\r\n",
            ),
            (1, "HSET h a 1 b 2 c 3", ":3\r\n"),
            (
                1,
                "HSCAN h 0 COUNT 1",
                "*2\r\n$1\r\n0\r\n*6\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n3\r\n",
            ),
            (1, "ZADD z 1 a 2 b 3 c", ":3\r\n"),
            (
                1,
                "ZSCAN z 0 COUNT 1",
                "*2\r\n$1\r\n0\r\n*6\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n3\r\n",
            ),
            (1, "HSCAN h 0 MATCH b", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n"),
            (
                1,
                "HSCAN h 42",
                "*2\r\n$1\r\n0\r\n*6\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n3\r\n",
            ),
            (1, "SSCAN s 0 TYPE string", "-ERR syntax error\r\n"),
        ],
    },
    Trap {
        name: "a_page_may_be_empty",
        script: &[
            (1, "SET k v", "+OK\r\n"),
            (1, "SCAN 0 TYPE list", "*2\r\n$1\r\n0\r\n*0\r\n"),
            (1, "SCAN 0 TYPE bogus", "*2\r\n$1\r\n0\r\n*0\r\n"),
            (1, "SCAN 0 MATCH none", "*2\r\n$1\r\n0\r\n*0\r\n"),
            (1, "SCAN 0 MATCH k TYPE string", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"),
            (1, "SCAN 18446744073709551616", "-ERR invalid cursor\r\n"),
        ],
    },
    Trap {
        name: "an_expired_key_has_the_type_none",
        script: &[
            (1, "DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n"),
            (1, "SET e v PX 5", "+OK\r\n"),
            (TIME, "30", ""),
            (1, "SCAN 0 MATCH z*", "*2\r\n$1\r\n0\r\n*0\r\n"),
            (1, "DBSIZE", ":1\r\n"),
            (1, "SCAN 0 TYPE none", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\ne\r\n"),
            (1, "SCAN 0 TYPE none", "*2\r\n$1\r\n0\r\n*0\r\n"),
            (1, "DBSIZE", ":0\r\n"),
            (1, "DEBUG SET-ACTIVE-EXPIRE 1", "+OK\r\n"),
        ],
    },
    Trap {
        name: "a_scan_of_a_missing_key_is_a_miss",
        script: &[
            (9, "CONFIG SET notify-keyspace-events Em", "+OK\r\n"),
            (
                9,
                "SUBSCRIBE __keyevent@0__:keymiss",
                "*3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@0__:keymiss\r\n:1\r\n",
            ),
            (1, "HSCAN none 0 COUNT 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
            (9, "", "*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:keymiss\r\n$4\r\nnone\r\n"),
            (1, "HSCAN none x", "-ERR invalid cursor\r\n"),
            (1, "OBJECT ENCODING none", "$-1\r\n"),
            (1, "MEMORY USAGE none", "$-1\r\n"),
        ],
    },
];
