//! Random conversations of several clients: the real server and ours answer the
//! same, on each channel in the same order.
//!
//! `STUNT_DOUBLE_REAL_CASES` says how many, `STUNT_DOUBLE_REAL_SEED` where they
//! begin, and `STUNT_DOUBLE_REAL_THEME` of which theme they are, if not of all. What
//! fails is made small and printed as a scenario, with the seed that it alone has.
//!
//! Each thing is done when all is quiet. A conversation differs if the real server
//! never answers as ours does: what it answers so at times, otherwise at others, is
//! luck. How often there was some is told, for what luck decides is better not asked
//! (`themes.rs`).

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

/// So many conversations may differ before it is enough.
const ENOUGH: u64 = 5;

/// So often the real server is asked again, with more patience, before it counts as
/// saying something else.
const AGAIN: usize = 2;

/// So often where it is only made smaller.
const ONCE: usize = 1;

/// How a conversation went.
enum Verdict {
    Same,
    /// As ours, but not each time.
    Luck(String),
    Different(String),
}

/// The real server, in a vhost of its own each time.
struct Place<'a> {
    node: &'a Mutex<Node>,
    vhosts: VHosts<'a>,
}

impl Place<'_> {
    fn compare(&self, case: &Case, again: usize) -> Verdict {
        let ours = match case.scenario() {
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

    /// The case without what it does not take to differ, and how that does. Steps go
    /// in ever smaller runs, from the end, for what follows a difference means nothing.
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

    /// Compares the case of a seed, and tells of it if it is not the same.
    fn look_at(&self, seed: u64, theme: Option<&str>, tally: &Tally) {
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
                // To make it smaller can take minutes.
                println!("seed {seed} ({name}) differs: {why}\n");
                println!(
                    "recorded is RabbitMQ, played is ours ({name}): {}\n\
                     again: {}STUNT_DOUBLE_REAL_SEED={seed} STUNT_DOUBLE_REAL_CASES=1 cargo test \
                     --test real random_conversations; or write the scenario to \
                     tests/rabbitmq/recorded/x.txt and STUNT_DOUBLE_SCENARIO=x cargo test\n",
                    self.smaller(case, why),
                    of.unwrap_or_default(),
                );
                tally.different.fetch_add(1, Relaxed);
            }
        }
    }
}

#[derive(Default)]
struct Tally {
    /// How many have been begun.
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
    let (node, tally) = (Mutex::new(node), Tally::default());
    let place = Place { node: &node, vhosts: VHosts::new(&node) };
    // Most of a conversation is waiting for silence.
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
