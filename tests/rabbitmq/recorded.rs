//! Conversations with the real server, played to our broker. Every file in `recorded` is a
//! conversation with RabbitMQ 3.10.8, 4.0.5 or 4.3.6 that `tests/real/rabbitmq` recorded.

use crate::played::amqp::{Decoder, encode};
use crate::played::ours::Ours;
use crate::played::recordings::{VERSIONS, recordings};
use crate::played::scenario::{difference, play};
use stunt_double::rabbitmq::Version;

/// Plays every conversation of a version to our broker.
fn our_broker_answers_as_recorded(version: Version) {
    let (mut same, mut differ) = (0, Vec::new());
    for recording in recordings(version) {
        let (name, recorded) = (recording.name, recording.text);
        match play(&recorded, &mut Ours::new(version)) {
            Ok(ours) if ours == recorded => same += 1,
            Ok(ours) => differ.push(format!("{name}: {}", difference(&recorded, &ours))),
            Err(why) => differ.push(format!("{name}: {why}")),
        }
    }
    let all = same + differ.len();
    assert!(differ.is_empty(), "{} of {all} differ:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn our_broker_answers_as_rabbitmq_3_10_answered() {
    our_broker_answers_as_recorded(Version::V3_10);
}

#[test]
fn our_broker_answers_as_rabbitmq_4_0_answered() {
    our_broker_answers_as_recorded(Version::V4_0);
}

#[test]
fn our_broker_answers_as_rabbitmq_4_3_answered() {
    our_broker_answers_as_recorded(Version::V4_3);
}

#[test]
fn a_line_is_the_same_after_a_round_trip_through_bytes() {
    let mut lines = 0;
    let all = VERSIONS.iter().flat_map(|(version, _)| recordings(*version));
    for recording in all {
        let name = recording.name;
        for line in recording.text.lines().filter(|line| line.starts_with(['>', '<'])) {
            let is_sent = line.starts_with('>');
            let Some((target, line)) = line[2..].split_once(' ') else { continue };
            let channel = target.split_once('.').map_or(0, |(_, channel)| channel.parse().unwrap());
            let whole = !line.starts_with("basic.publish") || line.contains(" | body ");
            let is_raw = ["raw", "frame", "header", "body"].iter().any(|raw| line.starts_with(raw));
            if line == "closed" || is_raw || !whole {
                continue;
            }
            let bytes = encode(channel, line).unwrap_or_else(|why| panic!("{name}: {why}"));
            let decoded = Decoder::default().feed(&bytes).unwrap();
            let [(on, again)] = &decoded[..] else { panic!("{name}: {line}: {decoded:?}") };
            assert_eq!(encode(*on, again).unwrap(), bytes, "{name}: {line}");
            // A client's line may be written differently.
            assert!(is_sent || again == line, "{name}: {line}, and then {again}");
            lines += 1;
        }
    }
    assert!(lines > 0);
}
