//! Commands of later versions: events, effects on age, and waiting, which recorded conversations do
//! not show. The replies alone are in `tests/recorded/additions`.

use crate::support::{Rig, sent};
use std::time::Duration;
use stunt_double::redis::{self, AppendFsync, ServerOptions, Version};
use stunt_double::sim::Sim;

fn rig(version: Version) -> Rig {
    Rig::with(ServerOptions::default().with_version(version))
}

/// Returns the events of a line: their names and keys.
fn events(rig: &mut Rig, line: &str) -> Vec<String> {
    rig.send(1, line);
    rig.told(1);
    let told = rig.told(2).into_iter();
    let event = |told: String| {
        let words: Vec<&str> = told.split('"').collect();
        format!("{} {}", words[5].trim_start_matches("__keyevent@0__:"), words[7])
    };
    told.map(event).collect()
}

fn listened(version: Version) -> Rig {
    let mut rig = rig(version);
    rig.say(1, "CONFIG SET notify-keyspace-events EA");
    rig.say(2, "PSUBSCRIBE __keyevent@0__:*");
    rig
}

#[test]
fn comparisons_that_hold_raise_the_events_of_the_write() {
    let mut rig = listened(Version::Redis8_6);
    assert_eq!(events(&mut rig, "SET k a IFNE b"), ["set k"]);
    assert!(events(&mut rig, "SET k b IFEQ x").is_empty());
    assert_eq!(events(&mut rig, "SET k b IFEQ a EX 10"), ["set k", "expire k"]);
    assert!(events(&mut rig, "DELEX k IFEQ x").is_empty());
    assert_eq!(events(&mut rig, "DELEX k IFEQ b"), ["del k"]);
    assert_eq!(events(&mut rig, "MSETEX 1 k v EX 10"), ["expire k", "set k"]);
    let mut rig = listened(Version::Valkey9_1);
    assert_eq!(events(&mut rig, "MSETEX 1 k v EX 10"), ["set k", "expire k"]);
    assert_eq!(events(&mut rig, "DELIFEQ k v"), ["del k"]);
}

#[test]
fn a_deletion_from_a_stream_raises_an_event_only_if_the_stream_loses_entries() {
    let mut rig = listened(Version::Redis8_2);
    events(&mut rig, "XADD s 1-1 a 1");
    events(&mut rig, "XGROUP CREATE s g 0");
    assert!(events(&mut rig, "XDELEX s ACKED IDS 1 1-1").is_empty());
    events(&mut rig, "XREADGROUP GROUP g c STREAMS s >");
    assert_eq!(events(&mut rig, "XDELEX s IDS 2 1-1 5-5"), ["xdel s"]);
    assert!(events(&mut rig, "XACKDEL s g IDS 1 1-1").is_empty());
    assert_eq!(rig.say(1, "XPENDING s g"), "[0, nil, nil, nil array]");
}

#[test]
fn a_client_that_does_not_touch_keys_leaves_their_age_alone() {
    let mut rig = rig(Version::Redis7_2);
    rig.say(1, "SET k a");
    rig.pass_ms(5_000);
    rig.say(2, "CLIENT NO-TOUCH on");
    for line in ["GET k", "APPEND k b", "EVAL \"return redis.call('get','k')\" 0"] {
        rig.say(2, line);
        assert_eq!(rig.say(1, "OBJECT IDLETIME k"), "5", "{line}");
    }
    rig.script(2, &[("MULTI", "OK"), ("GET k", "QUEUED"), ("EXEC", "[\"ab\"]")]);
    assert_eq!(rig.say(1, "OBJECT IDLETIME k"), "5");
    // `TOUCH` touches all the same.
    rig.say(2, "TOUCH k");
    assert_eq!(rig.say(1, "OBJECT IDLETIME k"), "0");
    rig.pass_ms(3_000);
    rig.say(2, "CLIENT NO-TOUCH off");
    rig.say(2, "GET k");
    assert_eq!(rig.say(1, "OBJECT IDLETIME k"), "0");
}

#[test]
fn a_client_that_does_not_touch_keys_does_not_count_as_a_use() {
    let mut rig = rig(Version::Valkey9_1);
    rig.say(1, "CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0");
    rig.say(1, "SET k a");
    rig.say(1, "GET k");
    let counted = rig.say(1, "OBJECT FREQ k");
    rig.say(2, "CLIENT NO-TOUCH on");
    rig.say(2, "GET k");
    assert_eq!(rig.say(1, "OBJECT FREQ k"), counted);
    rig.say(1, "GET k");
    assert_ne!(rig.say(1, "OBJECT FREQ k"), counted);
}

