//! Plans whose faults overlap or follow each other: each strike undoes itself and nothing else.
//!
//! The strikes are scripted. A plan with a clock makes a choice at each tick, and a tape says which
//! fault it is.

use crate::support::{Ask, Client, Counter, at_ms, counter, log, ms, notes, secs};
use std::ops::Range;
use std::time::Duration;
use stunt_double::sim::{
    Chaos, Config, Disconnected, Effort, Latency, Link, Node, Outcome, Seeds, ServiceHandle, Sim,
    Strategy,
};
use stunt_double::{Choice, Instant, Tape};

/// The entity of a plan's clock in choices.
const TICK: u64 = u64::MAX;

/// The time between two ticks.
const PERIOD: Duration = Duration::from_millis(100);

/// Exactly this long.
pub(crate) fn lasting(duration: Duration) -> Range<Duration> {
    duration..duration
}

/// Returns the choice of a fault that has one duration: its place in the plan, and how long it
/// comes after its moment.
pub(crate) fn fault(number: u64, delay: Duration) -> u64 {
    let delays = [Duration::ZERO, ms(1), ms(100)];
    let at = delays.iter().position(|known| *known == delay).expect("it is one of the delays");
    1 + 3 * number + at as u64
}

/// Returns the settings of a run in which these faults strike at these ticks, the first of which is
/// number 1.
fn script(strikes: &[(usize, u64)]) -> Config {
    let last = strikes.iter().map(|(tick, _)| *tick).max().unwrap_or_default();
    let value = |tick| strikes.iter().find(|(at, _)| *at == tick).map_or(0, |(_, value)| *value);
    let choices = (1..=last).map(|tick| Choice::new("chaos.strike", TICK, 1_000, value(tick)));
    Config::new(1).with_tape(choices.collect::<Tape>()).with_recording()
}

/// Strikes at once.
fn now(number: u64) -> u64 {
    fault(number, Duration::ZERO)
}

/// A world with a node that does nothing but keep the plan's clock running, for `seconds`.
fn clockwork(config: Config, seconds: u64) -> Sim {
    let mut sim = Sim::with_config(config);
    sim.node_with("clockwork", seconds, async |node, seconds| {
        for _ in 0..20 * seconds {
            node.sleep(ms(50)).await;
        }
    });
    sim
}

/// A node that notes when it starts, and sleeps.
fn sleeper(sim: &mut Sim) -> Node {
    sim.daemon("sleeper", async |node| {
        node.note("started");
        node.sleep(Duration::MAX).await;
    })
}

fn storm() -> Chaos {
    Chaos::new().also_every(PERIOD).with_faults(9).without_swarm()
}

/// Returns the moments of these notes, in milliseconds.
fn moments(sim: &Sim, text: &str) -> Vec<String> {
    let told = notes(sim);
    let at = |note: &String| note.split(' ').next().unwrap_or_default().to_owned();
    told.iter().filter(|note| note.ends_with(text)).map(at).collect()
}

/// Runs the world in steps of 50 ms, and returns from when to when this holds.
fn spans(sim: &mut Sim, until: u64, holds: impl Fn() -> bool) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for now in (50..=until).step_by(50) {
        // A look between two ticks, at which nothing happens at the same moment.
        sim.advance_to(at_ms(now) + ms(25)).expect_reached();
        match spans.last_mut() {
            _ if !holds() => {}
            Some((_, end)) if *end + 50 == now => *end = now,
            _ => spans.push((now, now)),
        }
    }
    spans
}

fn idle(sim: &mut Sim) -> (Node, ServiceHandle<Counter>) {
    let counter = counter(sim);
    (sleeper(sim), counter)
}

#[test]
fn a_cut_lasts_as_long_as_the_longest_strike_on_it() {
    let mut sim = clockwork(script(&[(1, now(0)), (3, now(1)), (4, now(2))]), 10);
    let (node, counter) = idle(&mut sim);
    let link = node.link(&counter);
    let plan = storm().partition(&link, lasting(ms(500))).partition(&link, lasting(ms(1_000)));
    plan.blackhole(&link, lasting(ms(2_000))).start(&mut sim);
    let watched = link.clone();
    let cut = spans(&mut sim, 3_000, move || watched.is_partitioned());
    assert_eq!(cut, [(100, 1_250)], "up to 0.3 s and the second strike's whole second");
    assert!(!link.is_blackholed(), "and that is over by now");
}

