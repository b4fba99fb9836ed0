//! Fields of hashes that have deadlines, as each version has them. The answers are those of the
//! real servers to the same lines; where versions differ, the line says which.

use crate::support::{Rig, sent};
use proptest::prelude::*;
use std::collections::BTreeMap;
use stunt_double::Shutdown;
use stunt_double::redis::{ServerOptions, Version};

const REDIS: [Version; 4] =
    [Version::Redis7_4, Version::Redis8_0, Version::Redis8_2, Version::Redis8_6];

fn rig(version: Version) -> Rig {
    Rig::with(ServerOptions::default().with_version(version))
}

/// A server whose events client 9 listens to.
fn listened(version: Version) -> Rig {
    let mut rig = rig(version);
    rig.say(1, "CONFIG SET notify-keyspace-events KEA");
    rig.send(9, "PSUBSCRIBE __keyevent@0__:*");
    rig.told(9);
    rig
}

/// The names of the events since the last call.
fn events(rig: &mut Rig) -> String {
    let name = |told: &String| {
        let after = told.split("__:").nth(2).unwrap_or(told);
        after.split('"').next().unwrap_or_default().to_owned()
    };
    rig.told(9).iter().map(name).collect::<Vec<_>>().join(" ")
}

#[test]
fn versions_without_deadlines_do_not_know_their_commands() {
    for version in [Version::Redis7_0, Version::Redis7_2, Version::Valkey8_1] {
        let answer = rig(version).say(1, "HTTL h FIELDS 1 a");
        assert!(answer.starts_with("!ERR unknown command"), "{version}: {answer}");
    }
    let answer = rig(Version::Redis7_4).say(1, "HGETEX h FIELDS 1 a");
    assert!(answer.starts_with("!ERR unknown command"), "{answer}");
}

#[test]
fn a_field_ends_in_its_millisecond_and_the_hash_with_its_last_field() {
    for version in REDIS.into_iter().chain([Version::Valkey9_1]) {
        let mut rig = listened(version);
        rig.script(1, &[("HSET h a 1 b 2", "2"), ("HPEXPIRE h 100 FIELDS 1 a", "[1]")]);
        rig.script(1, &[("HPEXPIRE h 200 FIELDS 1 b", "[1]")]);
        assert_eq!(events(&mut rig), "hset hexpire hexpire");
        rig.pass_ms(99);
        rig.script(1, &[("HPTTL h FIELDS 2 a b", "[1, 101]"), ("HGET h a", "\"1\"")]);
        assert_eq!(events(&mut rig), "");
        rig.pass_ms(1);
        assert_eq!(events(&mut rig), "hexpired", "{version}: nobody has asked");
        rig.script(1, &[("HGETALL h", "[\"b\", \"2\"]"), ("HLEN h", "1")]);
        rig.pass_ms(100);
        assert_eq!(events(&mut rig), "hexpired del");
        rig.script(1, &[("EXISTS h", "0")]);
        let field =
            if version == Version::Valkey9_1 { "expired_fields:2" } else { "expired_subkeys:2" };
        assert!(rig.say(1, "INFO stats").contains(field), "{version}");
    }
}

#[test]
fn setting_a_field_removes_its_deadline_and_computing_keeps_it() {
    for version in REDIS.into_iter().chain([Version::Valkey9_1]) {
        let mut rig = rig(version);
        rig.script(
            1,
            &[
                ("HSET h a 1 b 2 c 3", "3"),
                ("HPEXPIREAT h 4000000000000 FIELDS 3 a b c", "[1, 1, 1]"),
                ("HINCRBY h a 1", "2"),
                ("HINCRBYFLOAT h a 1.5", "\"3.5\""),
                ("HSETNX h a 9", "0"),
                ("HSET h b 9", "0"),
                ("HPEXPIRETIME h FIELDS 3 a b zz", "[4000000000000, -1, -2]"),
                ("HPERSIST h FIELDS 3 a b zz", "[1, -1, -2]"),
                ("COPY h copy", "1"),
                ("RENAME copy there", "OK"),
                ("HPEXPIRETIME there FIELDS 2 a c", "[-1, 4000000000000]"),
                ("MOVE there 1", "1"),
            ],
        );
    }
}

