//! `DUMP`, `RESTORE` and `MIGRATE`, and whole files. The bytes are those of a real server.

use crate::support::Rig;
use proptest::prelude::*;
use stunt_double::Instant;
use stunt_double::redis::database::{Database, Limits, RestoreOptions, SetOptions};
use stunt_double::redis::rdb::Snapshot;
use stunt_double::redis::value::End;

#[test]
fn payloads_are_the_real_servers() {
    Rig::new().script(
        1,
        &[
            ("SET n 5", "OK"),
            ("DUMP n", r#""\x00\xc0\x05\n\x00c/_f\x83/\xb3Q""#),
            ("RPUSH l a b 1", "3"),
            (
                "DUMP l",
                r#""\x12\x01\x02\x0f\x0f\x00\x00\x00\x03\x00\x81a\x02\x81b\x02\x01\x01\xff\n\x00\xe0\x1b\xabJG\xceY\"""#,
            ),
            ("ZADD z 1.5 m", "1"),
            (
                "DUMP z",
                r#""\x11\x0f\x0f\x00\x00\x00\x02\x00\x81m\x02\x831.5\x04\xff\n\x00I\xd9\x87`x%N\x8a""#,
            ),
            ("HSET h f v", "1"),
            (
                "DUMP h",
                r#""\x10\r\r\x00\x00\x00\x02\x00\x81f\x02\x81v\x02\xff\n\x00 \xf1=D#T\x08\x9d""#,
            ),
            ("SADD s 1 2 300", "3"),
            (
                "DUMP s",
                r#""\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00,\x01\n\x00\xe5\x10\xb2\x8e{\x95)\xaa""#,
            ),
            ("DUMP none", "nil"),
        ],
    );
}

#[test]
fn restore_checks_in_the_servers_order() {
    let payload = r#""\x00\xc0\x05\x0a\x00c/_f\x83/\xb3Q""#;
    let restore = |rest: &str| format!("RESTORE n {rest}").replace("PAYLOAD", payload);
    let mut rig = Rig::new();
    for (line, answer) in [
        ("0 PAYLOAD", "OK"),
        ("x PAYLOAD", "!BUSYKEY Target key name already exists."),
        ("x PAYLOAD REPLACE", "!ERR value is not an integer or out of range"),
        ("-1 PAYLOAD REPLACE", "!ERR Invalid TTL value, must be >= 0"),
        ("0 x REPLACE", "!ERR DUMP payload version or checksum are wrong"),
        ("0 PAYLOAD FREQ 256", "!ERR Invalid FREQ value, must be >= 0 and <= 255"),
        ("0 PAYLOAD IDLETIME 1 FREQ 1", "!ERR syntax error"),
        ("1000 PAYLOAD REPLACE", "OK"),
    ] {
        assert_eq!(rig.say(1, &restore(line)), answer, "{line}");
    }
    rig.script(
        1,
        &[
            ("GET n", "\"5\""),
            ("PTTL n", "1000"),
            ("MIGRATE nohost 1 n 0 10", "!IOERR error or timeout connecting to the client"),
            ("MIGRATE nohost 1 none 0 10", "NOKEY"),
        ],
    );
    assert_eq!(rig.say(1, &restore("1 PAYLOAD REPLACE ABSTTL")), "OK");
    assert_eq!(rig.say(1, "EXISTS n"), "0", "a key that has expired is not set");
}

#[test]
fn a_file_survives_or_is_refused() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("SET a 1", "OK"),
            ("PEXPIRE a 5000", "1"),
            ("RPUSH l x y", "2"),
            ("SELECT 3", "OK"),
            ("SADD s m", "1"),
        ],
    );
    let rdb = rig.server.to_rdb();
    let commands = rig.server.to_append_only_file();
    let digest = rig.say(1, "DEBUG DIGEST");
    for way in 0..2 {
        let mut other = Rig::new();
        if way == 0 {
            assert_eq!(other.server.load_rdb(Instant::ZERO, &rdb), Ok(Vec::new()));
        } else {
            let load = other.server.load_append_only_file(Instant::ZERO, &commands).unwrap();
            assert_eq!((load.commands, load.truncated_at), (6, None));
        }
        assert_eq!(other.say(1, "DEBUG DIGEST"), digest);
        assert_eq!(other.say(1, "PTTL a"), "5000");
        other.pass_ms(5_000);
        assert_eq!(other.say(1, "EXISTS a"), "0");
        let damaged = other.server.load_rdb(Instant::ZERO, &rdb[..rdb.len() - 1]);
        assert!(damaged.is_err_and(|error| error.offset > 0));
        assert_eq!(other.say(1, "EXISTS l"), "1", "nothing has changed");
    }
}

