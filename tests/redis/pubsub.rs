//! Publish and subscribe, and keyspace notifications.

use crate::support::Rig;

#[test]
fn subscribers_get_messages_in_the_order_of_their_subscriptions() {
    let mut rig = Rig::new();
    rig.send(1, "SUBSCRIBE news sport");
    assert_eq!(rig.told(1), [r#"["subscribe", "news", 1]"#, r#"["subscribe", "sport", 2]"#]);
    rig.send(2, "PSUBSCRIBE n*");
    assert_eq!(rig.told(2), [r#"["psubscribe", "n*", 1]"#]);
    assert_eq!(rig.say(3, "PUBLISH news hello"), "2");
    assert_eq!(rig.told(1), [r#"["message", "news", "hello"]"#]);
    assert_eq!(rig.told(2), [r#"["pmessage", "n*", "news", "hello"]"#]);
    assert_eq!(rig.say(3, "PUBLISH weather rain"), "0");
}

#[test]
fn a_client_with_both_gets_a_message_twice() {
    let mut rig = Rig::new();
    rig.send(1, "SUBSCRIBE news");
    rig.send(1, "PSUBSCRIBE n* *s");
    rig.told(1);
    assert_eq!(rig.say(2, "PUBLISH news x"), "3");
    assert_eq!(rig.told(1).len(), 3);
}

#[test]
fn shard_channels_are_separate() {
    let mut rig = Rig::new();
    rig.send(1, "SSUBSCRIBE news");
    assert_eq!(rig.told(1), [r#"["ssubscribe", "news", 1]"#]);
    rig.script(2, &[("PUBLISH news x", "0"), ("SPUBLISH news x", "1")]);
    assert_eq!(rig.told(1), [r#"["smessage", "news", "x"]"#]);
    rig.script(
        2,
        &[
            ("PUBSUB SHARDCHANNELS", r#"["news"]"#),
            ("PUBSUB SHARDNUMSUB news", r#"["news", 1]"#),
            ("PUBSUB CHANNELS", "[]"),
        ],
    );
}

#[test]
fn unsubscribing_from_nothing_is_confirmed_too() {
    let mut rig = Rig::new();
    rig.send(1, "UNSUBSCRIBE");
    assert_eq!(rig.told(1), [r#"["unsubscribe", nil, 0]"#]);
    rig.send(1, "SUBSCRIBE a b");
    rig.told(1);
    rig.send(1, "UNSUBSCRIBE");
    assert_eq!(rig.told(1), [r#"["unsubscribe", "a", 1]"#, r#"["unsubscribe", "b", 0]"#]);
    assert_eq!(rig.say(1, "GET k"), "nil", "it may call commands again");
}

#[test]
fn a_resp2_subscriber_may_send_few_commands() {
    let mut rig = Rig::new();
    rig.send(1, "SUBSCRIBE news");
    rig.told(1);
    rig.script(
        1,
        &[
            (
                "GET k",
                "!ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
             RESET are allowed in this context",
            ),
            ("PING", r#"["pong", ""]"#),
            ("PING hi", r#"["pong", "hi"]"#),
            ("RESET", "RESET"),
            ("PING", "PONG"),
        ],
    );
    assert_eq!(rig.say(2, "PUBLISH news x"), "0", "RESET has unsubscribed");
}

#[test]
fn a_resp3_subscriber_may_send_every_command() {
    let mut rig = Rig::new();
    rig.send(1, "HELLO 3");
    rig.send(1, "SUBSCRIBE news");
    rig.told(1);
    assert_eq!(rig.say(1, "SET k v"), "OK");
    assert_eq!(rig.say(1, "PING"), "PONG");
    rig.send(2, "PUBLISH news x");
    assert_eq!(rig.told(1), [r#">["message", "news", "x"]"#]);
}

#[test]
fn pubsub_counts() {
    let mut rig = Rig::new();
    rig.send(1, "SUBSCRIBE a ab b");
    rig.send(2, "SUBSCRIBE a");
    rig.send(2, "PSUBSCRIBE x* y*");
    rig.send(3, "PSUBSCRIBE x*");
    rig.script(
        4,
        &[
            ("PUBSUB CHANNELS a*", r#"["a", "ab"]"#),
            ("PUBSUB NUMSUB a none", r#"["a", 2, "none", 0]"#),
            ("PUBSUB NUMPAT", "2"),
        ],
    );
    rig.disconnect(1);
    rig.disconnect(2);
    rig.script(4, &[("PUBSUB CHANNELS", "[]"), ("PUBSUB NUMPAT", "1")]);
}

#[test]
fn a_publish_in_a_transaction_is_sent_when_that_runs() {
    let mut rig = Rig::new();
    rig.send(1, "SUBSCRIBE news");
    rig.told(1);
    rig.script(2, &[("MULTI", "OK"), ("PUBLISH news x", "QUEUED")]);
    assert_eq!(rig.told(1), [""; 0]);
    assert_eq!(rig.say(2, "EXEC"), "[1]");
    assert_eq!(rig.told(1).len(), 1);
}

/// Returns the events that lines raise, as `event key`.
fn events(lines: &[&str]) -> Vec<String> {
    let mut rig = Rig::new();
    rig.send(9, "CONFIG SET notify-keyspace-events KEAmn");
    rig.send(9, "PSUBSCRIBE __key*__:*");
    for line in lines {
        rig.send(1, line);
    }
    let told = rig.told(9);
    let events = told.iter().filter_map(|message| {
        let (_, rest) = message.split_once("\"__keyevent@")?;
        let (channel, key) = rest.split_once("\", \"")?;
        let event = channel.split_once("__:")?.1;
        Some(format!("{event} {}", key.trim_end_matches("\"]")))
    });
    events.collect()
}

#[test]
fn events_are_named_after_what_happened_and_not_after_the_command() {
    for (lines, expected) in [
        (&["SETEX k 10 v"][..], "new k, set k, expire k"),
        (&["SETRANGE k 0 v"], "new k, setrange k"),
        (&["INCR k", "DECR k"], "new k, incrby k, incrby k"),
        (&["GETDEL k"], "keymiss k"),
        (&["SET k v", "GETEX k EX 10", "GETEX k PERSIST"], "new k, set k, expire k, persist k"),
        (&["SET k v", "EXPIRE k -1"], "new k, set k, del k"),
        (&["SET k v", "RENAME k l"], "new k, set k, new l, rename_from k, rename_to l"),
        (&["SET k v", "COPY k l"], "new k, set k, new l, copy_to l"),
        (&["SET k v", "MOVE k 1"], "new k, set k, new k, move_from k, move_to k"),
        (&["LPUSHX k a"], ""),
        (&["RPUSH k a", "RPOPLPUSH k k"], "new k, rpush k, lpush k, rpop k"),
        (&["RPUSH k a", "LPOP k"], "new k, rpush k, lpop k, del k"),
        (&["SADD k a", "SPOP k"], "new k, sadd k, spop k, del k"),
        (&["HSET k f v", "HDEL k f"], "new k, hset k, hdel k, del k"),
        (&["ZADD k 1 a", "ZINCRBY k 1 a", "ZADD k XX 2 a"], "new k, zadd k, zincr k"),
        (
            &["ZADD k 1 a", "ZUNIONSTORE l 1 k", "ZUNIONSTORE l 1 none"],
            "new k, zadd k, new l, zunionstore l, keymiss none, del l",
        ),
        (&["SADD k 1", "SORT k STORE l"], "new k, sadd k, new l, sortstore l"),
        (&["FLUSHALL"], ""),
    ] {
        assert_eq!(events(lines).join(", "), expected, "{lines:?}");
    }
}

#[test]
fn notifications_are_off_by_default_and_chosen_by_class() {
    let mut rig = Rig::new();
    rig.send(9, "PSUBSCRIBE *");
    rig.told(9);
    rig.script(
        1,
        &[
            ("SET k v", "OK"),
            ("CONFIG SET notify-keyspace-events K$", "OK"),
            ("SET k v", "OK"),
            ("DEL k", "1"),
        ],
    );
    assert_eq!(rig.told(9), [r#"["pmessage", "*", "__keyspace@0__:k", "set"]"#]);
}