#[test]
fn a_compact_hash_with_deadlines_stands_in_their_order() {
    let lines = [
        ("HSETEX h PXAT 4000000000000 FIELDS 4 a 1 b 1 c 1 d 1", "1"),
        ("HGETALL h", "[\"d\", \"1\", \"c\", \"1\", \"b\", \"1\", \"a\", \"1\"]"),
        ("HPEXPIREAT h 3900000000000 FIELDS 1 c", "[1]"),
        ("HPEXPIREAT h 5000000000000 FIELDS 1 d", "[1]"),
        ("HKEYS h", "[\"c\", \"b\", \"a\", \"d\"]"),
        ("HSET h b 9", "0"),
        ("HKEYS h", "[\"c\", \"a\", \"d\", \"b\"]"),
        ("HGETEX h PERSIST FIELDS 1 c", "[\"1\"]"),
        ("HKEYS h", "[\"a\", \"d\", \"b\", \"c\"]"),
        ("OBJECT ENCODING h", "\"listpackex\""),
        ("HDEL h a d", "2"),
        ("OBJECT ENCODING h", "\"listpackex\""),
    ];
    for version in [Version::Redis8_0, Version::Redis8_2, Version::Redis8_6] {
        rig(version).script(1, &lines);
    }
    // Also if no field has got a deadline; Valkey's encoding waits for one.
    for (version, encoding) in
        [(Version::Redis7_4, "\"listpackex\""), (Version::Valkey9_1, "\"listpack\"")]
    {
        let lines = [("HSET h a 1", "1"), ("HPEXPIREAT h 4000000000000 FIELDS 1 zz", "[-2]")];
        let mut rig = rig(version);
        rig.script(1, &lines);
        rig.script(1, &[("OBJECT ENCODING h", encoding)]);
    }
    rig(Version::Valkey9_1).script(
        1,
        &[
            ("HSET h a 1 b 2", "2"),
            ("HPEXPIREAT h 4000000000000 FIELDS 1 b", "[1]"),
            ("OBJECT ENCODING h", "\"hashtable\""),
            ("HGETALL h", "[\"a\", \"1\", \"b\", \"2\"]"),
        ],
    );
}

#[test]
fn a_deadline_that_is_over_ends_the_field_at_once() {
    for version in REDIS {
        let mut rig = listened(version);
        rig.script(1, &[("HSET h a 1 b 2", "2"), ("HEXPIRE h 0 FIELDS 2 a zz", "[2, -2]")]);
        assert_eq!(events(&mut rig), "hset hdel");
        rig.script(1, &[("HPEXPIREAT h 1 FIELDS 1 b", "[2]"), ("EXISTS h", "0")]);
        assert_eq!(events(&mut rig), "hdel del");
    }
    let mut rig = listened(Version::Valkey9_1);
    rig.script(1, &[("HSET h a 1 b 2", "2"), ("HEXPIRE h 0 FIELDS 2 a zz", "[2, -2]")]);
    assert_eq!(events(&mut rig), "hset hexpired");
    rig.script(1, &[("HSETEX h PXAT 1 FIELDS 2 b 1 n 1", "1")]);
    assert_eq!(events(&mut rig), "hset hexpire hexpired del");
    let mut rig = listened(Version::Redis8_0);
    rig.script(1, &[("HSETEX h EX 0 FIELDS 2 b 1 n 1", "1"), ("EXISTS h", "0")]);
    assert_eq!(events(&mut rig), "hset hdel del");
}

