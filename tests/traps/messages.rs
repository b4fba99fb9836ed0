//! Channels and keyspace events.

use super::TIME;
use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "a_subscriber_may_send_few_commands",
        script: &[
            (1, "SUBSCRIBE ch", "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"),
            (
                1,
                "GET k",
                "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n",
            ),
            (
                1,
                "SET k v",
                "-ERR Can't execute 'set': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n",
            ),
            (1, "PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
            (1, "PING hello", "*2\r\n$4\r\npong\r\n$5\r\nhello\r\n"),
            (
                1,
                "MULTI",
                "-ERR Can't execute 'multi': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n",
            ),
            (1, "NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"),
            (1, "UNSUBSCRIBE ch", "*3\r\n$11\r\nunsubscribe\r\n$2\r\nch\r\n:0\r\n"),
            (1, "GET k", "$-1\r\n"),
        ],
    },
    Trap {
        name: "reset_ends_a_subscription",
        script: &[
            (1, "HELLO 9", "-NOPROTO unsupported protocol version\r\n"),
            (1, "HELLO text", "-ERR Protocol version is not an integer or out of range\r\n"),
            (1, "SUBSCRIBE ch", "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"),
            (1, "RESET", "+RESET\r\n"),
            (1, "SUBSCRIBE", "-ERR wrong number of arguments for 'subscribe' command\r\n"),
            (1, "PING", "+PONG\r\n"),
        ],
    },
    Trap {
        name: "unsubscribing_from_nothing",
        script: &[
            (1, "UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"),
            (1, "PUNSUBSCRIBE", "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n"),
            (1, "SUNSUBSCRIBE", "*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n"),
            (
                1,
                "UNSUBSCRIBE a b",
                "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n",
            ),
        ],
    },
    Trap {
        name: "a_message_by_channel_and_by_pattern",
        script: &[
            (1, "SUBSCRIBE news", "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"),
            (1, "PSUBSCRIBE n*", "*3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:2\r\n"),
            (2, "PUBLISH news hello", ":2\r\n"),
            (
                1,
                "",
                "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$5\r\nhello\r\n",
            ),
            (2, "PUBSUB CHANNELS", "*1\r\n$4\r\nnews\r\n"),
            (2, "PUBSUB NUMSUB news none", "*4\r\n$4\r\nnews\r\n:1\r\n$4\r\nnone\r\n:0\r\n"),
            (2, "PUBSUB NUMPAT", ":1\r\n"),
            (1, "UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:1\r\n"),
            (1, "PUNSUBSCRIBE", "*3\r\n$12\r\npunsubscribe\r\n$2\r\nn*\r\n:0\r\n"),
        ],
    },
    Trap {
        name: "publishing_in_a_transaction",
        script: &[
            (1, "SUBSCRIBE ch", "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"),
            (2, "MULTI", "+OK\r\n"),
            (2, "PUBLISH ch a", "+QUEUED\r\n"),
            (2, "SET k v", "+QUEUED\r\n"),
            (2, "PUBLISH ch b", "+QUEUED\r\n"),
            (2, "EXEC", "*3\r\n:1\r\n+OK\r\n:1\r\n"),
            (
                1,
                "",
                "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\na\r\n*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nb\r\n",
            ),
        ],
    },
    Trap {
        name: "events_are_named_after_what_happened",
        script: &[
            (9, "CONFIG SET notify-keyspace-events KEA", "+OK\r\n"),
            (9, "PSUBSCRIBE __key*__:*", "*3\r\n$10\r\npsubscribe\r\n$10\r\n__key*__:*\r\n:1\r\n"),
            (1, "SET k v EX 100", "+OK\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:k\r\n$3\r\nset\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$18\r\n__keyevent@0__:set\r\n$1\r\nk\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:k\r\n$6\r\nexpire\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$21\r\n__keyevent@0__:expire\r\n$1\r\nk\r\n",
            ),
            (1, "GETDEL k", "$1\r\nv\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:k\r\n$3\r\ndel\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$18\r\n__keyevent@0__:del\r\n$1\r\nk\r\n",
            ),
            (1, "INCRBYFLOAT f 1", "$1\r\n1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:f\r\n$11\r\nincrbyfloat\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$26\r\n__keyevent@0__:incrbyfloat\r\n$1\r\nf\r\n",
            ),
            (1, "HINCRBY h f 1", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:h\r\n$7\r\nhincrby\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$22\r\n__keyevent@0__:hincrby\r\n$1\r\nh\r\n",
            ),
            (1, "HDEL h f", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:h\r\n$4\r\nhdel\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$19\r\n__keyevent@0__:hdel\r\n$1\r\nh\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:h\r\n$3\r\ndel\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$18\r\n__keyevent@0__:del\r\n$1\r\nh\r\n",
            ),
            (1, "SADD a x y", ":2\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:a\r\n$4\r\nsadd\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$19\r\n__keyevent@0__:sadd\r\n$1\r\na\r\n",
            ),
            (1, "SMOVE a b x", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:a\r\n$4\r\nsrem\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$19\r\n__keyevent@0__:srem\r\n$1\r\na\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:b\r\n$4\r\nsadd\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$19\r\n__keyevent@0__:sadd\r\n$1\r\nb\r\n",
            ),
            (1, "SINTERSTORE a none", ":0\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:a\r\n$3\r\ndel\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$18\r\n__keyevent@0__:del\r\n$1\r\na\r\n",
            ),
            (1, "RPUSH l a", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:l\r\n$5\r\nrpush\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$20\r\n__keyevent@0__:rpush\r\n$1\r\nl\r\n",
            ),
            (1, "LMOVE l m LEFT RIGHT", "$1\r\na\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:m\r\n$5\r\nrpush\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$20\r\n__keyevent@0__:rpush\r\n$1\r\nm\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:l\r\n$4\r\nlpop\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$19\r\n__keyevent@0__:lpop\r\n$1\r\nl\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:l\r\n$3\r\ndel\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$18\r\n__keyevent@0__:del\r\n$1\r\nl\r\n",
            ),
            (1, "RENAME m n", "+OK\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:m\r\n$11\r\nrename_from\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$26\r\n__keyevent@0__:rename_from\r\n$1\r\nm\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:n\r\n$9\r\nrename_to\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$24\r\n__keyevent@0__:rename_to\r\n$1\r\nn\r\n",
            ),
            (1, "COPY n o", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:o\r\n$7\r\ncopy_to\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$22\r\n__keyevent@0__:copy_to\r\n$1\r\no\r\n",
            ),
            (1, "MOVE o 1", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:o\r\n$9\r\nmove_from\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$24\r\n__keyevent@0__:move_from\r\n$1\r\no\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@1__:o\r\n$7\r\nmove_to\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$22\r\n__keyevent@1__:move_to\r\n$1\r\no\r\n",
            ),
            (1, "ZADD z 1 m", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:z\r\n$4\r\nzadd\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$19\r\n__keyevent@0__:zadd\r\n$1\r\nz\r\n",
            ),
            (1, "ZINCRBY z 1 m", "$1\r\n2\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:z\r\n$5\r\nzincr\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$20\r\n__keyevent@0__:zincr\r\n$1\r\nz\r\n",
            ),
            (1, "ZREM z m", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:z\r\n$4\r\nzrem\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$19\r\n__keyevent@0__:zrem\r\n$1\r\nz\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:z\r\n$3\r\ndel\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$18\r\n__keyevent@0__:del\r\n$1\r\nz\r\n",
            ),
            (1, "SETRANGE r 0 x", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:r\r\n$8\r\nsetrange\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$23\r\n__keyevent@0__:setrange\r\n$1\r\nr\r\n",
            ),
            (1, "PERSIST r", ":0\r\n"),
            (1, "EXPIREAT r 1", ":1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$16\r\n__keyspace@0__:r\r\n$3\r\ndel\r\n*4\r\n$8\r\npmessage\r\n$10\r\n__key*__:*\r\n$18\r\n__keyevent@0__:del\r\n$1\r\nr\r\n",
            ),
        ],
    },
    Trap {
        name: "an_expired_key_raises_an_event",
        script: &[
            (9, "CONFIG SET notify-keyspace-events KEA", "+OK\r\n"),
            (
                9,
                "PSUBSCRIBE __keyspace*",
                "*3\r\n$10\r\npsubscribe\r\n$11\r\n__keyspace*\r\n:1\r\n",
            ),
            (2, "DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n"),
            (1, "SET k v PX 5", "+OK\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$11\r\n__keyspace*\r\n$16\r\n__keyspace@0__:k\r\n$3\r\nset\r\n*4\r\n$8\r\npmessage\r\n$11\r\n__keyspace*\r\n$16\r\n__keyspace@0__:k\r\n$6\r\nexpire\r\n",
            ),
            (TIME, "30", ""),
            (1, "GET k", "$-1\r\n"),
            (
                9,
                "",
                "*4\r\n$8\r\npmessage\r\n$11\r\n__keyspace*\r\n$16\r\n__keyspace@0__:k\r\n$7\r\nexpired\r\n",
            ),
            (2, "DEBUG SET-ACTIVE-EXPIRE 1", "+OK\r\n"),
        ],
    },
    Trap {
        name: "shard_channels_are_separate",
        script: &[
            (1, "SSUBSCRIBE ch", "*3\r\n$10\r\nssubscribe\r\n$2\r\nch\r\n:1\r\n"),
            (2, "PUBLISH ch a", ":0\r\n"),
            (2, "SPUBLISH ch b", ":1\r\n"),
            (1, "", "*3\r\n$8\r\nsmessage\r\n$2\r\nch\r\n$1\r\nb\r\n"),
            (2, "PUBSUB SHARDCHANNELS", "*1\r\n$2\r\nch\r\n"),
            (2, "PUBSUB SHARDNUMSUB ch", "*2\r\n$2\r\nch\r\n:1\r\n"),
            (1, "SUNSUBSCRIBE", "*3\r\n$12\r\nsunsubscribe\r\n$2\r\nch\r\n:0\r\n"),
        ],
    },
];
