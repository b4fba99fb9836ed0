//! The encodings of values, and when they change.

use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "strings_by_their_length",
        script: &[
            (1, "SET s {x*44}", "+OK\r\n"),
            (1, "OBJECT ENCODING s", "$6\r\nembstr\r\n"),
            (1, "SET s {x*45}", "+OK\r\n"),
            (1, "OBJECT ENCODING s", "$3\r\nraw\r\n"),
            (1, "SET s 12", "+OK\r\n"),
            (1, "OBJECT ENCODING s", "$3\r\nint\r\n"),
            (1, "SET s 12345678901234567890", "+OK\r\n"),
            (1, "OBJECT ENCODING s", "$6\r\nembstr\r\n"),
        ],
    },
    Trap {
        name: "strings_that_were_changed_are_raw",
        script: &[
            (1, "SET s a", "+OK\r\n"),
            (1, "APPEND s b", ":2\r\n"),
            (1, "OBJECT ENCODING s", "$3\r\nraw\r\n"),
            (1, "SETRANGE r 0 x", ":1\r\n"),
            (1, "OBJECT ENCODING r", "$3\r\nraw\r\n"),
            (1, "SETBIT b 0 1", ":0\r\n"),
            (1, "OBJECT ENCODING b", "$3\r\nraw\r\n"),
            (1, "APPEND n 1", ":1\r\n"),
            (1, "OBJECT ENCODING n", "$3\r\nint\r\n"),
            (1, "APPEND n 2", ":2\r\n"),
            (1, "OBJECT ENCODING n", "$3\r\nraw\r\n"),
            (1, "INCR n", ":13\r\n"),
            (1, "OBJECT ENCODING n", "$3\r\nint\r\n"),
            (1, "INCRBYFLOAT f 1.5", "$3\r\n1.5\r\n"),
            (1, "OBJECT ENCODING f", "$6\r\nembstr\r\n"),
            (1, "BITFIELD bf INCRBY u8 0 1", "*1\r\n:1\r\n"),
            (1, "OBJECT ENCODING bf", "$3\r\nraw\r\n"),
            (1, "GETSET s 7", "$2\r\nab\r\n"),
            (1, "OBJECT ENCODING s", "$3\r\nint\r\n"),
        ],
    },
    Trap {
        name: "intsets_to_512_members",
        script: &[
            (1, "SADD s {1..512}", ":512\r\n"),
            (1, "OBJECT ENCODING s", "$6\r\nintset\r\n"),
            (1, "SADD s 513", ":1\r\n"),
            (1, "OBJECT ENCODING s", "$9\r\nhashtable\r\n"),
            (1, "SREM s {2..513}", ":512\r\n"),
            (1, "OBJECT ENCODING s", "$9\r\nhashtable\r\n"),
        ],
    },
    Trap {
        name: "sets_of_text_are_hashtables",
        script: &[
            (1, "SADD s a", ":1\r\n"),
            (1, "OBJECT ENCODING s", "$9\r\nhashtable\r\n"),
            (1, "SADD i 1", ":1\r\n"),
            (1, "OBJECT ENCODING i", "$6\r\nintset\r\n"),
            (1, "SADD i a", ":1\r\n"),
            (1, "OBJECT ENCODING i", "$9\r\nhashtable\r\n"),
            (1, "SREM i a", ":1\r\n"),
            (1, "OBJECT ENCODING i", "$9\r\nhashtable\r\n"),
        ],
    },
    Trap {
        name: "lists_are_quicklists",
        script: &[(1, "RPUSH l a", ":1\r\n"), (1, "OBJECT ENCODING l", "$9\r\nquicklist\r\n")],
    },
    Trap {
        name: "hashes_to_64_bytes",
        script: &[
            (1, "HSET h {f*64} {v*64}", ":1\r\n"),
            (1, "OBJECT ENCODING h", "$8\r\nlistpack\r\n"),
            (1, "HSET h f {v*65}", ":1\r\n"),
            (1, "OBJECT ENCODING h", "$9\r\nhashtable\r\n"),
            (1, "HDEL h f", ":1\r\n"),
            (1, "OBJECT ENCODING h", "$9\r\nhashtable\r\n"),
        ],
    },
    Trap {
        name: "sorted_sets_to_64_bytes",
        script: &[
            (1, "ZADD z 1 {m*64}", ":1\r\n"),
            (1, "OBJECT ENCODING z", "$8\r\nlistpack\r\n"),
            (1, "ZADD z 1 {m*65}", ":1\r\n"),
            (1, "OBJECT ENCODING z", "$8\r\nskiplist\r\n"),
            (1, "ZREM z {m*65}", ":1\r\n"),
            (1, "OBJECT ENCODING z", "$8\r\nskiplist\r\n"),
        ],
    },
    Trap {
        name: "sorted_sets_to_128_members",
        script: &[
            (1, "ZADD z {1..128:twice}", ":128\r\n"),
            (1, "OBJECT ENCODING z", "$8\r\nlistpack\r\n"),
            (1, "ZADD z 1 a", ":1\r\n"),
            (1, "OBJECT ENCODING z", "$8\r\nskiplist\r\n"),
        ],
    },
    Trap {
        name: "hashes_to_512_fields",
        script: &[
            (1, "HSET h {1..512:twice}", ":512\r\n"),
            (1, "OBJECT ENCODING h", "$8\r\nlistpack\r\n"),
            (1, "HSET h a a", ":1\r\n"),
            (1, "OBJECT ENCODING h", "$9\r\nhashtable\r\n"),
        ],
    },
];
