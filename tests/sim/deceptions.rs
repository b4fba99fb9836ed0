//! Results of a run that would deceive their reader, and do not.

use crate::support::{Ask, Client, counter, ms, notes, secs};
use std::time::Duration;
use stunt_double::sim::outcome::Endless;
use stunt_double::sim::{Config, Disconnected, Outcome, Report, Retention, Seeds, Sim, seeds};

#[test]
fn every_note_is_kept_whatever_the_retention() {
    for retention in [Retention::All, Retention::Last(10), Retention::Digest, Retention::Off] {
        let mut sim = Sim::with_config(Config::new(1).with_retention(retention));
        let counter = counter(&mut sim);
        sim.node_with("a", counter, async |node, counter| {
            node.note("the first");
            let client = Client::open(&node, &counter).await?;
            for _ in 0..2_000 {
                client.ask(Ask::Add(1)).await?;
            }
            Ok::<_, Disconnected>(())
        });
        sim.run().expect_done();
        assert!(sim.trace().notes().contains("the first"), "{retention:?}");
    }
}

#[test]
fn notes_beyond_the_limit_are_told_of() {
    let mut sim = Sim::with_config(Config::new(1).with_max_notes(2));
    sim.node("a", async |node| {
        for n in 0..5 {
            node.note(n);
        }
    });
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0s a 0", "0s a 1"]);
    assert_eq!(sim.trace().dropped_notes(), 3);
    let text = sim.trace().notes();
    assert!(
        text.ends_with("(3 more notes were not kept: Config::with_max_notes is 2)\n"),
        "{text}"
    );
}

#[test]
fn a_loop_that_only_yields_is_caught_early_and_named() {
    let mut sim = Sim::with_config(Config::new(1).with_patience(100_000));
    sim.node("patient", async |node| node.sleep(secs(1)).await);
    sim.node("worker-1", async |node| {
        node.sleep(ms(1)).await;
        loop {
            node.yield_now().await;
        }
    });
    let outcome = sim.run();
    let Outcome::Endless { why: Endless::NoTimePasses { steps }, at, task } = &outcome else {
        panic!("{outcome}");
    };
    assert!(*steps <= 10_001, "{steps}");
    assert_eq!((at.to_string().as_str(), &**task), ("0.001s", "worker-1/main"));
    assert!(outcome.to_string().contains("steps without time passing"), "{outcome}");
    assert!(outcome.failure().is_some());
    assert!(matches!(sim.run_for(secs(1)), Outcome::Endless { .. }), "also towards a moment");
}

#[test]
fn messages_that_go_round_without_time_passing_are_caught_too() {
    let mut sim = Sim::with_config(Config::new(1).with_patience(100_000));
    let counter = counter(&mut sim);
    sim.node_with("a", counter, async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        loop {
            client.ask(Ask::Add(1)).await?;
        }
        #[expect(unreachable_code, reason = "it says what the block's errors are")]
        Ok::<(), Disconnected>(())
    });
    assert!(matches!(sim.run(), Outcome::Endless { why: Endless::NoTimePasses { .. }, .. }));
}

#[test]
fn a_daemon_that_polls_lets_a_run_end_and_the_outcome_names_what_to_use() {
    let mut sim = Sim::with_config(Config::new(1).with_patience(10_000));
    sim.node("client", async |node| node.sleep(secs(5)).await);
    sim.daemon("poller", async |node| {
        loop {
            node.sleep(ms(100)).await;
        }
    });
    let outcome = sim.run();
    assert!(
        matches!(outcome, Outcome::Endless { why: Endless::OnlyDaemons { steps: 10_000 }, .. }),
        "{outcome}"
    );
    let text = outcome.to_string();
    assert!(text.contains("poller/main") && text.contains("use run_for or run_until"), "{text}");
    sim.run_for(secs(3_600)).expect_reached();
}

