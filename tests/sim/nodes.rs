//! Processes: how they exit, die, restart and pause.

use crate::support::{Ask, Client, Tell, at_ms, counter, log, ms, notes, secs};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use stunt_double::sim::trace::EventKind;
use stunt_double::sim::{Disconnected, Killed, Latency, Node, Outcome, Sim};

/// Notes when it is dropped.
struct Mourner(Node, &'static str);

impl Drop for Mourner {
    fn drop(&mut self) {
        self.0.note(format_args!("dropped {}", self.1));
    }
}

fn what_happened(sim: &Sim, to: &str) -> Vec<String> {
    let trace = sim.trace();
    let kept = trace.events().filter(|e| &*e.who == to && !matches!(e.kind, EventKind::Ran { .. }));
    kept.map(|e| format!("{} {}", e.at, e.kind)).collect()
}

#[test]
fn a_process_that_exits_drops_its_other_tasks() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| {
        let mourner = Mourner(node.clone(), "task");
        drop(node.spawn(async move {
            let Mourner(node, _) = &mourner;
            node.sleep(secs(9)).await;
            node.note("not reached");
        }));
        node.sleep(ms(1)).await;
    });
    sim.run().expect_done();
    assert!(!node.is_alive());
    assert_eq!(sim.now(), at_ms(1));
    assert_eq!(what_happened(&sim, "a"), ["0s started", "0.001s dropped task", "0.001s exited"]);
}

#[test]
fn killing_drops_every_task_where_it_stands_and_none_says_so() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| {
        let (outer, inner) = (Mourner(node.clone(), "main"), Mourner(node.clone(), "task"));
        drop(node.spawn(async move {
            inner.0.sleep(secs(9)).await;
        }));
        outer.0.sleep(secs(9)).await;
        node.note("not reached");
    });
    let victim = node.clone();
    sim.at(at_ms(3), move || victim.kill());
    sim.run().expect_done();
    assert!(!node.is_alive());
    assert_eq!(what_happened(&sim, "a"), ["0s started", "0.003s killed"]);
}

#[test]
fn a_task_that_kills_its_own_node_runs_to_its_next_wait() {
    let mut sim = Sim::new(1);
    sim.node("a", async |node| {
        node.kill();
        node.note("the last words");
        node.yield_now().await;
        node.note("not reached");
    });
    sim.run().expect_done();
    assert_eq!(what_happened(&sim, "a"), ["0s started", "0s the last words", "0s killed"]);
}

#[test]
fn killing_twice_or_after_the_exit_is_nothing() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| {
        node.kill();
        node.kill();
    });
    sim.run().expect_done();
    node.kill();
    sim.run().expect_done();
    assert_eq!(what_happened(&sim, "a"), ["0s started", "0s exited"]);
}

#[test]
fn what_a_killed_node_had_sent_arrives_and_then_its_connection_closes() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        for n in 1..=3 {
            client.send(Ask::Add(n))?;
        }
        node.kill();
        let answer = client.next().await?;
        node.note(format_args!("not reached: {answer:?}"));
        Ok::<_, Disconnected>(())
    });
    node.link(&counter).set_latency(Latency::Constant(ms(5)));
    sim.run().expect_done();
    assert_eq!(
        log(&counter)[1..],
        ["0.015s 0 Add(1)", "0.015s 0 Add(2)", "0.015s 0 Add(3)", "0.015s 0 disconnected"]
    );
    assert_eq!(notes(&sim).len(), 0);
}

#[test]
fn restarting_makes_a_new_process_from_the_factory() {
    let mut sim = Sim::new(1);
    let starts = Rc::new(Cell::new(0));
    let node = sim.node("a", move |node| {
        starts.set(starts.get() + 1);
        let life = starts.get();
        async move {
            node.note(format_args!("life {life}"));
            node.sleep(ms(10)).await;
            node.note(format_args!("end of life {life}"));
        }
    });
    let (first, second) = (node.clone(), node);
    sim.at(at_ms(5), move || first.restart());
    sim.at(at_ms(50), move || second.restart());
    sim.run().expect_done();
    assert_eq!(
        what_happened(&sim, "a"),
        [
            "0s started",
            "0s life 1",
            "0.005s killed",
            "0.005s started",
            "0.005s life 2",
            "0.015s end of life 2",
            "0.015s exited",
            "0.05s started",
            "0.05s life 3",
            "0.06s end of life 3",
            "0.06s exited"
        ]
    );
}

#[test]
fn a_node_may_restart_itself() {
    let mut sim = Sim::new(1);
    let lives = Rc::new(Cell::new(0));
    sim.node("a", move |node| {
        lives.set(lives.get() + 1);
        let life = lives.get();
        async move {
            if life < 3 {
                node.restart();
                node.sleep(Duration::MAX).await;
            }
            node.note(format_args!("life {life}"));
        }
    });
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0s a life 3"]);
}

