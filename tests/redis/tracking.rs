//! Client-side caching: who is told of which change, and after what. Every expectation was compared
//! with the real server.

use crate::support::Rig;
use stunt_double::redis::{ServerOptions, Version};

/// A server with a client 1 that speaks RESP3 and tracks like this.
fn tracking(options: &str) -> Rig {
    let mut rig = Rig::new();
    rig.send(1, "HELLO 3");
    rig.told(1);
    assert_eq!(rig.say(1, &format!("CLIENT TRACKING ON {options}")), "OK");
    rig
}

fn invalid(keys: &str) -> String {
    format!(">[\"invalidate\", [{keys}]]")
}

#[test]
fn a_reader_is_told_once_of_the_first_change() {
    let mut rig = tracking("");
    rig.say(1, "GET a");
    rig.say(1, "MGET b c");
    rig.say(2, "SET a 1");
    assert_eq!(rig.told(1), [invalid("\"a\"")]);
    rig.say(2, "SET a 2");
    assert!(rig.told(1).is_empty());
    rig.say(2, "MSET b 1 c 2 d 3");
    assert_eq!(rig.told(1), [invalid("\"b\""), invalid("\"c\"")]);
}

#[test]
fn an_own_change_is_told_after_its_reply() {
    let mut rig = tracking("");
    rig.say(1, "GET a");
    rig.send(1, "SET a 1");
    assert_eq!(rig.told(1), ["OK".to_owned(), invalid("\"a\"")]);
}

/// Since Redis 7.4 a client waits until a thread has freed the keys.
#[test]
fn an_own_flush_is_told_before_its_reply_since_7_4() {
    let told = |version: Version, lines: &[&str]| {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.send(1, "HELLO 3");
        rig.send(1, "CLIENT TRACKING ON");
        rig.told(1);
        lines.iter().for_each(|line| rig.send(1, line));
        rig.told(1)
    };
    let nothing_is_valid = ">[\"invalidate\", nil]";
    for &version in Version::ALL {
        let is_redis = !version.to_string().starts_with("valkey");
        let waits = is_redis && !matches!(version, Version::Redis7_0 | Version::Redis7_2);
        let (first, then) = if waits { (nothing_is_valid, "OK") } else { ("OK", nothing_is_valid) };
        for line in ["FLUSHDB", "FLUSHALL", "FLUSHALL SYNC"] {
            assert_eq!(told(version, &[line]), [first, then], "{version} {line}");
        }
        assert_eq!(told(version, &["FLUSHALL ASYNC"]), ["OK", nothing_is_valid], "{version}");
        let within = told(version, &["MULTI", "FLUSHDB", "EXEC"]);
        assert_eq!(within[2..], ["[OK]", nothing_is_valid], "{version}");
    }
}

#[test]
fn an_expiry_is_told_and_so_is_a_flush() {
    let mut rig = tracking("");
    rig.say(2, "SET a 1 PX 50");
    rig.say(1, "GET a");
    rig.pass_ms(50);
    assert_eq!(rig.told(1), [invalid("\"a\"")]);
    rig.say(2, "FLUSHALL");
    assert_eq!(rig.told(1), [">[\"invalidate\", nil]"]);
}

#[test]
fn prefixes_are_broadcast_in_one_message_for_each() {
    let mut rig = tracking("BCAST PREFIX u: PREFIX o:");
    rig.say(2, "MSET u:2 a o:1 b x 1 u:1 c");
    assert_eq!(rig.told(1), [invalid("\"o:1\""), invalid("\"u:1\", \"u:2\"")]);
    rig.say(2, "MULTI");
    rig.say(2, "SET u:5 b");
    rig.say(2, "SET u:1 b");
    rig.say(2, "SET u:5 c");
    assert!(rig.told(1).is_empty());
    rig.say(2, "EXEC");
    assert_eq!(rig.told(1), [invalid("\"u:1\", \"u:5\"")]);
}

#[test]
fn an_overlap_of_later_prefixes_is_an_error_before_the_reply() {
    let error = "!ERR Prefix 'l' overlaps with another provided prefix 'li'. Prefixes for a single \
                 client must not overlap.";
    let mut rig = Rig::new();
    rig.send(1, "CLIENT TRACKING ON BCAST PREFIX k PREFIX l PREFIX li");
    assert_eq!(rig.told(1), [error, "OK"]);
    rig.say(1, "CLIENT TRACKING OFF");
    rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED")]);
    rig.say(1, "CLIENT TRACKING ON BCAST PREFIX k PREFIX l PREFIX li");
    rig.send(1, "EXEC");
    // The server announces as many replies as there are commands.
    assert_eq!(rig.told(1), [format!("[PONG, {error}]"), "OK".to_owned()]);
}

