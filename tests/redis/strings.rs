//! The commands on strings.

use crate::support::Rig;

const WRONG_TYPE: &str = "!WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER: &str = "!ERR value is not an integer or out of range";
const SYNTAX: &str = "!ERR syntax error";

/// Returns a server with a list `l`.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.say(1, "RPUSH l a");
    rig
}

#[test]
fn setrange_with_no_bytes_makes_no_key() {
    rig().script(
        1,
        &[
            ("SETRANGE nk 5 x", "6"),
            ("GET nk", r#""\x00\x00\x00\x00\x00x""#),
            (r#"SETRANGE none 3 """#, "0"),
            ("EXISTS none", "0"),
            ("SETRANGE l -1 x", "!ERR offset is out of range"),
            ("SETRANGE l x x", NOT_INTEGER),
            ("SETRANGE l 0 x", WRONG_TYPE),
        ],
    );
}

#[test]
fn getrange_far_below_the_start_is_the_first_byte() {
    rig().script(
        1,
        &[
            (r#"SET s "This is a string""#, "OK"),
            ("GETRANGE s 0 -100", "\"T\""),
            ("GETRANGE s -1 -5", "\"\""),
            ("GETRANGE s 10 100", "\"string\""),
            ("SUBSTR s 0 3", "\"This\""),
            ("GETRANGE none 0 -1", "\"\""),
            ("GETRANGE l x 0", NOT_INTEGER),
            ("GETRANGE l 0 0", WRONG_TYPE),
        ],
    );
}

#[test]
fn incrbyfloat_adds_with_eighty_bits() {
    rig().script(
        1,
        &[
            ("SET f 10.50", "OK"),
            ("INCRBYFLOAT f 0.1", "\"10.6\""),
            ("INCRBYFLOAT f +5.0e3", "\"5010.60000000000000009\""),
            ("SET f 0.1", "OK"),
            ("INCRBYFLOAT f 0.2", "\"0.3\""),
            ("INCRBYFLOAT l x", WRONG_TYPE),
            ("INCRBYFLOAT f x", "!ERR value is not a valid float"),
            ("INCRBYFLOAT f inf", "!ERR increment would produce NaN or Infinity"),
        ],
    );
}

#[test]
fn an_integer_is_written_in_one_way_only() {
    for text in ["\" 11\"", "01", "-0", "+1", "1.0", "9223372036854775808"] {
        rig().script(1, &[(&format!("SET i {text}"), "OK"), ("INCR i", NOT_INTEGER)]);
    }
    rig().script(1, &[("INCRBY l x", NOT_INTEGER), ("INCRBY l 1", WRONG_TYPE)]);
}

#[test]
fn a_decrement_that_cannot_be_negated_overflows() {
    rig().script(
        1,
        &[
            ("DECRBY i -9223372036854775808", "!ERR decrement would overflow"),
            ("SET i 9223372036854775807", "OK"),
            ("INCR i", "!ERR increment or decrement would overflow"),
            ("DECRBY i 9223372036854775807", "0"),
        ],
    );
}

#[test]
fn set_takes_its_options_in_any_order() {
    rig().script(
        1,
        &[
            ("SET k v EX 0", "!ERR invalid expire time in 'set' command"),
            ("SET k v NX GET", "nil"),
            ("SET k w NX GET", "\"v\""),
            ("SET k w GET XX", "\"v\""),
            ("SET k w NX XX", SYNTAX),
            ("SET k w EX 1 PX 1", SYNTAX),
            ("SET k w KEEPTTL EX 1", SYNTAX),
            ("SET k w EX", SYNTAX),
            ("SET l w GET", WRONG_TYPE),
            ("SET l w", "OK"),
            ("SETEX k 0 v", "!ERR invalid expire time in 'setex' command"),
        ],
    );
}

#[test]
fn getex_checks_the_value_before_the_time() {
    rig().script(
        1,
        &[
            ("GETEX none EX -1", "nil"),
            ("GETEX l EX 0", WRONG_TYPE),
            ("SET k v", "OK"),
            ("GETEX k EX 0", "!ERR invalid expire time in 'getex' command"),
            ("GETEX k EXAT 1", "\"v\""),
            ("EXISTS k", "0"),
        ],
    );
}

#[test]
fn encodings_are_those_that_redis_reports() {
    let (short, long) = ("x".repeat(44), "x".repeat(45));
    rig().script(
        1,
        &[
            ("SET k 12", "OK"),
            ("OBJECT ENCODING k", "\"int\""),
            ("APPEND k 3", "3"),
            ("OBJECT ENCODING k", "\"raw\""),
            (&format!("SET k {short}"), "OK"),
            ("OBJECT ENCODING k", "\"embstr\""),
            ("SETRANGE k 0 y", "44"),
            ("OBJECT ENCODING k", "\"raw\""),
            (&format!("SET k {long}"), "OK"),
            ("OBJECT ENCODING k", "\"raw\""),
        ],
    );
}

#[test]
fn lcs_gives_bytes_or_length_or_pieces() {
    rig().script(
        1,
        &[
            ("MSET a ohmytext b mynewtext", "OK"),
            ("LCS a b", "\"mytext\""),
            ("LCS a b LEN", "6"),
            (
                "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
                r#"["matches", [[[4, 7], [5, 8], 4]], "len", 6]"#,
            ),
            ("LCS a b IDX", r#"["matches", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len", 6]"#),
            ("LCS a none", "\"\""),
            ("LCS a l FOO", "!ERR The specified keys must contain string values"),
            ("LCS a b FOO", SYNTAX),
            (
                "LCS a b LEN IDX",
                "!ERR If you want both the length and indexes, please just use IDX.",
            ),
            ("SETRANGE long 20000 x", "20001"),
            (
                "LCS long long",
                "!ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
            ),
        ],
    );
}