#[test]
fn commands_of_a_file_run_though_keys_have_expired() {
    let mut rig = Rig::new();
    let file = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n5\r\n\
        *3\r\n$9\r\nPEXPIREAT\r\n$1\r\nk\r\n$13\r\n4102444800000\r\n\
        *1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n";
    let load = rig.server.load_append_only_file(Instant::ZERO, file).unwrap();
    assert_eq!(load.commands, 2, "the transaction did not end");
    assert!(load.truncated_at.is_some());
    assert_eq!(rig.say(1, "GET k"), "\"5\"");
    let unknown = rig.server.load_append_only_file(Instant::ZERO, b"*1\r\n$4\r\nNONE\r\n");
    assert_eq!(unknown.unwrap_err().to_string(), "there is no command NONE at byte 0");
}

proptest! {
    #[test]
    fn what_is_dumped_is_restored(
        texts in prop::collection::vec("[a-c]{0,90}|-?[1-9][0-9]{0,18}|0", 1..60),
        scores in prop::collection::vec(any::<f64>().prop_filter("a number", |x| !x.is_nan()), 1..60),
        limit in 0usize..70,
    ) {
        let mut db = Database::new();
        let mut limits = Limits { intset: limit, ..Limits::default() };
        limits.hash.max_entries = limit;
        limits.sorted_set.max_entries = limit;
        db.set_limits(limits);
        let bytes: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        db.set(b"string", bytes[0], SetOptions::default())?;
        db.push(b"list", End::Left, &bytes)?;
        db.sadd(b"set", &bytes)?;
        let pairs: Vec<(&[u8], &[u8])> = bytes.iter().map(|b| (*b, bytes[0])).collect();
        db.hset(b"hash", &pairs)?;
        let members: Vec<(f64, &[u8])> =
            scores.iter().copied().zip(bytes.iter().copied()).collect();
        db.zadd(b"scores", &members, Default::default())?;
        db.pfadd(b"sketch", &bytes)?;
        for key in [&b"string"[..], b"list", b"set", b"hash", b"scores", b"sketch"] {
            let payload = db.dump(key).expect("the key exists");
            let encoding = db.object_encoding(key);
            db.restore(b"copy", &payload, RestoreOptions { replace: true, ..Default::default() })?;
            prop_assert_eq!(db.dump(b"copy"), Some(payload.clone()));
            if key != b"sketch" {
                prop_assert_eq!(db.object_encoding(b"copy"), encoding);
            }
            for at in (0..payload.len()).step_by(payload.len() / 12 + 1) {
                let mut damaged = payload.clone();
                damaged[at] ^= 1;
                let options = RestoreOptions { replace: true, ..Default::default() };
                prop_assert!(db.restore(b"copy", &damaged, options).is_err());
            }
        }
        prop_assert_eq!(db.check_invariants(), Ok(()));
    }

    #[test]
    fn no_bytes_cause_a_panic(
        body in prop::collection::vec(any::<u8>(), 0..200),
        kind in 0u8..20,
    ) {
        let mut file = b"REDIS0004".to_vec();
        file.extend_from_slice(&[kind, 1, b'k']);
        file.extend(body);
        file.push(255);
        let _ = Snapshot::from_bytes(&file, &Limits::default());
    }
}