#[test]
fn the_end_of_a_partition_does_not_end_a_black_hole() {
    let mut sim = clockwork(script(&[(1, now(0)), (2, now(1))]), 10);
    let (node, counter) = idle(&mut sim);
    let link = node.link(&counter);
    let plan = storm().blackhole(&link, lasting(ms(1_000))).partition(&link, lasting(ms(200)));
    plan.start(&mut sim);
    assert_eq!(spans(&mut sim, 3_000, move || link.is_blackholed()), [(100, 1_050)]);
}

/// A node that asks the counter every 100 ms and notes how long that took.
fn prober(sim: &mut Sim, counter: &ServiceHandle<Counter>) -> Node {
    sim.node_with("prober", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        for _ in 0..40 {
            let asked = node.now();
            client.ask(Ask::Add(1)).await?;
            node.note(format_args!("{:?}", node.now() - asked));
            node.sleep_until(asked + PERIOD).await;
        }
        Ok::<_, Disconnected>(())
    })
}

#[test]
fn a_latency_is_the_last_strikes_and_then_the_tests_own_again() {
    let mut sim = clockwork(script(&[(5, now(0)), (7, now(1)), (9, now(0))]), 10);
    let counter = counter(&mut sim);
    let link = prober(&mut sim, &counter).link(&counter);
    link.set_latency(Latency::Constant(ms(1)));
    let (slow, slower) = (Latency::Constant(ms(10)), Latency::Constant(ms(20)));
    let plan = storm().slow(&link, slow, lasting(ms(1_000)));
    plan.slow(&link, slower, lasting(ms(250))).start(&mut sim);
    // The test may set another latency meanwhile: it holds after the fault.
    sim.after(ms(600), move || link.set_latency(Latency::Constant(ms(2))));
    sim.run_for(secs(3)).expect_reached();
    let told: Vec<String> =
        notes(&sim).into_iter().filter(|note| note.contains("prober")).collect();
    let mut took: Vec<&str> = told.iter().filter_map(|note| note.rsplit(' ').next()).collect();
    took.dedup();
    assert_eq!(took, ["2ms", "20ms", "40ms", "20ms", "4ms"]);
    sim.end_chaos();
    sim.run().expect_done();
    assert!(notes(&sim).last().is_some_and(|note| note.ends_with(" 4ms")), "{:?}", notes(&sim));
}

#[test]
fn the_end_of_a_plan_brings_back_the_tests_latency_whatever_has_struck() {
    let mut sim = clockwork(script(&[(1, now(0)), (2, now(1))]), 10);
    let counter = counter(&mut sim);
    let link = prober(&mut sim, &counter).link(&counter);
    link.set_latency(Latency::Constant(ms(1)));
    let (slow, slower) = (Latency::Constant(ms(10)), Latency::Constant(ms(20)));
    let plan = storm().slow(&link, slow, lasting(secs(60)));
    plan.slow(&link, slower, lasting(secs(60))).start(&mut sim);
    sim.run_for(secs(2)).expect_reached();
    sim.end_chaos();
    sim.run().expect_done();
    assert!(notes(&sim).last().is_some_and(|note| note.ends_with(" 2ms")), "{:?}", notes(&sim));
}

#[test]
fn what_the_test_has_cut_or_paused_stays_so_when_the_plan_lets_go() {
    let mut sim = clockwork(script(&[(1, now(0)), (2, now(1))]), 10);
    let (node, counter) = idle(&mut sim);
    let link = node.link(&counter);
    link.partition();
    node.pause();
    let plan = storm().partition(&link, lasting(ms(300))).pause(&node, lasting(ms(300)));
    plan.start(&mut sim);
    node.spawn({
        let node = node.clone();
        async move { node.note("runs") }
    });
    sim.run_for(secs(2)).expect_reached();
    assert!(link.is_partitioned(), "the fault is over, the test's partition is not");
    sim.end_chaos();
    sim.run_for(secs(1)).expect_reached();
    assert!(link.is_partitioned());
    assert_eq!(moments(&sim, "runs"), Vec::<String>::new());
    node.resume();
    link.heal();
    assert!(!link.is_partitioned());
    sim.run_for(secs(1)).expect_reached();
    assert_eq!(moments(&sim, "runs"), ["3s"]);
}