#[test]
fn time_stands_still_within_a_transaction_that_sleeps() {
    for (version, left) in [(Version::Redis7_0, "9500"), (Version::Redis7_2, "10000")] {
        let mut rig = rig(version);
        rig.say(1, "MULTI");
        for line in ["SET k v PX 10000", "DEBUG SLEEP 0.5", "PTTL k", "SET j v PX 10000"] {
            rig.say(1, line);
        }
        rig.send(1, "EXEC");
        rig.pass_ms(500);
        assert_eq!(rig.told(1), [format!("[OK, OK, {left}, OK]")], "{version}");
        // Afterwards the key is as old as it is.
        assert_eq!(rig.say(1, "PTTL k"), "9500", "{version}");
        let left = if version == Version::Redis7_0 { "10000" } else { "9500" };
        assert_eq!(rig.say(1, "PTTL j"), left, "{version}");
    }
}

#[test]
fn waitaof_waits_for_the_sync_of_the_second() {
    let options = ServerOptions::default().with_version(Version::Redis7_2);
    let mut rig = Rig::with(options.with_append_only(AppendFsync::EverySec));
    rig.pass_ms(300);
    assert_eq!(rig.say(1, "WAITAOF 1 0 0"), "[1, 0]");
    rig.say(1, "SET k v");
    assert_eq!(rig.say(2, "WAITAOF 0 0 0"), "[0, 0]");
    rig.send(1, "WAITAOF 1 0 0");
    rig.pass_ms(600);
    assert!(rig.told(1).is_empty());
    rig.pass_ms(200);
    assert_eq!(rig.told(1), ["[1, 0]"]);
    rig.say(1, "SET k w");
    rig.send(1, "WAITAOF 1 1 50");
    rig.pass_ms(100);
    assert_eq!(rig.told(1), ["[0, 0]"]);
    rig.say(1, "SET k x");
    rig.send(1, "WAITAOF 1 0 0");
    rig.say(2, "CONFIG SET appendonly no");
    rig.pass_ms(1_000);
    let error = "!ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    assert_eq!(rig.told(1), [error]);
}

#[test]
fn waitaof_counts_the_replicas_that_have_synced() {
    let mut sim = Sim::new(1);
    let options = ServerOptions::default().with_version(Version::Valkey8_1);
    let options = options.with_sync_delay(Duration::ZERO);
    let kept = options.clone().with_append_only(AppendFsync::Always);
    let a = redis::start_named(&mut sim, "redis-a", options.clone());
    redis::start_replicas(&mut sim, &a, ["redis-b"], kept);
    redis::start_replicas(&mut sim, &a, ["redis-c"], options);
    sim.run_for(Duration::from_secs(3)).expect_reached();
    sim.node_with("client", a.clone(), async |node, a| {
        let client = redis::Client::connect(&node, &a).await?;
        client.call(["SET", "k", "v"]).await?;
        let synced = client.call(["WAITAOF", "0", "2", "3000"]).await?;
        assert_eq!(synced.to_string(), "1) (integer) 0\n2) (integer) 1");
        let synced = client.call(["WAITAOF", "0", "1", "0"]).await?;
        assert_eq!(synced.to_string(), "1) (integer) 0\n2) (integer) 1");
        Ok::<(), redis::Error>(())
    });
    sim.run().expect_done();
}

/// A value is no option, even if it looks like one.
#[test]
fn replicas_are_sent_comparisons_with_their_values() {
    let told = sent(Version::Redis8_6, &["SET k get", "SET k px IFEQ get GET"]);
    assert_eq!(told, ["SET k get", "SET k px IFEQ get"]);
}

/// Returns the names of the clients that a list with these filters has.
fn listed(rig: &mut Rig, filters: &str) -> String {
    let told = rig.say(1, &format!("CLIENT LIST {filters}"));
    let names = told.split(" name=").skip(1).map(|rest| rest.split(' ').next().unwrap_or_default());
    names.collect::<Vec<&str>>().join(" ")
}

