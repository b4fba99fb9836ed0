//! Hashes.

use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "hincrbyfloat_on_text",
        script: &[
            (1, "HSET h f text", ":1\r\n"),
            (1, "HINCRBYFLOAT h f 1", "-ERR hash value is not a float\r\n"),
            (1, "HINCRBY h f 1", "-ERR hash value is not an integer\r\n"),
        ],
    },
    Trap {
        name: "hincrbyfloat_of_a_missing_field",
        script: &[
            (1, "HINCRBYFLOAT h f 1.10", "$3\r\n1.1\r\n"),
            (1, "HINCRBYFLOAT h f nan", "-ERR value is not a valid float\r\n"),
            (1, "HINCRBYFLOAT h f text", "-ERR value is not a valid float\r\n"),
            (1, "HGET h f", "$3\r\n1.1\r\n"),
        ],
    },
    Trap {
        name: "hincrby_overflow",
        script: &[
            (1, "HSET h f 9223372036854775807", ":1\r\n"),
            (1, "HINCRBY h f 1", "-ERR increment or decrement would overflow\r\n"),
            (1, "HINCRBY h f text", "-ERR value is not an integer or out of range\r\n"),
            (1, "HSET h g \" 1\"", ":1\r\n"),
            (1, "HINCRBY h g 1", "-ERR hash value is not an integer\r\n"),
        ],
    },
    Trap {
        name: "hset_with_half_a_pair",
        script: &[
            (1, "HSET h f", "-ERR wrong number of arguments for 'hset' command\r\n"),
            (1, "HSET h f v g", "-ERR wrong number of arguments for 'hset' command\r\n"),
            (1, "HMSET h f v g", "-ERR wrong number of arguments for 'hmset' command\r\n"),
            (1, "HMSET h f v", "+OK\r\n"),
            (1, "EXISTS h", ":1\r\n"),
        ],
    },
    Trap {
        name: "hrandfield_counts",
        script: &[
            (1, "HRANDFIELD missing", "$-1\r\n"),
            (1, "HRANDFIELD missing 2", "*0\r\n"),
            (1, "HSET h f v", ":1\r\n"),
            (1, "HRANDFIELD h -3", "*3\r\n$1\r\nf\r\n$1\r\nf\r\n$1\r\nf\r\n"),
            (1, "HRANDFIELD h 0", "*0\r\n"),
            (1, "HRANDFIELD h 1 WITHVALUES", "*2\r\n$1\r\nf\r\n$1\r\nv\r\n"),
            (
                1,
                "HRANDFIELD h -9223372036854775808",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
            ),
            (1, "HRANDFIELD h -4611686018427387905 WITHVALUES", "-ERR value is out of range\r\n"),
            (1, "HRANDFIELD h 1 BOGUS", "-ERR syntax error\r\n"),
        ],
    },
    Trap {
        name: "hdel_of_the_last_field_deletes_the_key",
        script: &[
            (1, "HSET h f v", ":1\r\n"),
            (1, "HDEL h f f", ":1\r\n"),
            (1, "EXISTS h", ":0\r\n"),
            (1, "HSTRLEN h f", ":0\r\n"),
            (1, "HMGET h a b", "*2\r\n$-1\r\n$-1\r\n"),
        ],
    },
];