#[test]
fn conditions_look_at_each_field() {
    for version in REDIS.into_iter().chain([Version::Valkey9_1]) {
        rig(version).script(
            1,
            &[
                ("HSET h a 1 b 2 c 3", "3"),
                ("HPEXPIREAT h 5000000000000 FIELDS 1 a", "[1]"),
                ("HPEXPIREAT h 4000000000000 NX FIELDS 2 a b", "[0, 1]"),
                ("HPEXPIREAT h 4500000000000 GT FIELDS 3 a b c", "[0, 1, 0]"),
                ("HPEXPIREAT h 4500000000000 LT FIELDS 3 a b c", "[1, 0, 1]"),
                ("HPEXPIREAT h 4600000000000 XX FIELDS 3 a b zz", "[1, 1, -2]"),
                ("HPEXPIREAT h 1 NX FIELDS 3 a b c", "[0, 0, 0]"),
            ],
        );
    }
    rig(Version::Valkey9_1).script(
        1,
        &[
            ("HSET h a 1", "1"),
            ("HPEXPIREAT h 4700000000000 XX GT FIELDS 1 a", "[0]"),
            ("HSETEX h XX FIELDS 1 a 1", "1"),
            ("HSETEX h NX FIELDS 1 a 1", "0"),
            ("HSETEX new NX FIELDS 1 a 1", "1"),
        ],
    );
    rig(Version::Redis8_0).script(
        1,
        &[
            ("HSETEX h FXX FIELDS 1 a 1", "0"),
            ("HSETEX h FNX FIELDS 2 a 1 b 1", "1"),
            ("HSETEX h FNX FIELDS 2 b 1 c 1", "0"),
            ("HSETEX h FXX FIELDS 2 b 1 c 1", "0"),
            ("HSETEX h FXX FIELDS 2 a 5 b 6", "1"),
            ("HGETDEL h FIELDS 3 a a zz", "[\"5\", nil, nil]"),
        ],
    );
}

const NUMFIELDS: &str =
    "!ERR numfields should be greater than 0 and match the provided number of fields";
const NO_FIELDS: &str = "!ERR Mandatory argument FIELDS is missing or not at the right position";
const MISMATCH: &str = "!ERR The `numfields` parameter must match the number of arguments";

#[test]
fn errors_come_in_the_order_of_each_server() {
    // In 7.4 to 8.2, in 8.6, in Valkey 9.1.
    let answers = [
        ("HEXPIRE s abc FIELDS 1 a", "!WRONGTYPE", "!WRONGTYPE", "!ERR value is not an integer"),
        (
            "HEXPIRE h -1 FIELDS 1 a",
            "!ERR invalid expire time, must",
            "!ERR invalid expire time, must",
            "!ERR invalid expire time in 'hexpire'",
        ),
        (
            "HEXPIRE h 10 FOO FIELDS 1 a",
            NO_FIELDS,
            "!ERR unknown argument: FOO",
            "!ERR Unsupported option FOO",
        ),
        (
            "HEXPIRE h 10 FIELDS 0 a",
            "!ERR Parameter `numFields` should be greater than 0",
            "!ERR Parameter `numFields` should be greater than 0",
            NUMFIELDS,
        ),
        ("HEXPIRE h 10 FIELDS 2 a", MISMATCH, "!ERR wrong number of arguments", NUMFIELDS),
        (
            "HEXPIRE h 10 NX GT FIELDS 1 a",
            NO_FIELDS,
            "!ERR Multiple condition flags specified",
            "!ERR NX and XX, GT or LT options at the same time",
        ),
        ("HEXPIRE h 10 NX NX NX", NO_FIELDS, "!ERR missing FIELDS argument", NUMFIELDS),
        (
            "HPEXPIREAT h 70368744177664 FIELDS 1 a",
            "!ERR invalid expire time in 'hpexpireat'",
            "!ERR invalid expire time in 'hpexpireat'",
            "[-2]",
        ),
        ("HTTL h FIELDS 2 a", MISMATCH, MISMATCH, "!ERR syntax error"),
        (
            "HTTL h FIELDS x a",
            "!ERR Number of fields must be a positive integer",
            "!ERR Number of fields must be a positive integer",
            "!ERR value is not an integer",
        ),
        ("HPERSIST h FOO 1 a", NO_FIELDS, NO_FIELDS, "!ERR syntax error"),
        ("HPERSIST h FIELDS 2 a", MISMATCH, MISMATCH, NUMFIELDS),
    ];
    let later = [
        (
            "HGETEX h EX 10 PX 10 FIELDS 1 a",
            NO_FIELDS,
            "!ERR Only one of EX, PX, EXAT, PXAT or PERSIST",
            "!ERR syntax error",
        ),
        ("HGETEX h KEEPTTL FIELDS 1 a", NO_FIELDS, "!ERR unknown argument", "!ERR syntax error"),
        ("HGETEX h FIELDS 1 a EX", MISMATCH, "!ERR missing expire time", NUMFIELDS),
        ("HGETEX s EX abc FIELDS 1 a", "!WRONGTYPE", "!WRONGTYPE", "!WRONGTYPE"),
        (
            "HSETEX s EX abc FIELDS 1 a 1",
            "!ERR value is not an integer",
            "!ERR value is not an integer",
            "!WRONGTYPE",
        ),
        (
            "HSETEX h FIELDS 2 a 1",
            "!ERR wrong number of arguments for 'hsetex' command",
            "!ERR wrong number of arguments",
            NUMFIELDS,
        ),
        (
            "HSETEX h FNX FXX FIELDS 1 a 1",
            "!ERR Only one of FXX or FNX",
            "!ERR Only one of FXX or FNX",
            "!ERR syntax error",
        ),
        (
            "HSETEX h PERSIST FIELDS 1 a 1",
            "!ERR unknown argument: PERSIST",
            "!ERR unknown argument",
            "!ERR syntax error",
        ),
        (
            "HSETEX h EX 10 KEEPTTL FIELDS 1 a 1",
            "!ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL",
            "!ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL",
            "!ERR syntax error",
        ),
        ("HGETDEL h FOO x a", NO_FIELDS, NO_FIELDS, "!ERR syntax error"),
    ];
    for version in REDIS.into_iter().chain([Version::Valkey9_1]) {
        let mut rig = rig(version);
        rig.say(1, "SET s v");
        let late = if version == Version::Redis7_4 { &[][..] } else { &later[..] };
        for (line, fixed, free, valkey) in answers.iter().chain(late) {
            let expected = match version {
                Version::Redis8_6 => free,
                Version::Valkey9_1 => valkey,
                _ => fixed,
            };
            let answer = rig.say(1, line);
            assert!(answer.starts_with(expected), "{version}, {line}: {answer}");
        }
    }
}