#[test]
fn clients_are_selected_by_what_they_are_and_by_what_they_are_not() {
    let mut rig = rig(Version::Valkey9_1);
    rig.script(1, &[("CLIENT SETNAME me", "OK"), ("CLIENT CAPA redirect", "OK")]);
    rig.script(1, &[("CLIENT SETINFO lib-name lib", "OK")]);
    rig.say(2, "CLIENT SETNAME busy");
    rig.script(2, &[("CLIENT NO-EVICT on", "OK"), ("SELECT 1", "OK"), ("MULTI", "OK")]);
    rig.say(3, "CLIENT SETNAME ears");
    rig.say(3, "SUBSCRIBE c");
    let cases = [
        ("FLAGS xe", "busy"),
        ("FLAGS xN", ""),
        ("FLAGS \"\"", "me busy ears"),
        ("NOT-FLAGS xP", "me busy ears"),
        ("NOT-FLAGS x", "me ears"),
        ("NOT-NAME busy", "me ears"),
        ("NAME me NAME busy", "busy"),
        ("DB 1", "busy"),
        ("NOT-DB 1", "me ears"),
        ("TYPE pubsub", "ears"),
        ("NOT-TYPE pubsub SKIPME yes", "busy"),
        ("CAPA r", "me"),
        ("NOT-CAPA r", "busy ears"),
        ("LIB-NAME lib", "me"),
        ("NOT-LIB-NAME lib", "busy ears"),
        ("NOT-LIB-VER \"\"", "me busy ears"),
        ("USER default", "me busy ears"),
        ("NOT-USER default", ""),
    ];
    for (filters, names) in cases {
        assert_eq!(listed(&mut rig, filters), names, "{filters}");
    }
    rig.pass_ms(5_000);
    assert_eq!(listed(&mut rig, "IDLE 5 SKIPME yes"), "busy ears");
    assert_eq!(listed(&mut rig, "MAXAGE 6"), "");
    rig.say(2, "DISCARD");
    assert_eq!(listed(&mut rig, "IDLE 5"), "ears");
    assert_eq!(rig.say(1, "CLIENT KILL NOT-NAME me"), "2");
    assert_eq!(listed(&mut rig, ""), "me");
}

/// Returns whether keys are tracked, and for how many milliseconds they were.
fn tracked(rig: &mut Rig) -> (bool, i64) {
    let told = rig.say(1, "HOTKEYS GET");
    let field = |name: &str| {
        let (_, rest) = told.split_once(&format!("\"{name}\", ")).expect("it has the field");
        rest.split([',', ']']).next().unwrap_or_default().parse::<i64>().expect("a number")
    };
    (field("tracking-active") == 1, field("collection-duration-ms"))
}

#[test]
fn tracking_of_keys_ends_by_the_calendar_and_for_good() {
    let mut rig = rig(Version::Redis8_6);
    let secs = Duration::from_secs;
    rig.say(1, "HOTKEYS START METRICS 1 CPU DURATION 10");
    rig.pass_ms(1_000);
    rig.server.set_clock_ahead(rig.now, secs(5));
    assert_eq!(tracked(&mut rig), (true, 6_000));
    rig.server.set_clock_behind(rig.now, secs(100));
    assert_eq!(tracked(&mut rig), (true, -99_000));
    // A jump beyond the end ends it then, and a jump back does not revive it.
    rig.server.set_clock_ahead(rig.now, secs(20));
    assert_eq!(tracked(&mut rig), (false, 21_000));
    rig.server.set_clock_ahead(rig.now, secs(0));
    assert_eq!(tracked(&mut rig), (false, 21_000));
    rig.say(1, "HOTKEYS START METRICS 1 CPU DURATION 10");
    rig.pass_ms(10_500);
    rig.server.set_clock_behind(rig.now, secs(50));
    assert_eq!(tracked(&mut rig), (false, 10_000));
    rig.say(1, "HOTKEYS START METRICS 1 CPU");
    rig.server.set_clock_behind(rig.now, secs(51));
    assert_eq!(rig.say(1, "HOTKEYS STOP"), "OK");
    rig.server.set_clock_ahead(rig.now, secs(0));
    assert_eq!(tracked(&mut rig), (false, -1_000));
}

/// Each server takes other texts as numbers. A letter stands for a command: a list with it is
/// sorted, it is a bound, a weight, a coordinate, a score.
#[test]
fn each_version_has_its_own_idea_of_a_number() {
    let taken = |version: Version, text: &str| -> String {
        let mut rig = rig(version);
        rig.say(1, &format!("RPUSH l {text}"));
        rig.say(1, "ZADD z 1 a");
        let commands = [
            ('s', "SORT l".to_owned()),
            ('b', format!("ZCOUNT z {text} +inf")),
            ('w', format!("ZUNION 1 z WEIGHTS {text}")),
            ('c', format!("GEOADD g {text} 1 m")),
            ('z', format!("ZADD z {text} b")),
        ];
        let is_taken = |(_, line): &(char, String)| !rig.say(1, line).starts_with('!');
        let taken: Vec<_> = commands.into_iter().filter(is_taken).collect();
        taken.into_iter().map(|(letter, _)| letter).collect()
    };
    for (text, [c, decimal, valkey]) in [
        ("1", ["sbwcz"; 3]),
        ("\" 1\"", ["sb", "", ""]),
        ("0x10", ["sbwcz", "wcz", ""]),
        ("1e400", ["b", "sb", "b"]),
        ("\"\"", ["sb", "sb", "b"]),
        ("inf", ["sbwz", "sbwz", "sbwz"]),
    ] {
        for (version, expected) in [
            (Version::Redis7_0, c),
            (Version::Valkey8_1, c),
            (Version::Redis8_0, decimal),
            (Version::Redis8_6, decimal),
            (Version::Valkey9_1, valkey),
        ] {
            assert_eq!(taken(version, text), expected, "{text} at {version}");
        }
    }
}