#[test]
fn a_pause_lasts_as_long_as_the_longest_strike_in_the_same_life() {
    let mut sim = clockwork(script(&[(1, now(0)), (2, now(1)), (3, now(0))]), 10);
    let node = sim.daemon("ticker", async |node| {
        loop {
            node.note("tick");
            node.sleep(ms(50)).await;
        }
    });
    let plan = storm().pause(&node, lasting(ms(150))).pause(&node, lasting(ms(1_000)));
    plan.start(&mut sim);
    sim.run_for(secs(2)).expect_reached();
    let told = moments(&sim, "tick");
    let after = told.iter().position(|at| at == "1.2s").expect("it goes on at 1.2 s");
    assert!(["0.1s", "0.05s"].contains(&told[after - 1].as_str()), "{told:?}");
}

#[test]
fn killed_for_good_while_it_is_down_does_not_start_again() {
    for (seconds, second) in [(1, 2), (1, 5)] {
        let strikes = [(seconds, now(0)), (second, now(1))];
        let mut sim = clockwork(script(&strikes), 5);
        let node = sleeper(&mut sim);
        let plan = storm().with_downtime(lasting(ms(1_000))).kill(&node).kill_for_good(&node);
        plan.run_then_heal(&mut sim, secs(3)).expect_done();
        assert!(!node.is_alive(), "killed for good");
        assert_eq!(moments(&sim, "started"), ["0s"]);
    }
}

/// A daemon that takes `grace` to stop.
fn graceful(sim: &mut Sim, grace: Duration) -> Node {
    sim.daemon("worker", move |node: Node| async move {
        node.note("started");
        node.terminated().await;
        node.sleep(grace).await;
    })
}

#[test]
fn killed_for_good_while_it_stops_does_not_start_again() {
    let mut sim = clockwork(script(&[(1, now(0)), (3, now(1))]), 5);
    let node = graceful(&mut sim, secs(1));
    storm().terminate(&node).kill_for_good(&node).run_then_heal(&mut sim, secs(4)).expect_done();
    assert!(!node.is_alive());
    assert_eq!(moments(&sim, "started"), ["0s"]);
}

#[test]
fn killed_while_it_stops_it_is_down_for_its_whole_downtime() {
    let mut sim = clockwork(script(&[(1, now(0)), (3, now(1))]), 5);
    let node = graceful(&mut sim, secs(1));
    let plan = storm().with_downtime(lasting(secs(2))).terminate(&node).kill(&node);
    plan.run_then_heal(&mut sim, secs(4)).expect_done();
    assert_eq!(moments(&sim, "started"), ["0s", "2.3s"]);
}

#[test]
fn a_node_is_down_until_the_last_strike_on_it_lets_go() {
    let mut sim = clockwork(script(&[(1, now(0)), (3, now(1)), (4, now(2))]), 9);
    let node = sleeper(&mut sim);
    let plan = storm().with_downtime(lasting(ms(500))).kill(&node);
    let plan = plan.with_downtime(lasting(secs(3))).lose_power(&node);
    plan.with_downtime(lasting(secs(1))).kill(&node).start(&mut sim);
    sim.run_for(secs(8)).expect_reached();
    assert_eq!(moments(&sim, "started"), ["0s", "3.3s"]);
    // A life that the test has begun is none of the plan's business.
    let mut sim = clockwork(script(&[(1, now(1)), (9, now(0))]), 9);
    let node = sleeper(&mut sim);
    let plan = storm().with_downtime(lasting(ms(500))).kill(&node);
    plan.with_downtime(lasting(secs(3))).kill(&node).start(&mut sim);
    sim.after(ms(550), move || node.restart());
    sim.run_for(secs(8)).expect_reached();
    assert_eq!(moments(&sim, "started"), ["0s", "0.55s", "1.4s"]);
}

#[test]
fn a_service_is_down_until_the_last_strike_on_it_lets_go() {
    let mut sim = clockwork(script(&[(1, now(0)), (3, now(1))]), 9);
    let counter = counter(&mut sim);
    let plan = storm().with_downtime(lasting(ms(500))).crash(&counter);
    plan.with_downtime(lasting(secs(1))).crash(&counter).start(&mut sim);
    let watched = counter.clone();
    let down = spans(&mut sim, 3_000, move || !watched.is_running());
    assert_eq!(down, [(100, 1_250)], "{:?}", log(&counter));
}

#[test]
fn a_node_that_stops_beyond_the_end_of_the_plan_starts_again() {
    let mut sim = clockwork(script(&[(8, now(0))]), 1);
    let node = graceful(&mut sim, secs(5));
    let outcome = storm().terminate(&node).run_then_heal(&mut sim, ms(900));
    outcome.expect_done();
    sim.run_for(secs(10)).expect_reached();
    assert!(node.is_alive());
    assert_eq!(moments(&sim, "started"), ["0s", "5.8s"]);
}

