//! `MULTI`, `EXEC` and `WATCH`.

use crate::support::Rig;
use proptest::prelude::*;
use stunt_double::redis::{ServerOptions, Version};

const ABORTED: &str = "!EXECABORT Transaction discarded because of previous errors.";

#[test]
fn a_transaction_runs_at_exec_and_not_before() {
    let mut rig = Rig::new();
    rig.script(1, &[("MULTI", "OK"), ("SET k 1", "QUEUED"), ("INCR k", "QUEUED")]);
    assert_eq!(rig.say(2, "GET k"), "nil");
    assert_eq!(rig.say(1, "EXEC"), "[OK, 2]");
    assert_eq!(rig.say(2, "GET k"), "\"2\"");
}

#[test]
fn an_error_while_queueing_aborts_the_transaction() {
    for bad in ["NOSUCH x", "GET", "CLIENT NOSUCH"] {
        let mut rig = Rig::new();
        rig.script(1, &[("MULTI", "OK"), ("SET k 1", "QUEUED")]);
        assert!(rig.say(1, bad).starts_with('!'), "{bad}");
        rig.script(1, &[("EXEC", ABORTED), ("GET k", "nil"), ("EXEC", "!ERR EXEC without MULTI")]);
    }
}

#[test]
fn an_error_while_running_undoes_nothing_and_stops_nothing() {
    let mut rig = Rig::new();
    rig.script(1, &[("MULTI", "OK"), ("SET k text", "QUEUED"), ("INCR k", "QUEUED")]);
    rig.script(
        1,
        &[
            ("APPEND k !", "QUEUED"),
            ("EXEC", "[OK, !ERR value is not an integer or out of range, 5]"),
        ],
    );
}

#[test]
fn a_nested_multi_and_a_watch_inside_are_errors_that_do_not_abort() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("MULTI", "OK"),
            ("MULTI", "!ERR MULTI calls can not be nested"),
            ("WATCH k", "!ERR WATCH inside MULTI is not allowed"),
            ("SET k 1", "QUEUED"),
            ("EXEC", "[OK]"),
            ("DISCARD", "!ERR DISCARD without MULTI"),
        ],
    );
}

#[test]
fn exec_with_arguments_ends_the_transaction() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("MULTI", "OK"),
            (
                "EXEC now",
                "!EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' \
             command",
            ),
            ("DISCARD", "!ERR DISCARD without MULTI"),
        ],
    );
}

/// Returns the reply to `EXEC` after some lines before `WATCH`, and some between `WATCH` and
/// `EXEC`.
fn exec_after(before: &[&str], between: &[&str]) -> String {
    let mut rig = Rig::new();
    for line in before {
        rig.send(2, line);
    }
    rig.script(1, &[("WATCH k", "OK")]);
    for line in between {
        rig.send(2, line);
    }
    rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED")]);
    rig.say(1, "EXEC")
}

#[test]
fn a_touched_watched_key_prevents_exec() {
    let set = ["SET k v"];
    for (before, between) in [
        (&set[..], &["SET k v"][..]),
        (&set, &["EXPIRE k 100"]),
        (&set, &["DEL k"]),
        (&[], &["SET k v", "DEL k"]),
        (&set, &["SWAPDB 0 1"]),
        (&set, &["FLUSHALL"]),
        (&set, &["RENAME k other"]),
        (&["SET other v"], &["RENAME other k"]),
        (&set, &["MOVE k 1"]),
        (&set, &["SET k v PXAT 1"]),
    ] {
        assert_eq!(exec_after(before, between), "nil array", "{before:?} {between:?}");
    }
}

#[test]
fn commands_that_change_nothing_do_not_prevent_exec() {
    for (before, between) in [
        (&["SADD k a"][..], &["SADD k a"][..]),
        (&["SET k v"], &["PERSIST k"]),
        (&["SET k v"], &["GET k", "TTL k", "TOUCH k"]),
        (&[], &["FLUSHALL"]),
        (&["SET k v"], &["SET other v", "SELECT 1", "SET k v"]),
        (&["SET k v"], &["SETNX k w", "SET k w NX"]),
        (&["ZADD k 1 a"], &["ZADD k 1 a", "ZREM k b", "ZADD k XX GT 0 a"]),
        (&["HSET k f v"], &["HDEL k g", "HSETNX k f w"]),
    ] {
        assert_eq!(exec_after(before, between), "[PONG]", "{before:?} {between:?}");
    }
}

#[test]
fn a_watched_key_that_expires_prevents_exec() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v PX 100", "OK"), ("WATCH k", "OK")]);
    rig.pass_ms(100);
    rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", "nil array")]);
}

