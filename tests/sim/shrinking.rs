//! A failing seed is made calm, and its decisive choice found.

use crate::support::{Ask, Client, counter, ms};
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use stunt_double::Site;
use stunt_double::sim::{
    Account, Config, Effort, Outcome, Seeds, Sim, Strategy as Schedule, Sweep, Without,
};

const DICE: Site = Site::new("test.dice");
const COIN: Site = Site::new("test.coin");

fn account(sweep: &Sweep) -> &Account {
    sweep.account.as_deref().unwrap_or_else(|| panic!("no account: {sweep}"))
}

/// The choices that are left, as site, entity and value.
fn left(account: &Account) -> Vec<(String, u64, u64)> {
    let choices = account.decisions.iter().map(|decision| &decision.choice);
    choices.map(|choice| (choice.site.to_string(), choice.entity, choice.value)).collect()
}

/// Fails if the die of entity 37 shows at least 40 and the coin shows heads.
fn needle(sim: &mut Sim) -> Result<(), String> {
    let thrown: Vec<u64> = (0..50).map(|i| sim.choose(DICE, i, 100)).collect();
    let heads = sim.choose_told(COIN, 0, 2, |n| format!("the coin shows {n}")) == 1;
    for i in 50..100 {
        let _ = sim.choose(DICE, i, 100);
    }
    if thrown[37] >= 40 && heads { Err(format!("{} and heads", thrown[37])) } else { Ok(()) }
}

#[test]
fn a_failure_shrinks_to_the_choices_that_matter_on_any_number_of_threads() {
    let run = |threads| Seeds::new(0..100).with_threads(threads).run(needle);
    let first = run(1);
    let expected = [("test.dice".to_owned(), 37, 40), ("test.coin".to_owned(), 0, 1)];
    assert_eq!(left(account(&first)), expected);
    assert_eq!(account(&first).found_with, 101);
    for threads in [2, 16] {
        let other = run(threads);
        assert_eq!(account(&other).to_string(), account(&first).to_string(), "{threads} threads");
        assert_eq!(account(&other).tape, account(&first).tape, "{threads} threads");
        assert_eq!(account(&other).risk, account(&first).risk, "{threads} threads");
    }
}

#[test]
fn the_decisive_choice_is_the_one_at_which_the_risk_jumps_most() {
    let sweep = Seeds::new(0..100).run(needle);
    let account = account(&sweep);
    let decisive = account.decisive().expect("there are choices");
    assert_eq!(decisive.choice.told(), "the coin shows 1", "a die of 40 is likely, heads are not");
    assert_eq!(decisive.without, Some(Without::Passes));
    let (before, after) = (decisive.before.as_ref().unwrap(), decisive.after.as_ref().unwrap());
    assert!((25..80).contains(&before.percent()), "{before:?}: heads are still open");
    assert_eq!(after.percent(), 100);
    let last = account.risk.last().unwrap();
    assert_eq!((last.after, last.failed), (account.tape.len(), last.of), "the whole run fails");
}

#[test]
fn the_smallest_run_replays_from_its_tape_to_the_same_digest() {
    for strategy in [Schedule::Fifo, Schedule::Random, Schedule::Pos] {
        let sweep = Seeds::new(0..200).with_strategy(strategy).run(race);
        let account = account(&sweep);
        let mut digest = None;
        let config = Config::new(account.failure.seed).with_strategy(strategy);
        let mut sim = Sim::with_config(
            config
                .with_latency(stunt_double::sim::Latency::Uniform {
                    min: std::time::Duration::from_micros(100),
                    max: ms(2),
                })
                .with_tape(account.tape.clone()),
        );
        let failed = race(&mut sim).is_err();
        digest.replace(sim.digest());
        assert!(failed, "{strategy:?}");
        assert_eq!(digest, Some(account.trace.digest()), "{strategy:?}");
    }
}

