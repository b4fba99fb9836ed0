//! Scans while the collection changes.

use crate::support::Rig;
use proptest::prelude::*;
use std::collections::BTreeSet;
use stunt_double::redis::database::{Database, Limits};
use stunt_double::redis::{Sds, ServerOptions, Version};

#[test]
fn options_are_checked_as_the_server_checks_them() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("SCAN x", "!ERR invalid cursor"),
            ("SCAN 0 COUNT 0", "!ERR syntax error"),
            ("SCAN 0 COUNT x", "!ERR value is not an integer or out of range"),
            ("SSCAN missing 0 COUNT 0", r#"["0", []]"#),
            ("HSET h f v", "1"),
            ("HSCAN h 0 COUNT 0", "!ERR syntax error"),
            ("HSCAN h 0 TYPE hash", "!ERR syntax error"),
            ("SSCAN h 0", "!WRONGTYPE Operation against a key holding the wrong kind of value"),
        ],
    );
}

#[test]
fn a_small_encoding_is_returned_whole_whatever_the_count() {
    let mut rig = Rig::new();
    rig.script(1, &[("HSET h a 1 b 2 c 3", "3")]);
    rig.script(1, &[("HSCAN h 0 COUNT 1", r#"["0", ["a", "1", "b", "2", "c", "3"]]"#)]);
}

#[test]
fn a_page_may_be_empty_though_the_scan_goes_on() {
    let mut rig = Rig::new();
    for i in 0..100 {
        rig.say(1, &format!("SET key:{i} v"));
    }
    assert!(rig.say(1, "SCAN 0 MATCH nothing COUNT 10").ends_with(", []]"));
    assert!(!rig.say(1, "SCAN 0 TYPE list COUNT 10").starts_with(r#"["0""#));
}

#[test]
fn a_scan_removes_what_has_expired_among_the_names_that_match() {
    let message = r#"["message", "__keyevent@0__:expired", "e"]"#;
    for (line, page, reaps) in [
        ("SCAN 0", r#"["0", []]"#, true),
        ("SCAN 0 MATCH z*", r#"["0", []]"#, false),
        ("SCAN 0 TYPE string", r#"["0", []]"#, true),
        ("SCAN 0 TYPE none", r#"["0", ["e"]]"#, true),
        ("TYPE e", "none", true),
        ("KEYS *", "[]", false),
    ] {
        let mut rig = Rig::new();
        rig.script(1, &[("DEBUG SET-ACTIVE-EXPIRE 0", "OK"), ("SET e v PX 5", "OK")]);
        rig.script(1, &[("CONFIG SET notify-keyspace-events Ex", "OK")]);
        rig.say(2, "SUBSCRIBE __keyevent@0__:expired");
        rig.pass_ms(10);
        assert_eq!(rig.say(1, line), page, "{line}");
        let (told, left) = if reaps { (vec![message.to_owned()], "0") } else { (vec![], "1") };
        assert_eq!((rig.told(2), rig.say(1, "DBSIZE")), (told, left.to_owned()), "{line}");
    }
}

#[test]
fn uneven_pages_are_drawn_and_still_return_everything() {
    let mut lengths = BTreeSet::new();
    for (fill, scan) in [("SET key:{} v", "SCAN"), ("SADD s m:{}", "SSCAN s")] {
        let mut rig = Rig::with(ServerOptions::default().with_uneven_pages());
        for i in 0..1_000 {
            rig.say(1, &fill.replace("{}", &i.to_string()));
        }
        rig.say(1, "HSET small f v");
        assert_eq!(rig.say(1, "HSCAN small 0"), r#"["0", ["f", "v"]]"#, "a compact one is whole");
        let (mut cursor, mut seen) = ("0".to_owned(), BTreeSet::new());
        loop {
            let page = rig.say(1, &format!("{scan} {cursor}"));
            let (next, items) = page[2..].split_once("\", [").unwrap();
            let items: Vec<_> =
                items.trim_end_matches(']').split(", ").filter(|i| !i.is_empty()).collect();
            lengths.insert(items.len());
            seen.extend(items.into_iter().map(str::to_owned));
            assert_ne!(next, cursor, "no two cursors in a row are the same");
            cursor = next.to_owned();
            if cursor == "0" {
                break;
            }
        }
        assert!(seen.len() >= 1_000);
    }
    assert!(lengths.contains(&0) && lengths.len() > 8, "{lengths:?}");
}

#[test]
fn count_bounds_the_work_of_a_call() {
    let mut db = Database::new();
    for i in 0..1_000 {
        db.set(format!("key:{i}").as_bytes(), b"v", Default::default()).unwrap();
    }
    let page = db.scan(0, 7);
    assert_eq!((page.items.len(), page.cursor), (7, 993));
}

/// A change between two calls of a scan.
#[derive(Clone, Debug)]
enum Step {
    Add(u16),
    Remove(u16),
    Rename(u16, u16),
    Scan(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..200_u16;
    prop_oneof![
        3 => key.clone().prop_map(Step::Add),
        3 => key.clone().prop_map(Step::Remove),
        1 => (key.clone(), key).prop_map(|(a, b)| Step::Rename(a, b)),
        3 => (1..30_usize).prop_map(Step::Scan),
    ]
}

fn name(i: u16) -> Sds {
    Sds::from(format!("m{i}"))
}

/// A collection that can be scanned.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Keys,
    Hash,
    Set,
    SortedSet,
}

impl Kind {
    fn add(self, db: &mut Database, i: u16) {
        let name = name(i);
        match self {
            Kind::Keys => drop(db.set(&name, b"v", Default::default()).unwrap()),
            Kind::Hash => drop(db.hset(b"h", &[(&name, b"v")]).unwrap()),
            Kind::Set => drop(db.sadd(b"s", &[&name]).unwrap()),
            Kind::SortedSet => {
                db.zadd(b"z", &[(f64::from(i % 7), &name)], Default::default()).unwrap();
            }
        }
    }

    fn remove(self, db: &mut Database, i: u16) {
        let name = name(i);
        match self {
            Kind::Keys => drop(db.del(&name)),
            Kind::Hash => drop(db.hdel(b"h", &[&name]).unwrap()),
            Kind::Set => drop(db.srem(b"s", &[&name]).unwrap()),
            Kind::SortedSet => drop(db.zrem(b"z", &[&name]).unwrap()),
        }
    }

    fn scan(self, db: &mut Database, cursor: u64, count: usize) -> (u64, Vec<Sds>) {
        fn first<T>(items: Vec<(Sds, T)>) -> Vec<Sds> {
            items.into_iter().map(|(name, _)| name).collect()
        }
        match self {
            Kind::Keys => {
                let page = db.scan(cursor, count);
                (page.cursor, page.items)
            }
            Kind::Hash => {
                let page = db.hscan(b"h", cursor, count).unwrap();
                (page.cursor, first(page.items))
            }
            Kind::Set => {
                let page = db.sscan(b"s", cursor, count).unwrap();
                (page.cursor, page.items)
            }
            Kind::SortedSet => {
                let page = db.zscan(b"z", cursor, count).unwrap();
                (page.cursor, first(page.items))
            }
        }
    }
}

/// Checks that everything was returned that existed throughout a scan.
fn check(kind: Kind, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut db = Database::new();
    // With these limits, collections are hash tables from the first element on.
    let small = Limits::default();
    let mut limits = small;
    limits.hash.max_entries = 0;
    limits.sorted_set.max_entries = 0;
    limits.intset = 0;
    db.set_limits(limits);
    let mut present: BTreeSet<Sds> = BTreeSet::new();
    for i in 0..100 {
        kind.add(&mut db, i);
        present.insert(name(i));
    }
    let (mut cursor, mut throughout, mut found) = (0, present.clone(), BTreeSet::new());
    for step in steps.iter().chain([&Step::Scan(1_000)]) {
        match *step {
            Step::Add(i) => {
                kind.add(&mut db, i);
                present.insert(name(i));
            }
            Step::Remove(i) => {
                kind.remove(&mut db, i);
                present.remove(&name(i));
                throughout.remove(&name(i));
            }
            Step::Rename(a, b) if matches!(kind, Kind::Keys) && a != b => {
                if db.rename(&name(a), &name(b)).is_ok() {
                    // An overwritten key existed all the time.
                    present.remove(&name(a));
                    present.insert(name(b));
                    throughout.remove(&name(a));
                }
            }
            Step::Rename(..) => {}
            Step::Scan(count) => {
                let items;
                (cursor, items) = kind.scan(&mut db, cursor, count);
                found.extend(items);
                if cursor == 0 {
                    let missed: Vec<&Sds> = throughout.difference(&found).collect();
                    prop_assert!(missed.is_empty(), "{kind:?} missed {missed:?}");
                    throughout.clone_from(&present);
                    found.clear();
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_there_throughout_is_always_returned(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        for kind in [Kind::Keys, Kind::Hash, Kind::Set, Kind::SortedSet] {
            check(kind, &steps)?;
        }
    }
}

#[test]
fn a_star_lists_the_empty_key_too() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET \"\" v", "OK"), ("KEYS *", r#"[""]"#), ("SCAN 0", r#"["0", [""]]"#)]);
}

/// The real 7.2.6 and 8.6.2: a listpack is returned whole, in its order, whatever `COUNT` says.
#[test]
fn a_small_set_is_scanned_at_once_since_7_2() {
    for version in Version::ALL.iter().copied().filter(|version| *version != Version::Redis7_0) {
        let mut rig = Rig::with(ServerOptions::default().with_version(version));
        rig.script(
            1,
            &[
                ("SADD k b a c", "3"),
                ("SSCAN k 0 COUNT 1", r#"["0", ["b", "a", "c"]]"#),
                ("SREM k a", "1"),
                ("SSCAN k 0", r#"["0", ["b", "c"]]"#),
                ("SSCAN k 7", r#"["0", ["b", "c"]]"#),
            ],
        );
    }
}
