//! The commands on lists. Blocking is tested in `blocking`.

use crate::support::Rig;
use stunt_double::redis::EventClasses;
use stunt_double::redis::ServerOptions;

const WRONG_TYPE: &str = "!WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER: &str = "!ERR value is not an integer or out of range";
const SYNTAX: &str = "!ERR syntax error";

/// Returns a server with a string `s`.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.say(1, "SET s text");
    rig
}

#[test]
fn elements_are_pushed_one_after_the_other() {
    rig().script(
        1,
        &[
            ("RPUSH l a b", "2"),
            ("LPUSH l c d", "4"),
            ("LRANGE l 0 -1", r#"["d", "c", "a", "b"]"#),
            ("LPUSHX none x", "0"),
            ("RPUSHX none x", "0"),
            ("EXISTS none", "0"),
            ("RPUSHX l e f", "6"),
            ("LLEN l", "6"),
            ("LPUSH s x", WRONG_TYPE),
            ("LPUSHX s x", WRONG_TYPE),
            ("LLEN s", WRONG_TYPE),
        ],
    );
}

#[test]
fn a_pop_of_nothing_is_an_empty_array_but_nil_without_a_list() {
    rig().script(
        1,
        &[
            ("RPUSH l a b c d", "4"),
            ("LPOP l 0", "[]"),
            ("LPOP none 0", "nil array"),
            ("RPOP none 3", "nil array"),
            ("LPOP none", "nil"),
            ("LPOP l -1", "!ERR value is out of range, must be positive"),
            ("LPOP l x", "!ERR value is out of range, must be positive"),
            ("LPOP s x", "!ERR value is out of range, must be positive"),
            ("LPOP s 0", WRONG_TYPE),
            ("LPOP l 1 2", "!ERR wrong number of arguments for 'lpop' command"),
            ("LPOP l", "\"a\""),
            ("RPOP l 2", r#"["d", "c"]"#),
            ("LPOP l 9", r#"["b"]"#),
            ("EXISTS l", "0"),
        ],
    );
}

#[test]
fn an_index_is_checked_after_the_type() {
    rig().script(
        1,
        &[
            ("RPUSH l a b c", "3"),
            ("LINDEX l 0", "\"a\""),
            ("LINDEX l -1", "\"c\""),
            ("LINDEX l 3", "nil"),
            ("LINDEX l x", NOT_INTEGER),
            ("LINDEX s x", WRONG_TYPE),
            ("LINDEX none x", "nil"),
        ],
    );
}

#[test]
fn lset_names_what_is_missing() {
    rig().script(
        1,
        &[
            ("RPUSH l a b c", "3"),
            ("LSET none 0 x", "!ERR no such key"),
            ("LSET none x x", "!ERR no such key"),
            ("LSET s x x", WRONG_TYPE),
            ("LSET l x x", NOT_INTEGER),
            ("LSET l 3 x", "!ERR index out of range"),
            ("LSET l -4 x", "!ERR index out of range"),
            ("LSET l -1 z", "OK"),
            ("LRANGE l 0 -1", r#"["a", "b", "z"]"#),
        ],
    );
}

#[test]
fn linsert_tells_a_missing_list_from_a_missing_pivot() {
    rig().script(
        1,
        &[
            ("LINSERT none BEFORE a x", "0"),
            ("RPUSH l a b a", "3"),
            ("LINSERT l BEFORE z x", "-1"),
            ("LINSERT l AFTER a x", "4"),
            ("LINSERT l before a y", "5"),
            ("LRANGE l 0 -1", r#"["y", "a", "x", "b", "a"]"#),
            ("LINSERT none between a x", SYNTAX),
            ("LINSERT s BEFORE a x", WRONG_TYPE),
        ],
    );
}

#[test]
fn ranges_are_cut_to_the_list() {
    rig().script(
        1,
        &[
            ("RPUSH l a b c d", "4"),
            ("LRANGE l -2 -1", r#"["c", "d"]"#),
            ("LRANGE l -100 0", r#"["a"]"#),
            ("LRANGE l 3 100", r#"["d"]"#),
            ("LRANGE l 2 1", "[]"),
            ("LRANGE l 4 9", "[]"),
            ("LRANGE none 0 -1", "[]"),
            ("LRANGE s x 0", NOT_INTEGER),
            ("LRANGE s 0 0", WRONG_TYPE),
            ("LTRIM l 1 -2", "OK"),
            ("LRANGE l 0 -1", r#"["b", "c"]"#),
            ("LTRIM s 0 x", NOT_INTEGER),
            ("LTRIM s 0 0", WRONG_TYPE),
            ("LTRIM none 0 0", "OK"),
            ("LTRIM l 5 9", "OK"),
            ("EXISTS l", "0"),
        ],
    );
}

#[test]
fn lrem_counts_from_either_end() {
    rig().script(
        1,
        &[
            ("RPUSH l a b a b a", "5"),
            ("LREM l 1 a", "1"),
            ("LREM l -1 a", "1"),
            ("LRANGE l 0 -1", r#"["b", "a", "b"]"#),
            ("LREM l 0 z", "0"),
            ("LREM l -9223372036854775808 b", "2"),
            ("LREM l 0 a", "1"),
            ("EXISTS l", "0"),
            ("LREM s x a", NOT_INTEGER),
            ("LREM s 1 a", WRONG_TYPE),
        ],
    );
}

#[test]
fn lpos_counts_ranks_and_comparisons() {
    let rank_0 = "!ERR RANK can't be zero: use 1 to start from the first match, 2 from the second \
                  ... or use negative to start from the end of the list";
    rig().script(
        1,
        &[
            ("RPUSH l a b c 1 2 3 c c", "8"),
            ("LPOS l c", "2"),
            ("LPOS l c RANK 2", "6"),
            ("LPOS l c RANK -1", "7"),
            ("LPOS l c COUNT 2", "[2, 6]"),
            ("LPOS l c COUNT 0 RANK -1", "[7, 6, 2]"),
            ("LPOS l c RANK -1 COUNT 0 MAXLEN 2", "[7, 6]"),
            ("LPOS l c MAXLEN 2", "nil"),
            ("LPOS l z COUNT 1", "[]"),
            ("LPOS none a", "nil"),
            ("LPOS none a COUNT 1", "[]"),
            ("LPOS l a RANK 0", rank_0),
            ("LPOS l a RANK x", NOT_INTEGER),
            ("LPOS l a COUNT -1", "!ERR COUNT can't be negative"),
            ("LPOS l a MAXLEN x", "!ERR MAXLEN can't be negative"),
            ("LPOS l a RANK", SYNTAX),
            ("LPOS s a RANK 0", rank_0),
            ("LPOS s a", WRONG_TYPE),
        ],
    );
}

#[test]
fn lmove_of_nothing_ignores_the_destination() {
    rig().script(
        1,
        &[
            ("LMOVE none s LEFT RIGHT", "nil"),
            ("RPOPLPUSH none s", "nil"),
            ("LMOVE none s LEFT up", SYNTAX),
            ("RPUSH l a b c", "3"),
            ("LMOVE l s LEFT RIGHT", WRONG_TYPE),
            ("LMOVE s l LEFT RIGHT", WRONG_TYPE),
            ("RPOPLPUSH l l", "\"c\""),
            ("LRANGE l 0 -1", r#"["c", "a", "b"]"#),
            ("LMOVE l m left right", "\"c\""),
            ("LMOVE l m RIGHT LEFT", "\"b\""),
            ("LRANGE m 0 -1", r#"["b", "c"]"#),
            ("LMOVE l l LEFT LEFT", "\"a\""),
            ("LLEN l", "1"),
        ],
    );
}

#[test]
fn lmpop_pops_from_the_first_existing_list() {
    rig().script(
        1,
        &[
            ("RPUSH l a b c", "3"),
            ("LMPOP 2 none l LEFT", r#"["l", ["a"]]"#),
            ("LMPOP 2 l s RIGHT COUNT 9", r#"["l", ["c", "b"]]"#),
            ("LMPOP 2 none l LEFT", "nil array"),
            ("LMPOP 2 none s LEFT", WRONG_TYPE),
            ("LMPOP 0 l LEFT", "!ERR numkeys should be greater than 0"),
            ("LMPOP x l LEFT", "!ERR numkeys should be greater than 0"),
            ("LMPOP 2 l LEFT", SYNTAX),
            ("LMPOP 1 l up", SYNTAX),
            ("LMPOP 1 l LEFT COUNT 0", "!ERR count should be greater than 0"),
            ("LMPOP 1 l LEFT COUNT", SYNTAX),
            ("LMPOP 1 l LEFT COUNT 1 COUNT 1", SYNTAX),
        ],
    );
}

/// Returns the events that a line raises, such as `lpush l`.
pub(crate) fn events(rig: &mut Rig, line: &str) -> Vec<String> {
    rig.say(1, line);
    let told = rig.told(9).into_iter();
    let event = |push: String| {
        let parts: Vec<&str> = push.split('"').collect();
        format!("{} {}", parts[5].trim_start_matches("__keyevent@0__:"), parts[7])
    };
    told.map(event).collect()
}

/// Returns a server whose client 9 listens to events.
pub(crate) fn listening() -> Rig {
    let classes = EventClasses::parse("EAn").unwrap();
    let mut rig = Rig::with(ServerOptions::default().with_notifications(classes));
    rig.say(9, "PSUBSCRIBE __keyevent@*");
    rig
}

#[test]
fn a_rotation_raises_a_push_then_a_pop() {
    let mut rig = listening();
    assert_eq!(events(&mut rig, "RPUSH l a b"), ["new l", "rpush l"]);
    assert_eq!(events(&mut rig, "RPOPLPUSH l l"), ["lpush l", "rpop l"]);
    assert_eq!(events(&mut rig, "LMOVE l m LEFT RIGHT"), ["new m", "rpush m", "lpop l"]);
    assert_eq!(events(&mut rig, "LMOVE l m LEFT RIGHT"), ["rpush m", "lpop l", "del l"]);
}

#[test]
fn events_are_those_of_what_was_done() {
    let mut rig = listening();
    let steps: &[(&str, &[&str])] = &[
        ("LPUSH l a b c d e", &["new l", "lpush l"]),
        ("RPUSHX l x", &["rpush l"]),
        ("LPUSHX none x", &[]),
        ("LPOP l 0", &[]),
        ("LPOP l 2", &["lpop l"]),
        ("LSET l 0 z", &["lset l"]),
        ("LSET l 9 z", &[]),
        ("LINSERT l AFTER z y", &["linsert l"]),
        ("LINSERT l AFTER none y", &[]),
        ("LREM l 0 y", &["lrem l"]),
        ("LREM l 0 y", &[]),
        ("LTRIM l 0 -1", &["ltrim l"]),
        ("LTRIM l 1 0", &["ltrim l", "del l"]),
        ("LTRIM l 1 0", &[]),
    ];
    for (line, expected) in steps {
        assert_eq!(events(&mut rig, line), *expected, "{line}");
    }
}

#[test]
fn a_trim_that_keeps_everything_breaks_a_watch_and_a_failed_removal_does_not() {
    for (line, answer) in [("LTRIM l 0 -1", "nil array"), ("LREM l 0 z", "[PONG]")] {
        let mut rig = Rig::new();
        rig.script(1, &[("RPUSH l a", "1"), ("WATCH l", "OK")]);
        rig.say(2, line);
        rig.script(1, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", answer)]);
    }
}
