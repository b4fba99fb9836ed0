//! How runs end, and how well they report it.

use crate::support::{Ask, Client, Tell, at_ms, counter, ms, secs};
use std::time::Duration;
use stunt_double::sim::outcome::Problem;
use stunt_double::sim::{Config, Disconnected, Latency, Outcome, Sim, Strategy};
use stunt_double::{Instant, Tape};

fn failed(sim: &mut Sim) -> Problem {
    match sim.run() {
        Outcome::Failed(problem) => *problem,
        other => panic!("not a failure: {other}"),
    }
}

#[test]
fn an_empty_world_is_done() {
    let mut sim = Sim::new(1);
    sim.run().expect_done();
    assert_eq!((sim.now(), sim.next_event()), (Instant::ZERO, None));
}

#[test]
fn stuck_names_every_waiting_task_and_what_it_waits_for() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let handle = counter;
    sim.node("client", move |node| {
        let counter = handle.clone();
        async move {
            let client = Client::open(&node, &counter).await?;
            client.next().await.map(|_| ())
        }
    });
    sim.node("parent", async |node| {
        let child = node.spawn(node.waiting_for("the end of the world", std::future::pending()));
        child.await.unwrap_or(());
    });
    sim.node("either", async |node| {
        let gate = node.waiting_for("a gate", std::future::pending::<()>());
        let _ = node.timeout(Duration::MAX, gate).await;
    });
    sim.node("foreign", async |_| std::future::pending::<()>().await);
    sim.node("fine", async |node| node.sleep(ms(1)).await);
    let outcome = sim.run();
    let text = outcome.to_string();
    let (first, waiting) = text.split_once('\n').expect("several lines");
    assert_eq!(
        first,
        "stuck at 0.001s, seed 1: nothing can happen any more, and these still wait:"
    );
    let told: Vec<&str> =
        waiting.lines().map(|l| l.split(", node made at ").next().unwrap()).collect();
    assert_eq!(
        told[..5],
        [
            "  client: the counter's answer",
            "  parent: a task it spawned",
            "  either: a gate, or a time that never comes",
            "  foreign: something outside this world, such as another thread, a channel, or a timer \
             of another runtime (`tokio::time::sleep` needs tokio's own clock: use `Node::sleep`)",
            "  parent: the end of the world"
        ]
    );
    assert!(waiting.lines().next().unwrap().contains("outcome.rs:"), "where it was made: {text}");
    assert!(told[5].starts_with("  replay with: STUNT_DOUBLE_SEED=1 cargo test"), "{text}");
}

#[test]
fn what_a_task_no_longer_waits_for_is_forgotten() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        node.sleep(ms(1)).await;
        node.waiting_for("godot", std::future::pending::<()>()).await;
    });
    let Outcome::Stuck(stuck) = sim.run() else { panic!("he never comes") };
    assert_eq!(stuck.waiting[0].what, ["godot"]);
}

#[test]
fn a_daemon_may_wait_for_ever() {
    let mut sim = Sim::new(1);
    sim.daemon("worker", async |node| {
        drop(node.spawn(std::future::pending::<()>()));
        node.sleep(Duration::MAX).await;
    });
    sim.run().expect_done();
}

#[test]
#[should_panic(expected = "a: a time that never comes")]
fn expecting_the_end_of_a_stuck_run_says_who_waits() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| node.sleep(Duration::MAX).await);
    sim.run().expect_done();
}

#[test]
#[should_panic(expected = "done")]
fn expecting_a_moment_of_a_run_that_ended_says_how_it_ended() {
    Sim::new(1).run_until(|| false).expect_reached();
}

#[test]
fn a_task_that_yields_for_ever_runs_out_of_steps_and_is_named() {
    let mut sim = Sim::with_config(Config::new(1).with_max_steps(1_000));
    sim.node("patient", async |node| node.sleep(secs(1)).await);
    sim.node("spinner", async |node| {
        loop {
            node.yield_now().await;
        }
    });
    let outcome = sim.run();
    assert_eq!(outcome, Outcome::StepBudget { steps: 1_000, last: "spinner/main".into() });
    assert!(
        outcome.to_string().starts_with("not done after 1000 steps, the last of task spinner/main"),
        "{outcome}"
    );
    assert_eq!(sim.now(), Instant::ZERO);
    assert_eq!(sim.run(), outcome, "there are no more of them");
}

