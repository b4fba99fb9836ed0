//! The real server answers as recorded; with `STUNT_DOUBLE_RECORD=1` the recordings of its version
//! are written anew. A conversation in which it does not differ from the version before has no file
//! of its own.
//!
//! Recordings with waits or administration take minutes. They are played only if
//! `STUNT_DOUBLE_SCENARIO` is set, to a part of their names; if it is empty, all are played.

use super::node::Node;
use super::side::Real;
use crate::played::recordings::{Recording, file, recordings, unrecorded};
use crate::played::scenario::{difference, play};
use std::sync::Mutex;
use stunt_double::rabbitmq::Version;

/// Number of times a conversation is repeated before it counts as different.
const PATIENT_TRIES: usize = 6;

/// Conversations that the real server ends in one of several ways, at random, and why.
const LUCK: [(&str, &str); 1] = [(
    "quorum_queue_requeue_of_many",
    "two channels die together, and the queue may hear of either first",
)];

/// Returns whether two accounts differ by luck alone: the conversation is known for it, both are
/// the same up to the loss of the connection, and the same messages follow.
fn is_luck(name: &str, recorded: &str, played: &str) -> bool {
    let parts = |text: &str| {
        let (before, after) = text.split_once("= lose").unwrap_or((text, ""));
        let bodies = after.lines().filter_map(|line| line.split_once("body "));
        let mut bodies: Vec<String> = bodies.map(|(_, body)| body.to_owned()).collect();
        bodies.sort();
        (before.to_owned(), bodies)
    };
    LUCK.iter().any(|(lucky, _)| *lucky == name) && parts(recorded) == parts(played)
}

#[test]
fn rabbitmq_answers_as_recorded() {
    let Some(node) = Node::start() else { return };
    let version = node.version();
    let node = Mutex::new(node);
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let record = is_set("STUNT_DOUBLE_RECORD");
    let all = record || is_set("STUNT_DOUBLE_SCENARIO");
    let mut differ = Vec::new();
    for recording in recordings(version) {
        let Recording { name, text: recorded, .. } = &recording;
        let slow = ["= wait", "= ctl", "= restart", "= kill"];
        if !all && slow.iter().any(|slow| recorded.contains(slow)) {
            continue;
        }
        let is_foreign = record && !file(version, name).exists();
        let said = if is_foreign { unrecorded(recorded) } else { recorded.clone() };
        let mut played =
            if record { Err(String::new()) } else { play(&said, &mut Real::in_a_hurry(&node)) };
        // A busy machine makes the server slow, so it is asked again with more patience.
        for _ in 0..PATIENT_TRIES {
            if played.as_ref() == Ok(recorded) || record && played.is_ok() {
                break;
            }
            played = play(&said, &mut Real::new(&node));
        }
        match played {
            Ok(played) if record => write(version, &recording, &played),
            Ok(played) if played == *recorded => {}
            Ok(played) if is_luck(name, recorded, &played) => {
                println!("{name}: the server had other luck than when it was recorded");
            }
            Ok(played) => differ.push(format!("{name}: {}", difference(recorded, &played))),
            Err(why) => differ.push(format!("{name}: {why}")),
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

/// Writes what was played, unless it is what the version before has.
fn write(version: Version, recording: &Recording, played: &str) {
    let file = file(version, &recording.name);
    if recording.inherited.as_deref() != Some(played) {
        std::fs::write(file, played).unwrap();
    } else if file.exists() {
        std::fs::remove_file(file).unwrap();
    }
}
