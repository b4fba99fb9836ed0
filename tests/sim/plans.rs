//! A plan of faults: each kind happens, is undone, and is on the tape as one choice.

use crate::support::{Ask, Client, Counter, counter, ms};
use std::time::Duration;
use stunt_double::Choice;
use stunt_double::sim::trace::{EventKind, Trace};
use stunt_double::sim::{
    Chaos, Config, Effort, Latency, Node, Outcome, Retention, Seeds, ServiceHandle, Sim, seeds,
};

/// A client that adds to the counter, one after the other, and connects again when it must.
async fn work(node: Node, counter: ServiceHandle<Counter>) {
    let mut left = 20;
    while left > 0 {
        if let Ok(Ok(client)) = node.timeout(ms(500), Client::open(&node, &counter)).await {
            while left > 0 {
                match node.timeout(ms(500), client.ask(Ask::Add(1))).await {
                    Ok(Ok(_)) => left -= 1,
                    Ok(Err(_)) | Err(_) => break,
                }
            }
        }
        node.sleep(ms(50)).await;
    }
}

struct Bench {
    sim: Sim,
    counter: ServiceHandle<Counter>,
    node: Node,
}

fn bench(config: Config) -> Bench {
    let latency = Latency::Uniform { min: Duration::from_micros(100), max: ms(2) };
    let config = config.with_latency(latency).with_recording().with_retention(Retention::All);
    let mut sim = Sim::with_config(config);
    let counter = counter(&mut sim);
    let node = sim.node_with("worker", counter.clone(), work);
    Bench { sim, counter, node }
}

type Plan = fn(Chaos, &Bench) -> Chaos;

/// Runs to the end with this plan, and returns the world.
fn stricken(config: Config, plan: Plan) -> Bench {
    let mut bench = bench(config);
    let chaos = plan(Chaos::new(), &bench);
    chaos.run_then_heal(&mut bench.sim, Duration::from_secs(60)).expect_done();
    bench
}

fn strikes(sim: &Sim) -> Vec<Choice> {
    let tape = sim.tape();
    let all = tape.choices().iter().filter(|choice| choice.site == "chaos.strike");
    all.filter(|choice| choice.value > 0).cloned().collect()
}

fn lines(trace: &Trace) -> Vec<String> {
    let told = |kind: &EventKind| !matches!(kind, EventKind::Ran { .. });
    trace.events().filter(|event| told(&event.kind)).map(|event| event.to_string()).collect()
}

const SHORT: std::ops::Range<Duration> = Duration::from_millis(100)..Duration::from_secs(3);

/// Each kind of fault, its words, and the event that shows that it happened.
const KINDS: [(&str, &str, Plan); 17] = [
    ("worker killed for 100ms", "killed", |chaos, b| chaos.kill(&b.node)),
    ("worker killed for good", "killed", |chaos, b| chaos.kill_for_good(&b.node)),
    ("worker without power for 10s", "power", |chaos, b| chaos.lose_power(&b.node)),
    ("worker asked to stop", "asked to stop", |chaos, b| chaos.terminate(&b.node)),
    ("worker killed and restarted", "killed", |chaos, b| chaos.restart(&b.node)),
    ("worker paused for 3s", "paused", |chaos, b| chaos.pause(&b.node, SHORT)),
    ("counter crashed for 1s", "stopped", |chaos, b| chaos.crash(&b.counter)),
    ("counter lost power for 10s", "vanished", |chaos, b| chaos.lose_power(&b.counter)),
    ("counter vanished for 100ms", "vanished", |chaos, b| chaos.vanish(&b.counter)),
    ("counter restarted", "stopped", |chaos, b| chaos.restart(&b.counter)),
    ("worker – counter partitioned for 3s", "partitioned", |chaos, b| {
        chaos.partition(&b.node.link(&b.counter), SHORT)
    }),
    ("worker – counter dropped everything for 3s", "", |chaos, b| {
        chaos.blackhole(&b.node.link(&b.counter), SHORT)
    }),
    ("connections of worker to counter reset", "", |chaos, b| {
        chaos.sever(&b.node.link(&b.counter))
    }),
    ("connections of worker to counter forgotten", "forg", |chaos, b| {
        chaos.forget(&b.node.link(&b.counter))
    }),
    ("worker – counter slowed down to Constant(40ms) for 3s", "", |chaos, b| {
        chaos.slow(&b.node.link(&b.counter), Latency::Constant(ms(40)), SHORT)
    }),
    ("the clock of counter jumped 60s behind", "clock", |chaos, b| {
        chaos.clock_jump(&b.counter, Duration::from_secs(60))
    }),
    ("the clock of counter ran 500 ppm slow", "", |chaos, b| chaos.clock_drift(&b.counter, 500)),
];

