//! `DEBUG` and its effects.

use crate::support::Rig;
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::redis::{self, AppendFsync, Client, Pipeline, Reply, ServerOptions};
use stunt_double::sim::{Node, Sim};

#[test]
fn within_a_transaction_a_sleep_takes_its_time_but_nothing_expires() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v PX 100", "OK"), ("MULTI", "OK")]);
    for line in ["TIME", "DEBUG SLEEP 0.3", "TIME", "PTTL k", "GET k", "SET z v PX 50"] {
        assert_eq!(rig.say(1, line), "QUEUED");
    }
    for line in ["DEBUG SLEEP 0.1", "EXISTS z", "EXPIRE k 1", "PTTL k"] {
        assert_eq!(rig.say(1, line), "QUEUED");
    }
    rig.send(1, "EXEC");
    rig.send(2, "GET k");
    rig.pass_ms(399);
    assert_eq!((rig.told(1), rig.told(2)), (vec![], vec![]), "nobody is served");
    rig.pass_ms(1);
    let times = r#"["1735689600", "0"], OK, ["1735689600", "300000"], 0, "v", OK, OK, 1, 1, 1000"#;
    assert_eq!(rig.told(1), [format!("[{times}]")]);
    assert_eq!(rig.told(2), ["\"v\""]);
    rig.script(1, &[("EXISTS z", "0"), ("PTTL k", "1000")]);
}

