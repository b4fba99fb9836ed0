//! The commands on sets.

use crate::lists::{events, listening};
use crate::support::Rig;
use proptest::prelude::*;
use std::collections::BTreeSet;

const WRONG_TYPE: &str = "!WRONGTYPE Operation against a key holding the wrong kind of value";
const SYNTAX: &str = "!ERR syntax error";

fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.say(1, "SET text x");
    rig
}

#[test]
fn members_come_and_go() {
    rig().script(
        1,
        &[
            ("SADD s 3 1 2 3", "3"),
            ("SADD s 1", "0"),
            ("SMEMBERS s", r#"["1", "2", "3"]"#),
            ("SCARD s", "3"),
            ("SISMEMBER s 1", "1"),
            ("SISMEMBER s 01", "0"),
            ("SMISMEMBER s 1 9", "[1, 0]"),
            ("SMISMEMBER none 1 9", "[0, 0]"),
            ("SREM s 1 9", "1"),
            ("SREM s 2 3", "2"),
            ("EXISTS s", "0"),
            ("SADD text a", WRONG_TYPE),
            ("SREM text a", WRONG_TYPE),
            ("SMISMEMBER text a", WRONG_TYPE),
        ],
    );
}

#[test]
fn an_intset_turns_at_513_members_and_never_back() {
    let mut rig = rig();
    let members = |n: i32| (1..=n).map(|i| i.to_string()).collect::<Vec<_>>().join(" ");
    rig.say(1, &format!("SADD s {}", members(512)));
    rig.script(
        1,
        &[
            ("OBJECT ENCODING s", "\"intset\""),
            ("SADD s 513", "1"),
            ("OBJECT ENCODING s", "\"hashtable\""),
            ("SREM s 513", "1"),
            ("OBJECT ENCODING s", "\"hashtable\""),
            ("SUNIONSTORE u s", "512"),
            ("OBJECT ENCODING u", "\"intset\""),
        ],
    );
}

#[test]
fn smove_checks_the_destination_only_if_there_is_a_source() {
    rig().script(
        1,
        &[
            ("SADD s a b", "2"),
            ("SADD d b", "1"),
            ("SMOVE none text a", "0"),
            ("SMOVE s text a", WRONG_TYPE),
            ("SMOVE s text z", WRONG_TYPE),
            ("SMOVE text s a", WRONG_TYPE),
            ("SMOVE s s a", "1"),
            ("SMOVE s s z", "0"),
            ("SMOVE s d z", "0"),
            ("SMOVE s d b", "1"),
            ("SMOVE s d a", "1"),
            ("EXISTS s", "0"),
            ("SCARD d", "2"),
        ],
    );
}

#[test]
fn drawing_from_nothing_is_nil_or_with_a_count_empty() {
    let no_negation = "!ERR value is out of range, value must between -9223372036854775807 and \
                       9223372036854775807";
    rig().script(
        1,
        &[
            ("SRANDMEMBER none", "nil"),
            ("SRANDMEMBER none 3", "[]"),
            ("SRANDMEMBER none -3", "[]"),
            ("SPOP none", "nil"),
            ("SPOP none 3", "[]"),
            ("SRANDMEMBER none -9223372036854775808", no_negation),
            ("SADD s 1 2 3", "3"),
            ("SRANDMEMBER s 0", "[]"),
            ("SRANDMEMBER s 9", r#"["1", "2", "3"]"#),
            ("SRANDMEMBER s 1 2", SYNTAX),
            ("SRANDMEMBER text x", "!ERR value is not an integer or out of range"),
            ("SRANDMEMBER text 1", WRONG_TYPE),
            ("SPOP text x", "!ERR value is out of range, must be positive"),
            ("SPOP s -1", "!ERR value is out of range, must be positive"),
            ("SPOP text 0", WRONG_TYPE),
            ("SPOP s 1 2", SYNTAX),
            ("SPOP s 0", "[]"),
            ("SPOP s 9", r#"["1", "2", "3"]"#),
            ("EXISTS s", "0"),
        ],
    );
}

#[test]
fn every_key_of_a_combination_is_checked() {
    rig().script(
        1,
        &[
            ("SADD s 1", "1"),
            ("SINTER none text", WRONG_TYPE),
            ("SUNION none text", WRONG_TYPE),
            ("SDIFF none text", WRONG_TYPE),
            ("SINTERCARD 2 none text", WRONG_TYPE),
            ("SINTERSTORE d none text", WRONG_TYPE),
            ("SINTER none s", "[]"),
            ("SDIFF none s", "[]"),
            ("SDIFF s none", r#"["1"]"#),
        ],
    );
}

#[test]
fn sintercard_reads_its_words_in_order() {
    rig().script(
        1,
        &[
            ("SADD s 1 2 3", "3"),
            ("SINTERCARD a s", "!ERR numkeys should be greater than 0"),
            ("SINTERCARD 0 s", "!ERR numkeys should be greater than 0"),
            ("SINTERCARD 2 s", "!ERR Number of keys can't be greater than number of args"),
            ("SINTERCARD 1 s LIMIT", SYNTAX),
            ("SINTERCARD 1 s LIMIT -1", "!ERR LIMIT can't be negative"),
            ("SINTERCARD 1 text LIMIT -1", "!ERR LIMIT can't be negative"),
            ("SINTERCARD 1 s LIMIT 0", "3"),
            ("SINTERCARD 1 s LIMIT 2 LIMIT 1", "1"),
            ("SINTERCARD 1 s s", SYNTAX),
        ],
    );
}

#[test]
fn an_empty_result_deletes_the_destination() {
    let mut rig = listening();
    let steps: &[(&str, &[&str])] = &[
        ("SADD a 1 2 3", &["new a", "sadd a"]),
        ("SADD b 3", &["new b", "sadd b"]),
        ("SINTERSTORE d a b", &["new d", "sinterstore d"]),
        ("SUNIONSTORE d a b", &["sunionstore d"]),
        ("SDIFFSTORE d a b", &["sdiffstore d"]),
        ("SDIFFSTORE d b a", &["del d"]),
        ("SDIFFSTORE d b a", &[]),
        ("SINTERSTORE a a none", &["del a"]),
        ("SADD b 3", &[]),
        ("SREM b 4", &[]),
        ("SMOVE b c 3", &["srem b", "del b", "new c", "sadd c"]),
        ("SMOVE c c 3", &[]),
        ("SPOP c", &["spop c", "del c"]),
        ("SPOP c", &[]),
    ];
    for (line, expected) in steps {
        assert_eq!(events(&mut rig, line), *expected, "{line}");
    }
}

#[test]
fn resp3_answers_sets_where_there_is_no_order() {
    let mut rig = rig();
    rig.send(1, "HELLO 3");
    rig.told(1);
    rig.script(
        1,
        &[
            ("SADD s 1 2", "2"),
            ("SMEMBERS s", r#"{"1", "2"}"#),
            ("SMEMBERS none", "{}"),
            ("SINTER s s", r#"{"1", "2"}"#),
            ("SMISMEMBER s 1", "[1]"),
            ("SRANDMEMBER s 2", r#"["1", "2"]"#),
            ("SPOP s 0", "{}"),
            ("SPOP s 2", r#"{"1", "2"}"#),
            ("SPOP s", "nil"),
        ],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_drawn_is_there_and_what_is_popped_is_gone(
        members in prop::collection::btree_set("[a-z]{1,3}|[0-9]{1,2}", 1..20),
        count in -30..30i64,
    ) {
        let mut rig = Rig::new();
        let listed = |answer: &str| -> Vec<String> {
            let inner = answer.trim_matches(['[', ']']);
            inner.split(", ").filter(|m| !m.is_empty()).map(|m| m.replace('"', "")).collect()
        };
        let all: Vec<&str> = members.iter().map(String::as_str).collect();
        rig.say(1, &format!("SADD s {}", all.join(" ")));
        let drawn = listed(&rig.say(1, &format!("SRANDMEMBER s {count}")));
        let different: BTreeSet<&String> = drawn.iter().collect();
        prop_assert!(drawn.iter().all(|member| members.contains(member)));
        if count < 0 {
            prop_assert_eq!(drawn.len(), count.unsigned_abs() as usize);
        } else {
            prop_assert_eq!(drawn.len(), members.len().min(count as usize));
            prop_assert_eq!(different.len(), drawn.len());
        }
        let popped = listed(&rig.say(1, &format!("SPOP s {}", count.abs())));
        let left: BTreeSet<String> = listed(&rig.say(1, "SMEMBERS s")).into_iter().collect();
        prop_assert_eq!(left.len() + popped.len(), members.len());
        prop_assert!(popped.iter().all(|member| members.contains(member)));
        prop_assert!(popped.iter().all(|member| !left.contains(member)));
    }
}
