//! Commands that block until a list has an element.

use crate::lists::listening;
use crate::support::Rig;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const WRONG_TYPE: &str = "!WRONGTYPE Operation against a key holding the wrong kind of value";

impl Rig {
    /// Sends a line whose client has to wait.
    #[track_caller]
    fn waits(&mut self, client: u64, line: &str) {
        self.send(client, line);
        assert_eq!(self.told(client), [""; 0], "{line}");
    }
}

#[test]
fn keys_are_tried_in_the_order_given() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("RPUSH b 1 2", "2"),
            ("RPUSH c 3", "1"),
            ("BLPOP a c b 0", r#"["c", "3"]"#),
            ("BRPOP a c b 0", r#"["b", "2"]"#),
            ("BLMPOP 0 2 a b RIGHT COUNT 5", r#"["b", ["1"]]"#),
            ("SET s x", "OK"),
            ("BLPOP a s 0", WRONG_TYPE),
        ],
    );
}

#[test]
fn the_client_that_waits_longest_is_served_first() {
    let mut rig = Rig::new();
    for client in 1..=3 {
        rig.waits(client, "BLPOP k 0");
    }
    assert_eq!(rig.say(9, "RPUSH k a b"), "2");
    assert_eq!(rig.told(1), [r#"["k", "a"]"#]);
    assert_eq!(rig.told(2), [r#"["k", "b"]"#]);
    assert_eq!(rig.told(3), [""; 0]);
    assert_eq!(rig.say(9, "LLEN k"), "0");
}

#[test]
fn of_several_elements_pushed_at_once_the_outermost_is_served() {
    let mut rig = Rig::new();
    rig.waits(1, "BLPOP k 0");
    assert_eq!(rig.say(9, "LPUSH k a b c"), "3");
    assert_eq!(rig.told(1), [r#"["k", "c"]"#]);
}

#[test]
fn the_first_key_that_was_fed_is_served_first() {
    let mut rig = Rig::new();
    rig.waits(1, "BLPOP k1 k2 0");
    rig.waits(2, "BLPOP k2 k1 0");
    rig.script(9, &[("MULTI", "OK"), ("RPUSH k2 x y z", "QUEUED"), ("RPUSH k1 q", "QUEUED")]);
    assert_eq!(rig.say(9, "EXEC"), "[3, 1]");
    assert_eq!(rig.told(1), [r#"["k2", "x"]"#]);
    assert_eq!(rig.told(2), [r#"["k2", "y"]"#]);
}

#[test]
fn a_key_that_is_gone_at_the_end_of_a_transaction_wakes_nobody() {
    let mut rig = Rig::new();
    rig.waits(1, "BLPOP k 0");
    rig.script(
        9,
        &[("MULTI", "OK"), ("RPUSH k a", "QUEUED"), ("DEL k", "QUEUED"), ("EXEC", "[1, 1]")],
    );
    assert_eq!(rig.told(1), [""; 0]);
    assert_eq!(rig.say(9, "RPUSH k b"), "1");
    assert_eq!(rig.told(1), [r#"["k", "b"]"#]);
}

#[test]
fn a_rename_onto_the_awaited_key_wakes() {
    let mut rig = Rig::new();
    rig.waits(1, "BLPOP k 0");
    rig.script(9, &[("RPUSH other a", "1"), ("RENAME other k", "OK"), ("EXISTS k", "0")]);
    assert_eq!(rig.told(1), [r#"["k", "a"]"#]);
}

#[test]
fn a_key_of_another_type_wakes_nobody() {
    let mut rig = Rig::new();
    rig.waits(1, "BLPOP k 0");
    rig.script(9, &[("SET k x", "OK"), ("DEL k", "1"), ("SADD k x", "1"), ("DEL k", "1")]);
    assert_eq!(rig.told(1), [""; 0]);
    rig.say(9, "RPUSH k a");
    assert_eq!(rig.told(1), [r#"["k", "a"]"#]);
}

#[test]
fn a_chain_of_moves_settles_in_one_step() {
    let mut rig = listening();
    rig.waits(1, "BLMOVE a b LEFT RIGHT 0");
    rig.waits(2, "BRPOPLPUSH b c 0");
    rig.waits(3, "BLPOP c 0");
    assert_eq!(rig.say(4, "RPUSH a x"), "1");
    assert_eq!(rig.told(1), ["\"x\""]);
    assert_eq!(rig.told(2), ["\"x\""]);
    assert_eq!(rig.told(3), [r#"["c", "x"]"#]);
    assert_eq!(rig.say(4, "EXISTS a b c"), "0");
    let events: Vec<String> = rig.told(9).iter().map(|push| event(push)).collect();
    let expected = [
        "new a", "rpush a", "new b", "rpush b", "lpop a", "del a", "new c", "lpush c", "rpop b",
        "del b", "lpop c", "del c",
    ];
    assert_eq!(events, expected);
}

fn event(push: &str) -> String {
    let parts: Vec<&str> = push.split('"').collect();
    format!("{} {}", parts[5].trim_start_matches("__keyevent@0__:"), parts[7])
}

#[test]
fn a_list_that_is_moved_onto_itself_serves_everybody() {
    let mut rig = Rig::new();
    rig.waits(1, "BLMOVE k k LEFT RIGHT 0");
    rig.waits(2, "BLMOVE k k LEFT RIGHT 0");
    assert_eq!(rig.say(9, "RPUSH k a b"), "2");
    assert_eq!((rig.told(1), rig.told(2)), (vec!["\"a\"".to_owned()], vec!["\"b\"".to_owned()]));
    assert_eq!(rig.say(9, "LRANGE k 0 -1"), r#"["a", "b"]"#);
}

#[test]
fn a_destination_of_the_wrong_type_ends_the_wait_and_the_element_stays() {
    let mut rig = Rig::new();
    rig.say(9, "SET d x");
    rig.waits(1, "BRPOPLPUSH k d 0");
    rig.waits(2, "BLPOP k 0");
    assert_eq!(rig.say(9, "RPUSH k a"), "1");
    assert_eq!(rig.told(1), [WRONG_TYPE]);
    assert_eq!(rig.told(2), [r#"["k", "a"]"#]);
    rig.waits(1, "BRPOPLPUSH k d 0");
    rig.say(9, "RPUSH k b");
    assert_eq!(rig.told(1), [WRONG_TYPE]);
    assert_eq!(rig.say(9, "LRANGE k 0 -1"), r#"["b"]"#);
}

#[test]
fn within_a_transaction_nobody_waits() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("MULTI", "OK"),
            ("BLPOP k 0", "QUEUED"),
            ("BRPOPLPUSH k d 0", "QUEUED"),
            ("BLMOVE k d LEFT LEFT 0", "QUEUED"),
            ("BLMPOP 0 1 k LEFT", "QUEUED"),
            ("EXEC", "[nil array, nil, nil, nil array]"),
        ],
    );
}

#[test]
fn a_timeout_fires_at_its_millisecond_and_not_before() {
    let mut rig = Rig::new();
    rig.waits(1, "BLPOP k 0.25");
    rig.waits(2, "BLMOVE k d LEFT LEFT 0.25");
    rig.waits(3, "BLMPOP 0.0001 1 k LEFT");
    rig.waits(4, "BRPOP k 0");
    rig.pass(Duration::from_nanos(999_999));
    assert_eq!(rig.told(3), [""; 0]);
    rig.pass(Duration::from_nanos(1));
    assert_eq!(rig.told(3), ["nil array"]);
    rig.pass(Duration::from_nanos(248_999_999));
    assert_eq!((rig.told(1).len(), rig.told(2).len()), (0, 0));
    rig.pass(Duration::from_nanos(1));
    assert_eq!(rig.told(1), ["nil array"]);
    assert_eq!(rig.told(2), ["nil array"], "a wait in vain for an element too");
    rig.pass(Duration::from_secs(1_000_000));
    rig.say(9, "RPUSH k a");
    assert_eq!(rig.told(4), [r#"["k", "a"]"#]);
    assert_eq!(rig.say(1, "PING"), "PONG");
}

#[test]
fn a_timeout_is_a_number_of_seconds() {
    let no_float = "!ERR timeout is not a float or out of range";
    let negative = "!ERR timeout is negative";
    let mut rig = Rig::new();
    rig.say(1, "SET s x");
    rig.script(
        1,
        &[
            ("BLPOP s x", no_float),
            ("BLPOP s nan", no_float),
            ("BLPOP s \" 1\"", no_float),
            ("BLPOP s -1", negative),
            ("BLPOP s inf", negative),
            ("BLPOP s 9223372036854775808", negative),
            ("BLPOP s -0.001", WRONG_TYPE),
            ("BLPOP s -0.0011", negative),
            ("BLPOP s 9223372036854775", WRONG_TYPE),
            ("BLMOVE s s up LEFT x", "!ERR syntax error"),
            ("BLMOVE s s LEFT LEFT x", no_float),
            ("BRPOPLPUSH s s x", no_float),
            ("BLMPOP x 0 s LEFT", "!ERR numkeys should be greater than 0"),
            ("BLMPOP x 1 s LEFT COUNT 0", "!ERR count should be greater than 0"),
            ("BLMPOP x 1 s LEFT", no_float),
        ],
    );
}

#[test]
fn a_client_that_disconnects_leaves_nothing() {
    let mut rig = Rig::new();
    rig.waits(1, "BLPOP k 5");
    rig.waits(2, "BLPOP k 0");
    rig.disconnect(1);
    assert_eq!(rig.server.poll_timeout(), None);
    rig.say(9, "RPUSH k a");
    assert_eq!(rig.told(2), [r#"["k", "a"]"#]);
    rig.waits(2, "BLPOP k 0");
    rig.disconnect(2);
    assert_eq!(rig.say(9, "RPUSH k b"), "1");
    assert_eq!(rig.say(9, "LLEN k"), "1");
}

#[test]
fn waiting_requests_run_in_the_order_in_which_clients_are_released() {
    let mut rig = Rig::new();
    rig.waits(1, "BLPOP second 0");
    rig.waits(2, "BLPOP first 0");
    rig.waits(1, "RPUSH log one");
    rig.waits(2, "RPUSH log two");
    rig.script(9, &[("MULTI", "OK"), ("RPUSH first a", "QUEUED"), ("RPUSH second b", "QUEUED")]);
    rig.say(9, "EXEC");
    assert_eq!(rig.told(2), [r#"["first", "a"]"#, "1"]);
    assert_eq!(rig.told(1), [r#"["second", "b"]"#, "2"]);
}

#[test]
fn serving_a_client_counts_as_no_change_of_its_own() {
    let mut rig = Rig::new();
    let changes = |rig: &mut Rig| rig.server.database(0).unwrap().usage().changes;
    rig.waits(1, "BLPOP k 0");
    rig.say(9, "RPUSH k a b");
    assert_eq!(rig.told(1), [r#"["k", "a"]"#]);
    assert_eq!(changes(&mut rig), 2);
    rig.waits(1, "BLMPOP 0 1 j LEFT COUNT 2");
    rig.say(9, "RPUSH j a b");
    assert_eq!(changes(&mut rig), 6);
}

/// The naive model: waiting clients and lists.
#[derive(Default)]
struct Model {
    lists: BTreeMap<usize, VecDeque<String>>,
    /// Clients that wait, in order, each with its keys and end.
    waiting: Vec<(u64, Vec<usize>, bool)>,
}

impl Model {
    fn pop(&mut self, keys: &[usize], left: bool) -> Option<String> {
        let key = keys.iter().find(|key| self.lists.get(key).is_some_and(|l| !l.is_empty()))?;
        let list = self.lists.get_mut(key)?;
        let element = if left { list.pop_front() } else { list.pop_back() }?;
        Some(format!(r#"["k{key}", "{element}"]"#))
    }

    /// Serves the clients that wait for a key, the longest wait first.
    fn serve(&mut self, key: usize) -> Vec<(u64, String)> {
        let mut served = Vec::new();
        for (client, keys, left) in std::mem::take(&mut self.waiting) {
            match keys.contains(&key).then(|| self.pop(&[key], left)).flatten() {
                Some(answer) => served.push((client, answer)),
                None => self.waiting.push((client, keys, left)),
            }
        }
        served
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize, usize),
    Pop(u64, Vec<usize>, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3usize, 1..4usize).prop_map(|(key, n)| Step::Push(key, n)),
        (1..=3u64, prop::collection::vec(0..3usize, 1..4), any::<bool>())
            .prop_map(|(client, keys, left)| Step::Pop(client, keys, left)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nobody_is_overtaken_and_nothing_is_lost(steps in prop::collection::vec(step(), 1..60)) {
        let (mut rig, mut model) = (Rig::new(), Model::default());
        let mut pushed = 0;
        for step in steps {
            match step {
                Step::Push(key, n) => {
                    let new = pushed..pushed + n;
                    let elements: Vec<String> = new.map(|n| n.to_string()).collect();
                    pushed += n;
                    rig.say(9, &format!("RPUSH k{key} {}", elements.join(" ")));
                    model.lists.entry(key).or_default().extend(elements);
                    for (client, answer) in model.serve(key) {
                        prop_assert_eq!(rig.told(client), [answer]);
                    }
                }
                Step::Pop(client, ..) if model.waiting.iter().any(|w| w.0 == client) => {}
                Step::Pop(client, keys, left) => {
                    let names: Vec<String> = keys.iter().map(|key| format!("k{key}")).collect();
                    let command = if left { "BLPOP" } else { "BRPOP" };
                    rig.send(client, &format!("{command} {} 0", names.join(" ")));
                    let answer = model.pop(&keys, left);
                    let expected: Vec<String> = answer.iter().cloned().collect();
                    prop_assert_eq!(rig.told(client), expected);
                    if answer.is_none() {
                        model.waiting.push((client, keys, left));
                    }
                }
            }
            for client in 1..=3 {
                prop_assert!(rig.told(client).is_empty());
            }
        }
        for (key, list) in &model.lists {
            prop_assert_eq!(rig.say(9, &format!("LLEN k{key}")), list.len().to_string());
        }
    }
}