#[test]
fn options_of_8_6_may_follow_the_fields() {
    rig(Version::Redis8_6).script(
        1,
        &[
            ("HSET h a 1", "1"),
            ("HPEXPIREAT h 4000000000000 FIELDS 1 a NX", "[1]"),
            ("HPEXPIREAT h 3900000000000 FIELDS 1 a gt", "[0]"),
            ("HGETEX h FIELDS 1 a PERSIST", "[\"1\"]"),
            ("HSETEX h FIELDS 1 a 2 FNX", "0"),
            ("HSETEX h FIELDS 1 a 2 PXAT 4000000000000", "1"),
            ("HPEXPIRETIME h FIELDS 1 a", "[4000000000000]"),
        ],
    );
}

/// While fields that are due stay, Redis removes one that is looked up, and Valkey hides it until
/// it is overwritten.
#[test]
fn a_field_that_is_due_and_still_there_is_hidden() {
    for (version, revived, len) in
        [(Version::Redis8_0, "[1]", "3"), (Version::Valkey9_1, "[-2]", "5")]
    {
        let mut rig = listened(version);
        rig.say(1, "DEBUG SET-ACTIVE-EXPIRE 0");
        rig.script(1, &[("HSET h a 1 b 2 c 3 d 4 e 5", "5")]);
        rig.script(1, &[("HPEXPIRE h 1 FIELDS 3 c a b", "[1, 1, 1]")]);
        rig.pass_ms(10);
        rig.script(
            1,
            &[
                ("HLEN h", "5"),
                ("HGETALL h", "[\"d\", \"4\", \"e\", \"5\"]"),
                ("HTTL h FIELDS 2 a b", "[-2, -2]"),
                ("HPERSIST h FIELDS 1 a", "[-2]"),
                ("HEXPIRE h 100 FIELDS 1 a", revived),
                ("HGET h b", "nil"),
                ("HEXISTS h c", "0"),
                ("HLEN h", len),
            ],
        );
        rig.say(1, "DEBUG SET-ACTIVE-EXPIRE 1");
        rig.pass_ms(1);
        let live = if version == Version::Redis8_0 { "3" } else { "2" };
        rig.script(1, &[("HLEN h", live)]);
    }
}

