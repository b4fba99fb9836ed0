//! The texts of errors.

use super::Trap;

pub(crate) const TRAPS: &[Trap] = &[
    Trap {
        name: "unknown_commands",
        script: &[
            (1, "foo", "-ERR unknown command 'foo', with args beginning with: \r\n"),
            (1, "FOO bar", "-ERR unknown command 'FOO', with args beginning with: 'bar' \r\n"),
            (
                1,
                "foo \"a\\x0d\\x0ab\"",
                "-ERR unknown command 'foo', with args beginning with: 'a  b' \r\n",
            ),
            (
                1,
                "foo {a*128} b",
                "-ERR unknown command 'foo', with args beginning with: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' \r\n",
            ),
            (
                1,
                "foo {a*100} {b*100} {c*100}",
                "-ERR unknown command 'foo', with args beginning with: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' 'bbbbbbbbbbbbbbbbbbbbbbbbb' \r\n",
            ),
            (
                1,
                "foo {a*60} {b*60} {c*60}",
                "-ERR unknown command 'foo', with args beginning with: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb' 'cc' \r\n",
            ),
            (
                1,
                "{f*200}",
                "-ERR unknown command 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', with args beginning with: \r\n",
            ),
            (1, "fo\"o bar\"", "-ERR unknown command 'fo', with args beginning with: 'o bar' \r\n"),
            (1, "client nosuch", "-ERR unknown subcommand 'nosuch'. Try CLIENT HELP.\r\n"),
            (1, "CONFIG nosuch a", "-ERR unknown subcommand 'nosuch'. Try CONFIG HELP.\r\n"),
            (1, "OBJECT nosuch", "-ERR unknown subcommand 'nosuch'. Try OBJECT HELP.\r\n"),
            (1, "COMMAND nosuch", "-ERR unknown subcommand 'nosuch'. Try COMMAND HELP.\r\n"),
        ],
    },
    Trap {
        name: "wrong_numbers_of_arguments",
        script: &[
            (1, "CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n"),
            (1, "CONFIG", "-ERR wrong number of arguments for 'config' command\r\n"),
            (1, "GET", "-ERR wrong number of arguments for 'get' command\r\n"),
            (1, "get a b", "-ERR wrong number of arguments for 'get' command\r\n"),
            (
                1,
                "CLIENT SETNAME",
                "-ERR wrong number of arguments for 'client|setname' command\r\n",
            ),
            (1, "CLIENT KILL", "-ERR wrong number of arguments for 'client|kill' command\r\n"),
            (1, "MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"),
            (1, "MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"),
            (1, "MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command\r\n"),
            (
                1,
                "CONFIG SET maxmemory",
                "-ERR wrong number of arguments for 'config|set' command\r\n",
            ),
            (1, "PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"),
            (1, "ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"),
        ],
    },
    Trap {
        name: "values_of_the_wrong_type",
        script: &[
            (1, "RPUSH l a", ":1\r\n"),
            (1, "GET l", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            (1, "INCR l", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            (
                1,
                "HGET l f",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "SADD l a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "ZADD l 1 a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "APPEND l a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (
                1,
                "GETDEL l",
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            ),
            (1, "MGET l none", "*2\r\n$-1\r\n$-1\r\n"),
        ],
    },
    Trap {
        name: "config_set_errors",
        script: &[
            (
                1,
                "CONFIG SET nosuch 1",
                "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n",
            ),
            (
                1,
                "CONFIG SET appendonly maybe",
                "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - argument must be 'yes' or 'no'\r\n",
            ),
            (
                1,
                "CONFIG SET maxmemory 1 maxmemory 2",
                "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - duplicate parameter\r\n",
            ),
            (
                1,
                "CONFIG SET notify-keyspace-events Q",
                "-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.\r\n",
            ),
            (1, "CONFIG GET nosuch", "*0\r\n"),
        ],
    },
];
