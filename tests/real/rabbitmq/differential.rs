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

/// How often clients do what. A word in braces is one of a pool; a bit that is rarely
/// set is mostly not there.
const STEPS: &[(usize, &str)] = &[
    (12, "basic.publish routing-key={queue} mandatory={bool}{props} | body \"{n}\""),
    (2, "basic.publish routing-key={any} mandatory=true | body \"{n}\""),
    (
        6,
        "basic.publish exchange={exchange} routing-key={key} mandatory={bool}{props} | body \"{n}\"",
    ),
    (6, "basic.consume queue={own} consumer-tag={consumer}{rarely no-ack}{priority}"),
    (1, "basic.consume queue={own} consumer-tag={consumer} exclusive={bool}"),
    (2, "basic.cancel consumer-tag={consumer}"),
    (5, "basic.get queue={own}{rarely no-ack}"),
    (8, "basic.ack delivery-tag={tag}{rarely multiple}"),
    (8, "basic.nack delivery-tag={tag}{rarely multiple} requeue={bool}"),
    (3, "basic.reject delivery-tag={tag} requeue={bool}"),
    (1, "basic.recover requeue=true"),
    (5, "basic.qos prefetch-count={small}{rarely global}"),
    (3, "select"),
    (4, "tx.commit"),
    (2, "tx.rollback"),
    (1, "queue.declare queue=q1{rarely auto-delete}"),
    (1, "queue.declare queue=q2{rarely durable} arguments={arguments}"),
    (2, "queue.declare queue={any} passive=true"),
    (1, "queue.declare queue=dead"),
    (1, "queue.declare queue=mine exclusive=true"),
    (1, "queue.purge queue={any}"),
    (1, "queue.delete queue={any} if-unused={bool} if-empty={bool}"),
    (3, "queue.bind queue={any} exchange={exchange} routing-key={key}"),
    (1, "queue.unbind queue={any} exchange={exchange} routing-key={key}"),
    (1, "exchange.declare exchange=e type=direct{rarely auto-delete}"),
    (1, "exchange.declare exchange=t type=topic arguments={alternate-exchange:S=f}"),
    (1, "exchange.bind destination={exchange} source={exchange} routing-key={key}"),
    (1, "exchange.unbind destination={exchange} source={exchange} routing-key={key}"),
    (1, "exchange.delete exchange={exchange} if-unused={bool}"),
    (2, "channel.close"),
    (2, "lose"),
];

/// The pools. Those of queues and exchanges begin with what is mostly there.
const POOLS: &[(&str, &[&str])] = &[
    ("queue", &["q1", "q2"]),
    ("any", &["q1", "q2", "q1", "q2", "q1", "q2", "dead", "mine", "nope"]),
    ("exchange", &["f", "t", "amq.topic", "f", "e"]),
    ("key", &["a.b", "a.*", "#", "q1", "a"]),
    ("consumer", &["x", "y", "z"]),
    ("priority", &["", "", " arguments={x-priority:I=1}"]),
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

const CONNECTIONS: [&str; 2] = ["a", "b"];

/// What is there in the beginning, when `q2` has these arguments.
fn beginning(arguments: &str) -> String {
    format!(
        "= connect a\n= connect b\n> a.1 channel.open\n> a.1 queue.declare queue=q1\n\
         > a.1 queue.declare queue=q2 arguments={arguments}\n> a.1 queue.declare queue=dead\n\
         > a.1 exchange.declare exchange=f type=fanout\n\
         > a.1 exchange.declare exchange=t type=topic arguments={{alternate-exchange:S=f}}\n\
         > a.1 queue.bind queue=q2 exchange=f\n\
         > a.1 queue.bind queue=q1 exchange=t routing-key=a.*\n"
    )
}

fn pool(name: &str) -> Option<&'static [&'static str]> {
    POOLS.iter().find(|pool| pool.0 == name).map(|pool| pool.1)
}