/// Two clients add to a counter; fails if the second is first.
fn race(sim: &mut Sim) -> Result<(), String> {
    let counter = counter(sim);
    for (i, name) in (1..).zip(["a", "b", "c"]) {
        sim.node_with(name, counter.clone(), move |node, counter| async move {
            let client = Client::open(&node, &counter).await?;
            node.sleep(ms(i)).await;
            node.note(format_args!("{:?}", client.ask(Ask::Add(i)).await?));
            Ok::<_, stunt_double::sim::Disconnected>(())
        });
    }
    sim.run().expect_done();
    let notes = sim.trace().notes();
    let at = |name: &str| notes.find(name).expect("each has noted something");
    if at("b ") < at("a ") { Err("b was before a".to_owned()) } else { Ok(()) }
}

#[test]
fn one_late_message_is_what_is_left_of_a_race() {
    let sweep = Seeds::new(0..1_000).run(race);
    let account = account(&sweep);
    assert!((1..=2).contains(&account.decisions.len()), "{account}");
    let decisive = account.decisive().unwrap();
    assert_eq!(decisive.choice.site, "link.latency");
    assert!(decisive.choice.told().contains("took"), "{}", decisive.choice.told());
    let difference = account.difference().expect("with that message in time, it passes");
    assert!(difference.left.is_some() && difference.right.is_some());
    assert!(account.to_string().contains("with it calm, the run passes"), "{account}");
}

/// Fails in one way if the die shows 5, in another if it shows more.
#[test]
fn only_a_failure_of_the_same_way_counts() {
    let sweep = Seeds::new(0..100).run(|sim: &mut Sim| match sim.choose(DICE, 0, 100) {
        0..=39 => Ok(()),
        40..=59 => Err("too small"),
        60.. => Err("too large"),
    });
    let account = account(&sweep);
    let least = if account.failure.message == "too small" { 40 } else { 60 };
    assert_eq!(left(account), [("test.dice".to_owned(), 0, least)]);
}

#[test]
fn the_ends_of_runs_are_told_apart() {
    // One node never ends, or another fails; both end in the same `expect_done`.
    let scenario = |sim: &mut Sim| {
        let (waits, fails) = (sim.choose(DICE, 0, 10) > 6, sim.choose(DICE, 1, 10) > 6);
        sim.node("waits", move |node| async move {
            if waits {
                node.sleep(std::time::Duration::MAX).await;
            }
        });
        sim.node("fails", move |_| async move { if fails { Err("it failed") } else { Ok(()) } });
        sim.run().expect_done();
    };
    for seed in 0..40 {
        let sweep = Seeds::new(seed..seed + 1).run(scenario);
        let Some(account) = &sweep.account else { continue };
        let is_stuck = sweep.failures[0].message.starts_with("stuck");
        let entity = u64::from(!is_stuck);
        assert_eq!(left(account), [("test.dice".to_owned(), entity, 7)], "{sweep}");
    }
}

#[test]
fn a_run_that_fails_in_calm_is_said_to() {
    let sweep = Seeds::new(0..5).run(|sim: &mut Sim| {
        let _ = sim.choose(DICE, 0, 10);
        Err::<(), _>("always")
    });
    assert!(account(&sweep).decisive().is_none());
    assert!(sweep.to_string().contains("the run also fails if all of them are calm"), "{sweep}");
}

#[test]
fn a_failure_that_does_not_come_again_is_said_to_come_from_outside() {
    let runs = AtomicU64::new(0);
    let sweep = Seeds::new(0..5).run(|_: &mut Sim| match runs.fetch_add(1, SeqCst) {
        0 => Err("only once"),
        _ => Ok(()),
    });
    assert!(sweep.account.is_none());
    assert!(sweep.to_string().contains("did not fail again"), "{sweep}");
}

#[test]
fn a_run_that_is_too_long_to_be_repeated_is_said_to_be() {
    let long = |sim: &mut Sim| {
        sim.node("counter", async |node| {
            for _ in 0..1_000 {
                node.yield_now().await;
            }
        });
        sim.run().expect_done();
        Err::<(), _>("in the end")
    };
    let few = Effort::default().with_steps(5_000);
    let sweep = Seeds::new(0..3).with_effort(few).run(long);
    assert!(sweep.account.is_none());
    assert!(sweep.to_string().contains("its run takes 1001 steps, too many to explain"), "{sweep}");
    let sweep = Seeds::new(0..3).with_effort(few.with_steps(50_000)).run(long);
    assert!(sweep.account.is_some());
}