#[test]
fn each_kind_of_fault_happens_and_everything_finishes_afterwards() {
    for (words, event, plan) in KINDS {
        let found = (0..400).find_map(|seed| {
            let Bench { sim, counter, node } = stricken(Config::new(seed), plan);
            assert!(counter.is_running() && !node.is_alive(), "{words}: it all came to its end");
            let link = node.link(&counter);
            assert!(!link.is_partitioned() && !link.is_blackholed(), "{words}");
            let told = |choice: &Choice| choice.told().starts_with(words);
            strikes(&sim).iter().any(told).then(|| lines(&sim.trace()).join("\n"))
        });
        let trace = found.unwrap_or_else(|| panic!("no seed in which {words}"));
        assert!(trace.contains(event), "{words}: no {event:?} in\n{trace}");
    }
}

#[test]
fn calm_choices_mean_no_fault() {
    for (words, _, plan) in KINDS {
        let Bench { sim, counter, .. } = stricken(Config::new(1).with_calm_choices(), plan);
        assert!(strikes(&sim).is_empty(), "{words}");
        assert_eq!(counter.inspect(|counter| counter.total), 20, "{words}");
        let moments = sim.tape().choices().iter().filter(|c| c.site == "chaos.strike").count();
        assert!(moments >= 40, "{words}: {moments} moments, one for each message");
    }
}

fn all(chaos: Chaos, b: &Bench) -> Chaos {
    KINDS.iter().filter(|kind| !kind.0.contains("for good")).fold(chaos, |c, kind| kind.2(c, b))
}

#[test]
fn a_seed_means_the_same_faults_and_its_tape_replays_them() {
    let mut faults = 0;
    for seed in 0..60 {
        let first = stricken(Config::new(seed), all);
        assert_eq!(stricken(Config::new(seed), all).sim.digest(), first.sim.digest());
        let tape = first.sim.tape();
        let again = stricken(Config::new(seed + 1).with_tape(tape.clone()), all);
        assert_eq!(again.sim.digest(), first.sim.digest(), "seed {seed}");
        assert_eq!(again.sim.tape(), tape);
        faults += strikes(&first.sim).len();
        let moment = tape.choices().iter().position(|c| c.site == "chaos.strike").unwrap();
        let prefix = Config::new(seed).with_prefix(tape.prefix(moment));
        let _ = stricken(prefix, all);
    }
    assert!((30..=120).contains(&faults), "{faults} faults in 60 runs, of at most 2 each");
}

#[test]
fn the_number_of_faults_and_their_rarity_can_be_set() {
    for limit in [0, 1, 5] {
        let plan = |seed| {
            let mut bench = bench(Config::new(seed));
            let chaos = Chaos::new().sever(&bench.node.link(&bench.counter));
            let chaos = chaos.with_faults(limit).with_one_in(2);
            chaos.run_then_heal(&mut bench.sim, Duration::from_secs(60)).expect_done();
            strikes(&bench.sim).len()
        };
        let most = (0..20).map(plan).max();
        assert_eq!(most, Some(limit as usize));
    }
    let certain = |n| {
        let mut bench = bench(Config::new(3));
        let chaos = Chaos::new().sever(&bench.node.link(&bench.counter)).with_one_in(n);
        chaos.run_then_heal(&mut bench.sim, Duration::from_secs(60)).expect_done();
        let first = bench.sim.tape().choices().iter().find(|c| c.site == "chaos.strike").cloned();
        first.map(|choice| choice.value > 0)
    };
    assert_eq!((certain(1), certain(u64::MAX)), (Some(true), Some(false)));
}

#[test]
fn each_seed_uses_some_faults_of_the_plan() {
    let victims = |swarm: bool| {
        let runs = (0..200).map(|seed| {
            let mut bench = bench(Config::new(seed));
            let link = bench.node.link(&bench.counter);
            let chaos = Chaos::new().sever(&link).forget(&link).kill(&bench.node).with_faults(8);
            let chaos = if swarm { chaos } else { chaos.without_swarm() };
            chaos
                .with_one_in(6)
                .run_then_heal(&mut bench.sim, Duration::from_secs(90))
                .expect_done();
            let told = strikes(&bench.sim);
            let has = |words: &str| told.iter().any(|c| c.told().contains(words));
            [has("reset"), has("forgotten"), has("killed")].iter().filter(|has| **has).count()
        });
        let (mut few, mut many) = (0, 0);
        for kinds in runs {
            few += u32::from(kinds == 1);
            many += u32::from(kinds == 3);
        }
        (few, many)
    };
    let ((few, many), (all_few, all_many)) = (victims(true), victims(false));
    assert!(few > 60 && many < 60, "with swarms: {few} runs with one kind, {many} with all");
    assert!(all_few < 20 && all_many > 100, "without: {all_few} and {all_many}");
}