fn six_faults(node: &Node, link: &Link) -> Chaos {
    storm().kill(node).sever(link).sever(link).sever(link).sever(link).kill_for_good(node)
}

#[test]
fn a_delayed_strike_of_an_ended_plan_does_nothing_in_the_next() {
    for number in [0, 5] {
        let mut sim = clockwork(script(&[(1, fault(number, ms(100)))]), 5);
        let (node, counter) = idle(&mut sim);
        six_faults(&node, &node.link(&counter)).start(&mut sim);
        sim.run_for(ms(150)).expect_reached();
        sim.end_chaos();
        Chaos::new().kill(&node).with_faults(1).start(&mut sim);
        sim.run().expect_done();
        assert_eq!(moments(&sim, "started"), ["0s"], "fault {number}");
    }
}

#[test]
fn the_clock_and_the_links_of_an_ended_plan_are_no_moments_of_the_next() {
    let mut sim = clockwork(Config::new(1).with_calm_choices().with_recording(), 5);
    let (node, counter) = idle(&mut sim);
    let link = prober(&mut sim, &counter).link(&counter);
    storm().partition(&link, lasting(ms(1))).start(&mut sim);
    sim.run_for(ms(950)).expect_reached();
    let moments = |sim: &Sim| {
        let tape = sim.tape();
        let all = tape.choices().iter().filter(|choice| choice.site == "chaos.strike");
        let (ticks, messages): (Vec<_>, Vec<_>) = all.partition(|choice| choice.entity == TICK);
        (ticks.len(), messages.len())
    };
    assert_eq!(moments(&sim), (9, 22), "two to connect, and twenty");
    sim.end_chaos();
    storm().kill(&node).start(&mut sim);
    sim.run_for(secs(1)).expect_reached();
    assert_eq!(moments(&sim), (19, 22), "ten ticks more, and no message on that link");
}

#[test]
fn the_clock_of_a_plan_goes_on_after_a_kill_and_after_a_silence() {
    let mut sim = Sim::with_config(script(&[(1, now(0)), (2, now(0)), (3, now(0))]));
    let node = sim.node("alone", async |node| {
        node.note("started");
        for _ in 0..40 {
            node.sleep(ms(50)).await;
        }
    });
    storm().with_downtime(lasting(secs(2))).kill(&node).start(&mut sim);
    sim.run().expect_done();
    let starts = ["0s", "2.1s", "4.2s", "6.3s"];
    assert_eq!(moments(&sim, "started"), starts, "each time 0.1 s after it runs again");

    let mut sim = Sim::with_config(Config::new(1).with_calm_choices().with_recording());
    let node = sim.node("rarely", async |node| {
        for _ in 0..3 {
            node.sleep(secs(60)).await;
            for _ in 0..10 {
                node.sleep(ms(10)).await;
            }
        }
    });
    Chaos::new().kill(&node).also_every(ms(10)).start(&mut sim);
    sim.run().expect_done();
    let tape = sim.tape();
    let ticks = tape.choices().iter().map(|choice| choice.at);
    let late = ticks.filter(|at| *at >= at_ms(60_000)).count();
    assert!(late >= 2_010, "{late} ticks after the first silence: it is wound twice");
}

#[test]
fn a_service_without_power_tells_its_clients_nothing() {
    let mut sim = clockwork(script(&[(5, now(0))]), 20);
    let counter = counter(&mut sim);
    sim.node_with("client", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        node.sleep(secs(1)).await;
        let answer = client.ask(Ask::Add(1)).await;
        node.note(format_args!("{answer:?}"));
        Ok::<_, Disconnected>(())
    });
    let plan = storm().with_downtime(lasting(secs(10))).lose_power(&counter);
    plan.run_then_heal(&mut sim, secs(20)).expect_done();
    let told = notes(&sim);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("Err(Reset)"), "{told:?}");
    let at = told[0].split('s').next().and_then(|at| at.parse::<f64>().ok());
    assert!(at.is_some_and(|at| at >= 10.5), "only when the machine is up again: {told:?}");
}

/// Returns by how much a node's calendar is ahead, in milliseconds.
fn ahead(sim: &Sim, node: &Node) -> i64 {
    let epoch = Sim::new(1).node("right", async |_| {}).wall_clock();
    let right = epoch + (sim.now() - Instant::ZERO);
    node.wall_clock().as_millis() as i64 - right.as_millis() as i64
}

