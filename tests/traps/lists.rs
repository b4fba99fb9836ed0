//! Lists.

use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "linsert_without_key_or_pivot",
        script: &[
            (1, "LINSERT l BEFORE p v", ":0\r\n"),
            (1, "RPUSH l a b", ":2\r\n"),
            (1, "LINSERT l BEFORE p v", ":-1\r\n"),
            (1, "LINSERT l BESIDE a v", "-ERR syntax error\r\n"),
            (1, "LINSERT l AFTER a v", ":3\r\n"),
            (1, "LRANGE l 0 -1", "*3\r\n$1\r\na\r\n$1\r\nv\r\n$1\r\nb\r\n"),
        ],
    },
    Trap {
        name: "lset_of_a_missing_key_or_index",
        script: &[
            (1, "LSET missing 0 v", "-ERR no such key\r\n"),
            (1, "RPUSH l a", ":1\r\n"),
            (1, "LSET l 1 v", "-ERR index out of range\r\n"),
            (1, "LSET l -2 v", "-ERR index out of range\r\n"),
            (1, "LSET l -1 v", "+OK\r\n"),
        ],
    },
    Trap {
        name: "lpop_counts",
        script: &[
            (1, "LPOP missing", "$-1\r\n"),
            (1, "LPOP missing 0", "*-1\r\n"),
            (1, "LPOP missing 1", "*-1\r\n"),
            (1, "RPUSH l a b", ":2\r\n"),
            (1, "LPOP l 0", "*0\r\n"),
            (1, "LPOP l -1", "-ERR value is out of range, must be positive\r\n"),
            (1, "LPOP l text", "-ERR value is out of range, must be positive\r\n"),
            (1, "LPOP l 9", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
            (1, "EXISTS l", ":0\r\n"),
            (1, "LPOP l 1 2", "-ERR wrong number of arguments for 'lpop' command\r\n"),
        ],
    },
    Trap {
        name: "rpoplpush_rotates_its_list",
        script: &[
            (9, "CONFIG SET notify-keyspace-events KEA", "+OK\r\n"),
            (
                9,
                "PSUBSCRIBE __keyspace*",
                "*3\r\n$10\r\npsubscribe\r\n$11\r\n__keyspace*\r\n:1\r\n",
            ),
            (1, "RPUSH l a b c", ":3\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$11\r\n__keyspace*\r\n$16\r\n__keyspace@0__:l\r\n$5\r\nrpush\r\n",
            ),
            (1, "RPOPLPUSH l l", "$1\r\nc\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$11\r\n__keyspace*\r\n$16\r\n__keyspace@0__:l\r\n$5\r\nlpush\r\n*4\r\n$8\r\npmessage\r\n$11\r\n__keyspace*\r\n$16\r\n__keyspace@0__:l\r\n$4\r\nrpop\r\n",
            ),
            (1, "LRANGE l 0 -1", "*3\r\n$1\r\nc\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ],
    },
    Trap {
        name: "lmove_of_a_missing_key_ignores_the_destination",
        script: &[
            (1, "SET s v", "+OK\r\n"),
            (1, "LMOVE missing s LEFT LEFT", "$-1\r\n"),
            (1, "RPOPLPUSH missing s", "$-1\r\n"),
            (
                1,
                "LMOVE s missing LEFT LEFT",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "RPUSH l a", ":1\r\n"),
            (
                1,
                "LMOVE l s LEFT LEFT",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "LMOVE l s UP LEFT", "-ERR syntax error\r\n"),
            (1, "LRANGE l 0 -1", "*1\r\n$1\r\na\r\n"),
        ],
    },
    Trap {
        name: "lpos_ranks",
        script: &[
            (1, "RPUSH l a b c 1 2 3 c c", ":8\r\n"),
            (1, "LPOS l c", ":2\r\n"),
            (1, "LPOS l c RANK -1", ":7\r\n"),
            (
                1,
                "LPOS l c RANK 0",
                "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list\r\n",
            ),
            (1, "LPOS l c COUNT -1", "-ERR COUNT can't be negative\r\n"),
            (1, "LPOS l c COUNT 0", "*3\r\n:2\r\n:6\r\n:7\r\n"),
            (1, "LPOS l none COUNT 0", "*0\r\n"),
            (1, "LPOS l none", "$-1\r\n"),
            (1, "LPOS missing c COUNT 0", "*0\r\n"),
            (1, "LPOS l c MAXLEN -1", "-ERR MAXLEN can't be negative\r\n"),
            (1, "LPOS l c RANK -9223372036854775808", ":7\r\n"),
        ],
    },
    Trap {
        name: "lmpop_counts",
        script: &[
            (1, "LMPOP 0 l LEFT", "-ERR numkeys should be greater than 0\r\n"),
            (1, "LMPOP 1 l UP", "-ERR syntax error\r\n"),
            (1, "LMPOP 1 l LEFT COUNT 0", "-ERR count should be greater than 0\r\n"),
            (1, "LMPOP 1 l LEFT", "*-1\r\n"),
            (1, "RPUSH l a b", ":2\r\n"),
            (1, "LMPOP 2 none l RIGHT COUNT 5", "*2\r\n$1\r\nl\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
            (1, "LMPOP 2 l", "-ERR wrong number of arguments for 'lmpop' command\r\n"),
        ],
    },
];
