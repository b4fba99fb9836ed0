//! The choice of the next task: tasks, their handles, strategies, and driving a world from outside.

use crate::support::{Ask, Client, at_ms, counter, log, ms, notes, secs};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::sim::trace::Digest;
use stunt_double::sim::{
    Config, JoinHandle, Killed, Latency, Outcome, Retention, Seeds, Sim, Strategy,
};

const PCT: Strategy = Strategy::Pct { depth: 2, moments: Some(10) };

#[test]
fn a_spawned_task_hands_its_result_to_its_handle() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        let sleeper = node.clone();
        let handle = node.spawn(async move {
            sleeper.sleep(ms(7)).await;
            42
        });
        assert_eq!(handle.await, Ok(42));
        assert_eq!(node.now(), at_ms(7));
    });
    sim.run().expect_done();
}

#[test]
fn a_task_that_is_not_send_can_be_spawned_beside_a_node() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| node.sleep(ms(9)).await);
    let seen = Rc::new(Cell::new(0));
    let (writer, sleeper) = (Rc::clone(&seen), node.clone());
    let handle = sim.spawn(&node, async move {
        sleeper.sleep(ms(2)).await;
        writer.set(5);
        writer
    });
    let reader = sim.spawn(&node, async move { handle.await.map(|cell| cell.get()) });
    sim.run().expect_done();
    assert_eq!(seen.get(), 5);
    drop(reader);
    assert_eq!(Rc::strong_count(&seen), 1, "nothing of it is left");
}

#[test]
fn a_dropped_handle_lets_its_task_run_on() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        let other = node.clone();
        drop(node.spawn(async move {
            other.sleep(ms(1)).await;
            other.note("ran on");
        }));
        node.sleep(ms(2)).await;
    });
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.001s a ran on"]);
}

#[test]
fn the_handle_of_a_task_that_died_with_its_node_says_killed() {
    let mut sim = Sim::new(1);
    let handle: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let slot = Rc::clone(&handle);
    let victim = sim.node("victim", move |node| {
        let slot = Rc::clone(&slot);
        async move {
            *slot.borrow_mut() = Some(node.spawn(std::future::pending()));
            node.sleep(Duration::MAX).await;
        }
    });
    sim.node("heir", move |node| {
        let handle = Rc::clone(&handle);
        async move {
            node.sleep(ms(1)).await;
            let handle = handle.take().expect("the victim ran first");
            assert_eq!(handle.await, Err(Killed));
            node.note("heard of it");
        }
    });
    sim.at(at_ms(5), move || victim.kill());
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.005s heir heard of it"]);
}

#[test]
fn a_handle_asked_again_after_its_result_says_so() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        let mut handle = node.spawn(async { 1 });
        assert_eq!((&mut handle).await, Ok(1));
        let _ = handle.await;
    });
    let Outcome::Failed(problem) = sim.run() else { panic!("there is nothing more to have") };
    assert!(problem.message.contains("polled after"), "{}", problem.message);
}

#[test]
fn yielding_lets_every_other_ready_task_run_first() {
    let mut sim = Sim::new(1);
    for name in ["a", "b", "c"] {
        sim.node(name, async |node| {
            node.note(1);
            node.yield_now().await;
            node.note(2);
        });
    }
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0s a 1", "0s b 1", "0s c 1", "0s a 2", "0s b 2", "0s c 2"]);
}

/// Three clients that talk to a counter over slow links, with time-outs, and end at different
/// times.
fn chatter(config: Config) -> Sim {
    let mut sim = Sim::with_config(config);
    let counter = counter(&mut sim);
    for (i, name) in (0..).zip(["a", "b", "c"]) {
        let counter = counter.clone();
        let node = sim.node(name, {
            let counter = counter.clone();
            move |node| {
                let counter = counter.clone();
                async move {
                    let client = Client::open(&node, &counter).await?;
                    for n in 0..4 {
                        let answer = node.timeout(secs(9), client.ask(Ask::Add(n))).await;
                        node.note(format_args!("{answer:?}"));
                        node.sleep(ms(2 * i)).await;
                    }
                    Ok::<_, stunt_double::sim::Disconnected>(())
                }
            }
        });
        node.link(&counter).set_latency(Latency::Uniform { min: ms(1), max: ms(3) });
    }
    sim
}

fn run(config: Config) -> Sim {
    let mut sim = chatter(config);
    sim.run().expect_done();
    sim
}

fn digest_of_run(config: Config) -> Digest {
    run(config).digest()
}