#[test]
fn the_keyspace_line_counts_hashes_with_deadlines() {
    for (version, counter) in
        [(Version::Redis7_4, "subexpiry"), (Version::Valkey9_1, "keys_with_volatile_items")]
    {
        let mut rig = rig(version);
        rig.script(1, &[("HSET h a 1", "1"), ("HSET g a 1", "1")]);
        rig.script(1, &[("HPEXPIREAT h 4000000000000 FIELDS 1 a", "[1]")]);
        let told = rig.say(1, "INFO keyspace");
        assert!(told.contains(&format!("keys=2,expires=0,avg_ttl=0,{counter}=1")), "{told}");
    }
    let mut rig = rig(Version::Redis7_2);
    rig.say(1, "HSET h a 1");
    let told = rig.say(1, "INFO keyspace");
    assert!(told.contains("keys=1,expires=0,avg_ttl=0") && !told.contains("subexpiry"), "{told}");
}

#[test]
fn a_watched_hash_changes_when_a_field_ends() {
    let mut rig = rig(Version::Redis7_4);
    rig.script(1, &[("HSET h a 1 b 2", "2"), ("HPEXPIRE h 50 FIELDS 1 a", "[1]")]);
    rig.script(1, &[("WATCH h", "OK"), ("MULTI", "OK"), ("HLEN h", "QUEUED")]);
    rig.pass_ms(50);
    rig.script(1, &[("EXEC", "nil array")]);
}

#[test]
fn a_reload_keeps_deadlines() {
    for version in [Version::Redis7_4, Version::Redis8_6, Version::Valkey9_1] {
        for limit in ["512", "0"] {
            let mut rig = rig(version);
            rig.say(1, &format!("CONFIG SET hash-max-listpack-entries {limit}"));
            rig.script(1, &[("HSET h a 1 b 2 c 3", "3")]);
            rig.script(1, &[("HPEXPIREAT h 4000000000000 FIELDS 2 c a", "[1, 1]")]);
            rig.script(1, &[("DEBUG RELOAD", "OK")]);
            let times = "[4000000000000, -1, 4000000000000]";
            rig.script(1, &[("HPEXPIRETIME h FIELDS 3 a b c", times)]);
            let compact = limit == "512" && version != Version::Valkey9_1;
            let encoding = if compact { "\"listpackex\"" } else { "\"hashtable\"" };
            rig.script(1, &[("OBJECT ENCODING h", encoding)]);
        }
    }
}

#[test]
fn replicas_are_sent_what_has_changed() {
    let redis = [
        ("HSET h a 1 b 2", "HSET h a 1 b 2"),
        ("HEXPIREAT h 4000000000 NX FIELDS 2 a zz", "HPEXPIREAT h 4000000000000 NX FIELDS 1 a"),
        ("HINCRBYFLOAT h a 1", "HSETEX h KEEPTTL FIELDS 1 a 2"),
        ("HGETEX h EXAT 4000000000 FIELDS 2 a zz", "HPEXPIREAT h 4000000000000 FIELDS 2 a zz"),
        ("HGETEX h PERSIST FIELDS 2 a b", "HPERSIST h FIELDS 2 a b"),
        (
            "HSETEX h FXX EXAT 4000000000 FIELDS 1 a 7",
            "HSETEX h FXX PXAT 4000000000000 FIELDS 1 a 7",
        ),
        ("HGETDEL h FIELDS 2 a zz", "HDEL h a zz"),
        ("HSETEX h PXAT 1 FIELDS 2 b 1 n 1", "MULTI HDEL h b HDEL h n EXEC"),
    ];
    let valkey = [
        ("HSET h a 1 b 2", "HSET h a 1 b 2"),
        ("HEXPIREAT h 4000000000 NX FIELDS 2 a zz", "HPEXPIREAT h 4000000000000 NX FIELDS 2 a zz"),
        ("HINCRBYFLOAT h a 1", "HSETEX h PXAT 4000000000000 FIELDS 1 a 2"),
        ("HINCRBY h b 1", "HSET h b 3"),
        ("HSETNX h n 1", "HSET h n 1"),
        ("HGETEX h EXAT 4000000000 FIELDS 2 a zz", "HPEXPIREAT h 4000000000000 FIELDS 1 a"),
        ("HGETEX h PERSIST FIELDS 2 a b", "HPERSIST h FIELDS 1 a"),
        ("HSETEX h FXX EXAT 4000000000 FIELDS 1 a 7", "HSETEX h PXAT 4000000000000 FIELDS 1 a 7"),
        ("HGETDEL h FIELDS 2 a zz", "HGETDEL h FIELDS 2 a zz"),
        ("HSETEX h PXAT 1 FIELDS 2 b 1 m 1", "HDEL h b"),
    ];
    for (version, lines) in [(Version::Redis8_0, &redis[..]), (Version::Valkey9_1, &valkey)] {
        let (asked, expected): (Vec<&str>, Vec<&str>) = lines.iter().copied().unzip();
        assert_eq!(sent(version, &asked), expected, "{version}");
    }
}