#[test]
fn others_are_told_before_what_the_rest_of_a_transaction_or_a_script_sends() {
    let mut rig = tracking("");
    rig.send(1, "SUBSCRIBE c");
    rig.send(1, "GET a");
    rig.told(1);
    rig.script(2, &[("MULTI", "OK"), ("SET a 1", "QUEUED"), ("PUBLISH c x", "QUEUED")]);
    rig.say(2, "EXEC");
    let message = ">[\"message\", \"c\", \"x\"]".to_owned();
    assert_eq!(rig.told(1), [invalid("\"a\""), message]);
    rig.say(2, "CONFIG SET notify-keyspace-events KA");
    rig.send(1, "SUBSCRIBE __keyspace@0__:a");
    rig.send(1, "GET a");
    rig.told(1);
    rig.say(2, "SET a 2");
    let event = ">[\"message\", \"__keyspace@0__:a\", \"set\"]".to_owned();
    assert_eq!(rig.told(1), [invalid("\"a\""), event]);
    // Its own changes are told to a client after the reply.
    rig.send(1, "GET a");
    rig.say(2, "CONFIG SET notify-keyspace-events ''");
    rig.told(1);
    rig.script(1, &[("MULTI", "OK"), ("SET a 1", "QUEUED"), ("PUBLISH c x", "QUEUED")]);
    rig.send(1, "EXEC");
    let told = rig.told(1);
    assert_eq!(told.last(), Some(&invalid("\"a\"")), "{told:?}");
}

/// The order of redis-server 7.0.15, to a client that listens to both.
#[test]
fn each_command_signals_a_change_before_or_after_its_events() {
    for (command, before, order) in [
        ("SET k v", "", "invalidate k set k"),
        ("LTRIM l 1 0", "RPUSH l a b", "ltrim l del l invalidate l"),
        ("LREM l 0 a", "RPUSH l a b", "invalidate l lrem l"),
        ("SPOP s 5", "SADD s a b", "spop s del s invalidate s"),
        ("SREM s a", "SADD s a", "invalidate s srem s del s"),
        ("ZREM z a", "ZADD z 1 a 2 b", "zrem z invalidate z"),
        ("ZREM z a", "ZADD z 1 a", "zrem z del z invalidate z"),
        ("DEL k l", "SET k v; RPUSH l a", "invalidate k del k invalidate l del l"),
        ("RENAME k k2", "SET k v", "invalidate k invalidate k2 rename_from k rename_to k2"),
        ("LMOVE l l2 LEFT RIGHT", "RPUSH l a", "invalidate l2 rpush l2 lpop l del l invalidate l"),
        ("SMOVE s s2 a", "SADD s a b", "srem s invalidate s invalidate s2 sadd s2"),
        ("SORT l STORE d", "RPUSH l 1", "invalidate d sortstore d"),
        ("MSET k a l b", "SET k v", "invalidate k set k invalidate l set l"),
        ("XTRIM x MAXLEN 0", "XADD x 1-1 a b", "xtrim x invalidate x"),
        ("XDEL x 1-1", "XADD x 1-1 a b", "invalidate x xdel x"),
        ("ZMPOP 1 z MIN", "ZADD z 1 a", "zpopmin z invalidate z del z"),
        ("EXPIRE k 0", "SET k v", "invalidate k del k"),
        ("BLPOP l 1", "RPUSH l a", "lpop l del l invalidate l"),
    ] {
        let mut rig = Rig::new();
        rig.say(2, "CONFIG SET notify-keyspace-events EA");
        before.split("; ").filter(|line| !line.is_empty()).for_each(|line| drop(rig.say(2, line)));
        for line in ["HELLO 3", "CLIENT TRACKING ON", "PSUBSCRIBE __keyevent*"] {
            rig.send(1, line);
        }
        for key in ["k", "l", "s", "z", "x", "k2", "l2", "s2", "d"] {
            rig.send(1, &format!("EXISTS {key}"));
        }
        rig.told(1);
        rig.say(2, command);
        let told =
            rig.told(1).join(" ").replace("\"pmessage\", \"__keyevent*\", \"__keyevent@0__:", "");
        let told: Vec<&str> = told
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|w| !w.is_empty())
            .collect();
        assert_eq!(told.join(" "), order, "{command}");
    }
}

#[test]
fn opting_in_is_for_the_next_command_or_transaction() {
    let mut rig = tracking("OPTIN");
    rig.say(1, "GET a");
    rig.say(1, "CLIENT CACHING YES");
    rig.say(1, "GET b");
    rig.say(1, "GET c");
    rig.say(2, "MSET a 1 b 1 c 1");
    assert_eq!(rig.told(1), [invalid("\"b\"")]);
    rig.say(1, "CLIENT CACHING YES");
    rig.script(1, &[("MULTI", "OK"), ("GET d", "QUEUED"), ("GET e", "QUEUED")]);
    rig.say(1, "EXEC");
    rig.say(2, "MSET d 1 e 1");
    assert_eq!(rig.told(1), [invalid("\"d\""), invalid("\"e\"")]);
}