#[test]
fn however_a_world_is_driven_it_goes_the_same_way() {
    for strategy in [Strategy::Fifo, Strategy::Random, PCT] {
        let config = Config::new(3).with_strategy(strategy);
        let whole = digest_of_run(config.clone());

        let mut stepped = chatter(config.clone());
        while stepped.step() == Outcome::Reached {}
        assert_eq!(stepped.digest(), whole, "step by step, {strategy:?}");

        let mut driven = chatter(config.clone());
        while let Some(at) = driven.next_event() {
            driven.advance_to(at).expect_reached();
            assert_eq!(driven.now(), at);
        }
        assert_eq!(driven.digest(), whole, "driven from event to event, {strategy:?}");

        let mut sliced = chatter(config.clone());
        while sliced.next_event().is_some() {
            sliced.run_for(Duration::from_micros(700)).expect_reached();
        }
        assert_eq!(sliced.digest(), whole, "in slices of time, {strategy:?}");

        let mut watched = chatter(config);
        assert_eq!(watched.run_until(|| false), Outcome::NotReached(Box::new(Outcome::Done)));
        assert_eq!(watched.digest(), whole, "until never, {strategy:?}");
    }
}

/// Clients without latency that send many messages at once, while timers of the server are due, and
/// of which one is killed by a message in the middle of a burst.
fn bursts(config: Config) -> Sim {
    let mut sim = Sim::with_config(config);
    let counter = counter(&mut sim);
    for name in ["a", "b", "c"] {
        let node = sim.node_with(name, counter.clone(), async move |node, counter| {
            let client = Client::open(&node, &counter).await?;
            for n in 0..3 {
                client.send(Ask::Ring(ms(n)))?;
                for n in 0..5 {
                    client.send(Ask::Add(n))?;
                }
                for _ in 0..5 {
                    let answer = client.next().await?;
                    node.note(format_args!("{answer:?}"));
                }
                node.sleep(ms(1)).await;
            }
            Ok::<_, stunt_double::sim::Disconnected>(())
        });
        if name == "b" {
            let link = node.link(&counter);
            sim.at_message(&link, 9, move || node.kill());
        }
    }
    sim
}

#[test]
fn a_burst_goes_as_step_by_step_wherever_it_is_cut() {
    for strategy in [Strategy::Fifo, Strategy::Random, PCT] {
        let config = Config::new(5).with_strategy(strategy);
        let mut whole = bursts(config.clone());
        whole.run().expect_done();
        let mut watched = bursts(config.clone());
        assert_eq!(watched.run_until(|| false), Outcome::NotReached(Box::new(Outcome::Done)));
        assert_eq!(watched.digest(), whole.digest(), "until never, {strategy:?}");

        for limit in 1..150 {
            for config in
                [config.clone().with_max_steps(limit), config.clone().with_patience(limit)]
            {
                let mut whole = bursts(config.clone());
                let outcome = whole.run();
                let mut stepped = bursts(config);
                let end = loop {
                    match stepped.step() {
                        Outcome::Reached => {}
                        other => break other,
                    }
                };
                assert_eq!(end.to_string(), outcome.to_string(), "{limit}, {strategy:?}");
                assert_eq!(stepped.digest(), whole.digest(), "{limit}, {strategy:?}: {outcome}");
            }
        }
    }
}

#[test]
fn running_for_a_time_ends_at_that_time() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| node.sleep(ms(10)).await);
    sim.run_for(ms(4)).expect_reached();
    assert_eq!((sim.now(), sim.next_event()), (at_ms(4), Some(at_ms(10))));
    sim.advance_to(at_ms(2)).expect_reached();
    assert_eq!(sim.now(), at_ms(4), "never back");
    sim.run_for(ms(6)).expect_reached();
    assert_eq!((sim.now(), sim.next_event()), (at_ms(10), None), "its end is included");
    sim.run_for(secs(1)).expect_reached();
    assert_eq!(sim.now(), at_ms(1_010), "even if nothing happens");
    sim.run().expect_done();
}

#[test]
fn running_until_stops_at_the_step_that_did_it() {
    let mut sim = Sim::new(1);
    let count = Rc::new(Cell::new(0));
    let counted = Rc::clone(&count);
    sim.node("a", move |node| {
        let counted = Rc::clone(&counted);
        async move {
            for _ in 0..10 {
                counted.set(counted.get() + 1);
                node.sleep(ms(1)).await;
            }
        }
    });
    let seen = Rc::clone(&count);
    sim.run_until(move || seen.get() == 4).expect_reached();
    assert_eq!((count.get(), sim.now()), (4, at_ms(3)));
    sim.run_until(|| true).expect_reached();
    assert_eq!(count.get(), 4, "what holds already takes no step");
    assert_eq!(sim.run_until(|| false), Outcome::NotReached(Box::new(Outcome::Done)));
    assert_eq!(count.get(), 10);
}

