//! Random conversations of several clients: the real server and our broker answer the same, on each
//! channel in the same order.
//!
//! `STUNT_DOUBLE_REAL_CASES` sets the number of cases, `STUNT_DOUBLE_REAL_SEED` the first seed, and
//! `STUNT_DOUBLE_REAL_THEME` a theme, if not all are wanted. A failing case is shrunk and printed
//! as a scenario, with its own seed.
//!
//! Each step is run when everything is silent. A conversation differs if the real server never
//! answers as our broker does. Answers that the real server gives only sometimes are luck. Their
//! number is reported, because conversations should avoid what luck decides (`themes.rs`).

use super::conversation::{Case, conversations};
use super::node::Node;
use super::side::Real;
use super::vhosts::VHosts;
use crate::played::scenario::{compare, difference};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use stunt_double::rabbitmq::Version;

/// Number of differing conversations after which the test stops.
const ENOUGH: u64 = 5;

/// How many times the real server is asked again, with more patience, before its answer counts as
/// different.
const AGAIN: usize = 2;

/// The same while a case is shrunk.
const ONCE: usize = 1;

/// The result of a conversation.
enum Verdict {
    Same,
    /// The real server sometimes answers as our broker does.
    Luck(String),
    Different(String),
}

/// The real server, with a new vhost for each conversation.
struct Place<'a> {
    node: &'a Mutex<Node>,
    version: Version,
    vhosts: VHosts<'a>,
}

impl Place<'_> {
    fn compare(&self, case: &Case, again: usize) -> Verdict {
        let ours = match case.scenario(self.version) {
            Ok(ours) => ours,
            Err(why) => return Verdict::Different(why),
        };
        let in_place = |real: Real<'_>| {
            let vhost = self.vhosts.fresh();
            compare(&ours, &mut real.in_vhost_of_its_own(&vhost.name))
        };
        let mut real = in_place(Real::in_a_hurry(self.node));
        if real.as_ref() == Ok(&ours) {
            return Verdict::Same;
        }
        let first = match &real {
            Ok(real) => difference(real, &ours),
            Err(why) => why.clone(),
        };
        for _ in 0..again {
            real = in_place(Real::new(self.node));
            if real.as_ref() == Ok(&ours) {
                return Verdict::Luck(first);
            }
        }
        Verdict::Different(match real {
            Ok(real) => format!("{}\nin this scenario:\n{real}", difference(&real, &ours)),
            Err(why) => format!("{why}\nin this scenario:\n{ours}"),
        })
    }

    /// Returns the case without the steps that the difference does not need, and the difference.
    /// Steps are removed in ever smaller runs, starting at the end, because steps after a
    /// difference do not matter.
    fn smaller(&self, mut case: Case, mut why: String) -> String {
        let mut size = case.steps.len();
        while size > 0 {
            let mut end = case.steps.len();
            while end > 0 {
                let begin = end.saturating_sub(size);
                let mut without = case.clone();
                without.steps.drain(begin..end);
                if let Verdict::Different(still) = self.compare(&without, ONCE) {
                    (case, why) = (without, still);
                }
                end = begin;
            }
            size /= 2;
        }
        why
    }

    /// Compares the case of a seed, and reports it if it differs.
    fn look_at(&self, seed: u64, theme: Option<&str>, tally: &Tally) {
        let _told_if_it_panics = Looked(seed);
        let case = drawn(seed, theme);
        match self.compare(&case, AGAIN) {
            Verdict::Same => {}
            Verdict::Luck(what) => {
                println!("luck decides seed {seed}, {case:?}: {what}");
                tally.luck.fetch_add(1, Relaxed);
            }
            Verdict::Different(why) => {
                let of = theme.map(|theme| format!("STUNT_DOUBLE_REAL_THEME={theme} "));
                let name = format!("{case:?}");
                // Shrinking can take minutes.
                println!("seed {seed} ({name}) differs: {why}\n");
                println!(
                    "recorded is RabbitMQ, played is ours ({name}): {}\n\
                     again: {}STUNT_DOUBLE_REAL_SEED={seed} STUNT_DOUBLE_REAL_CASES=1 cargo test \
                     --test real random_conversations; or write the scenario to \
                     tests/rabbitmq/recorded/3.10/x.txt and STUNT_DOUBLE_SCENARIO=x cargo test\n",
                    self.smaller(case, why),
                    of.unwrap_or_default(),
                );
                tally.different.fetch_add(1, Relaxed);
            }
        }
    }
}

/// The seed of the case that a thread looks at.
struct Looked(u64);

impl Drop for Looked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {} panics", self.0);
        }
    }
}

#[derive(Default)]
struct Tally {
    /// Number of cases begun.
    begun: AtomicU64,
    different: AtomicU64,
    luck: AtomicU64,
}

fn drawn(seed: u64, theme: Option<&str>) -> Case {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    conversations(theme).new_tree(&mut runner).expect("nothing is refused").current()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn random_conversations() {
    let Some(node) = Node::start() else { return };
    let cases = number("STUNT_DOUBLE_REAL_CASES", 60);
    let first = number("STUNT_DOUBLE_REAL_SEED", 1);
    let theme = std::env::var("STUNT_DOUBLE_REAL_THEME").ok();
    let workers = number("STUNT_DOUBLE_REAL_WORKERS", 4);
    let version = node.version();
    let (node, tally) = (Mutex::new(node), Tally::default());
    let place = Place { node: &node, version, vhosts: VHosts::new(&node) };
    // A conversation mostly waits for silence.
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (place, tally, theme) = (&place, &tally, theme.as_deref());
            scope.spawn(move || {
                while tally.different.load(Relaxed) < ENOUGH {
                    match tally.begun.fetch_add(1, Relaxed) {
                        begun if begun < cases => place.look_at(first + begun, theme, tally),
                        _ => break,
                    }
                }
            });
        }
    });
    assert_eq!(tally.different.load(Relaxed), 0, "conversations differ");
    let luck = tally.luck.load(Relaxed);
    println!("{cases} conversations from seed {first}: none differs, luck decides {luck}");
}