#[test]
fn a_copy_over_another_key_ends_its_fields_too() {
    let mut rig = rig(Version::Redis8_0);
    rig.script(1, &[("HSET h a 1", "1"), ("HPEXPIRE h 100 FIELDS 1 a", "[1]")]);
    rig.script(2, &[("SELECT 1", "OK"), ("SET h x", "OK")]);
    rig.script(1, &[("COPY h h DB 1 REPLACE", "1")]);
    rig.pass_ms(100);
    rig.script(2, &[("DBSIZE", "0")]);
}

#[test]
fn fields_that_have_ended_are_not_lost_in_a_crash() {
    let mut rig = rig(Version::Redis8_0);
    for key in ["some", "all"] {
        rig.say(1, &format!("HSET {key} a 1"));
        rig.say(1, &format!("HPEXPIRE {key} 100 FIELDS 1 a"));
    }
    rig.say(1, "HSET some b 2");
    rig.say(1, "SAVE");
    rig.pass_ms(100);
    rig.script(1, &[("HLEN some", "1"), ("EXISTS all", "0")]);
    rig.server.stop(rig.now, Shutdown::Kill);
    assert!(rig.server.losses().keys.is_empty(), "{:?}", rig.server.losses());
}

/// The bytes are those of the real servers.
#[test]
fn payloads_have_the_deadlines() {
    let payloads = [
        (
            Version::Redis8_0,
            r"\x19\x00@\x94R\xa3\x03\x00\x00\x1d\x1d\x00\x00\x00\x06\x00\x81a\x02\x01\x01\xf4\x00@\x94R\xa3\x03\x00\x00\t\x81b\x02\x02\x01\x00\x01\xff\x0c\x00~hW@`\x82\x8bG",
        ),
        (
            Version::Valkey9_1,
            r"\x16\x02\x01a\xc0\x01\x00@\x94R\xa3\x03\x00\x00\x01b\xc0\x02\xff\xff\xff\xff\xff\xff\xff\xffP\x00\xd7\xc8\xef\xadKc+\xce",
        ),
    ];
    for (version, payload) in payloads {
        let mut rig = rig(version);
        rig.script(1, &[("HSET h a 1 b 2", "2")]);
        rig.script(1, &[("HPEXPIREAT h 4000000000000 FIELDS 1 a", "[1]")]);
        assert_eq!(rig.say(1, "DUMP h"), format!("\"{payload}\""), "{version}");
    }
}

#[test]
fn a_client_that_tracks_a_hash_is_told_when_a_field_ends() {
    let mut rig = rig(Version::Redis7_4);
    rig.script(1, &[("HSET h a 1 b 2", "2"), ("HPEXPIRE h 50 FIELDS 1 a", "[1]")]);
    rig.send(2, "HELLO 3");
    rig.send(2, "CLIENT TRACKING ON");
    rig.send(2, "HGET h b");
    rig.told(2);
    rig.pass_ms(50);
    assert_eq!(rig.told(2), [">[\"invalidate\", [\"h\"]]"]);
}