#[test]
fn the_next_event_is_now_while_anything_is_ready_or_asked_for() {
    let mut sim = Sim::new(1);
    let node = sim.daemon("a", async |node| node.sleep(secs(1)).await);
    assert_eq!(sim.next_event(), Some(Instant::ZERO), "it has not begun");
    sim.run_for(ms(5)).expect_reached();
    assert_eq!(sim.next_event(), Some(at_ms(1_000)));
    drop(node.spawn(async {}));
    assert_eq!(sim.next_event(), Some(at_ms(5)), "a task was spawned");
    sim.run_for(ms(1)).expect_reached();
    node.kill();
    assert_eq!(sim.next_event(), Some(at_ms(6)), "a kill was asked for");
    sim.advance_to(at_ms(6)).expect_reached();
    assert_eq!(sim.next_event(), None, "its timer died with it");
    sim.when(|| true, || ());
    assert_eq!(sim.next_event(), Some(at_ms(6)), "a condition is still to be looked at");
    sim.advance_to(at_ms(6)).expect_reached();
    assert_eq!(sim.next_event(), None);
}

/// One node sets up what another needs. Under FIFO the order is right by luck.
fn forgotten_dependency(sim: &mut Sim) -> Result<(), String> {
    let configured = Rc::new(Cell::new(false));
    let (set, get) = (Rc::clone(&configured), configured);
    sim.node("setup", move |_| {
        let set = Rc::clone(&set);
        async move { set.set(true) }
    });
    sim.node("server", move |_| {
        let get = Rc::clone(&get);
        async move { if get.get() { Ok(()) } else { Err("not configured") } }
    });
    match sim.run() {
        Outcome::Done => Ok(()),
        other => Err(other.to_string()),
    }
}

