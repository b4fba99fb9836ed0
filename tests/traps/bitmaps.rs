//! Strings as bits.

use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "bitcount_of_bits",
        script: &[
            (1, "SET mykey foobar", "+OK\r\n"),
            (1, "BITCOUNT mykey", ":26\r\n"),
            (1, "BITCOUNT mykey 5 30 BIT", ":17\r\n"),
            (1, "BITCOUNT mykey 1 1", ":6\r\n"),
            (1, "BITCOUNT mykey 1 1 BYTE", ":6\r\n"),
            (1, "BITCOUNT mykey -100 -200", ":0\r\n"),
        ],
    },
    Trap {
        name: "bitcount_with_one_bound",
        script: &[
            (1, "SET k foobar", "+OK\r\n"),
            (1, "BITCOUNT k 0", "-ERR syntax error\r\n"),
            (1, "BITCOUNT missing 0", ":0\r\n"),
            (1, "BITCOUNT missing text text", ":0\r\n"),
            (1, "BITCOUNT k 0 1 HALF", "-ERR syntax error\r\n"),
        ],
    },
    Trap {
        name: "bitpos_of_zero_in_ones",
        script: &[
            (1, "SET k \\xff\\xff\\xff", "+OK\r\n"),
            (1, "BITPOS k 0", ":24\r\n"),
            (1, "BITPOS k 0 0", ":24\r\n"),
            (1, "BITPOS k 0 0 -1", ":-1\r\n"),
            (1, "BITPOS k 0 0 -1 BIT", ":-1\r\n"),
            (1, "BITPOS k 1 2", ":16\r\n"),
            (1, "BITPOS none 0", ":0\r\n"),
            (1, "BITPOS none 1", ":-1\r\n"),
            (1, "BITPOS k 2", "-ERR The bit argument must be 1 or 0.\r\n"),
        ],
    },
    Trap {
        name: "bitfield_overflows_three_ways",
        script: &[
            (
                1,
                "BITFIELD k SET u8 0 255 INCRBY u8 0 10 OVERFLOW SAT INCRBY u8 0 10 OVERFLOW FAIL SET u8 0 300 INCRBY u2 100 5",
                "*5\r\n:0\r\n:9\r\n:19\r\n$-1\r\n$-1\r\n",
            ),
            (1, "STRLEN k", ":13\r\n"),
        ],
    },
    Trap {
        name: "a_bitfield_that_fails_makes_its_key",
        script: &[
            (1, "BITFIELD k OVERFLOW FAIL SET u8 0 300", "*1\r\n$-1\r\n"),
            (1, "EXISTS k", ":1\r\n"),
            (1, "STRLEN k", ":1\r\n"),
            (1, "TYPE k", "+string\r\n"),
        ],
    },
    Trap {
        name: "a_bitfield_that_only_reads_makes_none",
        script: &[
            (1, "BITFIELD k GET u8 0", "*1\r\n:0\r\n"),
            (1, "EXISTS k", ":0\r\n"),
            (
                1,
                "BITFIELD k GET u64 0",
                "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n",
            ),
            (
                1,
                "BITFIELD k GET i65 0",
                "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n",
            ),
            (
                1,
                "BITFIELD_RO k SET u8 0 1",
                "-ERR BITFIELD_RO only supports the GET subcommand\r\n",
            ),
            (1, "BITFIELD k SET u8 #1 7 GET u8 #1", "*2\r\n:0\r\n:7\r\n"),
            (1, "BITFIELD k OVERFLOW HARD", "-ERR Invalid OVERFLOW type specified\r\n"),
        ],
    },
    Trap {
        name: "bitop_not_of_several_keys",
        script: &[
            (1, "BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key.\r\n"),
            (1, "BITOP NOT d a", ":0\r\n"),
            (1, "SETBIT k 7 2", "-ERR bit is not an integer or out of range\r\n"),
            (1, "SETBIT k 4294967296 1", "-ERR bit offset is not an integer or out of range\r\n"),
            (1, "SETBIT k -1 1", "-ERR bit offset is not an integer or out of range\r\n"),
            (1, "BITOP BOTH d a b", "-ERR syntax error\r\n"),
            (1, "LPUSH l a", ":1\r\n"),
            (
                1,
                "BITOP AND d l",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ],
    },
];