#[test]
fn the_effects_of_a_sleeping_transaction_are_seen_when_it_is_over() {
    let mut rig = Rig::new();
    rig.script(2, &[("SUBSCRIBE c", r#"["subscribe", "c", 1]"#)]);
    rig.send(3, "BLPOP q 0.2");
    rig.script(1, &[("MULTI", "OK"), ("PUBLISH c m", "QUEUED"), ("RPUSH q a", "QUEUED")]);
    rig.script(1, &[("DEBUG SLEEP 1", "QUEUED"), ("RPUSH q b", "QUEUED")]);
    rig.send(1, "EXEC");
    rig.pass_ms(999);
    assert_eq!((rig.told(2), rig.told(3)), (vec![], vec![]));
    rig.pass_ms(1);
    assert_eq!(rig.told(1), ["[1, 1, OK, 2]"]);
    assert_eq!(rig.told(2), [r#"["message", "c", "m"]"#]);
    assert_eq!(rig.told(3), [r#"["q", "a"]"#], "its time was up, but it was served first");
}

#[test]
fn on_waking_the_sleepers_own_requests_come_first_then_time_outs_then_the_others() {
    for (by, waiter) in [(1, r#"["q", "x"]"#), (3, "nil array")] {
        let mut rig = Rig::new();
        rig.send(2, "BLPOP q 0.1");
        rig.say(3, "PING");
        rig.send(1, "DEBUG SLEEP 0.5");
        rig.send(by, "RPUSH q x");
        rig.pass_ms(500);
        assert_eq!(rig.told(2), [waiter], "pushed by {by}");
    }
    let mut rig = Rig::new();
    rig.send(2, "BLPOP q 0.1");
    rig.send(1, "DEBUG SLEEP 0.5");
    rig.pass_ms(10);
    rig.send(1, "RPUSH q x");
    rig.pass_ms(490);
    assert_eq!(rig.told(2), ["nil array"], "it had not been read when the server fell asleep");
}

#[test]
fn replies_from_before_a_sleep_are_sent_after_it() {
    let mut rig = Rig::new();
    rig.send(1, "DEBUG SLEEP 1");
    rig.send(1, "DEBUG SLEEP 1");
    rig.disconnect(2);
    rig.pass_ms(1_999);
    assert_eq!(rig.told(1), [""; 0]);
    rig.pass_ms(1);
    assert_eq!(rig.told(1), ["OK", "OK"]);
}

#[test]
fn a_client_that_disconnects_during_a_sleep_is_noticed_after_it() {
    let mut rig = Rig::new();
    rig.script(1, &[("MULTI", "OK"), ("DEBUG SLEEP 1", "QUEUED"), ("SET k v", "QUEUED")]);
    rig.send(1, "EXEC");
    rig.disconnect(1);
    rig.pass_ms(1_000);
    rig.script(2, &[("GET k", "\"v\"")]);
    assert!(rig.say(2, "INFO clients").contains("connected_clients:1"));
}

#[test]
fn a_reload_takes_its_options_and_refuses_others() {
    let mut rig = Rig::with(ServerOptions::default().with_save_points([]));
    let unknown = "!ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.";
    rig.script(
        1,
        &[
            ("SET a 1", "OK"),
            ("DEBUG RELOAD NOSAVE", "!ERR Error trying to load the RDB dump"),
            ("DBSIZE", "0"),
            ("SET a 1", "OK"),
            ("DEBUG RELOAD", "OK"),
            ("SET a 2", "OK"),
            ("SET b 1", "OK"),
            ("DEBUG RELOAD NOSAVE", "OK"),
            ("GET a", "\"1\""),
            ("GET b", "nil"),
            ("SET b 5", "OK"),
            ("SET a 3", "OK"),
            ("DEBUG RELOAD MERGE NOFLUSH NOSAVE", "OK"),
            ("GET a", "\"1\""),
            ("GET b", "\"5\""),
            ("DEBUG RELOAD nosuch", unknown),
            ("DEBUG RELOAD NOSAVE x MERGE", unknown),
            ("DEBUG RELOAD A B C D", unknown),
            ("DEBUG RELOAD MERGE", "OK"),
            ("DBSIZE", "2"),
            ("FLUSHALL", "OK"),
            ("DEBUG RELOAD NOFLUSH", "OK"),
            ("DBSIZE", "0"),
        ],
    );
}

#[test]
fn a_reload_drops_what_has_expired_and_forgets_when_keys_were_used() {
    let mut rig = Rig::new();
    rig.script(1, &[("CONFIG SET notify-keyspace-events Ex", "OK")]);
    rig.script(2, &[("PSUBSCRIBE *", r#"["psubscribe", "*", 1]"#)]);
    rig.script(1, &[("DEBUG SET-ACTIVE-EXPIRE 0", "OK"), ("SET e v PX 5", "OK")]);
    rig.script(1, &[("SET k v", "OK"), ("SADD s 1 x", "2"), ("SREM s x", "1")]);
    rig.pass_ms(9_000);
    rig.script(1, &[("OBJECT IDLETIME k", "9"), ("DBSIZE", "3"), ("DEBUG RELOAD", "OK")]);
    rig.script(
        1,
        &[("DBSIZE", "2"), ("OBJECT IDLETIME k", "0"), ("OBJECT ENCODING s", "\"intset\"")],
    );
    assert!(rig.say(1, "INFO persistence").contains("rdb_last_load_keys_expired:1"));
    assert_eq!(rig.told(2), [""; 0], "without an event");
}

#[test]
fn a_reload_changes_what_is_watched() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v", "OK"), ("WATCH k", "OK")]);
    rig.script(2, &[("DEBUG RELOAD", "OK")]);
    rig.script(1, &[("MULTI", "OK"), ("EXEC", "nil array"), ("WATCH none", "OK")]);
    rig.script(2, &[("DEBUG RELOAD", "OK")]);
    rig.script(1, &[("MULTI", "OK"), ("EXEC", "[]")]);
}

#[test]
fn the_append_only_file_is_read_again_if_there_is_one() {
    let mut rig = Rig::with(ServerOptions::default().with_append_only(AppendFsync::EverySec));
    rig.script(1, &[("SET k v", "OK"), ("APPEND k w", "2"), ("WATCH k", "OK")]);
    rig.script(2, &[("DEBUG LOADAOF", "OK"), ("OBJECT ENCODING k", "\"raw\"")]);
    rig.script(1, &[("MULTI", "OK"), ("EXEC", "nil array")]);
    assert!(rig.say(1, "INFO persistence").contains("rdb_changes_since_last_save:0"));
}

#[test]
fn digests_are_the_real_servers() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("DEBUG DIGEST", "0000000000000000000000000000000000000000"),
            ("SET k v", "OK"),
            ("DEBUG DIGEST", "264ccf65edec66bccfa7cc659414ccca432057d2"),
            (
                "DEBUG DIGEST-VALUE k none",
                "[d79ee9fe5d5ad902d7f6620efc3b07b75ddd742f, 0000000000000000000000000000000000000000]",
            ),
            ("DEBUG DIGEST-VALUE", "[]"),
        ],
    );
}

#[test]
fn without_its_cron_nothing_expires_and_nothing_is_saved_by_itself() {
    let mut rig = Rig::new();
    rig.script(1, &[("DEBUG PAUSE-CRON 1", "OK"), ("SET k v PX 10", "OK"), ("SET l v", "OK")]);
    rig.pass_ms(4_000_000);
    rig.script(1, &[("DBSIZE", "2"), ("LASTSAVE", "1735689600"), ("DEBUG PAUSE-CRON 0", "OK")]);
    rig.script(1, &[("DBSIZE", "1")]);
}

#[test]
fn a_pause_keeps_expired_keys_and_raises_their_events_when_it_is_over() {
    let mut rig = Rig::new();
    rig.script(1, &[("CONFIG SET notify-keyspace-events Ex", "OK")]);
    rig.script(2, &[("PSUBSCRIBE *", r#"["psubscribe", "*", 1]"#)]);
    rig.script(1, &[("SET e v PX 10", "OK"), ("SET k v", "OK"), ("CLIENT PAUSE 1000 WRITE", "OK")]);
    rig.pass_ms(500);
    rig.script(
        1,
        &[
            ("GET e", "nil"),
            ("DBSIZE", "2"),
            ("KEYS *", r#"["k"]"#),
            ("SCAN 0", r#"["0", ["k"]]"#),
            ("SCAN 0 TYPE none", r#"["0", []]"#),
            ("RANDOMKEY", "\"k\""),
            ("TTL e", "-2"),
        ],
    );
    rig.send(3, "SET e w");
    assert!(
        rig.say(1, "INFO clients").contains("blocked_clients:1"),
        "who waits for the end counts"
    );
    assert_eq!(rig.told(2), [""; 0]);
    rig.pass_ms(500);
    assert_eq!(rig.told(2), [r#"["pmessage", "*", "__keyevent@0__:expired", "e"]"#]);
    assert_eq!(rig.told(3), ["OK"]);
    rig.script(1, &[("GET e", "\"w\""), ("DBSIZE", "2")]);
}

#[test]
fn an_operator_does_not_sleep_nor_disturb_a_transaction_that_does() {
    let mut sim = Sim::new(1);
    let redis = redis::start(&mut sim, ServerOptions::default());
    sim.node_with("sleeper", redis.clone(), async |node: Node, redis| {
        let client = Client::connect(&node, &redis).await?;
        let pipeline = Pipeline::new()
            .command(["SET", "k", "1"])
            .command(["DEBUG", "SLEEP", "10"])
            .command(["INCR", "k"]);
        let replies = client.transaction(&pipeline).await?;
        assert_eq!(replies, Some(vec![Reply::OK, Reply::OK, Reply::Integer(2)]));
        Ok::<(), redis::Error>(())
    });
    sim.run_for(Duration::from_secs(1)).expect_reached();
    assert_eq!(redis.command(["DEBUG", "SLEEP", "1"]), Reply::OK);
    assert_eq!(redis.command(["GET", "k"]).as_text(), Some("1"));
    sim.run().expect_done();
    assert_eq!(sim.now(), Instant::ZERO + Duration::from_secs(10));
}

/// The replies are those of redis-server 7.0.15.
#[test]
fn subcommands_check_their_words() {
    let mut rig = Rig::new();
    let positive = "!ERR value is out of range, must be positive";
    let packed = "!ERR argument must be a memory value bigger than 1 and smaller than 4gb";
    rig.script(
        1,
        &[
            ("DEBUG POPULATE -1", positive),
            ("DEBUG POPULATE x", positive),
            ("DEBUG POPULATE 3 a b", positive),
            ("DEBUG POPULATE 3 a -1", positive),
            ("DEBUG POPULATE 3 a 0", "OK"),
            ("DEBUG REPLYBUFFER peak-reset-time x", "!ERR value is not an integer or out of range"),
            ("DEBUG REPLYBUFFER peak-reset-time never", "OK"),
            ("DEBUG REPLYBUFFER peak-reset-time -5", "OK"),
            ("DEBUG REPLYBUFFER resizing x", "OK"),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 4gb", packed),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 4294967295", packed),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 4293918720", "OK"),
            ("DEBUG CLIENT-EVICTION", "!ERR maxmemory-clients is disabled."),
        ],
    );
}

/// The lengths are those of redis-server 7.0.15.
#[test]
fn an_object_has_the_length_that_it_has_in_a_file() {
    let mut rig = Rig::new();
    let values = [
        ("SET k 1", 2),
        ("SET k 12345678", 5),
        ("SET k hellohellohellohellohello", 13),
        ("SADD k 1 2 3", 15),
        ("SADD k a b c", 7),
        ("RPUSH k 1 2 3", 16),
        ("ZADD k 1 a 2 b", 18),
        ("HSET k a b", 14),
        ("XADD k 1-1 a b", 57),
    ];
    for (line, length) in values {
        rig.say(1, "DEL k");
        rig.say(1, line);
        let shown = rig.say(1, "DEBUG OBJECT k");
        assert!(shown.contains(&format!("serializedlength:{length} ")), "{line}: {shown}");
    }
}

#[test]
fn clients_are_shown_in_classes_by_their_memory() {
    let mut rig = Rig::new();
    rig.script(1, &[("CONFIG SET maxmemory-clients 100mb", "OK")]);
    let shown = rig.say(1, "DEBUG CLIENT-EVICTION");
    assert!(shown.contains("bucket          0 -      32767: tot-mem:"), "{shown}");
    assert!(shown.contains(", clients: 1\\n") && shown.matches("bucket").count() == 19, "{shown}");
    let last = "bucket 4294967296+            : tot-mem:          0, clients: 0";
    assert!(shown.contains(last), "{shown}");
}

#[test]
fn a_changed_replication_id_has_no_past() {
    let mut rig = Rig::new();
    let id = |rig: &mut Rig| {
        let info = rig.say(1, "INFO replication");
        info.split("master_replid:").nth(1).map(|rest| rest[..40].to_owned())
    };
    let before = id(&mut rig);
    rig.script(1, &[("DEBUG CHANGE-REPL-ID", "OK")]);
    assert_ne!(id(&mut rig), before);
}
