//! The recorded conversations are what the real server says; with
//! `STUNT_DOUBLE_RECORD=1` they are written down anew.

use super::node::Node;
use super::side::Real;
use crate::scenario::{difference, files, play};

#[test]
fn the_recordings_are_what_rabbitmq_answers() {
    let Some(mut node) = Node::start() else { return };
    let record = std::env::var_os("STUNT_DOUBLE_RECORD").is_some();
    let mut differ = Vec::new();
    for (name, file, recorded) in files() {
        let mut played = if record {
            Err(String::new())
        } else {
            play(&recorded, &mut Real::in_a_hurry(&mut node))
        };
        if played.as_ref() != Ok(&recorded) {
            played = play(&recorded, &mut Real::new(&mut node));
        }
        match played {
            Ok(played) if played == recorded => {}
            Ok(played) if record => std::fs::write(file, played).unwrap(),
            Ok(played) => differ.push(format!("{name}: {}", difference(&recorded, &played))),
            Err(why) => differ.push(format!("{name}: {why}")),
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}