#[test]
fn a_world_without_messages_has_ticks() {
    let run = |seed, every: Option<Duration>| {
        let mut sim = Sim::with_config(Config::new(seed).with_recording());
        let node = sim.node("sleeper", async |node| node.sleep(Duration::from_secs(10)).await);
        let chaos = Chaos::new().kill(&node).with_one_in(20);
        let chaos = every.into_iter().fold(chaos, Chaos::also_every);
        chaos.run_then_heal(&mut sim, Duration::from_secs(100)).expect_done();
        assert!(!node.is_alive());
        strikes(&sim)
    };
    assert!((0..20).all(|seed| run(seed, None).is_empty()));
    let struck: Vec<Choice> = (0..20).flat_map(|seed| run(seed, Some(ms(100)))).collect();
    assert!(struck.len() > 20, "{} faults in 20 runs", struck.len());
    assert!(struck.iter().all(|choice| choice.told().contains("the clock showed")), "{struck:?}");
}

#[test]
fn ticks_do_not_keep_a_world_from_its_end() {
    let mut sim = Sim::new(1);
    let node = sim.node("waiter", async |node| node.sleep(Duration::MAX).await);
    Chaos::new().pause(&node, SHORT).also_every(ms(1)).with_faults(3).start(&mut sim);
    assert!(matches!(sim.run(), Outcome::Stuck(_)));
}

#[test]
fn a_node_that_ended_by_itself_is_not_started_again() {
    for seed in 0..50 {
        let mut sim = Sim::with_config(Config::new(seed).with_latency(Latency::Constant(ms(1))));
        let counter = counter(&mut sim);
        let node = sim.node_with("short", counter.clone(), async |node, counter| {
            let _client = Client::open(&node, &counter).await;
            node.note("ran");
        });
        let other = sim.node_with("other", counter.clone(), work);
        sim.run_until(|| !node.is_alive()).expect_reached();
        let chaos = Chaos::new().kill(&node).lose_power(&node).terminate(&node).restart(&node);
        let chaos = chaos.with_one_in(2).also_every(ms(1)).with_faults(9);
        chaos.run_then_heal(&mut sim, Duration::from_secs(60)).expect_done();
        assert_eq!(sim.trace().notes().matches("ran").count(), 1, "seed {seed}");
        assert!(!other.is_alive());
    }
}

#[test]
fn a_failure_shrinks_to_the_fault_that_it_needs() {
    let sweep = seeds(0..1_000, |sim: &mut Sim| {
        let counter = counter(sim);
        let nodes = ["a", "b", "c"].map(|name| sim.node_with(name, counter.clone(), work));
        let mut chaos = Chaos::new().crash(&counter);
        for node in &nodes {
            chaos = chaos.kill(node).sever(&node.link(&counter)).pause(node, SHORT);
        }
        chaos.with_faults(4).run_then_heal(sim, Duration::from_secs(60)).expect_done();
        let total = counter.inspect(|counter| counter.total);
        assert!(total >= 60, "the counter lost something");
    });
    let account = sweep.account.as_deref().unwrap_or_else(|| panic!("{sweep}"));
    let [decision] = &account.decisions[..] else { panic!("more than one choice: {sweep}") };
    let words = decision.choice.told();
    assert!(words.starts_with("counter crashed for 100ms, as "), "{words}");
    assert_eq!(decision.choice.who.as_deref(), Some("counter"));
    assert!(decision.is_decisive);
}

#[test]
fn a_plan_without_faults_changes_nothing() {
    let run = |plan: bool| {
        let mut bench = bench(Config::new(5));
        if plan {
            Chaos::new().start(&mut bench.sim);
        }
        bench.sim.run().expect_done();
        bench.sim.end_chaos();
        (bench.sim.digest(), bench.sim.tape())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_world_takes_one_plan_at_a_time() {
    let effort = Effort::none();
    let sweep = Seeds::new(0..1).with_effort(effort).run(|sim: &mut Sim| {
        let node = sim.node("a", async |_| {});
        Chaos::new().kill(&node).start(sim);
        sim.end_chaos();
        Chaos::new().kill(&node).start(sim);
        Chaos::new().kill(&node).start(sim);
    });
    assert!(sweep.failures[0].message.contains("put all faults into one `Chaos`"), "{sweep}");
}

#[test]
#[should_panic(expected = "another world than its own")]
fn a_plan_holds_for_its_own_world() {
    let (mut a, mut b) = (Sim::new(1), Sim::new(1));
    let node = a.node("a", async |_| {});
    Chaos::new().kill(&node).start(&mut b);
}

#[test]
fn an_outcome_other_than_the_end_is_returned_at_once() {
    let mut sim = Sim::new(1);
    let node = sim.node("fails", async |_| Err::<(), _>("by itself"));
    let outcome = Chaos::new().kill(&node).run_then_heal(&mut sim, ms(10));
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome}");
    let mut sim = Sim::with_config(Config::new(1).with_max_time(ms(100)));
    let node = sim.node("sleeps", async |node| node.sleep(Duration::from_secs(1)).await);
    let outcome = Chaos::new().kill(&node).run_then_heal(&mut sim, Duration::from_secs(10));
    assert!(matches!(outcome, Outcome::TimeBudget { .. }), "{outcome}");
}
