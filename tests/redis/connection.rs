//! Connections: identity, passwords, and what a client may do to others.

use crate::support::Rig;
use std::time::Duration;
use stunt_double::redis::{ServerOptions, Version};

#[test]
fn a_password_is_required() {
    let mut rig = Rig::with(ServerOptions::default().with_password("secret"));
    rig.script(
        1,
        &[
            ("GET k", "!NOAUTH Authentication required."),
            ("AUTH wrong", "!WRONGPASS invalid username-password pair or user is disabled."),
            (
                "AUTH nobody secret",
                "!WRONGPASS invalid username-password pair or user is disabled.",
            ),
            ("AUTH secret", "OK"),
            ("GET k", "nil"),
            ("RESET", "RESET"),
            ("GET k", "!NOAUTH Authentication required."),
        ],
    );
    assert!(rig.say(2, "HELLO 3").starts_with("!NOAUTH HELLO must be called with"));
    rig.send(2, "HELLO 3 AUTH default secret");
    assert!(rig.told(2)[0].contains("redis"));
    assert_eq!(rig.say(2, "PING"), "PONG");
}

#[test]
fn without_a_password_auth_is_an_error() {
    let mut rig = Rig::new();
    assert!(rig.say(1, "AUTH x").starts_with("!ERR AUTH <password> called without any password"));
}

#[test]
fn hello_chooses_the_protocol() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("HELLO 4", "!NOPROTO unsupported protocol version"),
            ("HELLO x", "!ERR Protocol version is not an integer or out of range"),
            ("HELLO 2 SETNAME", "!ERR Syntax error in HELLO option 'SETNAME'"),
            ("ZADD z 1.5 a", "1"),
            ("ZSCORE z a", "\"1.5\""),
        ],
    );
    rig.send(1, "HELLO 3 SETNAME me");
    rig.told(1);
    rig.script(1, &[("ZSCORE z a", "(double) 1.5"), ("CLIENT GETNAME", "\"me\"")]);
}

#[test]
fn an_unknown_command_is_shown_with_the_beginning_of_its_arguments() {
    let mut rig = Rig::new();
    let unknown = "!ERR unknown command";
    rig.script(
        1,
        &[
            ("Foo", &format!("{unknown} 'Foo', with args beginning with: ")),
            ("foo a b", &format!("{unknown} 'foo', with args beginning with: 'a' 'b' ")),
        ],
    );
    let long = format!("foo {}", "x".repeat(200));
    let shown = rig.say(1, &long);
    assert!(shown.ends_with(&format!("'{}' ", "x".repeat(128))), "{shown}");
}

#[test]
fn client_list_and_kill() {
    let mut rig = Rig::new();
    rig.script(1, &[("CLIENT ID", "1"), ("CLIENT SETNAME one", "OK")]);
    rig.script(2, &[("CLIENT ID", "2")]);
    let list = rig.say(2, "CLIENT LIST");
    assert!(list.contains("id=1 addr=client-1 ") && list.contains(" name=one "), "{list}");
    rig.script(
        2,
        &[
            ("CLIENT KILL client-9", "!ERR No such client"),
            ("CLIENT KILL ID 9", "0"),
            ("CLIENT KILL ID 2", "0"),
            ("CLIENT KILL TYPE normal", "1"),
        ],
    );
    assert!(rig.is_closed(1) && !rig.is_closed(2));
    assert_eq!(rig.say(2, "CLIENT KILL client-2"), "OK");
    assert!(rig.is_closed(2), "after its answer");
}

/// The servers answered the same.
#[test]
fn client_list_shows_the_request_that_asks_for_it() {
    for (version, qbuf) in [
        (Version::Redis7_0, 26),
        (Version::Redis8_6, 26),
        (Version::Valkey8_1, 0),
        (Version::Valkey9_1, 0),
    ] {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.say(1, "PING");
        let both = rig.say(2, "CLIENT LIST");
        let lines: Vec<&str> = both.split("id=").skip(1).collect();
        assert!(lines[0].contains(" qbuf=0 qbuf-free=0 argv-mem=0 "), "{both}");
        let own = format!(" qbuf={qbuf} qbuf-free=0 argv-mem=10 ");
        assert!(lines[1].contains(&own), "{version:?}: {both}");
        let line = rig.say(2, "CLIENT INFO");
        assert!(line.contains(&own), "{version:?}: {line}");
    }
}

#[test]
fn quit_is_answered_and_then_the_connection_closes() {
    let mut rig = Rig::new();
    assert_eq!(rig.say(1, "QUIT"), "OK");
    assert!(rig.is_closed(1));
    rig.send(1, "SET k v");
    assert_eq!(rig.told(1), [""; 0]);
    assert_eq!(rig.say(2, "EXISTS k"), "0");
}

