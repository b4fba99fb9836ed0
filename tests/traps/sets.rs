//! Sets.

use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "srandmember_counts",
        script: &[
            (1, "SRANDMEMBER missing", "$-1\r\n"),
            (1, "SRANDMEMBER missing 3", "*0\r\n"),
            (1, "SADD s a", ":1\r\n"),
            (1, "SRANDMEMBER s -3", "*3\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n"),
            (1, "SRANDMEMBER s 0", "*0\r\n"),
            (
                1,
                "SRANDMEMBER s -9223372036854775808",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
            ),
            (1, "SRANDMEMBER s 1 2", "-ERR syntax error\r\n"),
        ],
    },
    Trap {
        name: "spop_counts",
        script: &[
            (1, "SPOP missing", "$-1\r\n"),
            (1, "SPOP missing 2", "*0\r\n"),
            (1, "SADD s a", ":1\r\n"),
            (1, "SPOP s 0", "*0\r\n"),
            (1, "SPOP s -1", "-ERR value is out of range, must be positive\r\n"),
            (1, "SPOP s 9", "*1\r\n$1\r\na\r\n"),
            (1, "EXISTS s", ":0\r\n"),
        ],
    },
    Trap {
        name: "sintercard_counts_keys",
        script: &[
            (1, "SINTERCARD a s", "-ERR numkeys should be greater than 0\r\n"),
            (1, "SINTERCARD 0 s", "-ERR numkeys should be greater than 0\r\n"),
            (1, "SINTERCARD 2 s", "-ERR Number of keys can't be greater than number of args\r\n"),
            (1, "SADD s a b c", ":3\r\n"),
            (1, "SINTERCARD 1 s LIMIT 2", ":2\r\n"),
            (1, "SINTERCARD 1 s LIMIT -1", "-ERR LIMIT can't be negative\r\n"),
            (1, "SINTERCARD 1 s LIMIT 0", ":3\r\n"),
        ],
    },
    Trap {
        name: "smove_of_a_missing_set_ignores_the_destination",
        script: &[
            (1, "RPUSH list a", ":1\r\n"),
            (1, "SMOVE missing list a", ":0\r\n"),
            (1, "SADD s a", ":1\r\n"),
            (
                1,
                "SMOVE s list a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "SMOVE s s a", ":1\r\n"),
            (1, "SMOVE s s b", ":0\r\n"),
            (
                1,
                "SMOVE list s a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ],
    },
    Trap {
        name: "stores_of_nothing_delete_the_destination",
        script: &[
            (1, "SET d v", "+OK\r\n"),
            (1, "SINTERSTORE d none", ":0\r\n"),
            (1, "EXISTS d", ":0\r\n"),
            (1, "SADD s a", ":1\r\n"),
            (1, "SDIFFSTORE s s s", ":0\r\n"),
            (1, "EXISTS s", ":0\r\n"),
        ],
    },
    Trap {
        name: "set_operations_check_the_type_of_each_key",
        script: &[
            (1, "SET k v", "+OK\r\n"),
            (1, "SADD s a", ":1\r\n"),
            (
                1,
                "SINTER none k",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "SUNION s k",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "SDIFF none k",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "SMISMEMBER none a b", "*2\r\n:0\r\n:0\r\n"),
        ],
    },
];
