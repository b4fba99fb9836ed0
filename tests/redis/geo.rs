//! The commands on positions. The replies are those of a real server.

use crate::lists::{events, listening};
use crate::support::Rig;

fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.script(
        1,
        &[
            ("GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", "2"),
            ("SET text x", "OK"),
        ],
    );
    rig
}

#[test]
fn positions_are_read_to_the_last_digit() {
    rig().script(
        1,
        &[
            ("ZSCORE Sicily Palermo", "\"3479099956230698\""),
            ("GEODIST Sicily Palermo Catania", "\"166274.1516\""),
            ("GEODIST Sicily Palermo Catania km", "\"166.2742\""),
            ("GEODIST Sicily Palermo none", "nil"),
            ("GEOHASH Sicily Palermo none", r#"["sqc8b49rny0", nil]"#),
            (
                "GEOPOS Sicily Palermo none",
                r#"[["13.36138933897018433", "38.11555639549629859"], nil array]"#,
            ),
        ],
    );
}

#[test]
fn a_search_finds_what_is_within() {
    rig().script(
        1,
        &[
            (
                "GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST WITHHASH",
                r#"[["Catania", "56.4413", 3479447370796909], ["Palermo", "190.4424", 3479099956230698]]"#,
            ),
            ("GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 100 km", r#"["Catania"]"#),
            ("GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 200 km DESC COUNT 1", r#"["Palermo"]"#),
            ("GEOSEARCH none FROMMEMBER x BYRADIUS 200 km", "[]"),
            ("GEORADIUS Sicily 15 37 100 km WITHCOORD", r#"[["Catania", ["15.08726745843887329", "37.50266842333162032"]]]"#),
            ("GEORADIUSBYMEMBER Sicily Palermo 100 km", r#"["Palermo"]"#),
        ],
    );
}

#[test]
fn a_stored_search_is_a_sorted_set() {
    let mut rig = listening();
    rig.say(1, "GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    rig.told(9);
    let store = "GEOSEARCHSTORE near Sicily FROMMEMBER Palermo BYRADIUS 200 km STOREDIST";
    assert_eq!(events(&mut rig, store), ["new near", "geosearchstore near"]);
    assert_eq!(
        rig.say(1, "ZRANGE near 0 -1 WITHSCORES"),
        r#"["Palermo", "0", "Catania", "166.27415156960032"]"#
    );
    assert_eq!(events(&mut rig, "GEORADIUS Sicily 15 37 1 m STORE near"), ["del near"]);
}

#[test]
fn wrong_arguments_have_their_own_errors() {
    rig().script(
        1,
        &[
            ("GEOADD Sicily 200 0 x", "!ERR invalid longitude,latitude pair 200.000000,0.000000"),
            ("GEOADD Sicily NX XX 1 1 x", "!ERR syntax error"),
            (
                "GEOSEARCH Sicily FROMLONLAT 15 37 ASC COUNT 1 ANY",
                "!ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH",
            ),
            (
                "GEOSEARCH Sicily BYRADIUS 1 m ASC COUNT 1",
                "!ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH",
            ),
            (
                "GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 1 light-year",
                "!ERR unsupported unit provided. please use M, KM, FT, MI",
            ),
            (
                "GEOSEARCH text FROMLONLAT 15 37 BYRADIUS 1 m",
                "!WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
        ],
    );
}
