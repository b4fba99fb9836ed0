//! What the real server answered, played to ours: every file in `recorded` is a
//! conversation with RabbitMQ 3.10.8, written down by `tests/real/rabbitmq`.

use crate::ours::Ours;
use crate::scenario::{difference, files, play};

#[test]
fn ours_answers_what_rabbitmq_answered() {
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
