//! Facts of versions that a conversation with one client does not show: files, events of
//! replacements, ages, replicas.

use crate::support::{Rig, sent};
use stunt_double::redis::server::{ClientId, Output, Server};
use stunt_double::redis::{Reply, ServerOptions, Version};
use stunt_double::{Instant, Site, Stream};

fn server(version: Version) -> Server {
    let options = ServerOptions::default().with_version(version);
    Server::new(options, Stream::calm(Site::new("test.versions"), 0))
}

/// Returns whether a version reads the file of another.
fn reads(version: Version, of: Version) -> bool {
    server(version).load_rdb(Instant::ZERO, &server(of).to_rdb()).is_ok()
}

#[test]
fn files_begin_as_those_of_the_version_and_name_the_product() {
    for &version in Version::ALL {
        let file = server(version).to_rdb();
        let head: &[u8] = match version {
            Version::Redis7_0 => b"REDIS0010",
            Version::Redis7_4 | Version::Redis8_0 | Version::Redis8_2 => b"REDIS0012",
            Version::Redis8_6 => b"REDIS0013",
            Version::Valkey9_1 => b"VALKEY080",
            _ => b"REDIS0011",
        };
        assert!(file.starts_with(head), "{version}");
        let field: &[u8] =
            if version.to_string().starts_with("valkey") { b"valkey-ver" } else { b"redis-ver" };
        assert!(file.windows(field.len()).any(|part| part == field), "{version}");
    }
}

/// Redis reads all that is older; Valkey 9 neither reads what Redis wrote since 7.4, nor does Redis
/// read what Valkey 9 writes.
#[test]
fn a_version_reads_the_files_of_those_it_descends_from() {
    for &of in Version::ALL {
        assert!(reads(of, of), "{of}");
        let is_common = matches!(
            of,
            Version::Redis7_0 | Version::Redis7_2 | Version::Valkey8_0 | Version::Valkey8_1
        );
        assert_eq!(reads(Version::Redis8_6, of), of != Version::Valkey9_1, "{of}");
        assert_eq!(reads(Version::Valkey9_1, of), is_common || of == Version::Valkey9_1, "{of}");
        assert_eq!(reads(Version::Redis7_0, of), of == Version::Redis7_0, "{of}");
    }
}

