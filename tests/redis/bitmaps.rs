//! The commands on bits of strings.

use crate::lists::{events, listening};
use crate::support::Rig;

const WRONG_TYPE: &str = "!WRONGTYPE Operation against a key holding the wrong kind of value";
const SYNTAX: &str = "!ERR syntax error";
const BIT_OFFSET: &str = "!ERR bit offset is not an integer or out of range";

/// Returns a server with a list `l`.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.say(1, "RPUSH l a");
    rig
}

#[test]
fn a_bit_is_set_in_a_string_that_grows() {
    rig().script(
        1,
        &[
            ("SETBIT b 7 1", "0"),
            ("SETBIT b 7 0", "1"),
            ("SETBIT b 100 0", "0"),
            ("STRLEN b", "13"),
            ("OBJECT ENCODING b", "\"raw\""),
            ("GETBIT b 4294967295", "0"),
            ("GETBIT b 4294967296", BIT_OFFSET),
            ("GETBIT none 7", "0"),
            ("SETBIT l -1 1", BIT_OFFSET),
            ("SETBIT l 0 2", "!ERR bit is not an integer or out of range"),
            ("SETBIT l 0 1", WRONG_TYPE),
            ("SETBIT b 4294967296 1", BIT_OFFSET),
        ],
    );
}

#[test]
fn bitcount_needs_both_ends_unless_the_key_is_missing() {
    rig().script(
        1,
        &[
            ("SET foobar foobar", "OK"),
            ("BITCOUNT foobar", "26"),
            ("BITCOUNT foobar 1 1", "6"),
            ("BITCOUNT foobar 5 30 BIT", "17"),
            ("BITCOUNT foobar -2 -1 BYTE", "7"),
            ("BITCOUNT foobar 5", SYNTAX),
            ("BITCOUNT none 5", "0"),
            ("BITCOUNT none x y z", "0"),
            ("BITCOUNT l x y", WRONG_TYPE),
            ("BITCOUNT foobar x y", "!ERR value is not an integer or out of range"),
            ("BITCOUNT foobar 0 1 WORD", SYNTAX),
            ("BITCOUNT foobar -1 -2 WORD", "0"),
        ],
    );
}

#[test]
fn bitpos_finds_the_zero_that_follows_unless_the_range_has_an_end() {
    let mut rig = rig();
    rig.say(1, r"SET ff \xff\xff\xff");
    rig.script(
        1,
        &[
            ("BITPOS ff 0", "24"),
            ("BITPOS ff 0 0", "24"),
            ("BITPOS ff 0 0 -1", "-1"),
            ("BITPOS ff 0 3", "-1"),
            ("BITPOS ff 1 2", "16"),
            ("BITPOS ff 1 7 15 BIT", "7"),
            ("BITPOS none 0", "0"),
            ("BITPOS none 1", "-1"),
            ("BITPOS none 0 x", "0"),
            ("BITPOS none 2", "!ERR The bit argument must be 1 or 0."),
            ("BITPOS l 2", "!ERR The bit argument must be 1 or 0."),
            ("BITPOS l 0", WRONG_TYPE),
            ("BITPOS ff 0 5 x WORD", SYNTAX),
        ],
    );
}

#[test]
fn bitop_pads_with_zeros() {
    rig().script(
        1,
        &[
            ("SET a abc", "OK"),
            ("SET foobar foobar", "OK"),
            ("BITOP AND d foobar a", "6"),
            ("GET d", r#""`bc\x00\x00\x00""#),
            ("BITOP OR d foobar a none", "6"),
            ("GET d", "\"goobar\""),
            ("BITOP XOR d foobar a", "6"),
            ("GET d", r#""\x07\r\x0cbar""#),
            ("BITOP NOT d a", "3"),
            ("GET d", r#""\x9e\x9d\x9c""#),
            ("BITOP AND d none", "0"),
            ("EXISTS d", "0"),
            ("BITOP AND d a l", WRONG_TYPE),
            ("BITOP NOR d a", SYNTAX),
            ("BITOP OR l a", "3"),
            ("TYPE l", "string"),
        ],
    );
}

#[test]
fn bitop_not_takes_one_source() {
    let one = "!ERR BITOP NOT must be called with a single source key.";
    rig().script(1, &[("BITOP NOT d a b", one), ("BITOP not d l l", one)]);
}

#[test]
fn a_bitfield_goes_step_by_step() {
    rig().script(
        1,
        &[
            (
                "BITFIELD k SET u8 0 255 INCRBY u8 0 10 OVERFLOW SAT INCRBY u8 0 10 OVERFLOW FAIL \
                 SET u8 0 300 INCRBY u2 100 5",
                "[0, 9, 19, nil, nil]",
            ),
            ("BITFIELD k GET u8 0 GET i64 0 GET u63 500", "[19, 1369094286720630784, 0]"),
            ("BITFIELD k", "[]"),
            ("BITFIELD none GET u8 0", "[0]"),
            ("EXISTS none", "0"),
            ("BITFIELD n SET i5 3 15 INCRBY i5 3 1 OVERFLOW SAT INCRBY i5 3 -100", "[0, -16, -16]"),
            ("BITFIELD n OVERFLOW SAT SET i5 3 -9223372036854775808 GET i5 3", "[-16, 15]"),
        ],
    );
}

#[test]
fn a_bitfield_that_fails_on_a_missing_key_creates_it() {
    rig().script(
        1,
        &[
            ("BITFIELD k OVERFLOW FAIL INCRBY u2 100 5", "[nil]"),
            ("EXISTS k", "1"),
            ("STRLEN k", "13"),
        ],
    );
}

#[test]
fn a_bitfield_is_read_as_a_whole_before_the_key_is_looked_at() {
    let invalid = "!ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
                   supported but i64 is.";
    rig().script(
        1,
        &[
            ("BITFIELD l GET u64 0", invalid),
            ("BITFIELD l GET i65 0", invalid),
            ("BITFIELD l GET u0 0", invalid),
            ("BITFIELD l GET U8 0", invalid),
            ("BITFIELD l GET u8 -1", BIT_OFFSET),
            ("BITFIELD l GET u8 #536870912", BIT_OFFSET),
            ("BITFIELD l GET u8 #536870911", WRONG_TYPE),
            ("BITFIELD l SET u8 0 x", "!ERR value is not an integer or out of range"),
            ("BITFIELD l GET u8", SYNTAX),
            ("BITFIELD l OVERFLOW up", "!ERR Invalid OVERFLOW type specified"),
            ("BITFIELD l", WRONG_TYPE),
            ("BITFIELD_RO l SET u8 0 0", "!ERR BITFIELD_RO only supports the GET subcommand"),
            ("BITFIELD_RO l OVERFLOW FAIL", WRONG_TYPE),
        ],
    );
}

#[test]
fn only_changes_raise_events() {
    let mut rig = listening();
    let steps: &[(&str, &[&str])] = &[
        ("SETBIT b 7 0", &["new b", "setbit b"]),
        ("SETBIT b 6 0", &[]),
        ("SETBIT b 6 1", &["setbit b"]),
        ("SETBIT b 8 0", &["setbit b"]),
        ("BITFIELD f OVERFLOW FAIL SET u8 0 300", &["new f"]),
        ("BITFIELD f SET u8 0 0", &[]),
        ("BITFIELD f SET u8 0 7", &["setbit f"]),
        ("BITOP AND d b", &["new d", "set d"]),
        ("BITOP AND d none", &["del d"]),
        ("BITOP AND d none", &[]),
    ];
    for (line, expected) in steps {
        assert_eq!(events(&mut rig, line), *expected, "{line}");
    }
}
