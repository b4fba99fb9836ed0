//! Data that a server keeps over a clean stop, a crash and a power loss.

use crate::support::Rig;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::redis::{AppendFsync, SavePoint, ServerOptions, Version};

const ENDS: [Shutdown; 3] = [Shutdown::Clean, Shutdown::Kill, Shutdown::PowerLoss];

/// Ends the process and starts another. Returns the keys that were lost.
fn end(rig: &mut Rig, how: Shutdown) -> Vec<String> {
    rig.server.stop(rig.now, how);
    let lost = rig.server.losses().keys.iter().map(|(_, key)| key.to_string()).collect();
    rig.server.start(rig.now);
    lost
}

fn none() -> ServerOptions {
    ServerOptions::default().with_save_points([])
}

#[test]
fn without_persistence_everything_is_lost() {
    for how in ENDS {
        let mut rig = Rig::with(none());
        rig.script(1, &[("SET a 1", "OK"), ("SET b 1", "OK")]);
        assert_eq!(end(&mut rig, how), ["a", "b"], "{how:?}");
        rig.script(2, &[("DBSIZE", "0")]);
    }
}

#[test]
fn a_clean_stop_with_save_points_loses_nothing_and_a_crash_what_was_not_saved() {
    for how in ENDS {
        let mut rig = Rig::new();
        rig.script(1, &[("SET a 1", "OK"), ("SAVE", "OK"), ("SET b 1", "OK"), ("APPEND a 2", "2")]);
        let lost = end(&mut rig, how);
        if how == Shutdown::Clean {
            assert_eq!(lost, [""; 0]);
            rig.script(2, &[("GET a", "\"12\""), ("GET b", "\"1\"")]);
        } else {
            assert_eq!(lost, ["b", "a"], "in order of their first change");
            rig.script(2, &[("GET a", "\"1\""), ("GET b", "nil")]);
        }
    }
}

#[test]
fn a_save_point_saves_when_its_time_comes() {
    let point = SavePoint { after: Duration::from_secs(60), changes: 2 };
    let mut rig = Rig::with(none().with_save_points([point]));
    rig.script(1, &[("SET a 1", "OK"), ("SET b 1", "OK")]);
    rig.pass(Duration::from_secs(59));
    rig.script(1, &[("SET c 1", "OK")]);
    rig.pass(Duration::from_secs(2));
    rig.script(1, &[("LASTSAVE", "1735689660"), ("SET d 1", "OK")]);
    rig.pass(Duration::from_secs(600));
    assert_eq!(end(&mut rig, Shutdown::Kill), ["d"], "one change is not enough");
    rig.script(2, &[("DBSIZE", "3")]);
}

#[test]
fn with_an_append_only_file_a_crash_loses_nothing() {
    for fsync in [AppendFsync::Always, AppendFsync::EverySec, AppendFsync::No] {
        let mut rig = Rig::with(none().with_append_only(fsync));
        rig.script(1, &[("SET a 1", "OK")]);
        assert_eq!(end(&mut rig, Shutdown::Kill), [""; 0]);
        rig.script(2, &[("GET a", "\"1\"")]);
    }
}

#[test]
fn a_power_loss_loses_what_was_not_synced() {
    for (fsync, lost) in [
        (AppendFsync::Always, &[][..]),
        (AppendFsync::EverySec, &["late"][..]),
        (AppendFsync::No, &["early", "late"]),
    ] {
        let mut rig = Rig::with(none().with_append_only(fsync));
        rig.script(1, &[("SET early 1", "OK")]);
        rig.pass_ms(1_200);
        rig.script(1, &[("SET late 1", "OK")]);
        rig.pass_ms(100);
        assert_eq!(end(&mut rig, Shutdown::PowerLoss), lost, "{fsync:?}");
    }
}