#[test]
fn processes_that_only_restart_run_out_of_steps_too() {
    let mut sim = Sim::with_config(Config::new(1).with_max_steps(1_000));
    sim.node("phoenix", async |node| {
        node.restart();
        node.sleep(secs(1)).await;
    });
    assert!(matches!(sim.run(), Outcome::StepBudget { steps: 1_000, .. }));
}

#[test]
fn the_time_budget_ends_a_run_before_the_event_beyond_it() {
    let mut sim = Sim::with_config(Config::new(1).with_max_time(secs(10)));
    sim.node("a", async |node| {
        loop {
            node.sleep(secs(4)).await;
        }
    });
    let outcome = sim.run();
    assert_eq!(outcome, Outcome::TimeBudget { next: at_ms(12_000) });
    let text = outcome.to_string();
    assert!(
        text.starts_with("not done within the time budget; the next event is at 12s"),
        "{text}"
    );
    assert_eq!(sim.now(), at_ms(8_000));
    assert_eq!(sim.step(), outcome);
    sim.advance_to(at_ms(9_000)).expect_reached();
    assert_eq!(sim.advance_to(at_ms(15_000)), outcome);
    assert_eq!(sim.now(), at_ms(10_000), "as far as it may");
    assert_eq!(sim.run_for(secs(1)), outcome);
}

#[test]
fn an_error_of_a_main_task_fails_the_run_with_all_there_is_to_know() {
    let mut sim = Sim::new(77);
    let node = sim.node("worker", async |node| {
        node.sleep(ms(1_500)).await;
        Err::<(), _>(Disconnected::Refused)
    });
    let problem = failed(&mut sim);
    assert_eq!((&*problem.node, problem.at, problem.seed), ("worker", at_ms(1_500), 77));
    assert!(!problem.panicked);
    let text = problem.to_string();
    let (first, second) = text.split_once("\n  replay with: ").expect("three lines");
    let (first, made_at) = first.split_once("\n  node made at ").expect("three lines");
    assert_eq!(
        first,
        "worker failed at 1.5s, seed 77: connection refused: the server is not running"
    );
    assert!(made_at.contains("outcome.rs:"), "{made_at}");
    assert!(second.starts_with("STUNT_DOUBLE_SEED=77 cargo test"), "{second}");
    assert!(second.ends_with("with_all_there_is_to_know -- --exact"));
    assert!(!node.is_alive());
    sim.run().expect_done();
}

#[test]
fn a_panic_fails_the_run_and_kills_its_whole_process() {
    let mut sim = Sim::new(78);
    let node = sim.node("worker", async |node| {
        let other = node.clone();
        drop(node.spawn(async move {
            other.sleep(ms(2)).await;
            panic!("lost {} messages", 3);
        }));
        node.sleep(secs(1)).await;
    });
    let problem = failed(&mut sim);
    assert_eq!((&*problem.node, problem.at, problem.seed), ("worker", at_ms(2), 78));
    assert!(problem.panicked);
    assert!(
        problem.to_string().starts_with("worker panicked at 0.002s, seed 78: lost 3 messages\n"),
        "{problem}"
    );
    assert!(!node.is_alive());
    sim.run().expect_done();
    assert_eq!(sim.now(), at_ms(2), "its main task died as well");
    node.restart();
    assert!(failed(&mut sim).panicked);
}

#[test]
fn a_factory_that_panics_fails_its_node() {
    let mut sim = Sim::new(1);
    let mut starts = 0;
    let node = sim.node("a", move |node| {
        starts += 1;
        assert!(starts < 2, "it cannot start again");
        async move { node.sleep(ms(1)).await }
    });
    sim.run().expect_done();
    node.restart();
    let problem = failed(&mut sim);
    assert_eq!((&*problem.node, &*problem.message), ("a", "it cannot start again"));
    assert!(!node.is_alive());
    sim.run().expect_done();
}