#[test]
fn replies_can_be_switched_off() {
    let mut rig = Rig::new();
    for (line, told) in [
        ("CLIENT REPLY SKIP", 0),
        ("PING", 0),
        ("PING", 1),
        ("CLIENT REPLY OFF", 0),
        ("PING", 0),
        ("CLIENT REPLY SKIP", 0),
        ("PING", 0),
        ("CLIENT REPLY ON", 1),
        ("PING", 1),
    ] {
        rig.send(1, line);
        assert_eq!(rig.told(1).len(), told, "{line}");
    }
}

#[test]
fn a_paused_server_delays_requests_until_the_pause_is_over() {
    let mut rig = Rig::new();
    rig.script(1, &[("CLIENT PAUSE 100 WRITE", "OK"), ("GET k", "nil")]);
    rig.send(1, "SET k v");
    rig.send(1, "GET k");
    rig.send(2, "INCR n");
    assert_eq!(rig.told(1), [""; 0]);
    rig.pass_ms(99);
    assert_eq!(rig.told(2), [""; 0]);
    rig.pass_ms(1);
    assert_eq!(rig.told(1), ["OK", "\"v\""]);
    assert_eq!(rig.told(2), ["1"]);
}

#[test]
fn a_pause_can_be_ended_early() {
    let mut rig = Rig::new();
    rig.script(1, &[("CLIENT PAUSE 100000 WRITE", "OK")]);
    rig.send(2, "SET k v");
    rig.script(1, &[("CLIENT UNPAUSE", "OK")]);
    assert_eq!(rig.told(2), ["OK"]);
}

#[test]
fn a_sleeping_server_answers_nobody_and_then_everybody_in_order() {
    let mut rig = Rig::new();
    rig.send(1, "DEBUG SLEEP 1.5");
    rig.pass_ms(1);
    rig.send(2, "INCR n");
    rig.send(1, "INCR n");
    rig.pass_ms(1_498);
    assert_eq!((rig.told(1).len(), rig.told(2).len()), (0, 0));
    rig.pass_ms(1);
    assert_eq!(rig.told(1), ["OK", "2"]);
    assert_eq!(rig.told(2), ["1"]);
}

#[test]
fn an_http_request_closes_the_connection_without_a_reply() {
    for line in ["POST / HTTP/1.1", "host: x", "HOST:", "pOsT"] {
        let mut rig = Rig::new();
        rig.script(1, &[("MULTI", "OK")]);
        rig.send(1, line);
        assert_eq!((rig.told(1), rig.is_closed(1)), (vec![], true), "{line}");
        rig.script(2, &[("SET k v", "OK")]);
    }
    for line in ["host", "host:x", "POSTX"] {
        let mut rig = Rig::new();
        assert!(rig.say(1, line).starts_with("!ERR unknown command"), "{line}");
    }
}

#[test]
fn client_list_shows_the_command_that_was_last_named() {
    let mut rig = Rig::new();
    for (line, name) in [
        ("PING", "ping"),
        ("nosuch", "NULL"),
        ("GET", "get"),
        ("CLIENT nosuch", "NULL"),
        ("CLIENT", "client"),
        ("CONFIG GET", "config|get"),
    ] {
        rig.say(1, line);
        assert!(rig.say(2, "CLIENT LIST ID 1").contains(&format!(" cmd={name} ")), "{line}");
    }
}

#[test]
fn an_argument_in_an_error_ends_at_a_nul() {
    rig_with_key().script(
        1,
        &[
            ("EXPIRE k 10 a\x00b", "!ERR Unsupported option a"),
            ("CLIENT LIST TYPE a\x00b", "!ERR Unknown client type 'a'"),
            ("CLIENT KILL USER a\x00b", "!ERR No such user 'a'"),
            (
                "DEBUG a\x00b",
                "!ERR unknown subcommand or wrong number of arguments for 'a'. Try DEBUG HELP.",
            ),
            ("DEBUG ERROR a\x00b", "!a"),
        ],
    );
}

fn rig_with_key() -> Rig {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v", "OK")]);
    rig
}

#[test]
fn a_save_within_a_transaction_is_scheduled_for_its_end() {
    let mut rig = Rig::new();
    rig.pass_ms(5_000);
    rig.script(
        1,
        &[
            ("MULTI", "OK"),
            ("BGSAVE", "QUEUED"),
            ("BGSAVE SCHEDULE", "QUEUED"),
            ("BGREWRITEAOF", "QUEUED"),
            ("LASTSAVE", "QUEUED"),
            ("SET k v", "QUEUED"),
            (
                "EXEC",
                "[Background saving scheduled, Background saving scheduled, \
                 Background append only file rewriting scheduled, 1735689600, OK]",
            ),
            ("LASTSAVE", "1735689605"),
        ],
    );
    assert!(rig.say(1, "INFO persistence").contains("rdb_changes_since_last_save:0"));
}