#[test]
fn lost_changes_are_undone_exactly() {
    let mut rig = Rig::new();
    for line in [
        "RPUSH l a b",
        "HSET h f v",
        "SADD s 1 2",
        "ZADD z 1 a 2 b",
        "SET t v EX 1000",
        "SAVE",
        "LPOP l",
        "HDEL h f",
        "SADD s x",
        "ZINCRBY z 5 a",
        "PERSIST t",
        "RENAME t u",
        "SET new 1",
        "SWAPDB 0 3",
    ] {
        rig.send(1, line);
    }
    end(&mut rig, Shutdown::Kill);
    rig.script(
        2,
        &[
            ("LRANGE l 0 -1", r#"["a", "b"]"#),
            ("HGETALL h", r#"["f", "v"]"#),
            ("SMEMBERS s", r#"["1", "2"]"#),
            ("OBJECT ENCODING s", "\"intset\""),
            ("ZRANGE z 0 -1 WITHSCORES", r#"["a", "1", "b", "2"]"#),
            ("TTL t", "1000"),
            ("DBSIZE", "5"),
        ],
    );
}

#[test]
fn keys_that_only_expired_or_are_the_same_again_are_not_lost() {
    let mut rig = Rig::new();
    for line in ["SET gone v PX 50", "SET same v", "RPUSH l a", "SADD s a b", "SAVE"] {
        rig.send(1, line);
    }
    rig.told(1);
    for line in ["SREM s none", "RPUSH l b", "RPOP l", "SET same v", "SREM s b", "SADD s b"] {
        rig.send(1, line);
    }
    rig.told(1);
    rig.script(1, &[("SET brief v", "OK"), ("DEL brief", "1"), ("SET gone w PX 80", "OK")]);
    rig.script(1, &[("SET other v", "OK"), ("SET timed v PX 10", "OK")]);
    rig.pass_ms(100);
    assert_eq!(end(&mut rig, Shutdown::Kill), ["other"]);
    let mut rig = Rig::with(none());
    rig.script(1, &[("DEBUG SET-ACTIVE-EXPIRE 0", "OK"), ("SET gone v PX 50", "OK")]);
    rig.pass_ms(100);
    assert_eq!(end(&mut rig, Shutdown::Kill), [""; 0]);
}

#[test]
fn a_restart_uses_the_original_options_whatever_config_set_changed() {
    let mut rig = Rig::with(none());
    rig.script(1, &[("SET a 1", "OK"), ("SAVE", "OK"), ("CONFIG SET appendonly yes", "OK")]);
    rig.script(1, &[("SET b 1", "OK")]);
    assert_eq!(end(&mut rig, Shutdown::Kill), ["b"], "it reads the last save");
    rig.script(2, &[("CONFIG GET appendonly", r#"["appendonly", "no"]"#), ("DBSIZE", "1")]);

    let mut rig = Rig::with(none().with_append_only(AppendFsync::Always));
    rig.script(1, &[("SET a 1", "OK"), ("CONFIG SET appendonly no", "OK"), ("SET b 1", "OK")]);
    rig.script(1, &[("SAVE", "OK")]);
    assert_eq!(end(&mut rig, Shutdown::Clean), ["b"], "the file ends where it was switched off");
    rig.script(2, &[("CONFIG GET appendonly", r#"["appendonly", "yes"]"#), ("DBSIZE", "1")]);
}

#[test]
fn a_restart_forgets_when_keys_were_used() {
    for options in [ServerOptions::default(), none().with_append_only(AppendFsync::Always)] {
        let mut rig = Rig::with(options);
        rig.script(1, &[("SET k v", "OK")]);
        rig.pass_ms(9_000);
        rig.script(1, &[("OBJECT IDLETIME k", "9")]);
        end(&mut rig, Shutdown::Clean);
        rig.script(2, &[("OBJECT IDLETIME k", "0")]);
    }
}

#[test]
fn keys_that_expired_while_the_server_was_down_are_not_there() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v EX 10", "OK"), ("SET l v EX 100", "OK")]);
    rig.server.stop(rig.now, Shutdown::Clean);
    assert_eq!(rig.server.poll_timeout(), None, "a server that is down does nothing");
    rig.now += Duration::from_secs(10);
    rig.server.start(rig.now);
    rig.script(2, &[("KEYS *", r#"["l"]"#), ("TTL l", "90")]);
}

#[test]
fn a_new_process_has_its_first_configuration_and_no_clients() {
    let mut rig = Rig::new();
    rig.send(1, "CONFIG SET notify-keyspace-events KEA");
    rig.send(1, "BLPOP l 0");
    rig.send(2, "SUBSCRIBE news");
    end(&mut rig, Shutdown::Clean);
    rig.script(
        3,
        &[
            ("CONFIG GET notify-keyspace-events", r#"["notify-keyspace-events", ""]"#),
            ("PUBLISH news x", "0"),
            ("RPUSH l a", "1"),
            ("LLEN l", "1"),
        ],
    );
}

#[test]
fn wiping_takes_everything() {
    let mut rig = Rig::with(none().with_append_only(AppendFsync::Always));
    rig.script(1, &[("SET a 1", "OK"), ("SAVE", "OK")]);
    rig.server.stop(rig.now, Shutdown::Kill);
    rig.server.wipe(rig.now);
    rig.server.start(rig.now);
    rig.script(2, &[("DBSIZE", "0")]);
}

#[derive(Clone, Debug)]
enum Step {
    Do(usize, u8),
    Pass(u64),
}

const LINES: [&str; 5] =
    ["SET {} x", "APPEND {} y", "DEL {}", "RENAME {} k0", "COPY {} k1 REPLACE"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..LINES.len(), 0..5_u8).prop_map(|(line, key)| Step::Do(line, key)),
        1 => (0..900_u64).prop_map(Step::Pass),
    ]
}

/// Returns all keys with their values.
fn dump(rig: &mut Rig) -> BTreeMap<String, String> {
    let db = rig.server.database(0).unwrap();
    let keys = db.keys(b"*");
    let value = |key: &[u8], db: &mut stunt_double::redis::database::Database| {
        String::from_utf8_lossy(db.get(key).unwrap().unwrap()).into_owned()
    };
    keys.iter().map(|key| (key.to_string(), value(key, db))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// With `everysec`, a power loss returns to the state at the end of the last second before
    /// which anything had to be synced, and lists the affected keys.
    #[test]
    fn a_power_loss_returns_to_the_last_sync(
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let mut rig = Rig::with(none().with_append_only(AppendFsync::EverySec));
        let (mut synced, mut first_unsynced): (_, Option<u64>) = (BTreeMap::new(), None);
        for step in &steps {
            match step {
                Step::Do(line, key) => {
                    let before = dump(&mut rig);
                    rig.send(1, &LINES[*line].replace("{}", &format!("k{key}")));
                    let changes = dump(&mut rig) != before || *line < 2;
                    if changes && first_unsynced.is_none() {
                        first_unsynced = Some(rig.now.as_nanos() / 1_000_000_000);
                    }
                }
                Step::Pass(ms) => {
                    rig.pass_ms(*ms);
                    let second = rig.now.as_nanos() / 1_000_000_000;
                    if first_unsynced.is_some_and(|first| second > first) {
                        first_unsynced = None;
                        synced = dump(&mut rig);
                    }
                }
            }
        }
        let before = dump(&mut rig);
        let lost = end(&mut rig, Shutdown::PowerLoss);
        let after = dump(&mut rig);
        prop_assert_eq!(&after, &synced);
        for key in before.keys().chain(after.keys()) {
            if before.get(key) != after.get(key) {
                prop_assert!(lost.contains(key), "{} is not among {:?}", key, lost);
            }
        }
    }
}

#[test]
fn a_snapshot_is_read_in_compact_encodings() {
    let values = [
        ("HSET h f v", "hashtable", "listpack"),
        ("SADD s 3 1 2", "hashtable", "intset"),
        ("ZADD z 1 m", "skiplist", "listpack"),
        ("APPEND raw 1", "raw", "int"),
        ("INCRBYFLOAT float 3", "embstr", "int"),
    ];
    let long = "x".repeat(65);
    let grow = [
        format!("HSET h long {long}"),
        "HDEL h long".to_owned(),
        "SADD s x".to_owned(),
        "SREM s x".to_owned(),
        format!("ZADD z 1 {long}"),
        format!("ZREM z {long}"),
        "APPEND raw 2".to_owned(),
    ];
    let check = |rig: &mut Rig, client: u64, after: bool| {
        for (line, before, then) in values {
            let key = line.split(' ').nth(1).unwrap();
            let encoding = if after { then } else { before };
            let answer = rig.say(client, &format!("OBJECT ENCODING {key}"));
            assert_eq!(answer, format!("\"{encoding}\""), "{key}");
        }
    };
    for reload in [true, false] {
        let mut rig = Rig::with(none());
        for line in values.iter().map(|(line, ..)| *line).chain(grow.iter().map(String::as_str)) {
            rig.send(1, line);
        }
        rig.told(1);
        check(&mut rig, 1, false);
        if reload {
            rig.script(1, &[("DEBUG RELOAD", "OK")]);
        } else {
            rig.script(1, &[("SAVE", "OK")]);
            end(&mut rig, Shutdown::Kill);
        }
        check(&mut rig, 2, true);
        assert_eq!(rig.say(2, "SMEMBERS s"), "[\"1\", \"2\", \"3\"]");
    }
}

/// As the real servers: keys of 4, 22 and 33 bytes, with values of 30 and of 8.
#[test]
fn the_key_counts_for_the_encoding_of_a_string_that_is_read_from_a_file() {
    let keys = ["kkk1".to_owned(), "k".repeat(22), "kkk2".to_owned(), "k".repeat(33)];
    let check = |rig: &mut Rig, client: u64, expected: [&str; 4], at: &str| {
        for (key, encoding) in keys.iter().zip(expected) {
            let answer = rig.say(client, &format!("OBJECT ENCODING {key}"));
            assert_eq!(answer, format!("\"{encoding}\""), "{at}: {key}");
        }
    };
    for (version, expected) in [
        (Version::Redis8_0, ["embstr", "embstr", "embstr", "embstr"]),
        (Version::Redis8_2, ["embstr", "raw", "raw", "embstr"]),
        (Version::Redis8_6, ["embstr", "raw", "embstr", "embstr"]),
        (Version::Valkey8_1, ["embstr", "raw", "embstr", "raw"]),
        (Version::Valkey9_1, ["embstr", "embstr", "embstr", "embstr"]),
    ] {
        for append_only in [false, true] {
            let mut options = none().with_version(version);
            if append_only {
                options = options.with_append_only(AppendFsync::Always);
            }
            let mut rig = Rig::with(options);
            let value = "v".repeat(30);
            rig.say(1, &format!("SET {} {value}", keys[0]));
            rig.say(1, &format!("SET {} {value}", keys[1]));
            rig.say(1, &format!("SET {} {value} EX 1000", keys[2]));
            rig.say(1, &format!("SET {} vvvvvvvv EX 1000", keys[3]));
            check(&mut rig, 1, expected, "set");
            rig.script(1, &[("SAVE", "OK")]);
            end(&mut rig, Shutdown::Kill);
            // Its last string fits where it is set, but not where it is loaded with its time.
            let loaded = match (version, expected) {
                (Version::Redis8_2, [a, b, c, _]) => [a, b, c, "raw"],
                _ => expected,
            };
            check(&mut rig, 2, if append_only { expected } else { loaded }, "restarted");
            rig.script(2, &[("DEBUG RELOAD", "OK")]);
            check(&mut rig, 2, loaded, "reloaded");
        }
    }
}

#[test]
fn an_append_only_file_is_read_command_by_command() {
    let mut rig = Rig::with(none().with_append_only(AppendFsync::Always));
    for line in ["SADD s 1 x", "SREM s x", "APPEND raw 1", "APPEND raw 2", "INCRBYFLOAT f 3"] {
        rig.send(1, line);
    }
    end(&mut rig, Shutdown::Kill);
    rig.script(
        2,
        &[
            ("OBJECT ENCODING s", "\"hashtable\""),
            ("OBJECT ENCODING raw", "\"raw\""),
            ("OBJECT ENCODING f", "\"int\""),
        ],
    );
}
