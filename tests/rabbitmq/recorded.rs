//! Conversations with the real server, played to our broker. Every file in `recorded` is a
//! conversation with RabbitMQ 3.10.8 that `tests/real/rabbitmq` recorded.

use crate::played::amqp::{Decoder, encode};
use crate::played::ours::Ours;
use crate::played::scenario::{difference, files, play};

#[test]
fn our_broker_answers_as_rabbitmq_answered() {
    let (mut same, mut differ) = (0, Vec::new());
    for (name, _, recorded) in files() {
        match play(&recorded, &mut Ours::new()) {
            Ok(ours) if ours == recorded => same += 1,
            Ok(ours) => differ.push(format!("{name}: {}", difference(&recorded, &ours))),
            Err(why) => differ.push(format!("{name}: {why}")),
        }
    }
    let all = same + differ.len();
    assert!(differ.is_empty(), "{} of {all} differ:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn a_line_is_the_same_after_a_round_trip_through_bytes() {
    let mut lines = 0;
    for (name, _, recorded) in files() {
        for line in recorded.lines().filter(|line| line.starts_with(['>', '<'])) {
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
