//! The commands on HyperLogLogs. The replies are those of a real server.

use crate::support::Rig;

#[test]
fn the_bytes_are_the_real_servers() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("PFADD h a b c d e f g", "1"),
            ("PFADD h a", "0"),
            ("PFCOUNT h", "7"),
            (
                "GET h",
                "\"HYLL\\x01\\x00\\x00\\x00\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00Fm\\x80V\\x0c\\x80D<\\x848\\x80P\\xb1\\x84I\\x8c\\x80Bm\\x80BZ\"",
            ),
            (
                "PFDEBUG DECODE h",
                "\"Z:1646 v:1,1 Z:5645 v:1,1 Z:1085 v:2,1 z:57 v:1,1 Z:4274 v:2,1 Z:2445 v:1,1 Z:622 v:1,1 Z:603\"",
            ),
            ("PFADD other g h i", "1"),
            ("PFCOUNT h other none", "9"),
            ("PFMERGE all h other", "OK"),
            ("PFCOUNT all", "9"),
            ("PFDEBUG ENCODING all", "sparse"),
            ("PFDEBUG TODENSE all", "1"),
            ("PFDEBUG ENCODING all", "dense"),
            ("STRLEN all", "12304"),
            ("PFCOUNT all", "9"),
        ],
    );
}

#[test]
fn other_strings_are_refused_and_broken_ones_found() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("SET text x", "OK"),
            ("PFADD text a", "!WRONGTYPE Key is not a valid HyperLogLog string value."),
            ("PFCOUNT text", "!WRONGTYPE Key is not a valid HyperLogLog string value."),
            ("LPUSH list a", "1"),
            ("PFADD list a", "!WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("PFADD h a b", "1"),
            ("APPEND h x", "25"),
            ("PFCOUNT h", "!INVALIDOBJ Corrupted HLL object detected"),
            ("PFDEBUG ENCODING none", "!ERR The specified key does not exist"),
        ],
    );
}

#[test]
fn a_count_is_a_change_if_the_last_one_is_outdated() {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("PFADD h a", "1"),
            ("WATCH h", "OK"),
            ("PFCOUNT h", "1"),
            ("MULTI", "OK"),
            ("EXEC", "nil array"),
        ],
    );
    rig.script(1, &[("WATCH h", "OK"), ("PFCOUNT h", "1"), ("MULTI", "OK"), ("EXEC", "[]")]);
}