#[test]
fn reset_returns_a_connection_to_its_initial_state() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("SELECT 3", "OK"),
            ("CLIENT SETNAME me", "OK"),
            ("MULTI", "OK"),
            ("RESET", "RESET"),
            ("EXEC", "!ERR EXEC without MULTI"),
            ("CLIENT GETNAME", "nil"),
            ("SET k v", "OK"),
            ("SELECT 0", "OK"),
            ("GET k", "\"v\""),
        ],
    );
}

#[test]
fn databases_are_chosen_and_counted() {
    let mut rig = Rig::with(ServerOptions::default().with_databases(2));
    rig.script(
        1,
        &[
            ("SELECT 1", "OK"),
            ("SELECT 2", "!ERR DB index is out of range"),
            ("SELECT x", "!ERR value is not an integer or out of range"),
            ("SET k v", "OK"),
            ("SWAPDB 0 1", "OK"),
            ("DBSIZE", "0"),
            ("SWAPDB x 1", "!ERR invalid first DB index"),
            ("CONFIG GET databases", r#"["databases", "2"]"#),
        ],
    );
    assert_eq!(rig.say(2, "GET k"), "\"v\"");
}

#[test]
fn config_names_the_mistake_and_changes_all_or_nothing() {
    let mut rig = Rig::new();
    let failed = |name: &str, why: &str| {
        format!("!ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")
    };
    rig.script(
        1,
        &[
            ("CONFIG GET", "!ERR wrong number of arguments for 'config|get' command"),
            (
                "CONFIG SET nope 1",
                "!ERR Unknown option or number of arguments for CONFIG SET - 'nope'",
            ),
            (
                "CONFIG SET set-max-intset-entries 5 appendonly maybe",
                &failed("appendonly", "argument must be 'yes' or 'no'"),
            ),
            ("CONFIG GET set-max-intset-entries", r#"["set-max-intset-entries", "512"]"#),
            ("CONFIG SET hash-max-listpack-entries 2 proto-max-bulk-len 1mb", "OK"),
            ("CONFIG GET proto-max-bulk-len", r#"["proto-max-bulk-len", "1048576"]"#),
            ("HSET h a 1 b 2", "2"),
            ("OBJECT ENCODING h", "\"listpack\""),
            ("HSET h c 3", "1"),
            ("OBJECT ENCODING h", "\"hashtable\""),
            (
                "SETRANGE k 1048576 x",
                "!ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            ),
        ],
    );
}

#[test]
fn a_client_that_sends_too_much_ahead_is_closed() {
    let mut rig = Rig::new();
    rig.script(1, &[("CONFIG SET client-query-buffer-limit 1mb", "OK")]);
    rig.send(2, "BLPOP list 0");
    let line = format!("SET k {}", "x".repeat(200_000));
    for _ in 0..5 {
        rig.send(2, &line);
        assert!(!rig.is_closed(2));
    }
    rig.send(2, &line);
    assert!(rig.is_closed(2));
}

#[test]
fn a_blocked_client_can_be_unblocked_by_another() {
    let mut rig = Rig::new();
    rig.send(1, "BLPOP list 0");
    rig.script(2, &[("CLIENT UNBLOCK 1", "1"), ("CLIENT UNBLOCK 1", "0")]);
    assert_eq!(rig.told(1), ["nil array"]);
    rig.send(1, "BLPOP list 0");
    rig.script(2, &[("CLIENT UNBLOCK 1 ERROR", "1")]);
    assert_eq!(rig.told(1), ["!UNBLOCKED client unblocked via CLIENT UNBLOCK"]);
}

#[test]
fn info_counts() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v EX 100", "OK"), ("GET k", "\"v\""), ("GET none", "nil")]);
    rig.pass(Duration::from_secs(90));
    let info = rig.say(1, "INFO").replace("\\r\\n", "\r\n");
    for line in [
        "redis_version:7.0.15",
        "keyspace_hits:1",
        "keyspace_misses:1",
        "uptime_in_seconds:90",
        "connected_clients:1",
        "rdb_changes_since_last_save:1",
        "db0:keys=1,expires=1,avg_ttl=10000",
    ] {
        assert!(info.contains(&format!("{line}\r\n")), "{line} in {info}");
    }
    assert!(rig.say(1, "INFO keyspace").starts_with("\"# Keyspace"));
    assert!(!rig.say(1, "INFO keyspace").contains("# Server"));
    rig.script(1, &[("CONFIG RESETSTAT", "OK")]);
    assert!(rig.say(1, "INFO stats").contains("keyspace_hits:0"));
}