#[test]
fn a_paused_node_runs_nothing_and_its_messages_keep_arriving() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Add(1))?;
        client.send(Ask::Add(2))?;
        client.send(Ask::Ring(ms(300)))?;
        for _ in 0..3 {
            let answer = client.next().await?;
            node.note(format_args!("{answer:?}"));
        }
        Ok::<_, Disconnected>(())
    });
    node.link(&counter).set_latency(Latency::Constant(ms(10)));
    let (pause, resume) = (node.clone(), node.clone());
    sim.at(at_ms(35), move || pause.pause());
    sim.at(at_ms(800), move || resume.resume());
    sim.run_for(ms(700)).expect_reached();
    assert_eq!(notes(&sim).len(), 0);
    let responses =
        sim.trace().events().filter(|e| matches!(e.kind, EventKind::Response { .. })).count();
    assert_eq!(responses, 3, "the operating system takes them in");
    assert!(node.is_alive());
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.8s a Total(1)", "0.8s a Total(3)", "0.8s a Rang"]);
}

#[test]
fn a_node_that_stays_paused_waits_to_be_resumed() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| node.sleep(ms(1)).await);
    node.pause();
    let Outcome::Stuck(stuck) = sim.run() else { panic!("it is paused") };
    assert_eq!(stuck.waiting[0].to_string(), "a: to be resumed");
    node.resume();
    sim.run().expect_done();
}

#[test]
fn a_node_that_is_killed_while_paused_restarts_running() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| {
        node.sleep(ms(1)).await;
        node.note("end");
    });
    node.pause();
    node.restart();
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.001s a end"]);
}

#[test]
fn pausing_the_dead_does_not_hold_their_next_life() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| node.note("ran"));
    sim.run().expect_done();
    node.pause();
    node.restart();
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0s a ran", "0s a ran"]);
}

#[test]
fn what_is_spawned_beside_a_dead_process_never_runs() {
    let mut sim = Sim::new(1);
    let ran = Rc::new(Cell::new(false));
    let node = sim.node("a", async |_| ());
    sim.run().expect_done();
    let sets = Rc::clone(&ran);
    let local = sim.spawn(&node, async move { sets.set(true) });
    let remote = node.spawn(async {});
    sim.node("b", {
        let mut handles = Some((local, remote));
        move |_| {
            let handles = handles.take();
            async move {
                let (local, remote) = handles.expect("it starts once");
                assert_eq!((local.await, remote.await), (Err(Killed), Err(Killed)));
            }
        }
    });
    sim.run().expect_done();
    assert!(!ran.get());
}

/// Spawns a task when it is dropped, as a badly placed clean-up may.
struct LateSpawner(Node);

impl Drop for LateSpawner {
    fn drop(&mut self) {
        let node = self.0.clone();
        drop(self.0.spawn(async move { node.note("a ghost") }));
    }
}

#[test]
fn a_dying_process_leaves_no_ghost() {
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| {
        let spawner = LateSpawner(node);
        spawner.0.sleep(ms(1)).await;
        spawner.0.sleep(secs(1)).await;
    });
    let victim = node;
    sim.at(at_ms(5), move || victim.kill());
    sim.run().expect_done();
    assert_eq!(what_happened(&sim, "a"), ["0s started", "0.005s killed"]);
}

#[test]
fn a_process_may_spawn_as_soon_as_its_factory_is_called() {
    let mut sim = Sim::new(1);
    sim.node("a", |node: Node| {
        let other = node.clone();
        let handle = node.spawn(async move { other.note("ran") });
        async move { assert_eq!(handle.await, Ok(())) }
    });
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0s a ran"]);
}

#[test]
fn a_connection_held_for_a_dead_node_is_closed() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let owner = sim.daemon("owner", async |node| node.sleep(Duration::MAX).await);
    let shared: Rc<RefCell<Vec<Node>>> = Rc::new(RefCell::new(vec![owner.clone()]));
    let handle = counter;
    sim.node("other", move |node| {
        let (counter, shared) = (handle.clone(), Rc::clone(&shared));
        async move {
            let owner = shared.take().remove(0);
            let client = Client::open(&owner, &counter).await?;
            assert_eq!(client.ask(Ask::Add(1)).await?, Tell::Total(1));
            let waiting = client.next().await;
            node.note(format_args!("{waiting:?}"));
            let refused = client.send(Ask::Add(1));
            node.note(format_args!("{refused:?}"));
            Ok::<_, Disconnected>(())
        }
    });
    sim.at(at_ms(4), move || owner.kill());
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.004s other Err(ClosedHere)", "0.004s other Err(ClosedHere)"]);
}

#[test]
fn a_task_that_waits_on_a_connection_another_task_closes_hears_of_it() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    sim.node_with("a", counter.clone(), async |node, counter| {
        let client = std::sync::Arc::new(Client::open(&node, &counter).await?);
        let (closer, other) = (std::sync::Arc::clone(&client), node.clone());
        drop(node.spawn(async move {
            other.sleep(ms(6)).await;
            closer.0.close();
        }));
        assert_eq!(client.next().await, Err(Disconnected::ClosedHere));
        assert_eq!(node.now(), at_ms(6));
        Ok::<_, Disconnected>(())
    });
    sim.run().expect_done();
    assert_eq!(log(&counter)[1..], ["0.006s 0 disconnected"]);
}
