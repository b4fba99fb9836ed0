//! Random conversations of several clients: the real server and ours answer the
//! same, on each channel in the same order.
//!
//! `STUNT_DOUBLE_REAL_CASES` says how many, `STUNT_DOUBLE_REAL_SEED` where they
//! begin. What fails is printed as a scenario.
//!
//! Each thing is done when all is quiet. What the server leaves open is not asked:
//! a channel consumes from one queue only, for two queues would race to it, and a
//! connection is lost when it has one channel, for two would race to hand back.

use super::node::Node;
use super::side::Real;
use crate::ours::Ours;
use crate::scenario::{difference, play};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::collections::BTreeMap;

/// What clients do. A word in braces is one of a pool; a step that is here more
/// often happens more often.
const STEPS: &[&str] = &[
    "basic.publish routing-key={queue} mandatory={bool}{props} | body \"{n}\"",
    "basic.publish routing-key={queue}{props} | body \"{n}\"",
    "basic.publish routing-key={any} | body \"{n}\"",
    "basic.publish exchange={exchange} routing-key={key} mandatory={bool}{props} | body \"{n}\"",
    "basic.consume queue={own} consumer-tag={consumer} no-ack={bool}",
    "basic.consume queue={own} consumer-tag={consumer} arguments={x-priority:I=1}",
    "basic.consume queue={own} consumer-tag={consumer} exclusive={bool}",
    "basic.cancel consumer-tag={consumer}",
    "basic.get queue={own} no-ack={bool}",
    "basic.get queue={own}",
    "basic.ack delivery-tag={tag}",
    "basic.ack delivery-tag={tag} multiple={bool}",
    "basic.nack delivery-tag={tag} requeue={bool}",
    "basic.nack delivery-tag={tag} multiple={bool} requeue={bool}",
    "basic.reject delivery-tag={tag} requeue={bool}",
    "basic.recover requeue=true",
    "basic.qos prefetch-count={small}",
    "basic.qos prefetch-count={small} global={bool}",
    "confirm.select",
    "confirm.select",
    "tx.select",
    "tx.commit",
    "tx.rollback",
    "queue.declare queue=q1",
    "queue.declare queue=q1 auto-delete={bool}",
    "queue.declare queue=q2 arguments={arguments}",
    "queue.declare queue=q2 arguments={arguments}",
    "queue.declare queue=q2 durable={bool} arguments={arguments}",
    "queue.declare queue={any} passive=true",
    "queue.declare queue=dead",
    "queue.declare queue=mine exclusive=true",
    "queue.purge queue={any}",
    "queue.delete queue={any} if-unused={bool} if-empty={bool}",
    "queue.bind queue={any} exchange={exchange} routing-key={key}",
    "queue.bind queue={any} exchange={exchange} routing-key={key}",
    "queue.unbind queue={any} exchange={exchange} routing-key={key}",
    "exchange.declare exchange=e type=direct auto-delete={bool}",
    "exchange.declare exchange=f type=fanout",
    "exchange.declare exchange=t type=topic arguments={alternate-exchange:S=f}",
    "exchange.bind destination={exchange} source={exchange} routing-key={key}",
    "exchange.unbind destination={exchange} source={exchange} routing-key={key}",
    "exchange.delete exchange={exchange} if-unused={bool}",
    "channel.close",
    "lose",
];

/// The pools. Those of queues and exchanges begin with what is mostly there.
const POOLS: &[(&str, &[&str])] = &[
    ("queue", &["q1", "q2"]),
    ("any", &["q1", "q2", "q1", "q2", "dead", "mine", "nope"]),
    ("exchange", &["e", "f", "t", "amq.topic", "amq.direct"]),
    ("key", &["a.b", "a.*", "#", "q1", "a"]),
    ("consumer", &["x", "y"]),
    ("bool", &["false", "true"]),
    ("small", &["1", "2", "0", "3"]),
    ("props", &["", " | props delivery-mode=2", " | props priority=1", " | props priority=9"]),
    (
        "arguments",
        &[
            "{}",
            "{x-max-length:I=2,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=dead}",
            "{x-max-length:I=1,x-overflow:S=reject-publish}",
            "{x-max-priority:I=2}",
            "{x-dead-letter-exchange:S=f}",
        ],
    ),
];

const CONNECTIONS: [&str; 3] = ["a", "b", "c"];

/// What is there in the beginning.
const BEGIN: &str = "= connect a\n= connect b\n= connect c\n> a.1 channel.open\n\
                     > a.1 queue.declare queue=q1\n> a.1 exchange.declare exchange=f type=fanout\n";

#[derive(Clone, Debug)]
struct Step {
    connection: usize,
    channel: u16,
    step: usize,
    picks: Vec<u8>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let picks = proptest::collection::vec(any::<u8>(), 6);
    let step = (0..CONNECTIONS.len(), 1..=2_u16, 0..STEPS.len(), picks);
    let step = step.prop_map(|(connection, channel, step, picks)| Step {
        connection,
        channel,
        step,
        picks,
    });
    proptest::collection::vec(step, 1..50)
}

/// What a client knows of its channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unused,
    Open,
    /// The server has closed it.
    Failed,
}

/// What clients know, from all that was said.
#[derive(Debug, Default)]
struct Known {
    channels: BTreeMap<String, State>,
    tags: BTreeMap<String, Vec<String>>,
    broken: BTreeMap<String, bool>,
}