/// Once a run has failed, those with tails never end.
#[test]
fn a_candidate_that_never_ends_is_given_up() {
    let has_failed = AtomicBool::new(false);
    let sweep = Seeds::new(0..50).with_threads(1).run(|sim: &mut Sim| {
        sim.node("counter", async |node| {
            loop {
                node.sleep(ms(1)).await;
            }
        });
        if sim.choose(COIN, 0, 2) == 1 {
            sim.run_for(ms(500)).expect_reached();
            has_failed.store(true, SeqCst);
            return Err("heads".to_owned());
        }
        if has_failed.load(SeqCst) {
            return Err(sim.run().to_string());
        }
        Ok(())
    });
    assert_eq!(left(account(&sweep)), [("test.coin".to_owned(), 0, 1)]);
}

#[test]
fn effort_bounds_the_runs() {
    let runs = AtomicU64::new(0);
    let count = |effort: Effort| {
        runs.store(0, SeqCst);
        let seeds = Seeds::new(3..100).with_threads(1).with_effort(effort).without_files();
        let sweep = seeds.run(|sim| {
            runs.fetch_add(1, SeqCst);
            needle(sim)
        });
        (runs.load(SeqCst) - sweep.ran, sweep)
    };
    let (none, sweep) = count(Effort::none());
    assert_eq!(none, 0);
    assert!(sweep.account.is_none());
    let (few, sweep) = count(Effort::default().with_shrink(10).with_risk(0, 0));
    // Ten, and a few more to see the run, to ask about its choices, and the passing one.
    assert!((10..200).contains(&few), "{few}");
    // The coin is not among the first of the many that are left, which are asked about.
    let few = account(&sweep);
    assert!(few.decisions.len() > 20 && few.decisive().is_none(), "{few}");
    assert!(few.to_string().contains("the effort was spent with"), "{few}");
    let (all, _) = count(Effort::default());
    assert!(all < 2_000 + 64 * 32 + 400, "{all}");
}

/// A long run with many choices that are not calm.
#[test]
fn a_long_run_is_repeated_as_often_as_the_steps_allow() {
    const STEPS: u64 = 5_000;
    let runs = AtomicU64::new(0);
    let effort = Effort::default().with_steps(40 * STEPS);
    let seeds = Seeds::new(0..1).with_effort(effort).without_files();
    let sweep = seeds.run(|sim: &mut Sim| {
        runs.fetch_add(1, SeqCst);
        let sum: u64 = (0..200).map(|i| sim.choose(DICE, i, 100)).sum();
        sim.node("busy", async |node| {
            for _ in 0..STEPS {
                node.yield_now().await;
            }
        });
        sim.run().expect_done();
        if sum > 4_000 { Err("much") } else { Ok(()) }
    });
    // A few more see the run, and the passing one.
    let runs = runs.load(SeqCst);
    assert!((30..=45).contains(&runs), "{runs}");
    let account = account(&sweep);
    assert!(account.decisions.len() > 20, "{}", account.decisions.len());
}

/// The scenario runs the world again and again, until some time has come.
#[test]
fn a_candidate_without_steps_ends_even_if_its_scenario_goes_on() {
    let sweep = Seeds::new(0..100).without_files().run(|sim: &mut Sim| {
        let busy = sim.choose(DICE, 0, 10);
        sim.node_with("worker", busy, async |node, busy| {
            // In calm it polls without end, at times that never come to be much.
            loop {
                let pause = if busy == 0 { 1 } else { 100_000_000 };
                node.sleep(std::time::Duration::from_nanos(pause)).await;
            }
        });
        while sim.now().since_start() < std::time::Duration::from_secs(1) {
            let _ = sim.run_for(ms(100));
        }
        if busy == 0 { Ok(()) } else { Err("it is busy") }
    });
    assert_eq!(account(&sweep).decisions.len(), 1);
}

