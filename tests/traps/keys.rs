//! Keys of any type: names, times to live, copies.

use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "renaming_a_key_to_itself",
        script: &[
            (1, "RENAME a a", "-ERR no such key\r\n"),
            (1, "RENAMENX a a", "-ERR no such key\r\n"),
            (1, "SET a 1", "+OK\r\n"),
            (1, "RENAME a a", "+OK\r\n"),
            (1, "RENAMENX a a", ":0\r\n"),
        ],
    },
    Trap {
        name: "copying_and_moving_a_key_to_itself",
        script: &[
            (1, "SET a 1", "+OK\r\n"),
            (1, "COPY a a", "-ERR source and destination objects are the same\r\n"),
            (1, "COPY a a DB 0", "-ERR source and destination objects are the same\r\n"),
            (1, "COPY a a DB 1", ":1\r\n"),
            (1, "MOVE a 0", "-ERR source and destination objects are the same\r\n"),
            (1, "MOVE a 1", ":0\r\n"),
            (1, "MOVE a 99", "-ERR DB index is out of range\r\n"),
            (1, "COPY a b DB 99", "-ERR DB index is out of range\r\n"),
        ],
    },
    Trap {
        name: "copy_onto_an_existing_key",
        script: &[
            (1, "RPUSH l a", ":1\r\n"),
            (1, "SET s v", "+OK\r\n"),
            (1, "COPY l s", ":0\r\n"),
            (1, "COPY l s REPLACE", ":1\r\n"),
            (1, "TYPE s", "+list\r\n"),
            (1, "COPY none s", ":0\r\n"),
        ],
    },
    Trap {
        name: "expire_in_the_past_deletes",
        script: &[
            (9, "CONFIG SET notify-keyspace-events KEA", "+OK\r\n"),
            (
                9,
                "PSUBSCRIBE __keyspace*",
                "*3\r\n$10\r\npsubscribe\r\n$11\r\n__keyspace*\r\n:1\r\n",
            ),
            (1, "SET a 1", "+OK\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$11\r\n__keyspace*\r\n$16\r\n__keyspace@0__:a\r\n$3\r\nset\r\n",
            ),
            (1, "EXPIRE a -1", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$11\r\n__keyspace*\r\n$16\r\n__keyspace@0__:a\r\n$3\r\ndel\r\n",
            ),
            (1, "EXISTS a", ":0\r\n"),
            (1, "TTL a", ":-2\r\n"),
        ],
    },
    Trap {
        name: "expire_beyond_the_end_of_time",
        script: &[
            (1, "SET a 1", "+OK\r\n"),
            (1, "EXPIRE a 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"),
            (
                1,
                "EXPIRE a -9223372036854775807",
                "-ERR invalid expire time in 'expire' command\r\n",
            ),
            (
                1,
                "PEXPIRE a 9223372036854775807",
                "-ERR invalid expire time in 'pexpire' command\r\n",
            ),
            (
                1,
                "EXPIREAT a 9223372036854775807",
                "-ERR invalid expire time in 'expireat' command\r\n",
            ),
            (1, "EXPIRE a text", "-ERR value is not an integer or out of range\r\n"),
            (
                1,
                "EXPIRE none 9223372036854775807",
                "-ERR invalid expire time in 'expire' command\r\n",
            ),
            (1, "TTL a", ":-1\r\n"),
        ],
    },
    Trap {
        name: "expire_under_conditions",
        script: &[
            (1, "SET a 1", "+OK\r\n"),
            (1, "EXPIRE a 100 GT", ":0\r\n"),
            (1, "TTL a", ":-1\r\n"),
            (1, "EXPIRE a 100 LT", ":1\r\n"),
            (1, "EXPIRE a 100 NX", ":0\r\n"),
            (1, "EXPIRE a 200 GT", ":1\r\n"),
            (1, "EXPIRE a 300 XX", ":1\r\n"),
            (
                1,
                "EXPIRE a 100 NX GT",
                "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n",
            ),
            (
                1,
                "EXPIRE a 100 GT LT",
                "-ERR GT and LT options at the same time are not compatible\r\n",
            ),
            (1, "EXPIRE a 100 SOON", "-ERR Unsupported option SOON\r\n"),
            (1, "EXPIRE none 100 GT", ":0\r\n"),
        ],
    },
    Trap {
        name: "ttl_of_a_missing_or_persistent_key",
        script: &[
            (1, "SET a 1", "+OK\r\n"),
            (1, "TTL a", ":-1\r\n"),
            (1, "PTTL none", ":-2\r\n"),
            (1, "EXPIRETIME a", ":-1\r\n"),
            (1, "PEXPIRETIME none", ":-2\r\n"),
            (1, "PERSIST a", ":0\r\n"),
            (1, "SET b 1 EX 100", "+OK\r\n"),
            (1, "PERSIST b", ":1\r\n"),
            (1, "TTL b", ":-1\r\n"),
            (1, "SET c 1 EXAT 33177117420", "+OK\r\n"),
            (1, "EXPIRETIME c", ":33177117420\r\n"),
            (1, "PEXPIRETIME c", ":33177117420000\r\n"),
        ],
    },
    Trap {
        name: "the_end_of_time",
        script: &[
            (1, "SET k v PXAT 9223372036854775806", "+OK\r\n"),
            (1, "PEXPIRETIME k", ":9223372036854775806\r\n"),
            (1, "EXPIRETIME k", ":9223372036854776\r\n"),
            (1, "PEXPIREAT k 9223372036854775300", ":1\r\n"),
            (1, "EXPIRETIME k", ":9223372036854775\r\n"),
            (1, "EXPIRE k 10 a\\x00b", "-ERR Unsupported option a\r\n"),
        ],
    },
    Trap {
        name: "missing_keys_and_databases",
        script: &[
            (1, "OBJECT ENCODING none", "$-1\r\n"),
            (1, "OBJECT FREQ none", "$-1\r\n"),
            (1, "OBJECT BOGUS k", "-ERR unknown subcommand 'BOGUS'. Try OBJECT HELP.\r\n"),
            (1, "OBJECT", "-ERR wrong number of arguments for 'object' command\r\n"),
            (1, "TOUCH a b", ":0\r\n"),
            (1, "UNLINK a b", ":0\r\n"),
            (1, "SORT none BY", "-ERR syntax error\r\n"),
            (1, "SELECT 16", "-ERR DB index is out of range\r\n"),
            (1, "SELECT text", "-ERR value is not an integer or out of range\r\n"),
            (1, "SWAPDB 0 99", "-ERR DB index is out of range\r\n"),
            (1, "SWAPDB a b", "-ERR invalid first DB index\r\n"),
        ],
    },
    Trap {
        name: "sort_of_text",
        script: &[
            (1, "RPUSH l b a 10", ":3\r\n"),
            (1, "SORT l", "-ERR One or more scores can't be converted into double\r\n"),
            (1, "SORT l ALPHA", "*3\r\n$2\r\n10\r\n$1\r\na\r\n$1\r\nb\r\n"),
            (1, "SORT l ALPHA DESC LIMIT 0 2", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
            (1, "SORT l BY nosort", "*3\r\n$1\r\nb\r\n$1\r\na\r\n$2\r\n10\r\n"),
            (
                1,
                "SORT l BY w_* GET # GET v_* ALPHA",
                "*6\r\n$1\r\nb\r\n$-1\r\n$1\r\na\r\n$-1\r\n$2\r\n10\r\n$-1\r\n",
            ),
            (1, "SORT l ALPHA STORE d", ":3\r\n"),
            (1, "SORT_RO l ALPHA STORE d", "-ERR syntax error\r\n"),
            (1, "SET s v", "+OK\r\n"),
            (1, "SORT s", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ],
    },
];
