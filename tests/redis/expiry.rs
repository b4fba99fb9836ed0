//! Times to live, on a clock that the test sets.

use crate::support::Rig;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use stunt_double::redis::database::Database;
use stunt_double::{Instant, WORLD_EPOCH};

#[test]
fn a_key_expires_in_time_though_nobody_looks_it_up() {
    let mut rig = Rig::new();
    rig.script(9, &[("CONFIG SET notify-keyspace-events Ex", "OK")]);
    rig.send(9, "SUBSCRIBE __keyevent@0__:expired");
    rig.told(9);
    rig.script(1, &[("SET k v PX 1500", "OK")]);
    rig.pass_ms(1_499);
    assert_eq!(rig.told(9), [""; 0]);
    rig.script(1, &[("PTTL k", "1"), ("TTL k", "0"), ("DBSIZE", "1")]);
    rig.pass_ms(1);
    assert_eq!(rig.told(9), [r#">["message", "__keyevent@0__:expired", "k"]"#.replace('>', "")]);
    rig.script(1, &[("DBSIZE", "0"), ("TTL k", "-2")]);
}

#[test]
fn the_server_asks_to_be_woken_exactly_then() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v PX 1500", "OK"), ("SET l v PX 700", "OK")]);
    let at = |ms| Some(Instant::ZERO + Duration::from_millis(ms));
    assert_eq!(rig.server.poll_timeout(), at(700));
    rig.script(1, &[("PERSIST l", "1")]);
    assert_eq!(rig.server.poll_timeout(), at(1_500));
    rig.script(1, &[("DEL k", "1")]);
    assert_eq!(rig.server.poll_timeout(), None);
}

#[test]
fn time_to_live_is_rounded_as_the_server_rounds_it() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v PX 1500", "OK"), ("TTL k", "2"), ("PTTL k", "1500")]);
    rig.pass_ms(1);
    rig.script(1, &[("TTL k", "1"), ("PTTL k", "1499")]);
    let at = WORLD_EPOCH.as_millis() + 1_500;
    assert_eq!(rig.say(1, "PEXPIRETIME k"), at.to_string());
}

#[test]
fn a_key_that_is_set_with_a_past_time_is_gone_at_the_next_timer() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v PXAT 1", "OK")]);
    rig.pass_ms(0);
    assert_eq!(rig.server.poll_timeout(), None);
    rig.script(1, &[("DBSIZE", "0")]);
}

#[test]
fn conditions_treat_no_time_to_live_as_forever() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("SET a v", "OK"),
            ("EXPIRE a 10 XX", "0"),
            ("EXPIRE a 10 GT", "0"),
            ("EXPIRE a 10 LT", "1"),
            ("EXPIRE a 5 NX", "0"),
            ("EXPIRE a 20 LT", "0"),
            ("EXPIRE a 20 XX GT", "1"),
            ("TTL a", "20"),
            ("EXPIRE a -1", "1"),
            ("EXISTS a", "0"),
        ],
    );
}

#[test]
fn expiry_follows_a_key_that_is_renamed_moved_or_copied() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("SET a v EX 10", "OK"),
            ("COPY a b", "1"),
            ("RENAME a c", "OK"),
            ("MOVE c 1", "1"),
            ("TTL b", "10"),
            ("SELECT 1", "OK"),
            ("TTL c", "10"),
            ("SWAPDB 0 1", "OK"),
            ("TTL b", "10"),
        ],
    );
    rig.pass_ms(10_000);
    rig.script(1, &[("DBSIZE", "0"), ("SELECT 0", "OK"), ("DBSIZE", "0")]);
}

#[test]
fn without_active_expiry_a_key_goes_when_it_is_looked_up() {
    let mut rig = Rig::new();
    rig.script(1, &[("DEBUG SET-ACTIVE-EXPIRE 0", "OK"), ("SET k v PX 10", "OK")]);
    rig.pass_ms(20);
    rig.script(1, &[("DBSIZE", "1"), ("GET k", "nil"), ("DBSIZE", "0")]);
    rig.script(1, &[("SET k v PX 10", "OK")]);
    rig.pass_ms(20);
    rig.script(1, &[("DBSIZE", "1"), ("DEBUG SET-ACTIVE-EXPIRE 1", "OK"), ("DBSIZE", "0")]);
}