/// The reference: fields with values and deadlines, looked at naively.
type Model = BTreeMap<u8, (u32, Option<u64>)>;

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u32),
    Add(u8, u32),
    Delete(u8),
    /// In this many milliseconds.
    Expire(u8, u64),
    Persist(u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let field = 0..6_u8;
    prop_oneof![
        3 => (field.clone(), 0..9_u32).prop_map(|(f, v)| Step::Set(f, v)),
        1 => (field.clone(), 0..9_u32).prop_map(|(f, v)| Step::Add(f, v)),
        1 => field.clone().prop_map(Step::Delete),
        4 => (field.clone(), 0..40_u64).prop_map(|(f, ms)| Step::Expire(f, ms)),
        1 => field.prop_map(Step::Persist),
        3 => (0..30_u64).prop_map(Step::Pass),
    ]
}

fn take(rig: &mut Rig, model: &mut Model, now: &mut u64, step: &Step) {
    match *step {
        Step::Set(field, value) => {
            let new = model.insert(field, (value, None)).is_none();
            assert_eq!(rig.say(1, &format!("HSET h {field} {value}")), u8::from(new).to_string());
        }
        Step::Add(field, by) => {
            let entry = model.entry(field).or_insert((0, None));
            entry.0 += by;
            let sum = entry.0.to_string();
            assert_eq!(rig.say(1, &format!("HINCRBY h {field} {by}")), sum);
        }
        Step::Delete(field) => {
            let gone = model.remove(&field).is_some();
            assert_eq!(rig.say(1, &format!("HDEL h {field}")), u8::from(gone).to_string());
        }
        Step::Expire(field, after) => {
            let outcome = match model.get_mut(&field) {
                None => "[-2]",
                Some(_) if after == 0 => {
                    model.remove(&field);
                    "[2]"
                }
                Some(entry) => {
                    entry.1 = Some(*now + after);
                    "[1]"
                }
            };
            assert_eq!(rig.say(1, &format!("HPEXPIRE h {after} FIELDS 1 {field}")), outcome);
        }
        Step::Persist(field) => {
            let outcome = match model.get_mut(&field).map(|entry| entry.1.take()) {
                None => "[-2]",
                Some(None) => "[-1]",
                Some(Some(_)) => "[1]",
            };
            assert_eq!(rig.say(1, &format!("HPERSIST h FIELDS 1 {field}")), outcome);
        }
        Step::Pass(ms) => {
            *now += ms;
            rig.pass_ms(ms);
            model.retain(|_, (_, at)| at.is_none_or(|at| at > *now));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn fields_live_as_long_as_a_simple_model_says(
        version in prop_oneof![Just(Version::Redis7_4), Just(Version::Redis8_6), Just(Version::Valkey9_1)],
        entries in prop_oneof![Just(512), Just(3)],
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut rig = rig(version);
        rig.say(1, &format!("CONFIG SET hash-max-listpack-entries {entries}"));
        let (mut model, mut now) = (Model::new(), 0);
        for step in &steps {
            take(&mut rig, &mut model, &mut now, step);
            let left = |(_, at): &(u32, Option<u64>)| at.map_or(-1, |at| (at - now) as i64);
            for field in 0..6 {
                let expected = model.get(&field).map_or(-2, left);
                let told = rig.say(1, &format!("HPTTL h FIELDS 1 {field}"));
                prop_assert_eq!(told, format!("[{}]", expected));
                let value = model.get(&field).map_or("nil".to_owned(), |(v, _)| format!("\"{v}\""));
                prop_assert_eq!(rig.say(1, &format!("HGET h {field}")), value);
            }
            let exists = u8::from(!model.is_empty()).to_string();
            prop_assert_eq!(rig.say(1, "EXISTS h"), exists);
            prop_assert_eq!(rig.say(1, "HLEN h"), model.len().to_string());
        }
    }
}