#[test]
fn fifo_is_the_same_for_every_seed_and_never_shows_the_race() {
    let digests: Vec<_> = (0..50)
        .map(|seed| {
            let mut sim = Sim::new(seed);
            forgotten_dependency(&mut sim).expect("first come, first served");
            sim.digest()
        })
        .collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn random_differs_between_seeds_and_shows_the_race() {
    let sweep = Seeds::new(0..50)
        .with_strategy(Strategy::Random)
        .with_all_failures()
        .run(forgotten_dependency);
    assert!((10..40).contains(&sweep.failures.len()), "{} of 50", sweep.failures.len());
    let digest = |seed| digest_of_run(Config::new(seed).with_strategy(Strategy::Random));
    assert_ne!(digest(1), digest(2));
    assert_eq!(digest(1), digest(1));
}

/// Shows only if the reader's three polls all fall between the writer's two.
fn torn_write(sim: &mut Sim) -> Result<(), String> {
    let half_written = Rc::new(Cell::new(false));
    let (write, read) = (Rc::clone(&half_written), half_written);
    sim.node("writer", move |node| {
        let write = Rc::clone(&write);
        async move {
            write.set(true);
            node.yield_now().await;
            write.set(false);
        }
    });
    sim.node("reader", move |node| {
        let read = Rc::clone(&read);
        async move {
            node.yield_now().await;
            node.yield_now().await;
            if read.get() { Err("saw half a write") } else { Ok(()) }
        }
    });
    match sim.run() {
        Outcome::Done => Ok(()),
        other => Err(other.to_string()),
    }
}

#[test]
fn pct_finds_a_bug_of_its_depth_and_none_deeper() {
    let failures = |depth| {
        let strategy = Strategy::Pct { depth, moments: Some(5) };
        Seeds::new(0..200)
            .with_strategy(strategy)
            .with_all_failures()
            .run(torn_write)
            .failures
            .len()
    };
    assert_eq!(failures(1), 0, "without a preemption the write is never seen half done");
    // The bound promises about 200 / (2 * (5 + 1)).
    assert!(failures(2) >= 10, "{} of 200", failures(2));
}

#[test]
fn every_random_strategy_finds_half_a_write() {
    for strategy in [Strategy::Random, Strategy::Pos, Strategy::Surw] {
        let sweep = Seeds::new(0..200).with_strategy(strategy).with_all_failures().run(torn_write);
        let found = sweep.failures.len();
        assert!((4..150).contains(&found), "{found} of 200, {strategy:?}");
    }
}

/// A recorded tape says which of the ready tasks ran, so it replays whatever had decided.
#[test]
fn the_tape_of_every_strategy_replays_without_its_seed() {
    for strategy in [Strategy::Random, PCT, Strategy::Pos, Strategy::Surw] {
        let mut choices = 0;
        for seed in 0..20 {
            let config = Config::new(seed).with_strategy(strategy).with_recording();
            let first = run(config);
            let tape = first.tape();
            choices += tape.choices().iter().filter(|c| c.site == "schedule.ready").count();
            let again = run(Config::new(99).with_strategy(strategy).with_tape(tape));
            assert_eq!(first.digest(), again.digest(), "{strategy:?}, seed {seed}");
        }
        assert!(choices > 20, "{choices}, {strategy:?}");
    }
}

#[test]
fn a_choice_of_the_schedule_names_who_ran_and_who_was_first() {
    let config = |seed| Config::new(seed).with_strategy(Strategy::Random).with_recording();
    let tapes: Vec<_> = (0..20).map(|seed| run(config(seed)).tape()).collect();
    let told = |site: &str| {
        let choices = tapes.iter().flat_map(|tape| tape.choices());
        let choices = choices.filter(|choice| choice.site == site && choice.value > 0);
        choices.map(|choice| choice.told()).collect::<Vec<String>>()
    };
    let ran = told("schedule.ready");
    assert!(ran.iter().any(|words| words.contains("/main before ")), "{ran:?}");
    let took = told("link.latency");
    assert!(took.iter().all(|words| words.contains(" took ")), "{took:?}");
}

#[test]
fn a_calm_world_is_the_fifo_schedule_whatever_the_strategy() {
    let fifo = digest_of_run(Config::new(0).with_calm_choices());
    for strategy in [Strategy::Random, PCT, Strategy::Pos, Strategy::Surw] {
        assert_eq!(
            digest_of_run(Config::new(9).with_strategy(strategy).with_calm_choices()),
            fifo,
            "{strategy:?}"
        );
        let empty = Config::new(9).with_strategy(strategy).with_tape("".parse().expect("no lines"));
        assert_eq!(digest_of_run(empty), fifo, "an exhausted tape, {strategy:?}");
    }
}

/// Returns whether the counter's bell rang before a message of the same instant was counted.
fn bell_before_message(seed: u64, strategy: Strategy) -> bool {
    let mut sim = Sim::with_config(Config::new(seed).with_strategy(strategy));
    let counter = counter(&mut sim);
    sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Ring(ms(5)))?;
        node.link(&counter).set_latency(Latency::Constant(ms(5)));
        client.send(Ask::AddQuietly(1))
    });
    sim.run().expect_done();
    let log = log(&counter);
    let of = |what: &str| log.iter().position(|line| line == what);
    let (bell, message) = (of("0.005s timeout"), of("0.005s 0 AddQuietly(1)"));
    assert!(bell.is_some() && message.is_some(), "{log:?}");
    bell < message
}

#[test]
fn a_servers_timer_and_a_message_of_one_instant_may_change_places() {
    for strategy in [Strategy::Random, PCT, Strategy::Pos, Strategy::Surw] {
        let first = (0..40).filter(|seed| bell_before_message(*seed, strategy)).count();
        assert!((5..=35).contains(&first), "{first} of 40, {strategy:?}");
    }
    let calm = bell_before_message(0, Strategy::Fifo);
    assert!((1..40).all(|seed| bell_before_message(seed, Strategy::Fifo) == calm));
}

#[test]
fn every_strategy_bears_tasks_that_die_while_they_are_ready() {
    for strategy in [Strategy::Fifo, Strategy::Random, PCT] {
        for seed in 0..20 {
            let config =
                Config::new(seed).with_strategy(strategy).with_retention(Retention::Digest);
            let mut sim = Sim::with_config(config);
            let victim = sim.node("victim", async |node| {
                for _ in 0..3 {
                    let other = node.clone();
                    drop(node.spawn(async move {
                        for _ in 0..9 {
                            other.yield_now().await;
                        }
                    }));
                }
                node.sleep(Duration::MAX).await;
            });
            sim.node("killer", move |node| {
                let victim = victim.clone();
                async move {
                    node.yield_now().await;
                    victim.restart();
                    node.yield_now().await;
                    victim.kill();
                }
            });
            sim.run().expect_done();
        }
    }
}