#[test]
fn a_key_that_had_expired_when_it_was_watched_does_not_prevent_exec() {
    let mut rig = Rig::new();
    rig.script(1, &[("DEBUG SET-ACTIVE-EXPIRE 0", "OK"), ("SET k v PX 100", "OK")]);
    rig.pass_ms(100);
    rig.script(1, &[("WATCH k", "OK"), ("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", "[PONG]")]);
}

#[test]
fn a_key_that_had_expired_when_it_was_watched_may_be_removed_by_anything() {
    let removed_by: [&[&str]; 12] = [
        &["GET k"],
        &["DEL k"],
        &["FLUSHALL"],
        &["FLUSHDB"],
        &["SWAPDB 0 1"],
        &["DEBUG RELOAD"],
        &["SCAN 0"],
        &["DEBUG SET-ACTIVE-EXPIRE 1"],
        &["RENAME k q"],
        &["EXPIRE k 100"],
        &["SELECT 1", "SET k v PX 1", "SELECT 0", "DEBUG SLEEP 0.01", "SWAPDB 0 1"],
        &["RANDOMKEY"],
    ];
    let set_by: [&[&str]; 4] = [
        &["SET k x"],
        &["SETEX k 100 x", "DEL k"],
        &["SET x 1", "RENAME x k"],
        &["SELECT 1", "SET k v", "SELECT 0", "SWAPDB 0 1"],
    ];
    let removed_by = removed_by.into_iter().map(|lines| (lines, "[PONG]"));
    for (lines, answer) in removed_by.chain(set_by.into_iter().map(|lines| (lines, "nil array"))) {
        let mut rig = Rig::new();
        rig.script(1, &[("DEBUG SET-ACTIVE-EXPIRE 0", "OK"), ("SET k v PX 1", "OK")]);
        rig.pass_ms(10);
        rig.script(1, &[("WATCH k", "OK")]);
        for line in lines {
            rig.send(2, line);
            rig.pass_ms(20);
        }
        rig.say(3, "GET k");
        rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED")]);
        assert_eq!(rig.say(1, "EXEC"), answer, "{lines:?}");
    }
}

#[test]
fn an_expired_key_that_is_swapped_in_still_counts_as_missing() {
    for (before, answer) in [("PING", "[PONG]"), ("SET k v", "nil array")] {
        let mut rig = Rig::new();
        rig.script(2, &[("DEBUG SET-ACTIVE-EXPIRE 0", "OK"), ("SELECT 1", "OK")]);
        rig.script(2, &[("SET k v PX 1", "OK")]);
        rig.say(1, before);
        rig.script(1, &[("WATCH k", "OK")]);
        rig.pass_ms(10);
        rig.script(2, &[("SWAPDB 0 1", "OK")]);
        rig.say(3, "GET k");
        rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", answer)]);
    }
}

#[test]
fn a_watched_key_that_expires_unnoticed_prevents_exec() {
    let mut rig = Rig::new();
    rig.script(1, &[("DEBUG SET-ACTIVE-EXPIRE 0", "OK"), ("SET k v PX 100", "OK")]);
    rig.script(1, &[("WATCH k", "OK")]);
    rig.pass_ms(100);
    rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", "nil array")]);
}

#[test]
fn exec_discard_and_unwatch_end_a_watch() {
    for end in ["EXEC", "DISCARD"] {
        let mut rig = Rig::new();
        rig.script(1, &[("WATCH k", "OK"), ("MULTI", "OK")]);
        rig.send(1, end);
        rig.told(1);
        rig.script(2, &[("SET k v", "OK")]);
        rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", "[PONG]")]);
    }
    let mut rig = Rig::new();
    rig.script(1, &[("WATCH k", "OK"), ("UNWATCH", "OK")]);
    rig.script(2, &[("SET k v", "OK")]);
    rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", "[PONG]")]);
}

#[test]
fn a_client_that_dies_in_multi_leaves_nothing_behind() {
    let mut rig = Rig::new();
    rig.script(1, &[("WATCH k", "OK"), ("MULTI", "OK"), ("SET k v", "QUEUED")]);
    rig.disconnect(1);
    assert_eq!(rig.say(2, "EXISTS k"), "0");
    assert!(rig.say(2, "INFO clients").contains("connected_clients:1"));
}

/// The effect of a line on `k`, given whether it exists and has a time to live: whether it touches
/// the key, and the state that it leaves.
type Effect = fn(there: bool, ttl: bool) -> (bool, bool, bool);