impl Known {
    fn from(played: &str) -> Known {
        let mut known = Known::default();
        for line in played.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [sign, who, what, ..] = words[..] else { continue };
            match (sign, who, what) {
                ("=", "connect", name) => {
                    known.broken.insert(name.to_owned(), false);
                    let of_another = |channel: &str| !channel.starts_with(&format!("{name}."));
                    known.channels.retain(|channel, _| of_another(channel));
                    known.tags.retain(|channel, _| of_another(channel));
                }
                ("<", who, "connection.close") => {
                    known.broken.insert(who.trim_end_matches(".0").to_owned(), true);
                }
                ("<", _, "channel.open-ok") => {
                    known.channels.insert(who.to_owned(), State::Open);
                    known.tags.remove(who);
                }
                ("<", _, "channel.close") => {
                    known.channels.insert(who.to_owned(), State::Failed);
                }
                ("<", _, "channel.close-ok") => drop(known.channels.remove(who)),
                ("<", _, "basic.deliver" | "basic.get-ok") => {
                    let tag = words.iter().find_map(|word| word.strip_prefix("delivery-tag="));
                    let tags = known.tags.entry(who.to_owned()).or_default();
                    tags.extend(tag.map(str::to_owned));
                }
                _ => {}
            }
        }
        known
    }

    fn state(&self, channel: &str) -> State {
        self.channels.get(channel).copied().unwrap_or_default()
    }
}

/// A step as lines, given what is known.
fn lines(step: &Step, number: usize, known: &Known) -> String {
    let connection = CONNECTIONS[step.connection];
    let channel = format!("{connection}.{}", step.channel);
    let mut lines = String::new();
    let mut state = known.state(&channel);
    if known.broken.get(connection) == Some(&true) {
        lines += &format!("> {connection}.0 connection.close-ok\n= connect {connection}\n");
        state = State::Unused;
    }
    if STEPS[step.step] == "lose" {
        let open = |channel: u16| {
            let state = known.state(&format!("{connection}.{channel}"));
            state == State::Open && lines.is_empty()
        };
        if open(1) && open(2) {
            return format!("> {channel} channel.close\n");
        }
        return lines + &format!("= lose {connection}\n= connect {connection}\n");
    }
    if state == State::Failed {
        lines += &format!("> {channel} channel.close-ok\n");
    }
    if state != State::Open {
        lines += &format!("> {channel} channel.open\n");
    }
    let mut picks = step.picks.iter().map(|pick| usize::from(*pick));
    let mut pick = |from: usize| picks.next().unwrap_or(0) % from.max(1);
    let mut template = STEPS[step.step];
    let mut line = String::new();
    while let Some((before, rest)) = template.split_once('{') {
        line += before;
        let (name, rest) = rest.split_once('}').expect("a brace is closed");
        template = rest;
        match name {
            "n" => line += &number.to_string(),
            "own" => line += if step.channel == 1 { "q1" } else { "q2" },
            "tag" => {
                let none = Vec::new();
                let tags = known.tags.get(&channel).filter(|_| state == State::Open);
                let tags = tags.unwrap_or(&none);
                // The latest are the likeliest not to be settled; sometimes it is none.
                let at = pick(8);
                line += match tags.len().checked_sub(1 + at % 4) {
                    Some(at) => &tags[at],
                    None if at < 2 => "0",
                    None => "99",
                };
            }
            name => match POOLS.iter().find(|pool| pool.0 == name) {
                Some((_, pool)) => line += pool[pick(pool.len())],
                // A table.
                None => line += &format!("{{{name}}}"),
            },
        }
    }
    lines + &format!("> {channel} {line}{template}\n")
}

/// All steps as a scenario, and what ours says to it.
fn scenario(steps: &[Step]) -> Result<String, String> {
    let mut scenario = BEGIN.to_owned();
    for (number, step) in steps.iter().enumerate() {
        let known = Known::from(&play(&scenario, &mut Ours::new())?);
        scenario += &lines(step, number, &known);
    }
    play(&scenario, &mut Ours::new()).map_err(|why| format!("{why}\n{scenario}"))
}

fn run(node: &mut Node, steps: &[Step]) -> Result<(), TestCaseError> {
    let ours = scenario(steps).map_err(TestCaseError::fail)?;
    let mut real = play(&ours, &mut Real::in_a_hurry(node));
    if real.as_ref() != Ok(&ours) {
        real = play(&ours, &mut Real::new(node));
    }
    match real {
        Ok(real) if real == ours => Ok(()),
        Ok(real) => {
            let difference = difference(&real, &ours);
            Err(TestCaseError::fail(format!("{difference}\nin this scenario:\n{real}")))
        }
        Err(why) => Err(TestCaseError::fail(format!("{why}\nin this scenario:\n{ours}"))),
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn random_conversations() {
    let Some(mut node) = Node::start() else { return };
    let cases = number("STUNT_DOUBLE_REAL_CASES", 30);
    let seed = number("STUNT_DOUBLE_REAL_SEED", 1);
    let config = Config {
        cases: cases as u32,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let node = std::cell::RefCell::new(&mut node);
    match runner.run(&steps(), |steps| run(&mut node.borrow_mut(), &steps)) {
        Ok(()) => println!("{cases} conversations from seed {seed} without a difference"),
        Err(TestError::Fail(reason, _)) => panic!("recorded is RabbitMQ, played is ours: {reason}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