#[test]
fn a_clock_jumps_from_where_it_is_and_comes_back() {
    let mut sim = clockwork(script(&[(1, now(0)), (2, now(0)), (3, now(1))]), 5);
    let node = sleeper(&mut sim);
    node.set_clock_ahead(secs(10));
    let plan = storm().clock_jump(&node, secs(5));
    plan.start(&mut sim);
    let looks = [150, 250, 350].map(|at| {
        sim.advance_to(at_ms(at)).expect_reached();
        ahead(&sim, &node)
    });
    assert_eq!(looks, [15_000, 20_000, 15_000]);
    sim.end_chaos();
    assert_eq!(ahead(&sim, &node), 10_000, "the test's own");

    let mut sim = clockwork(script(&[(1, now(0))]), 5);
    let counter = counter(&mut sim);
    counter.set_clock_behind(secs(1));
    storm().clock_jump(&counter, secs(5)).start(&mut sim);
    sim.run_for(secs(1)).expect_reached();
    sim.end_chaos();
    let set = |nanos: i64| format!("clock set by {nanos} ns");
    let told: Vec<String> = log(&counter);
    let expected = [set(-1_000_000_000), set(4_000_000_000), set(-1_000_000_000)];
    let sets = told.iter().filter_map(|line| line.split_once(' ')).map(|(_, what)| what);
    assert_eq!(sets.collect::<Vec<_>>(), expected);
}

#[test]
fn a_clock_that_drifted_shows_the_right_time_at_the_end() {
    let mut sim = clockwork(script(&[(1, now(0))]), 5);
    let (node, _) = idle(&mut sim);
    node.set_clock_drift(1_000);
    node.set_clock_ahead(secs(1));
    storm().clock_drift(&node, 100_000).start(&mut sim);
    sim.run_for(ms(4_100)).expect_reached();
    assert_eq!(ahead(&sim, &node), 1_404, "a second, 0.1 s for each second, and the test's drift");
    sim.end_chaos();
    assert_eq!(ahead(&sim, &node), 1_004, "only what is the test's");
    sim.run_for(secs(10)).expect_reached();
    assert_eq!(ahead(&sim, &node), 1_014, "and the test's drift goes on");

    let mut sim = clockwork(script(&[(1, now(1))]), 5);
    let counter = counter(&mut sim);
    storm().clock_drift(&counter, 500_000).start(&mut sim);
    sim.run_for(ms(2_100)).expect_reached();
    sim.end_chaos();
    let told = log(&counter);
    assert_eq!(told, ["1.1s clock set by 1000000000 ns"], "what it has lost is put back");
}

#[test]
fn faults_strike_on_a_quiet_link_whatever_the_strategy() {
    for strategy in [Strategy::Fifo, Strategy::Surw, Strategy::Pct { depth: 3, moments: None }] {
        let config = Config::new(0).with_strategy(strategy);
        let struck = Seeds::new(0..200)
            .with_config(config)
            .with_effort(Effort::none())
            .with_all_failures()
            .without_files()
            .run(|sim: &mut Sim| {
                let counter = counter(sim);
                for name in ["busy", "busier"] {
                    sim.node_with(name, counter.clone(), async |node, counter| {
                        let client = Client::open(&node, &counter).await?;
                        for _ in 0..500 {
                            client.ask(Ask::Add(1)).await?;
                        }
                        Ok::<_, Disconnected>(())
                    });
                }
                let quiet = sim.node_with("quiet", counter.clone(), async |node, counter| {
                    let client = Client::open(&node, &counter).await?;
                    for _ in 0..3 {
                        client.ask(Ask::Add(1)).await?;
                    }
                    Ok::<_, Disconnected>(())
                });
                let link = quiet.link(&counter);
                let outcome = Chaos::new().sever(&link).run_then_heal(sim, secs(1));
                assert!(!matches!(outcome, Outcome::Failed(_)), "it was severed");
            });
        let struck = struck.failures.len();
        assert!(struck > 30, "{strategy:?}: {struck} of 200 runs have a fault");
    }
}

#[test]
fn a_fault_may_last_for_ever() {
    let mut sim = clockwork(script(&[(1, now(0))]), 2);
    let node = sleeper(&mut sim);
    let plan = storm().pause(&node, lasting(Duration::MAX));
    plan.run_then_heal(&mut sim, secs(1)).expect_done();
    let long = Duration::from_secs(20)..Duration::MAX;
    drop(Chaos::new().pause(&node, long));
}