#[test]
fn a_count_of_bits_reads_its_end_last_where_the_end_may_be_missing() {
    for (version, error) in [
        (Version::Redis7_2, "!ERR value is not an integer or out of range"),
        (Version::Redis8_6, "!ERR value is not an integer or out of range"),
        (Version::Valkey8_0, "!ERR syntax error"),
        (Version::Valkey9_1, "!ERR syntax error"),
    ] {
        let mut rig = rig(version);
        rig.say(1, "SET k abc");
        assert_eq!(rig.say(1, "BITCOUNT k 0 x x"), error, "{version}");
    }
}

#[test]
fn reset_undoes_the_marks_of_a_client_since_7_2() {
    let marks = |version| {
        let mut rig = rig(version);
        rig.say(1, "CLIENT NO-EVICT ON");
        if version != Version::Redis7_0 {
            rig.say(1, "CLIENT NO-TOUCH ON");
            rig.say(1, "CLIENT SETINFO LIB-NAME own");
        }
        rig.say(1, "RESET");
        let info = rig.say(1, "CLIENT INFO");
        assert_eq!(info.contains("lib-name=own"), version != Version::Redis7_0, "{info}");
        info.split(' ').find_map(|word| word.strip_prefix("flags=")).unwrap().to_owned()
    };
    assert_eq!(marks(Version::Redis7_0), "e");
    for version in [Version::Redis7_2, Version::Redis8_6, Version::Valkey8_0, Version::Valkey9_1] {
        assert_eq!(marks(version), "N", "{version}");
    }
}

#[test]
fn a_version_is_found_by_its_name_its_number_or_its_beginning() {
    for (name, version) in [
        ("7", Version::Redis7_4),
        ("7.0", Version::Redis7_0),
        ("8", Version::Redis8_6),
        ("8.6.2", Version::Redis8_6),
        ("redis", Version::Redis8_6),
        ("Redis-8.2", Version::Redis8_2),
        ("valkey", Version::Valkey9_1),
        ("valkey-8", Version::Valkey8_1),
        ("Valkey 8.0.1", Version::Valkey8_0),
    ] {
        assert_eq!(name.parse(), Ok(version), "{name}");
    }
    for version in Version::ALL {
        assert_eq!(version.name().parse(), Ok(*version));
        assert_eq!(version.title().parse(), Ok(*version));
    }
    for name in ["", "9", "7.1", "8.6.1", "valkey-", "valkey9", "valkey-7", "redis-9.1"] {
        let error = name.parse::<Version>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("there is no version {name:?}: try")), "{error}");
        assert!(error.ends_with(", valkey-9.1; a number alone is one of Redis"), "{error}");
    }
    let nearest = [
        ("8.1", "valkey-8.1"),
        ("9.1", "valkey-9.1"),
        ("Valkey9.1", "valkey-9.1"),
        ("v8.6", "redis-8.6"),
        ("redis:8.6", "redis-8.6"),
        ("8.6.1", "redis-8.6"),
        ("8.3", "redis-8.2"),
        ("6.2", "redis-7.0"),
        ("redis-9.1", "redis-8.6"),
        ("valkey-7.2", "valkey-8.0"),
    ];
    for (name, nearest) in nearest {
        let error = name.parse::<Version>().unwrap_err().to_string();
        let expected = format!("there is no version {name:?}: try {nearest}, which is nearest, or");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn a_move_between_any_two_versions_says_what_changes() {
    let has = |to: Version, from: Version, what: &str| {
        to.changes_since(from).iter().any(|change| change.contains(what))
    };
    assert!(has(Version::Redis8_0, Version::Redis7_0, "runs its command again"));
    // Entries that came and went in between are not mentioned.
    assert!(has(Version::Redis7_4, Version::Redis7_2, "never had an entry"));
    assert!(!has(Version::Redis8_0, Version::Redis7_2, "never had an entry"));
    // What only the other version does is told with the version that brought it.
    let undone = "As before Redis 7.4, which brought: \"Fields of hashes may have";
    assert!(has(Version::Valkey8_0, Version::Redis7_4, undone));
    assert!(has(Version::Valkey8_0, Version::Redis8_6, undone));
    assert!(!has(Version::Valkey9_1, Version::Redis7_4, "Fields of hashes"));
    let undone = "As before Valkey 9.1, which brought: \"`SHUTDOWN` takes";
    assert!(has(Version::Redis8_6, Version::Valkey9_1, undone));
    for version in Version::ALL {
        assert!(version.changes_since(*version).is_empty());
        let Some(before) = version.before() else { continue };
        assert_eq!(version.changes_since(before), version.changes());
        assert_eq!(version.new_commands_since(before), version.new_commands());
    }
}
