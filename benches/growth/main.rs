//! The cost of one operation among 10, 100, … others: each law of growth in one table.
//!
//! Flat within 1.3 times, from 1,000 others to the most, is the rule; below that the processor's
//! caches hold everything. A line that is not flat ends with its law: why it grows, and like what.
//! A line that has no law and grows says so, because then nobody has explained it yet.
//!
//! `cargo bench -p stunt-double-benches --bench growth [-- PART OF A NAME]`

#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod machines;
mod worlds;

use std::time::Duration;

/// The numbers of others, and how often each measurement is made. The best counts.
const AMONG: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];
const ROUNDS: usize = 3;

/// From here on, growth counts; and this much of it is still flat.
const FROM: u32 = 1_000;
const FLAT: f64 = 1.3;

/// The nanoseconds of one operation among `n` others.
type Measure = fn(n: u32) -> f64;

/// A line of the table.
struct Law {
    name: &'static str,
    measure: Measure,
    /// The most others that it is measured among.
    most: u32,
    /// Why it may grow, and like what. Empty if it is flat.
    law: &'static str,
}

const fn law(name: &'static str, measure: Measure, law: &'static str) -> Law {
    Law { name, measure, most: 100_000, law }
}

/// The cost of memory that is touched in turn: all of it grows so, a bare map too.
const CACHES: &str = "the caches: O(1) steps, which touch what no longer lies in them";

const LAWS: [Law; 13] = [
    law("a node exits and restarts", worlds::node_restarts, CACHES),
    law("a node with a Redis client restarts", worlds::redis_client_restarts, CACHES),
    law("a node with an AMQP consumer restarts", worlds::amqp_consumer_restarts, CACHES),
    law("an AMQP client connects and consumes", worlds::amqp_client_begins, CACHES),
    Law { most: 10_000, ..law("a message goes round the consumers", worlds::round_robin, CACHES) },
    law("a timer of one of n tasks fires", worlds::timers, "O(log n), and the caches"),
    law("an event is kept beside n others", worlds::kept_event, ""),
    law("a message through one of n queues", machines::one_queue, ""),
    law("a message through n queues in turn", machines::queues_in_turn, CACHES),
    law("a message matches one direct binding", machines::direct_binding, ""),
    law("a message matches one topic binding", machines::topic_binding, ""),
    law("GET and SET of one of n keys", machines::one_key, ""),
    law("GET and SET of n keys in turn", machines::keys_in_turn, CACHES),
];

fn nanoseconds(took: Duration, count: u32) -> f64 {
    took.as_nanos() as f64 / f64::from(count)
}

fn print(line: &Law) {
    let mut cells = String::new();
    let mut times = Vec::new();
    for n in AMONG.into_iter().filter(|n| *n <= line.most) {
        let best = (0..ROUNDS).map(|_| (line.measure)(n)).fold(f64::MAX, f64::min);
        cells += &format!("{best:>8.0}ns");
        times.extend((n >= FROM).then_some(best));
    }
    let growth = times.last().zip(times.first()).map_or(1.0, |(last, first)| last / first);
    let verdict = match line.law {
        _ if growth <= FLAT => "flat".to_owned(),
        "" => "NOT FLAT, and no law is known".to_owned(),
        law => format!("law: {law}"),
    };
    println!("{:40}{cells:50}   {growth:>5.2} times   {verdict}", line.name);
}

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("{:40}{}", "among", AMONG.map(|n| format!("{n:>10}")).concat());
    for line in &LAWS {
        if wanted.as_ref().is_none_or(|wanted| line.name.contains(wanted.as_str())) {
            print(line);
        }
    }
}