/// Which files Valkey 8.1.8 and 9.1.2 start from, by the first bytes of the file.
#[test]
fn a_relaxed_check_reads_files_of_later_versions() {
    let loads = |version: Version, check: &str, head: &str| {
        let mut server = server(version);
        let client = ClientId(1);
        server.connected(Instant::ZERO, client, "one");
        let words = ["CONFIG", "SET", "rdb-version-check", check];
        server.handle_input(Instant::ZERO, client, &words.map(str::as_bytes));
        // A file without a checksum, with one key.
        let file = [head.as_bytes(), b"\xfe\x00\x00\x01k\x01v\xff", &[0; 8]].concat();
        server.load_rdb(Instant::ZERO, &file).is_ok()
    };
    let heads = |of: &[&'static str]| of.to_vec();
    for (version, check, read) in [
        (Version::Valkey8_1, "strict", heads(&["REDIS0011", "VALKEY011"])),
        (
            Version::Valkey8_1,
            "relaxed",
            heads(&["REDIS0011", "VALKEY011", "VALKEY012", "VALKEY079", "VALKEY080", "VALKEY081"]),
        ),
        (Version::Valkey9_1, "strict", heads(&["REDIS0011", "VALKEY080"])),
        (
            Version::Valkey9_1,
            "relaxed",
            heads(&["REDIS0011", "REDIS0012", "REDIS0079", "VALKEY080", "VALKEY081"]),
        ),
    ] {
        for head in [
            "REDIS0000",
            "REDIS0011",
            "REDIS0012",
            "REDIS0079",
            "REDIS0080",
            "REDIS0081",
            "VALKEY000",
            "VALKEY011",
            "VALKEY012",
            "VALKEY079",
            "VALKEY080",
            "VALKEY081",
        ] {
            let is_read = loads(version, check, head);
            assert_eq!(is_read, read.contains(&head), "{version} {check} {head}");
        }
    }
}

/// Returns the events of a line, with their keys.
fn events(rig: &mut Rig, line: &str) -> Vec<String> {
    rig.say(1, line);
    let told = rig.told(2).into_iter();
    let event = |told: String| {
        let words: Vec<&str> = told.split('"').collect();
        format!("{} {}", words[5].trim_start_matches("__keyevent@0__:"), words[7])
    };
    told.map(event).collect()
}

#[test]
fn values_that_replace_others_raise_events_since_8_2() {
    let mut rig = Rig::with(ServerOptions::default().with_version(Version::Redis8_2));
    rig.say(1, "CONFIG SET notify-keyspace-events AEoc");
    rig.say(2, "PSUBSCRIBE __keyevent@0__:*");
    assert_eq!(events(&mut rig, "SET a 1"), ["set a"]);
    assert_eq!(events(&mut rig, "SET a 2"), ["overwritten a", "set a"]);
    assert_eq!(events(&mut rig, "MSET a 3 b 1"), ["overwritten a", "set a", "set b"]);
    assert_eq!(events(&mut rig, "APPEND a x"), ["append a"]);
    events(&mut rig, "SADD s a b");
    let stored = ["overwritten a", "type_changed a", "sunionstore a"];
    assert_eq!(events(&mut rig, "SUNIONSTORE a s"), stored);
    let renamed = ["rename_from b", "rename_to a", "overwritten a", "type_changed a"];
    assert_eq!(events(&mut rig, "RENAME b a"), renamed);
    let copied = ["copy_to a", "overwritten a", "type_changed a"];
    assert_eq!(events(&mut rig, "COPY s a REPLACE"), copied);
    assert_eq!(events(&mut rig, "RENAME a new"), ["rename_from a", "rename_to new"]);
}

#[test]
fn only_writes_are_uses_under_a_policy_of_8_6() {
    for (policy, idle) in [("allkeys-lru", "0"), ("allkeys-lrm", "10"), ("volatile-lrm", "10")] {
        let mut rig = Rig::with(ServerOptions::default().with_version(Version::Redis8_6));
        rig.say(1, &format!("CONFIG SET maxmemory-policy {policy}"));
        rig.say(1, "SET k v");
        rig.pass_ms(10_000);
        rig.say(1, "GET k");
        assert_eq!(rig.say(1, "OBJECT IDLETIME k"), idle, "{policy}");
        rig.say(1, "APPEND k w");
        assert_eq!(rig.say(1, "OBJECT IDLETIME k"), "0", "{policy}");
    }
}

/// By default Valkey frees what it removes in a thread of its own.
#[test]
fn replicas_of_valkey_are_told_to_unlink() {
    let lines = ["SET k v", "GETEX k EXAT 1"];
    assert_eq!(sent(Version::Redis8_0, &lines), ["SET k v", "DEL k"]);
    assert_eq!(sent(Version::Valkey8_0, &lines), ["SET k v", "UNLINK k"]);
}

#[test]
fn passwords_of_valkey_are_not_in_the_slow_log() {
    let mut rig = Rig::with(ServerOptions::default().with_version(Version::Valkey8_0));
    rig.say(1, "CONFIG SET slowlog-log-slower-than 0");
    rig.say(1, "CONFIG SET primaryauth secret");
    let log = rig.say(1, "SLOWLOG GET");
    assert!(log.contains("primaryauth") && !log.contains("secret"), "{log}");
}

#[test]
fn a_valkey_may_say_that_it_is_the_redis_it_descends_from() {
    let mut rig = Rig::with(ServerOptions::default().with_version(Version::Valkey9_1));
    assert!(rig.say(1, "HELLO 3").contains("valkey"));
    rig.say(1, "CONFIG SET extended-redis-compatibility yes");
    let hello = rig.say(1, "HELLO 3");
    assert!(hello.contains("redis") && hello.contains("7.2.4"), "{hello}");
    assert!(rig.say(1, "INFO server").contains("redis_mode:standalone"));
}

#[test]
fn hash_tables_are_described_as_each_version_does() {
    let described = |version: Version, line: &str| {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.say(1, "MSET a 1 b 2 c 3");
        rig.say(1, line)
    };
    let chains = "different slots: 3";
    for &version in Version::ALL {
        let (short, full) =
            (described(version, "DEBUG HTSTATS 0"), described(version, "DEBUG HTSTATS 0 full"));
        assert_eq!(short.contains(chains), version == Version::Redis7_0, "{version}: {short}");
        let in_full = match version {
            Version::Redis7_0 => "wrong number of arguments",
            Version::Valkey8_1 => "number of entries: 3",
            Version::Valkey9_1 => "avg chain length: 0.000000",
            _ => chains,
        };
        assert!(full.contains(in_full), "{version}: {full}");
        let empty = described(version, "DEBUG HTSTATS 3");
        let tells = matches!(version, Version::Redis7_0 | Version::Redis7_2);
        assert_eq!(empty.contains("empty dictionaries"), tells, "{version}: {empty}");
    }
}

#[test]
fn memory_is_told_in_the_fields_of_the_version() {
    for &version in Version::ALL {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.say(1, "SET k v");
        let told = rig.say(1, "MEMORY STATS");
        let since_7_4 = !matches!(version, Version::Redis7_0 | Version::Redis7_2);
        assert_eq!(told.contains("allocator.muzzy"), since_7_4, "{version}");
        assert_eq!(told.contains("slot-to-keys"), !since_7_4, "{version}");
        assert_eq!(told.contains("db.15"), version == Version::Valkey8_1, "{version}");
        assert_eq!(told.contains("slot_import"), version == Version::Valkey9_1, "{version}");
    }
}

/// The clock has 24 bits; before 9.1 its period is a second too short.
#[test]
fn the_longest_idle_time_is_kept_since_valkey_9_1() {
    for (version, idle) in [(Version::Valkey8_1, 0), (Version::Valkey9_1, 16_777_215)] {
        let mut server = server(version);
        let (client, now) = (ClientId(1), Instant::ZERO);
        server.connected(now, client, "a test");
        let mut ask = |words: &[&[u8]]| {
            server.handle_input(now, client, words);
            match server.poll_output() {
                Some(Output::Reply { reply, .. }) => reply,
                other => panic!("{other:?}"),
            }
        };
        ask(&[b"SET", b"k", b"v"]);
        let payload = ask(&[b"DUMP", b"k"]);
        let payload = payload.as_bytes().expect("a payload");
        ask(&[b"RESTORE", b"r", b"0", payload, b"IDLETIME", b"16777215"]);
        assert_eq!(ask(&[b"OBJECT", b"IDLETIME", b"r"]), Reply::Integer(idle), "{version}");
    }
}

#[test]
fn a_digest_of_9_1_leaves_out_fields_that_are_due() {
    for (version, is_left_out) in [(Version::Redis8_0, false), (Version::Valkey9_1, true)] {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.say(1, "DEBUG SET-ACTIVE-EXPIRE 0");
        rig.say(1, "HSET one g 2");
        rig.say(1, "HSET two f 1 g 2");
        rig.say(1, "HPEXPIRE two 10 FIELDS 1 f");
        rig.pass_ms(11);
        let one = rig.say(1, "DEBUG DIGEST-VALUE one");
        assert_eq!(rig.say(1, "DEBUG DIGEST-VALUE two") == one, is_left_out, "{version}");
    }
}

#[test]
fn positions_are_sent_as_zadd() {
    for (version, zadd) in [(Version::Valkey8_1, "zadd"), (Version::Valkey9_1, "ZADD")] {
        let found = sent(version, &["GEOADD g CH 13.361389 38.115556 p"]);
        assert_eq!(found, [format!("{zadd} g CH 3479099956230698 p")], "{version}");
    }
}

/// With replies off, nobody hears that the connection ends, so it does not, until a message for the
/// client ends it: in Redis.
#[test]
fn a_silent_client_that_says_quit() {
    for (version, ends) in [(Version::Redis8_6, true), (Version::Valkey8_0, false)] {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.send(1, "CLIENT REPLY OFF");
        rig.send(1, "SUBSCRIBE ch");
        rig.send(1, "QUIT");
        assert!(!rig.is_closed(1), "{version}");
        rig.say(2, "PUBLISH ch x");
        assert_eq!(rig.is_closed(1), ends, "{version}");
    }
}

#[test]
fn a_scan_of_8_2_removes_expired_keys_that_do_not_match() {
    for &version in Version::ALL {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.say(1, "DEBUG SET-ACTIVE-EXPIRE 0");
        rig.say(1, "SET e v PX 5");
        rig.say(1, "SET f v PX 5");
        rig.pass_ms(10);
        rig.say(1, "SCAN 0 MATCH z*");
        let left = if version == Version::Redis8_2 { "0" } else { "2" };
        assert_eq!(rig.say(1, "DBSIZE"), left, "{version}");
        rig.say(1, "SCAN 0 MATCH e");
        let left = if version == Version::Redis8_2 { "0" } else { "1" };
        assert_eq!(rig.say(1, "DBSIZE"), left, "{version}");
    }
}

/// The real servers answered the same. In the places of the drawings, ours has nothing.
#[test]
fn lolwut_names_the_product_and_checks_its_arguments() {
    const USAGE: &str = "!ERR Syntax error. Use: LOLWUT [columns rows] [real imaginary]";
    const INTEGER: &str = "!ERR value is not an integer or out of range";
    const FLOAT: &str = "!ERR value is not a valid float";
    let rig = |version| Rig::with(ServerOptions::default().with_version(version));
    let number = |version: Version| format!("Redis ver. {}", version.number());
    for version in [Version::Redis7_0, Version::Redis8_6, Version::Valkey8_0, Version::Valkey8_1] {
        let mut rig = rig(version);
        for line in ["LOLWUT VERSION 9 x", "LOLWUT VERSION -1", "LOLWUT VERSION 5 1 2 3 x"] {
            assert!(rig.say(1, line).contains(&number(version)), "{version}: {line}");
        }
    }
    let mut rig = rig(Version::Valkey9_1);
    for (line, reply) in [
        ("LOLWUT VERSION 8 x", "Valkey ver.9.1.2"),
        ("LOLWUT VERSION 6 1 2 x", "Valkey ver. 9.1.2"),
        ("LOLWUT VERSION 5 1 2 3 x", "Valkey ver. 9.1.2"),
        ("LOLWUT 1 2 3 4", "Valkey ver. 9.1.2"),
        ("LOLWUT VERSION 9 1 2", "Valkey ver. 9.1.2"),
        ("LOLWUT VERSION 9 1", USAGE),
        ("LOLWUT VERSION", USAGE),
        ("LOLWUT 1 2 3", USAGE),
        ("LOLWUT 1 2 3 4 5", USAGE),
        ("LOLWUT 1 x", INTEGER),
        ("LOLWUT 1 2 3 x", FLOAT),
        ("LOLWUT 1 2 nan inf", FLOAT),
    ] {
        let said = rig.say(1, line);
        assert!(said.contains(reply), "{line}: {said}");
    }
}

#[test]
fn scripts_of_valkey_9_are_run_by_a_module() {
    let mut rig = Rig::with(ServerOptions::default().with_version(Version::Valkey9_1));
    let module = "[name, lua, ver, 1, path, lua, args, []]";
    let plain = |said: String| said.replace('"', "");
    assert_eq!(plain(rig.say(1, "MODULE LIST")), format!("[{module}]"));
    assert!(plain(rig.say(1, "HELLO 2")).ends_with(&format!("modules, [{module}]]")));
    assert!(rig.say(1, "INFO modules").contains("module:name=lua,ver=1,api=1,filters=0,"));
}
