//! Strings, and numbers in them.

use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "setrange_pads_with_nuls",
        script: &[
            (1, "SETRANGE nk 5 x", ":6\r\n"),
            (1, "GET nk", "$6\r\n\x00\x00\x00\x00\x00x\r\n"),
        ],
    },
    Trap {
        name: "setrange_with_no_bytes_makes_no_key",
        script: &[(1, "SETRANGE none 3 \"\"", ":0\r\n"), (1, "EXISTS none", ":0\r\n")],
    },
    Trap {
        name: "setrange_with_no_bytes_returns_the_length",
        script: &[
            (1, "SET k abc", "+OK\r\n"),
            (1, "SETRANGE k 10 \"\"", ":3\r\n"),
            (1, "STRLEN k", ":3\r\n"),
        ],
    },
    Trap {
        name: "getrange_with_bounds_beyond_the_value",
        script: &[
            (1, "SET s \"This is a string\"", "+OK\r\n"),
            (1, "GETRANGE s 0 -100", "$1\r\nT\r\n"),
            (1, "GETRANGE s -1 -5", "$0\r\n\r\n"),
            (1, "GETRANGE s -3 -1", "$3\r\ning\r\n"),
            (1, "GETRANGE s 10 100", "$6\r\nstring\r\n"),
        ],
    },
    Trap {
        name: "incrbyfloat_adds_in_a_long_double",
        script: &[
            (1, "SET f 10.50", "+OK\r\n"),
            (1, "INCRBYFLOAT f 0.1", "$4\r\n10.6\r\n"),
            (1, "INCRBYFLOAT f -5", "$3\r\n5.6\r\n"),
            (1, "SET g 5.0e3", "+OK\r\n"),
            (1, "INCRBYFLOAT g 2.0e2", "$4\r\n5200\r\n"),
            (1, "SET h 10.6", "+OK\r\n"),
            (1, "INCRBYFLOAT h +5.0e3", "$22\r\n5010.60000000000000009\r\n"),
        ],
    },
    Trap {
        name: "incrbyfloat_rounds_as_a_person_would",
        script: &[
            (1, "SET f 0.1", "+OK\r\n"),
            (1, "INCRBYFLOAT f 0.2", "$3\r\n0.3\r\n"),
            (1, "INCRBYFLOAT none 3.0e3", "$4\r\n3000\r\n"),
            (1, "INCRBYFLOAT f nan", "-ERR value is not a valid float\r\n"),
            (1, "INCRBYFLOAT f inf", "-ERR increment would produce NaN or Infinity\r\n"),
            (1, "SET t \" 1\"", "+OK\r\n"),
            (1, "INCRBYFLOAT t 1", "-ERR value is not a valid float\r\n"),
            (1, "SET huge 1.7e308", "+OK\r\n"),
        ],
    },
    Trap {
        name: "invalid_integers",
        script: &[
            (1, "SET a \" 11\"", "+OK\r\n"),
            (1, "INCR a", "-ERR value is not an integer or out of range\r\n"),
            (1, "SET a \"11 \"", "+OK\r\n"),
            (1, "INCR a", "-ERR value is not an integer or out of range\r\n"),
            (1, "SET a 01", "+OK\r\n"),
            (1, "INCR a", "-ERR value is not an integer or out of range\r\n"),
            (1, "SET a -0", "+OK\r\n"),
            (1, "INCR a", "-ERR value is not an integer or out of range\r\n"),
            (1, "SET a +1", "+OK\r\n"),
            (1, "INCR a", "-ERR value is not an integer or out of range\r\n"),
            (1, "SET a \"\"", "+OK\r\n"),
            (1, "INCR a", "-ERR value is not an integer or out of range\r\n"),
            (1, "INCRBY a 01", "-ERR value is not an integer or out of range\r\n"),
            (1, "SET a 9223372036854775808", "+OK\r\n"),
            (1, "INCR a", "-ERR value is not an integer or out of range\r\n"),
            (1, "SET a 9223372036854775807", "+OK\r\n"),
            (1, "INCR a", "-ERR increment or decrement would overflow\r\n"),
        ],
    },
    Trap {
        name: "decrby_of_the_least_integer",
        script: &[
            (1, "SET i 0", "+OK\r\n"),
            (1, "DECRBY i -9223372036854775808", "-ERR decrement would overflow\r\n"),
            (1, "GET i", "$1\r\n0\r\n"),
        ],
    },
    Trap {
        name: "set_refuses_invalid_times",
        script: &[
            (1, "SET k v EX 0", "-ERR invalid expire time in 'set' command\r\n"),
            (1, "SET k v EX -1", "-ERR invalid expire time in 'set' command\r\n"),
            (1, "SET k v PX 0", "-ERR invalid expire time in 'set' command\r\n"),
            (1, "SET k v EXAT 0", "-ERR invalid expire time in 'set' command\r\n"),
            (1, "SET k v EX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"),
            (1, "SET k v EX text", "-ERR value is not an integer or out of range\r\n"),
            (1, "SETEX k 0 v", "-ERR invalid expire time in 'setex' command\r\n"),
            (1, "PSETEX k -5 v", "-ERR invalid expire time in 'psetex' command\r\n"),
            (1, "EXISTS k", ":0\r\n"),
        ],
    },
    Trap {
        name: "set_with_nx_and_get",
        script: &[
            (1, "SET k w NX GET", "$-1\r\n"),
            (1, "SET k v NX GET", "$1\r\nw\r\n"),
            (1, "GET k", "$1\r\nw\r\n"),
            (1, "SET k v XX NX", "-ERR syntax error\r\n"),
            (1, "SET k v EX 10 KEEPTTL", "-ERR syntax error\r\n"),
            (1, "SET k v EX 10 PX 10", "-ERR syntax error\r\n"),
            (1, "LPUSH l a", ":1\r\n"),
            (
                1,
                "SET l v GET",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "SET l v NX GET",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ],
    },
    Trap {
        name: "getex_of_a_missing_key",
        script: &[
            (1, "GETEX missing EX -1", "$-1\r\n"),
            (1, "GETEX missing EX 0", "$-1\r\n"),
            (1, "GETEX missing BOGUS", "-ERR syntax error\r\n"),
        ],
    },
    Trap {
        name: "getex_checks_the_type_before_the_time",
        script: &[
            (1, "LPUSH list a", ":1\r\n"),
            (
                1,
                "GETEX list EX 0",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "GETEX list EX text",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ],
    },
    Trap {
        name: "getex_with_a_time_that_has_passed_deletes",
        script: &[
            (1, "SET k v", "+OK\r\n"),
            (1, "GETEX k EXAT 1", "$1\r\nv\r\n"),
            (1, "EXISTS k", ":0\r\n"),
        ],
    },
    Trap {
        name: "getex_of_a_key_refuses_invalid_times",
        script: &[
            (1, "SET k v", "+OK\r\n"),
            (1, "GETEX k EX 0", "-ERR invalid expire time in 'getex' command\r\n"),
            (1, "GETEX k PX -1", "-ERR invalid expire time in 'getex' command\r\n"),
            (1, "GETEX k EX 10 PERSIST", "-ERR syntax error\r\n"),
        ],
    },
    Trap {
        name: "arguments_before_the_type",
        script: &[
            (1, "LPUSH l a", ":1\r\n"),
            (1, "INCRBY l text", "-ERR value is not an integer or out of range\r\n"),
            (
                1,
                "INCRBY l 1",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "SETRANGE l -1 x", "-ERR offset is out of range\r\n"),
            (
                1,
                "SETRANGE l 0 x",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "SETRANGE l 0 \"\"",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "ZADD l NX XX 1 a",
                "-ERR XX and NX options at the same time are not compatible\r\n",
            ),
            (1, "ZADD l text a", "-ERR value is not a valid float\r\n"),
            (
                1,
                "ZADD l 1 a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "SPOP l -1", "-ERR value is out of range, must be positive\r\n"),
            (
                1,
                "SPOP l 1",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ],
    },
    Trap {
        name: "the_type_before_arguments",
        script: &[
            (1, "SET s v", "+OK\r\n"),
            (1, "LPUSH l a", ":1\r\n"),
            (
                1,
                "LINDEX s text",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "LINDEX l text", "-ERR value is not an integer or out of range\r\n"),
            (
                1,
                "LSET s text x",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "LSET l text x", "-ERR value is not an integer or out of range\r\n"),
            (
                1,
                "INCRBYFLOAT l text",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "INCRBYFLOAT s text", "-ERR value is not a valid float\r\n"),
            (
                1,
                "BITCOUNT l text text",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "BITCOUNT s text text", "-ERR value is not an integer or out of range\r\n"),
            (
                1,
                "GETEX l EX text",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ],
    },
    Trap {
        name: "lcs_and_its_options",
        script: &[
            (1, "MSET a ohmytext b mynewtext", "+OK\r\n"),
            (1, "LCS a b", "$6\r\nmytext\r\n"),
            (1, "LCS a b LEN", ":6\r\n"),
            (
                1,
                "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
                "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$3\r\nlen\r\n:6\r\n",
            ),
            (
                1,
                "LCS a b IDX LEN",
                "-ERR If you want both the length and indexes, please just use IDX.\r\n",
            ),
            (1, "LCS a none", "$0\r\n\r\n"),
            (1, "LPUSH l a", ":1\r\n"),
            (1, "LCS a l", "-ERR The specified keys must contain string values\r\n"),
        ],
    },
];