#[test]
fn a_condition_that_never_holds_does_not_look_like_success() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| node.sleep(secs(1)).await);
    let outcome = sim.run_until(|| false);
    assert_eq!(outcome, Outcome::NotReached(Box::new(Outcome::Done)));
    assert!(!outcome.is_done());
    assert_eq!(outcome.failure().as_deref(), Some("the condition never held; the run ended: done"));
    sim.node("b", async |node| node.sleep(Duration::MAX).await);
    let text = sim.run_until(|| false).to_string();
    assert!(text.starts_with("the condition never held; the run ended: stuck at 1s"), "{text}");
}

#[test]
fn stuck_tells_who_is_partitioned_from_whom() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.next().await.map(|_| ())
    });
    let link = node.link(&counter);
    sim.after(secs(1), move || link.partition());
    let Outcome::Stuck(stuck) = sim.run() else { panic!("nothing comes") };
    assert_eq!(stuck.waiting[0].to_string(), "a: the counter's answer (partitioned from counter)");
    assert_eq!((stuck.seed, stuck.at.to_string().as_str()), (1, "1s"));
}

#[test]
#[should_panic(expected = "there is already a node or a service named \"worker\"")]
fn two_nodes_of_one_name_are_refused() {
    let mut sim = Sim::new(1);
    for _ in 0..2 {
        sim.node("worker", async |_| ());
    }
}

#[test]
#[should_panic(expected = "there is already a node or a service named \"counter\"")]
fn two_services_of_one_name_are_refused() {
    let mut sim = Sim::new(1);
    for _ in 0..2 {
        let _ = counter(&mut sim);
    }
}

#[test]
#[should_panic(expected = "was used inside a closure that another of its methods runs")]
fn a_handle_used_inside_its_own_closure_panics_instead_of_hanging() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    counter.with(|_, _| counter.inspect(|machine| machine.total));
}

#[test]
fn a_handle_works_again_after_it_was_used_inside_its_own_closure() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let nested = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        counter.inspect(|_| counter.is_running());
    }));
    assert!(nested.is_err());
    assert!(counter.is_running());
}

#[test]
fn a_sweep_tells_where_and_when_the_failing_scenario_panicked() {
    let sweep = seeds(0..3, |sim| {
        sim.node("a", async |node| node.sleep(secs(2)).await);
        sim.run().expect_done();
        assert!(sim.seed() == 0, "only the first is fine");
    });
    let failure = &sweep.failures[0];
    assert_eq!(failure.seed, 1);
    assert!(failure.place.as_ref().unwrap().contains("deceptions.rs:"), "{failure}");
    assert_eq!(failure.at.unwrap().to_string(), "2s");
    let text = sweep.to_string();
    assert!(text.contains("panicked at ") && text.contains("the world's time was 2s"), "{text}");
}

#[test]
fn panics_of_other_threads_are_still_told_while_a_sweep_runs() {
    // A panic of a thread outside the sweep goes the usual way: the test harness catches it, and
    // here the thread's own join.
    let sweep = Seeds::new(0..8).with_all_failures().with_threads(2).run(|sim| {
        let other = std::thread::scope(|scope| scope.spawn(|| panic!("elsewhere")).join());
        assert!(other.is_err());
        if sim.seed() == 3 { Err("three") } else { Ok(()) }
    });
    assert_eq!(sweep.failures.len(), 1);
    assert_eq!(sweep.failures[0].place, None, "it did not panic itself");
}

#[test]
fn the_trace_tells_which_of_several_connections_spoke() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    sim.node_with("a", counter, async |node, counter| {
        let first = Client::open(&node, &counter).await?;
        let second = Client::open(&node, &counter).await?;
        first.ask(Ask::Add(1)).await?;
        second.ask(Ask::Add(2)).await?;
        Ok::<_, Disconnected>(())
    });
    sim.run().expect_done();
    let transcript = sim.trace().transcript();
    for line in [
        "counter      <- a: Add(1)",
        "counter      <- a#2: Add(2)",
        "a            <- counter: Total(1)",
        "a            <- counter#2: Total(3)",
        "a            connected to counter#2",
        "counter      disconnected from a#2",
    ] {
        assert!(transcript.contains(line), "{line}: {transcript}");
    }
}
