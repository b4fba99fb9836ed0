//! Blocked clients, and the order in which they are served.

use super::TIME;
use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "a_transaction_serves_clients_in_order_of_their_waits",
        script: &[
            (1, "BLPOP k1 k2 0", ""),
            (2, "BLPOP k2 k1 0", ""),
            (3, "MULTI", "+OK\r\n"),
            (3, "RPUSH k2 x y z", "+QUEUED\r\n"),
            (3, "RPUSH k1 q", "+QUEUED\r\n"),
            (3, "EXEC", "*2\r\n:3\r\n:1\r\n"),
            (1, "", "*2\r\n$2\r\nk2\r\n$1\r\nx\r\n"),
            (2, "", "*2\r\n$2\r\nk2\r\n$1\r\ny\r\n"),
            (3, "LRANGE k2 0 -1", "*1\r\n$1\r\nz\r\n"),
            (3, "LRANGE k1 0 -1", "*1\r\n$1\r\nq\r\n"),
        ],
    },
    Trap {
        name: "a_push_and_a_del_in_a_transaction_wake_nobody",
        script: &[
            (1, "BLPOP k 0", ""),
            (3, "MULTI", "+OK\r\n"),
            (3, "RPUSH k a", "+QUEUED\r\n"),
            (3, "DEL k", "+QUEUED\r\n"),
            (3, "EXEC", "*2\r\n:1\r\n:1\r\n"),
            (3, "RPUSH k b", ":1\r\n"),
            (1, "", "*2\r\n$1\r\nk\r\n$1\r\nb\r\n"),
        ],
    },
    Trap {
        name: "several_elements_of_one_lpush",
        script: &[
            (1, "BLPOP k 0", ""),
            (3, "LPUSH k a b c", ":3\r\n"),
            (1, "", "*2\r\n$1\r\nk\r\n$1\r\nc\r\n"),
            (3, "LRANGE k 0 -1", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
        ],
    },
    Trap {
        name: "rename_onto_an_awaited_key",
        script: &[
            (1, "BLPOP k 0", ""),
            (3, "RPUSH other a", ":1\r\n"),
            (3, "RENAME other k", "+OK\r\n"),
            (1, "", "*2\r\n$1\r\nk\r\n$1\r\na\r\n"),
            (3, "EXISTS k", ":0\r\n"),
        ],
    },
    Trap {
        name: "a_chain_of_blmoves",
        script: &[
            (1, "BLMOVE a b LEFT RIGHT 0", ""),
            (2, "BLMOVE b c LEFT RIGHT 0", ""),
            (3, "BLPOP c 0", ""),
            (4, "RPUSH a x", ":1\r\n"),
            (1, "", "$1\r\nx\r\n"),
            (2, "", "$1\r\nx\r\n"),
            (3, "", "*2\r\n$1\r\nc\r\n$1\r\nx\r\n"),
            (4, "EXISTS a b c", ":0\r\n"),
        ],
    },
    Trap {
        name: "a_woken_brpoplpush_onto_the_wrong_type",
        script: &[
            (1, "SET s v", "+OK\r\n"),
            (1, "BRPOPLPUSH k s 0", ""),
            (3, "RPUSH k a", ":1\r\n"),
            (1, "", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            (3, "LRANGE k 0 -1", "*1\r\n$1\r\na\r\n"),
        ],
    },
    Trap {
        name: "times_out_with_nil",
        script: &[
            (1, "BLPOP k 0.5", ""),
            (TIME, "700", ""),
            (1, "", "*-1\r\n"),
            (1, "BRPOPLPUSH a b 0.5", ""),
            (TIME, "700", ""),
            (1, "", "*-1\r\n"),
            (1, "BLMOVE a b LEFT LEFT 0.5", ""),
            (TIME, "700", ""),
            (1, "", "*-1\r\n"),
            (1, "BZPOPMIN z 0.5", ""),
            (TIME, "700", ""),
            (1, "", "*-1\r\n"),
            (1, "BLMPOP 0.5 1 k LEFT", ""),
            (TIME, "700", ""),
            (1, "", "*-1\r\n"),
        ],
    },
    Trap {
        name: "invalid_timeouts",
        script: &[
            (1, "BLPOP k -1", "-ERR timeout is negative\r\n"),
            (1, "BLPOP k text", "-ERR timeout is not a float or out of range\r\n"),
            (1, "BLPOP k inf", "-ERR timeout is negative\r\n"),
            (1, "BLPOP k 1e300", "-ERR timeout is negative\r\n"),
            (1, "BRPOPLPUSH a b -1", "-ERR timeout is negative\r\n"),
            (1, "BLMPOP -1 1 k LEFT", "-ERR timeout is negative\r\n"),
            (1, "BLMPOP 0 0 k LEFT", "-ERR numkeys should be greater than 0\r\n"),
        ],
    },
    Trap {
        name: "a_value_of_another_type_does_not_wake",
        script: &[
            (1, "BLPOP k 0", ""),
            (3, "SET k v", "+OK\r\n"),
            (3, "DEL k", ":1\r\n"),
            (3, "SADD k a", ":1\r\n"),
            (3, "DEL k", ":1\r\n"),
            (3, "RPUSH k x", ":1\r\n"),
            (1, "", "*2\r\n$1\r\nk\r\n$1\r\nx\r\n"),
        ],
    },
    Trap {
        name: "blpop_of_the_wrong_type",
        script: &[
            (1, "SET s v", "+OK\r\n"),
            (
                1,
                "BLPOP s l 0",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "RPUSH l a", ":1\r\n"),
            (1, "BLPOP l s 0", "*2\r\n$1\r\nl\r\n$1\r\na\r\n"),
            (
                1,
                "BLPOP none s 0",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
        ],
    },
    Trap {
        name: "bzpopmin_takes_the_least",
        script: &[
            (1, "BZPOPMIN z 0", ""),
            (2, "BZPOPMAX z 0", ""),
            (3, "ZADD z 1 a 2.5 b 3 c", ":3\r\n"),
            (1, "", "*3\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\n1\r\n"),
            (2, "", "*3\r\n$1\r\nz\r\n$1\r\nc\r\n$1\r\n3\r\n"),
            (3, "ZRANGE z 0 -1", "*1\r\n$1\r\nb\r\n"),
        ],
    },
    Trap {
        name: "bzmpop_takes_several",
        script: &[
            (1, "BZMPOP 0 2 y z MAX COUNT 2", ""),
            (3, "ZADD z 1 a 2.5 b 3 c", ":3\r\n"),
            (
                1,
                "",
                "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n*2\r\n$1\r\nb\r\n$3\r\n2.5\r\n",
            ),
        ],
    },
    Trap {
        name: "waiting_clients_are_served_in_turn",
        script: &[
            (1, "BLPOP k 0", ""),
            (2, "BLPOP k 0", ""),
            (3, "RPUSH k a", ":1\r\n"),
            (1, "", "*2\r\n$1\r\nk\r\n$1\r\na\r\n"),
            (3, "RPUSH k b", ":1\r\n"),
            (2, "", "*2\r\n$1\r\nk\r\n$1\r\nb\r\n"),
        ],
    },
    Trap {
        name: "unblocking_nobody",
        script: &[
            (2, "CLIENT UNBLOCK 999999", ":0\r\n"),
            (2, "CLIENT UNBLOCK text", "-ERR value is not an integer or out of range\r\n"),
            (
                2,
                "CLIENT UNBLOCK 1 SOMEHOW",
                "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n",
            ),
        ],
    },
    Trap {
        name: "swapdb_serves_blocked_clients",
        script: &[
            (1, "BLPOP k 0", ""),
            (3, "SELECT 1", "+OK\r\n"),
            (3, "RPUSH k a", ":1\r\n"),
            (3, "SWAPDB 0 1", "+OK\r\n"),
            (1, "", "*2\r\n$1\r\nk\r\n$1\r\na\r\n"),
        ],
    },
    Trap {
        name: "sort_store_and_move_serve_blocked_clients",
        script: &[
            (1, "BLPOP k 0", ""),
            (3, "RPUSH l b a", ":2\r\n"),
            (3, "SORT l ALPHA STORE k", ":2\r\n"),
            (1, "", "*2\r\n$1\r\nk\r\n$1\r\na\r\n"),
            (1, "BLPOP m 0", ""),
            (3, "SELECT 1", "+OK\r\n"),
            (3, "RPUSH m x", ":1\r\n"),
            (3, "MOVE m 0", ":1\r\n"),
            (1, "", "*2\r\n$1\r\nm\r\n$1\r\nx\r\n"),
        ],
    },
    Trap {
        name: "copy_serves_blocked_clients",
        script: &[
            (1, "BLPOP k 0", ""),
            (3, "RPUSH l a", ":1\r\n"),
            (3, "COPY l k", ":1\r\n"),
            (1, "", "*2\r\n$1\r\nk\r\n$1\r\na\r\n"),
        ],
    },
];