#[derive(Clone, Debug)]
struct Step {
    connection: usize,
    channel: u16,
    template: &'static str,
    picks: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Case {
    arguments: &'static str,
    steps: Vec<Step>,
}

fn conversations() -> impl Strategy<Value = Case> {
    let picks = proptest::collection::vec(any::<u8>(), 8);
    let template = STEPS.iter().flat_map(|(times, step)| std::iter::repeat_n(*step, *times));
    let template = proptest::sample::select(template.collect::<Vec<_>>());
    let step = (0..CONNECTIONS.len(), 1..=2_u16, template, picks);
    let step = step.prop_map(|(connection, channel, template, picks)| Step {
        connection,
        channel,
        template,
        picks,
    });
    let arguments = proptest::sample::select(pool("arguments").unwrap());
    (arguments, proptest::collection::vec(step, 1..70))
        .prop_map(|(arguments, steps)| Case { arguments, steps })
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
    /// Those of deliveries that may not be settled.
    tags: BTreeMap<String, Vec<u64>>,
    transactional: BTreeMap<String, bool>,
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
                    known.transactional.remove(who);
                }
                ("<", _, "tx.select-ok") => {
                    known.transactional.insert(who.to_owned(), true);
                }
                ("<", _, "channel.close") => {
                    known.channels.insert(who.to_owned(), State::Failed);
                }
                ("<", _, "channel.close-ok") => drop(known.channels.remove(who)),
                ("<", _, "basic.deliver" | "basic.get-ok") => {
                    known.tags.entry(who.to_owned()).or_default().extend(tag(&words));
                }
                (">", _, "basic.ack" | "basic.nack" | "basic.reject") => {
                    let all = words.contains(&"multiple=true");
                    let (tag, tags) = (tag(&words), known.tags.entry(who.to_owned()).or_default());
                    tags.retain(|known| Some(*known) != tag && !(all && Some(*known) <= tag));
                }
                _ => {}
            }
        }
        known
    }

    fn is_transactional(&self, channel: &str) -> bool {
        self.transactional.contains_key(channel)
    }

    fn state(&self, channel: &str) -> State {
        self.channels.get(channel).copied().unwrap_or_default()
    }
}

fn tag(words: &[&str]) -> Option<u64> {
    words.iter().find_map(|word| word.strip_prefix("delivery-tag=")?.parse().ok())
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
    let mut template = match step.template {
        "lose" => {
            let used = |channel: u16| {
                let state = known.state(&format!("{connection}.{channel}"));
                state != State::Unused && lines.is_empty()
            };
            return match (used(1), used(2)) {
                (true, true) if state == State::Open => format!("> {channel} channel.close\n"),
                (true, true) => lines,
                _ => lines + &format!("= lose {connection}\n= connect {connection}\n"),
            };
        }
        "select" if step.channel == 1 => "confirm.select",
        "select" => "tx.select",
        template => template,
    };
    let mut picks = step.picks.iter().map(|pick| usize::from(*pick));
    let mut pick = |from: usize| picks.next().unwrap_or(0) % from.max(1);
    // Now and then what makes no sense is said all the same.
    let sensible = pick(24) > 0;
    let transactional = state == State::Open && known.is_transactional(&channel);
    if ["tx.commit", "tx.rollback"].contains(&template) && sensible && !transactional {
        return lines;
    }
    if state == State::Failed {
        lines += &format!("> {channel} channel.close-ok\n");
    }
    if state != State::Open {
        lines += &format!("> {channel} channel.open\n");
    }
    let mut line = String::new();
    while let Some((before, rest)) = template.split_once('{') {
        line += before;
        let (name, rest) = rest.split_once('}').expect("a brace is closed");
        template = rest;
        match name {
            "n" => line += &number.to_string(),
            "own" => line += if step.channel == 1 { "q1" } else { "q2" },
            "tag" => {
                let tags = known.tags.get(&channel).filter(|_| state == State::Open);
                let tags = tags.map_or(&[][..], Vec::as_slice);
                let number = match tags.get(pick(tags.len())) {
                    Some(tag) if sensible => *tag,
                    None if sensible => return lines,
                    _ => [0, 1, 99][pick(3)],
                };
                line += &number.to_string();
            }
            name => match (name.strip_prefix("rarely "), pool(name)) {
                (Some(bit), _) if pick(5) == 0 => line += &format!(" {bit}=true"),
                (Some(_), _) => {}
                (_, Some(pool)) => line += pool[pick(pool.len())],
                // A table.
                _ => line += &format!("{{{name}}}"),
            },
        }
    }
    lines + &format!("> {channel} {line}{template}\n")
}

/// All steps as a scenario, and what ours says to it.
fn scenario(case: &Case) -> Result<String, String> {
    let mut scenario = beginning(case.arguments);
    for (number, step) in case.steps.iter().enumerate() {
        let known = Known::from(&play(&scenario, &mut Ours::new())?);
        scenario += &lines(step, number, &known);
    }
    play(&scenario, &mut Ours::new()).map_err(|why| format!("{why}\n{scenario}"))
}

fn run(node: &mut Node, case: &Case) -> Result<(), TestCaseError> {
    let ours = scenario(case).map_err(TestCaseError::fail)?;
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
    match runner.run(&conversations(), |case| run(&mut node.borrow_mut(), &case)) {
        Ok(()) => println!("{cases} conversations from seed {seed} without a difference"),
        Err(TestError::Fail(reason, _)) => panic!("recorded is RabbitMQ, played is ours: {reason}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
