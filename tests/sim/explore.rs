//! Many seeds, recorded tapes, and failures made small.

use crate::support::{Ask, Client, Tell, counter, ms};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use stunt_double::sim::trace::Digest;
use stunt_double::sim::{Config, Disconnected, Latency, Outcome, Seeds, Sim, Strategy, seeds};
use stunt_double::{Site, Tape};

const DICE: Site = Site::new("test.dice");

/// Fails for about one seed in six.
fn dice(sim: &mut Sim) -> Result<(), String> {
    match sim.choose(DICE, 0, 6) {
        5 => Err(format!("seed {} threw a six", sim.seed())),
        _ => Ok(()),
    }
}

#[test]
fn the_smallest_failing_seed_is_found_whatever_the_threads() {
    let all = Seeds::new(0..200).with_all_failures().with_threads(1).run(dice);
    assert_eq!(all.ran, 200);
    let failing: Vec<u64> = all.failures.iter().map(|f| f.seed).collect();
    assert!(failing.is_sorted() && (20..50).contains(&failing.len()), "{failing:?}");
    assert_eq!(all.failures[0].message, format!("seed {} threw a six", failing[0]));
    for threads in [1, 2, 7] {
        let first = Seeds::new(0..200).with_threads(threads).run(dice);
        assert_eq!(first.failures, all.failures[..1], "{threads} threads");
        assert!(first.ran < 200, "it stopped");
        let every = Seeds::new(0..200).with_all_failures().with_threads(threads).run(dice);
        assert_eq!((every.failures, every.ran), (all.failures.clone(), 200), "{threads} threads");
    }
}

#[test]
fn every_seed_of_a_range_runs_once_even_the_last_ones() {
    let sum = AtomicU64::new(0);
    let sweep = Seeds::new(u64::MAX - 3..u64::MAX).with_threads(4).run(|sim| {
        sum.fetch_add(u64::MAX - sim.seed(), SeqCst);
    });
    assert_eq!((sweep.ran, sum.into_inner()), (3, 1 + 2 + 3));
    let none = seeds(5..5, |_| Err::<(), _>("none runs"));
    assert_eq!((none.ran, none.replay.clone()), (0, None));
    none.expect_none();
}

#[test]
fn a_failing_sweep_says_how_to_replay_it() {
    let sweep = seeds(41..50, |sim| match sim.seed() {
        43.. => Err("too large"),
        _ => Ok(()),
    });
    let name = "explore::a_failing_sweep_says_how_to_replay_it -- --exact";
    let release = if cfg!(debug_assertions) { "" } else { "--release " };
    let replay = format!("STUNT_DOUBLE_SEED=43 cargo test -p stunt-double {release}{name}");
    assert_eq!(sweep.replay.as_deref(), Some(&*replay));
    let why = "  nothing was drawn in the run, so no choice explains it\n";
    let told = format!("seed 43 failed: too large\n{why}  replay with: {replay}");
    assert_eq!(sweep.to_string(), told);
    assert!(sweep.seeds_per_second() > 0.0);
    let random = Seeds::new(7..9).with_strategy(Strategy::Random).run(|_| Err::<(), _>("no"));
    assert!(random.to_string().starts_with("seed 7 failed (strategy Random): no\n"), "{random}");
}

#[test]
fn a_sweep_catches_panics_and_its_worlds_failures() {
    let sweep = Seeds::new(0..3).with_all_failures().with_threads(2).run(|sim| {
        sim.node("a", async |node| {
            node.sleep(ms(1)).await;
            Err::<(), _>("inside")
        });
        match sim.seed() {
            0 => panic!("outside"),
            1 => sim.run().expect_done(),
            _ => {}
        }
    });
    assert_eq!(sweep.failures.len(), 2);
    assert_eq!(sweep.failures[0].message, "outside");
    let inside = &sweep.failures[1].message;
    assert!(inside.starts_with("a failed at 0.001s, seed 1: inside"), "{inside}");
}

#[test]
fn a_panic_of_a_destructor_at_the_worlds_end_fails_no_seed() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let sweep = Seeds::new(0..2).with_all_failures().with_threads(1).run(|sim| {
        for name in ["a", "b"] {
            sim.node(name, async |_| {
                let _bomb = Bomb;
                std::future::pending::<()>().await;
            });
        }
        let _ = sim.run();
    });
    sweep.expect_none();
}

#[test]
fn a_sweep_over_a_sound_program_finds_nothing() {
    let strategy = Strategy::Pct { depth: 3, moments: Some(20) };
    let sweep = Seeds::new(0..50).with_strategy(strategy).run(|sim| exchange(sim).map(|_| ()));
    assert_eq!(sweep.to_string(), "50 seeds, none failed");
    sweep.expect_none();
}

#[test]
#[should_panic(expected = "seed 0 failed: no")]
fn expecting_no_failure_tells_of_the_first() {
    Seeds::new(0..1).without_files().run(|_| Err::<(), _>("no")).expect_none();
}