#[test]
fn the_average_time_to_live_is_sampled() {
    let mut rig = Rig::new();
    rig.pass_ms(50);
    rig.script(1, &[("SET k v PX 1000", "OK")]);
    assert!(rig.say(1, "INFO keyspace").contains("avg_ttl=0\\r"));
    rig.pass_ms(50);
    assert!(rig.say(1, "INFO keyspace").contains("avg_ttl=950\\r"));
}

#[test]
fn idle_time_and_time_are_of_the_same_clock() {
    let mut rig = Rig::new();
    rig.script(1, &[("SET k v", "OK")]);
    rig.pass_ms(61_500);
    rig.script(
        1,
        &[
            ("OBJECT IDLETIME k", "61"),
            ("TIME", r#"["1735689661", "500000"]"#),
            ("TOUCH k", "1"),
            ("OBJECT IDLETIME k", "0"),
        ],
    );
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8),
    Expire(u8, i64),
    Persist(u8),
    Delete(u8),
    Rename(u8, u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..6_u8;
    prop_oneof![
        key.clone().prop_map(Step::Set),
        (key.clone(), -5..40_i64).prop_map(|(k, ms)| Step::Expire(k, ms)),
        key.clone().prop_map(Step::Persist),
        key.clone().prop_map(Step::Delete),
        (key.clone(), key).prop_map(|(a, b)| Step::Rename(a, b)),
        (0..20_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Compares with a map from keys to the milliseconds at which they expire.
    #[test]
    fn keys_live_exactly_as_long_as_they_should(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut db = Database::new();
        let mut model: BTreeMap<u8, Option<i64>> = BTreeMap::new();
        let mut now = Instant::ZERO;
        let name = |key: u8| [b'k', key];
        for step in steps {
            match step {
                Step::Set(k) => {
                    db.set(&name(k), b"v", Default::default()).unwrap();
                    model.insert(k, None);
                }
                Step::Expire(k, ms) => {
                    let there = model.contains_key(&k);
                    let at = db.now_ms() + ms;
                    prop_assert_eq!(db.pexpireat(&name(k), at, Default::default()), there);
                    if there && ms <= 0 {
                        model.remove(&k);
                    } else if there {
                        model.insert(k, Some(at));
                    }
                }
                Step::Persist(k) => {
                    let had_one = model.get(&k).is_some_and(Option::is_some);
                    prop_assert_eq!(db.persist(&name(k)), had_one);
                    model.entry(k).and_modify(|at| *at = None);
                }
                Step::Delete(k) => {
                    prop_assert_eq!(db.del(&name(k)), model.remove(&k).is_some());
                }
                Step::Rename(a, b) => {
                    let renamed = db.rename(&name(a), &name(b)).is_ok();
                    prop_assert_eq!(renamed, model.contains_key(&a));
                    if renamed && a != b {
                        let at = model.remove(&a).unwrap();
                        model.insert(b, at);
                    }
                }
                Step::Pass(ms) => {
                    now += Duration::from_millis(ms);
                    db.advance_to(now);
                    let at = db.now_ms();
                    model.retain(|_, gone| gone.is_none_or(|gone| gone > at));
                }
            }
            prop_assert_eq!(db.check_invariants(), Ok(()));
            let next = model.values().copied().flatten().min();
            prop_assert_eq!(db.next_expiry_ms(), next);
            prop_assert_eq!(db.len(), model.len());
            for k in 0..6 {
                prop_assert_eq!(db.exists(&name(k)), model.contains_key(&k));
            }
        }
    }
}

#[test]
fn a_clock_before_the_epoch_and_a_key_that_never_ends_make_no_number_overflow() {
    let mut db = Database::new();
    db.set(b"k", b"v", Default::default()).unwrap();
    assert!(db.pexpireat(b"k", i64::MAX, Default::default()));
    let mut rig = Rig::new();
    rig.server.set_clock_behind(Instant::ZERO, Duration::MAX);
    rig.script(1, &[("SET k v", "OK"), ("PEXPIREAT k 9223372036854775807", "1")]);
    for ask in ["TTL k", "PTTL k"] {
        rig.send(1, ask);
        let told = rig.told(1);
        assert!(told[0].parse::<i64>().is_ok_and(|left| left > 0), "{ask}: {told:?}");
    }
}
