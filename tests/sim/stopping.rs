//! Nodes that are asked to stop, and faults at a message.

use crate::support::{Ask, Client, Tell, at_ms, counter, log, ms, notes, secs};
use stunt_double::Site;
use stunt_double::sim::trace::EventKind;
use stunt_double::sim::{Disconnected, Latency, Node, Seeds, Sim, Strategy, seeds};

/// Returns the lines of the trace about a node, without polls.
fn what_happened(sim: &Sim, to: &str) -> Vec<String> {
    let trace = sim.trace();
    let kept = trace.events().filter(|e| &*e.who == to && !matches!(e.kind, EventKind::Ran { .. }));
    kept.map(|e| format!("{} {}", e.at, e.kind)).collect()
}

async fn graceful(node: Node, takes: u64) {
    let terminated = node.terminated();
    terminated.await;
    node.sleep(secs(takes)).await;
    node.note("finished");
}

#[test]
fn a_node_that_is_asked_to_stop_finishes_what_it_has_begun() {
    let mut sim = Sim::new(1);
    let node = sim.node_with("a", 5, graceful);
    sim.at(at_ms(1_000), move || node.terminate());
    sim.run().expect_done();
    assert_eq!(sim.now(), at_ms(6_000), "nothing is left of the grace period");
    assert_eq!(
        what_happened(&sim, "a"),
        ["0s started", "1s asked to stop", "6s finished", "6s exited"]
    );
}

#[test]
fn a_node_that_takes_too_long_to_stop_is_killed() {
    let mut sim = Sim::new(1);
    let node = sim.node_with("a", 5, graceful);
    let again = node.clone();
    sim.at(at_ms(1_000), move || node.terminate_within(secs(3)));
    sim.at(at_ms(2_000), move || again.terminate_within(secs(60)));
    sim.run().expect_done();
    assert_eq!(what_happened(&sim, "a"), ["0s started", "1s asked to stop", "4s killed"]);
}

#[test]
fn a_node_that_does_not_handle_the_signal_dies_of_it() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| node.sleep(secs(60)).await);
    sim.at(at_ms(1_000), move || node.terminate());
    sim.run().expect_done();
    assert_eq!(what_happened(&sim, "a"), ["0s started", "1s asked to stop", "1s killed"]);
}

#[test]
fn a_paused_node_without_a_handler_dies_of_the_signal_when_it_goes_on() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| node.sleep(secs(60)).await);
    let (stop, resume) = (node.clone(), node.clone());
    sim.run_for(secs(1)).expect_reached();
    node.pause();
    stop.terminate_within(secs(20));
    sim.after(secs(5), move || resume.resume());
    sim.run().expect_done();
    assert_eq!(
        what_happened(&sim, "a"),
        ["0s started", "1s paused", "1s asked to stop", "6s killed"]
    );
    // A process that is never resumed is killed when its grace period is over.
    let node = sim.node("b", async |node| node.sleep(secs(60)).await);
    sim.run_for(secs(1)).expect_reached();
    node.pause();
    node.terminate_within(secs(20));
    sim.run().expect_done();
    assert_eq!(what_happened(&sim, "b").last().map(String::as_str), Some("27s killed"));
}

#[test]
fn the_next_life_of_a_node_was_not_asked_to_stop() {
    let mut sim = Sim::new(1);
    let node = sim.node_with("a", 5, graceful);
    let (stop, restart, alive) = (node.clone(), node.clone(), node);
    sim.at(at_ms(1_000), move || stop.terminate_within(secs(10)));
    sim.at(at_ms(2_000), move || restart.restart());
    sim.run_for(secs(100)).expect_reached();
    assert!(alive.is_alive());
    assert_eq!(notes(&sim), [""; 0]);
    alive.terminate();
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["105s a finished"]);
}

#[test]
fn several_tasks_may_wait_to_be_asked_and_a_paused_node_hears_when_it_goes_on() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| {
        let other = node.clone();
        let task = node.spawn(async move { other.terminated().await });
        node.terminated().await;
        task.await.expect("it heard as well");
        node.note("heard");
    });
    sim.run_for(secs(1)).expect_reached();
    node.pause();
    node.terminate();
    sim.run_for(secs(5)).expect_reached();
    assert_eq!(notes(&sim), [""; 0]);
    node.resume();
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["6s a heard"]);
}

#[test]
fn a_fault_at_a_message_comes_right_after_it() {
    // 1 open, 2 accepted, then a request and its answer for each of two calls, 7 close.
    let expected = [
        (1, &["0.001s 0 connected a", "0.001s 0 disconnected"][..]),
        (2, &["0.001s 0 connected a", "0.002s 0 disconnected"]),
        (3, &["0.001s 0 connected a", "0.003s 0 Add(1)", "0.003s 0 disconnected"]),
        (
            5,
            &[
                "0.001s 0 connected a",
                "0.003s 0 Add(1)",
                "0.005s 0 Add(2)",
                "0.005s 0 disconnected",
            ],
        ),
    ];
    for (n, reached) in expected {
        let mut sim = Sim::new(1);
        let counter = counter(&mut sim);
        let node = sim.node_with("a", counter.clone(), async |node, counter| {
            let client = Client::open(&node, &counter).await?;
            client.ask(Ask::Add(1)).await?;
            assert_eq!(client.ask(Ask::Add(2)).await?, Tell::Total(3));
            Ok::<_, Disconnected>(())
        });
        let link = node.link(&counter);
        link.set_latency(Latency::Constant(ms(1)));
        sim.at_message(&link, n, move || node.kill());
        sim.run().expect_done();
        assert_eq!(log(&counter), reached, "at message {n}");
    }
}

#[test]
fn faults_at_messages_count_from_when_they_are_asked_for() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        for _ in 0..5 {
            client.ask(Ask::Add(1)).await?;
            node.sleep(secs(1)).await;
        }
        Ok::<_, Disconnected>(())
    });
    let link = node.link(&counter);
    sim.run_for(ms(500)).expect_reached();
    assert_eq!(link.messages(), 4);
    let (first, zero) = (node.clone(), node);
    sim.at_message(&link, 3, move || first.note("third"));
    sim.at_message(&link, 0, move || zero.note("next"));
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["1s a next", "2s a third"]);
}

const KILL: Site = Site::new("test.kill");

/// Two increments that must both happen: a process that dies between them leaves half.
fn half_done(sim: &mut Sim) {
    let counter = counter(sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.ask(Ask::Add(1)).await?;
        client.ask(Ask::Add(1)).await?;
        Ok::<_, Disconnected>(())
    });
    let moment = std::time::Duration::from_micros(sim.choose(KILL, 0, 10_000));
    sim.after(moment, move || node.kill());
    sim.run().expect_done();
    assert_ne!(counter.inspect(|machine| machine.total), 1, "half of it was done");
}

#[test]
fn a_default_sweep_finds_a_death_between_two_calls_and_one_without_latency_cannot() {
    for strategy in [Strategy::Fifo, Strategy::Random] {
        let sweep = Seeds::new(0..200).with_strategy(strategy).run(half_done);
        assert!(!sweep.failures.is_empty(), "{strategy:?}");
        let none = Latency::Constant(std::time::Duration::ZERO);
        Seeds::new(0..2_000)
            .with_strategy(strategy)
            .with_latency(none)
            .run(half_done)
            .expect_none();
    }
    let failures = seeds(0..200, half_done).failures;
    assert!(failures[0].message.contains("half of it was done"));
}