/// Two clients toss coins at a server. Returns the digest.
fn exchange(sim: &mut Sim) -> Result<Digest, Outcome> {
    let counter = counter(sim);
    for name in ["a", "b"] {
        let node = sim.node_with(name, counter.clone(), async |node, counter| {
            let client = Client::open(&node, &counter).await?;
            for _ in 0..5 {
                let Tell::Tossed(n) = client.ask(Ask::Toss(6)).await? else { panic!() };
                node.note(n + node.choose(DICE, 6));
            }
            Ok::<_, Disconnected>(())
        });
        node.link(&counter).set_latency(Latency::Exponential { min: ms(1), mean: ms(5) });
    }
    match sim.run() {
        Outcome::Done => Ok(sim.digest()),
        other => Err(other),
    }
}

fn recorded(config: &Config) -> (Digest, Tape) {
    let mut sim = Sim::with_config(config.clone().with_recording());
    let digest = exchange(&mut sim).expect("it is sound");
    (digest, sim.tape())
}

fn replayed(config: &Config, tape: &Tape) -> Digest {
    let mut sim = Sim::with_config(config.clone().with_tape(tape.clone()));
    exchange(&mut sim).expect("it is sound")
}

const STRATEGIES: [Strategy; 3] =
    [Strategy::Fifo, Strategy::Random, Strategy::Pct { depth: 3, moments: Some(30) }];

#[test]
fn a_recorded_run_replays_under_any_seed_through_text_too() {
    for strategy in STRATEGIES {
        let (digest, tape) = recorded(&Config::new(6).with_strategy(strategy));
        assert!(tape.choices().iter().any(|c| c.site == "test.counter"), "the service's are in it");
        let other_seed = Config::new(999).with_strategy(strategy);
        assert_eq!(replayed(&other_seed, &tape), digest, "{strategy:?}");
        let text = tape.to_string();
        let read = text.parse().expect("it was just written");
        assert_eq!(replayed(&other_seed, &read), digest, "{strategy:?}, through text");
    }
}

#[test]
fn a_tape_is_recorded_only_on_request() {
    let mut sim = Sim::new(6);
    exchange(&mut sim).expect("it is sound");
    assert!(sim.tape().is_empty());
}

#[test]
fn recording_changes_nothing() {
    let config = Config::new(6).with_strategy(Strategy::Random);
    let mut sim = Sim::with_config(config.clone());
    assert_eq!(exchange(&mut sim).ok(), Some(recorded(&config).0));
}

#[test]
fn a_tape_still_runs_when_any_one_choice_is_made_calm() {
    for strategy in STRATEGIES {
        let config = Config::new(6).with_strategy(strategy);
        let (digest, tape) = recorded(&config);
        let mut changed = 0;
        for i in tape.unquiet() {
            let mut edited = tape.clone();
            assert!(edited.set(i, 0));
            changed += u32::from(replayed(&config, &edited) != digest);
        }
        assert!(changed > 0, "some choice matters");
    }
}

/// Fails only if the coin of site `DICE` comes up for entity 3. All its other draws are noise.
fn needle(config: &Config) -> (bool, Tape) {
    let mut sim = Sim::with_config(config.clone().with_recording());
    let thrown: Vec<u64> = (0..8).map(|entity| sim.choose(DICE, entity, 6)).collect();
    exchange(&mut sim).expect("it is sound");
    (thrown[3] >= 4, sim.tape())
}

#[test]
fn a_failing_tape_shrinks_to_the_one_choice_that_matters() {
    let config = Config::new(0).with_strategy(Strategy::Random);
    let (_, mut smallest) = (0..100)
        .map(|seed| needle(&Config::new(seed).with_strategy(Strategy::Random)))
        .find(|(failed, _)| *failed)
        .expect("one throw in three fails");
    assert!(smallest.unquiet().count() > 20);

    // Every choice that can be calm becomes calm. Each run's own tape is carried on, so choices
    // that no longer come up fall away.
    let mut from = 0;
    loop {
        let Some(i) = smallest.unquiet().find(|i| *i >= from) else { break };
        let mut candidate = smallest.clone();
        candidate.set(i, 0);
        match needle(&config.clone().with_tape(candidate)) {
            (true, ran) => smallest = ran,
            (false, _) => from = i + 1,
        }
    }
    let left: Vec<_> = smallest.unquiet().map(|i| smallest.choices()[i].clone()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((&*left[0].site, left[0].entity), ("test.dice", 3));
}

#[test]
fn asking_for_another_link_does_not_change_the_latency_of_this_one() {
    let arrival = |ask_first: bool| {
        let mut sim = Sim::new(8);
        let counter = counter(&mut sim);
        let bystander = sim.daemon("bystander", async |_| std::future::pending::<()>().await);
        let node = sim.node("a", {
            let counter = counter.clone();
            move |node| {
                let counter = counter.clone();
                async move { Client::open(&node, &counter).await.map(|_| ()) }
            }
        });
        if ask_first {
            let _ = bystander.link(&counter);
        }
        node.link(&counter).set_latency(Latency::Uniform { min: ms(0), max: ms(1_000) });
        sim.run().expect_done();
        sim.now()
    };
    assert_eq!(arrival(false), arrival(true));
}