#[test]
fn opting_out_is_for_the_next_command() {
    let mut rig = tracking("OPTOUT");
    rig.say(1, "GET a");
    rig.say(1, "CLIENT CACHING NO");
    rig.say(1, "GET b");
    rig.say(2, "MSET a 1 b 1");
    assert_eq!(rig.told(1), [invalid("\"a\"")]);
}

#[test]
fn without_a_loop_own_changes_are_not_told() {
    let mut rig = tracking("NOLOOP");
    rig.say(1, "GET a");
    assert_eq!(rig.say(1, "SET a 1"), "OK");
    rig.say(1, "MULTI");
    rig.say(1, "SET a 2");
    rig.say(1, "GET a");
    rig.say(1, "EXEC");
    rig.say(2, "SET a 3");
    assert_eq!(rig.told(1), [invalid("\"a\"")]);
}

#[test]
fn a_subscriber_in_resp2_can_receive_for_another() {
    let mut rig = Rig::new();
    rig.say(2, "SUBSCRIBE __redis__:invalidate");
    rig.say(1, "PING");
    assert_eq!(rig.say(1, "CLIENT TRACKING ON REDIRECT 1"), "OK");
    assert_eq!(rig.say(1, "CLIENT GETREDIR"), "1");
    rig.say(1, "GET a");
    rig.say(3, "SET a 1");
    assert_eq!(rig.told(2), ["[\"message\", \"__redis__:invalidate\", [\"a\"]]"]);
    assert!(rig.told(1).is_empty());
}

#[test]
fn a_client_whose_receiver_is_gone_is_told_so() {
    let mut rig = Rig::new();
    rig.say(2, "SUBSCRIBE __redis__:invalidate");
    rig.send(1, "HELLO 3");
    rig.told(1);
    rig.say(1, "CLIENT TRACKING ON REDIRECT 1");
    rig.say(1, "GET a");
    rig.disconnect(2);
    rig.say(3, "SET a 1");
    assert_eq!(rig.told(1), [">[\"tracking-redir-broken\", 1]"]);
    assert!(rig.say(1, "CLIENT TRACKINGINFO").contains("broken_redirect"));
}

#[test]
fn the_table_is_bounded_by_telling_of_keys_that_did_not_change() {
    let mut rig = tracking("");
    rig.say(2, "CONFIG SET tracking-table-max-keys 2");
    for key in ["a", "b", "c"] {
        rig.send(1, &format!("GET {key}"));
    }
    let told = rig.told(1);
    assert_eq!(
        told.iter().filter(|line| line.starts_with(">[\"invalidate\"")).count(),
        1,
        "{told:?}"
    );
    assert!(rig.say(2, "INFO stats").contains("tracking_total_keys:2"));
}

#[test]
fn a_reset_ends_tracking() {
    let mut rig = tracking("");
    rig.say(1, "GET a");
    rig.say(1, "RESET");
    rig.say(2, "SET a 1");
    assert!(rig.told(1).is_empty());
    assert_eq!(rig.say(1, "CLIENT GETREDIR"), "-1");
}

/// The replies of redis-server 7.0.15: the keys of a script are remembered when one of its commands
/// reads.
#[cfg(feature = "lua")]
#[test]
fn a_script_that_reads_remembers_its_keys() {
    let mut rig = tracking("");
    for (script, told) in [
        ("EVAL \"redis.call('set', 'c', 1)\" 2 a b", 0),
        ("EVAL \"redis.call('get', 'c')\" 2 a b", 2),
        ("EVAL_RO \"redis.call('ping')\" 2 a b", 0),
        ("EVAL_RO \"redis.call('get', 'c')\" 2 a b", 2),
    ] {
        rig.say(1, script);
        rig.say(2, "MSET a 1 b 1");
        assert_eq!(rig.told(1).len(), told, "{script}");
    }
}

#[test]
fn what_was_read_counts_if_the_client_tracks_again() {
    let mut rig = tracking("");
    rig.say(1, "MGET a b c");
    assert_eq!(rig.say(1, "CLIENT TRACKING OFF"), "OK");
    rig.say(2, "SET a 1");
    assert!(rig.told(1).is_empty(), "it does not track now");
    assert_eq!(rig.say(1, "CLIENT TRACKING ON"), "OK");
    rig.say(2, "MSET a 2 b 2");
    assert_eq!(rig.told(1), [invalid("\"b\"")], "the change of `a` was its last");
    assert_eq!(rig.say(1, "CLIENT TRACKING OFF"), "OK");
    rig.say(2, "FLUSHALL");
    assert_eq!(rig.say(1, "CLIENT TRACKING ON"), "OK");
    rig.say(2, "SET c 1");
    assert!(rig.told(1).is_empty(), "a flush forgets everything");
}