const EFFECTS: [(&str, Effect); 9] = [
    ("SET k v", |_, _| (true, true, false)),
    ("SET k v KEEPTTL", |there, ttl| (true, true, there && ttl)),
    ("SET k v EX 100", |_, _| (true, true, true)),
    ("SETNX k v", |there, ttl| (!there, true, there && ttl)),
    ("APPEND k v", |there, ttl| (true, true, there && ttl)),
    ("DEL k", |there, _| (there, false, false)),
    ("EXPIRE k 100", |there, _| (there, there, there)),
    ("PERSIST k", |there, ttl| (there && ttl, there, false)),
    ("STRLEN k", |there, ttl| (false, there, ttl)),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// `EXEC` runs if and only if nothing touched the key since `WATCH`.
    #[test]
    fn exec_runs_exactly_if_the_watched_key_was_not_touched(
        before in proptest::collection::vec(0..EFFECTS.len(), 0..4),
        between in proptest::collection::vec(0..EFFECTS.len(), 0..4),
    ) {
        let mut rig = Rig::new();
        let (mut there, mut ttl, mut touched) = (false, false, false);
        for (lines, counts) in [(before, false), (between, true)] {
            if counts {
                rig.script(1, &[("WATCH k", "OK")]);
            }
            for effect in lines {
                let (line, effect) = EFFECTS[effect];
                rig.send(2, line);
                let touches;
                (touches, there, ttl) = effect(there, ttl);
                touched |= touches && counts;
            }
        }
        rig.script(1, &[("MULTI", "OK"), ("EXISTS k", "QUEUED")]);
        let answer = if touched { "nil array" } else if there { "[1]" } else { "[0]" };
        prop_assert_eq!(rig.say(1, "EXEC"), answer);
    }
}

/// Returns these fields of the lines of `CLIENT LIST` in a text.
fn fields(text: &str) -> String {
    const SHOWN: [&str; 6] = ["flags", "multi", "watch", "argv-mem", "multi-mem", "cmd"];
    let text = text.replace("\\n", " ");
    let is_shown =
        |word: &&str| word.split_once('=').is_some_and(|(name, _)| SHOWN.contains(&name));
    text.split(' ').filter(is_shown).collect::<Vec<_>>().join(" ")
}

/// The real servers of these versions answered the same.
#[test]
fn client_list_shows_the_transaction_that_runs() {
    for (version, watch, was, argv, queued) in [
        (Version::Redis7_0, false, -1, "4 4", "57 26"),
        (Version::Redis8_2, true, -1, "4 4", "57 26"),
        (Version::Redis8_6, true, -1, "17 10", "17 10"),
        (Version::Valkey8_0, true, -1, "4 4", "57 26"),
        (Version::Valkey8_1, true, 0, "4 4", "57 26"),
        (Version::Valkey9_1, true, 0, "4 4", "57 26"),
    ] {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        let watch = |n: usize| if watch { format!(" watch={n}") } else { String::new() };
        let idle = |was: i64, n: usize| {
            format!("flags=N multi={was}{} argv-mem=10 multi-mem=0 cmd=client|info", watch(n))
        };
        let (argv, queued) = (argv.split_once(' ').unwrap(), queued.split_once(' ').unwrap());
        assert_eq!(fields(&rig.say(1, "CLIENT INFO")), idle(-1, 0), "{version}");
        rig.say(1, "RESET");
        assert_eq!(fields(&rig.say(1, "CLIENT INFO")), idle(-1, 0), "{version}");
        rig.say(1, "WATCH k");
        assert_eq!(fields(&rig.say(1, "CLIENT INFO")), idle(was, 1), "{version}");
        for line in ["MULTI", "SET a bcd", "CLIENT INFO"] {
            rig.say(1, line);
        }
        let waits = format!(
            "flags=x multi=2{} argv-mem=0 multi-mem={} cmd=client|info",
            watch(1),
            queued.0
        );
        assert!(fields(&rig.say(2, "CLIENT LIST")).starts_with(&waits), "{version}");
        let runs = format!(
            "flags=x multi=2{} argv-mem={} multi-mem={} cmd=exec",
            watch(0),
            argv.0,
            queued.0
        );
        assert_eq!(fields(&rig.say(1, "EXEC")), runs, "{version}");
        assert_eq!(fields(&rig.say(1, "CLIENT INFO")), idle(was, 0), "{version}");
        rig.script(1, &[("MULTI", "OK"), ("CLIENT LIST", "QUEUED")]);
        let runs = format!(
            "flags=x multi=1{} argv-mem={} multi-mem={} cmd=exec",
            watch(0),
            argv.1,
            queued.1
        );
        let exec = rig.say(1, "EXEC");
        assert!(fields(&exec).starts_with(&runs), "{version}: {exec}");
        rig.script(1, &[("MULTI", "OK"), ("SET a b", "QUEUED"), ("RESET", "RESET")]);
        assert_eq!(fields(&rig.say(1, "CLIENT INFO")), idle(was, 0), "{version}");
        rig.script(3, &[("MULTI", "OK"), ("DISCARD", "OK")]);
        assert_eq!(fields(&rig.say(3, "CLIENT INFO")), idle(was, 0), "{version}");
    }
}