#[test]
fn a_panic_of_a_service_fails_the_run_and_takes_the_server_down() {
    let mut sim = Sim::new(79);
    let counter = counter(&mut sim);
    let node = sim.node_with("client", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.ask(Ask::Add(3)).await?;
        client.ask(Ask::Save).await?;
        client.ask(Ask::Add(4)).await?;
        client.send(Ask::Ring(ms(5)))?;
        client.ask(Ask::Panic).await.map(|_| ())
    });
    node.link(&counter).set_latency(Latency::Constant(ms(1)));
    let problem = failed(&mut sim);
    assert_eq!((&*problem.node, problem.at, problem.seed), ("counter", at_ms(9), 79));
    assert!(problem.panicked);
    let text = problem.to_string();
    assert!(text.starts_with("counter panicked at 0.009s, seed 79: the counter lost count at 7\n"));
    assert!(text.contains("\n  replay with: STUNT_DOUBLE_SEED=79 cargo test"), "{text}");
    assert!(!counter.is_running());

    let closed = failed(&mut sim);
    assert_eq!((&*closed.node, closed.at), ("client", at_ms(10)), "its socket was closed");
    assert_eq!(closed.message, Disconnected::Closed.to_string());
    sim.run().expect_done();
    assert_eq!(sim.now(), at_ms(11), "its close arrives, but no bell rings any more");

    counter.start();
    assert_eq!(counter.inspect(|machine| machine.total), 3, "as after a kill");
    sim.node("another", move |node| {
        let counter = counter.clone();
        async move {
            let told = Client::open(&node, &counter).await?.ask(Ask::Add(1)).await?;
            assert_eq!(told, Tell::Total(4));
            Ok::<(), Disconnected>(())
        }
    });
    sim.run().expect_done();
}

#[test]
fn a_service_that_cannot_even_be_killed_is_down_all_the_same() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    sim.daemon_with("client", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        assert_eq!(client.ask(Ask::Ring(ms(3))).await, Err(Disconnected::Closed));
        Client::open(&node, &counter).await.map(drop)
    });
    sim.advance_to(at_ms(1)).expect_reached();
    counter.with(|machine, _| machine.broken = true);
    let problems = [failed(&mut sim), failed(&mut sim)];
    let told = problems.each_ref().map(|p| (&*p.node, p.at, &*p.message));
    assert_eq!(told[0], ("counter", at_ms(3), "the counter cannot ring"));
    assert_eq!(told[1], ("counter", at_ms(3), "the counter cannot stop"));
    assert!(!counter.is_running());
    assert_eq!(failed(&mut sim).message, Disconnected::Refused.to_string());
    sim.run().expect_done();
}

/// Panics when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the {} bomb went off", self.0);
    }
}

#[test]
fn panics_of_a_process_that_exits_are_all_told_and_those_of_a_killed_one_are_not() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| {
        drop(node.spawn(async {
            let _bomb = Bomb("second");
            std::future::pending::<()>().await;
        }));
        drop(node.spawn(async {
            let _bomb = Bomb("third");
            std::future::pending::<()>().await;
        }));
        node.sleep(ms(2)).await;
    });
    let killed = node.clone();
    sim.at(at_ms(1), move || killed.kill());
    sim.run().expect_done();
    node.restart();
    let mut told = [failed(&mut sim), failed(&mut sim)].map(|problem| problem.message);
    told.sort();
    assert_eq!(told, ["the second bomb went off", "the third bomb went off"]);
    sim.run().expect_done();
}

#[test]
fn a_failure_names_what_a_replay_needs_beside_the_seed() {
    let pct = Strategy::Pct { depth: 3, moments: Some(10) };
    let config = Config::new(4);
    for (config, settings) in [
        (config.clone().with_recording(), ""),
        (config.clone().with_strategy(Strategy::Random), ", strategy Random"),
        (config.clone().with_strategy(pct), ", strategy Pct { depth: 3, moments: Some(10) }"),
        (config.clone().with_calm_choices(), ", calm"),
        (config.clone().with_tape(Tape::default()), ", replaying a tape"),
        (config.clone().with_tape(Tape::default()).with_calm_choices(), ", calm"),
        (config.with_strategy(Strategy::Random).with_calm_choices(), ", strategy Random, calm"),
    ] {
        let mut sim = Sim::with_config(config);
        sim.node("a", async |_| Err::<(), _>("no"));
        let problem = failed(&mut sim);
        assert_eq!(problem.message, "no");
        let text = problem.to_string();
        assert!(text.starts_with(&format!("a failed at 0s, seed 4{settings}: no\n")), "{text}");
    }
}