#[test]
fn the_account_has_at_most_40_lines() {
    let sweep = Seeds::new(0..100).run(|sim: &mut Sim| {
        let counter = counter(sim);
        for i in 0..20 {
            sim.node_with(&format!("node-{i}"), counter.clone(), move |node, counter| async move {
                let client = Client::open(&node, &counter).await?;
                node.note(format_args!("{:?}", client.ask(Ask::Add(i)).await?));
                Ok::<_, stunt_double::sim::Disconnected>(())
            });
        }
        sim.run().expect_done();
        let sum: u64 = (0..30).map(|i| sim.choose(DICE, i, 2)).sum();
        let long: String = (0..50).map(|i| format!("line {i} {}\n", "long ".repeat(90))).collect();
        assert!(sum < 14, "{long}");
    });
    let text = account(&sweep).to_string();
    assert!(text.lines().count() <= 40, "{} lines:\n{text}", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() <= 250), "{text}");
    assert!(text.contains("\nline 1 long") && text.contains("(45 more)"), "{text}");
}

/// Many nodes fail with messages of several lines, and every part of the account has much to tell.
#[test]
fn messages_of_several_lines_do_not_make_the_account_longer() {
    let sweep = Seeds::new(0..100).without_files().run(|sim: &mut Sim| {
        let counter = counter(sim);
        let bad = sim.choose(DICE, 0, 20);
        for i in 0..12 {
            let with = (counter.clone(), bad);
            sim.node_with(&format!("node-{i}"), with, move |node, (counter, bad)| async move {
                let client = Client::open(&node, &counter).await?;
                for _ in 0..bad {
                    node.note(format_args!("one\ntwo\nthree {:?}", client.ask(Ask::Add(i)).await?));
                }
                Ok::<_, stunt_double::sim::Disconnected>(())
            });
        }
        sim.run().expect_done();
        if bad > 2 { Err("first\nsecond\nthird") } else { Ok(()) }
    });
    let text = account(&sweep).to_string();
    assert!(text.lines().count() <= 40, "{} lines:\n{text}", text.lines().count());
    assert!(text.contains("one ⏎ two ⏎ three"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// Whatever makes a run fail, no choice of the smallest one can be made calm, alone or with
    /// another, and no value can be one less.
    #[test]
    fn what_is_left_is_minimal(
        rules in prop::collection::vec(prop::collection::vec((0_usize..6, 1_u64..4), 1..4), 1..4),
    ) {
        let fails = |values: &[u64]| {
            rules.iter().any(|rule| rule.iter().all(|(i, least)| values[*i] >= *least))
        };
        let scenario = |sim: &mut Sim| {
            let values: Vec<u64> = (0..6).map(|i| sim.choose(DICE, i, 4)).collect();
            if fails(&values) { Err("as the rules say") } else { Ok(()) }
        };
        let effort = Effort::default().with_risk(0, 0);
        let sweep = Seeds::new(0..5_000).with_effort(effort).run(scenario);
        let account = account(&sweep);
        let mut values = [0; 6];
        for (_, entity, value) in left(account) {
            values[entity as usize] = value;
        }
        prop_assert!(fails(&values));
        for i in 0..6 {
            for j in 0..6 {
                let mut calmer = values;
                (calmer[i], calmer[j]) = (0, 0);
                prop_assert!(calmer == values || !fails(&calmer), "{values:?} {i} {j}");
            }
            let mut less = values;
            less[i] = values[i].saturating_sub(1);
            prop_assert!(less == values || !fails(&less), "{values:?} {i}");
        }
    }
}

#[test]
fn pct_and_surw_learn_from_a_first_run() {
    for strategy in [Schedule::Pct { depth: 3, moments: None }, Schedule::Surw] {
        let runs = AtomicU64::new(0);
        let sweep = Seeds::new(0..10).with_strategy(strategy).run(|sim: &mut Sim| {
            runs.fetch_add(1, SeqCst);
            for name in ["a", "b"] {
                sim.node(name, async |node| node.yield_now().await);
            }
            match sim.run() {
                Outcome::Done => Ok(()),
                other => Err(other.to_string()),
            }
        });
        assert_eq!((sweep.ran, runs.into_inner()), (10, 11), "{strategy:?}");
    }
}
