//! Links between nodes and services: latency, partitions, resets.

use crate::support::{Ask, Client, Counter, Tell, at_ms, counter, log, ms, notes, secs};
use proptest::prelude::*;
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::sim::trace::EventKind;
use stunt_double::sim::{
    Config, Disconnected, Latency, Node, Outcome, ServiceHandle, Sim, Strategy,
};

/// A node that sends `asks`, one every millisecond, and notes the answers.
fn sender(sim: &mut Sim, counter: &ServiceHandle<Counter>, asks: u64) -> Node {
    let counter = counter.clone();
    sim.node("a", move |node| {
        let counter = counter.clone();
        async move {
            let client = Client::open(&node, &counter).await?;
            for n in 1..=asks {
                client.send(Ask::Add(n))?;
                node.sleep(ms(1)).await;
            }
            for _ in 1..=asks {
                node.note(format_args!("{:?}", client.next().await?));
            }
            Ok::<_, Disconnected>(())
        }
    })
}

#[test]
fn a_message_takes_the_latency_each_way() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sender(&mut sim, &counter, 1);
    node.link(&counter).set_latency(Latency::Constant(ms(10)));
    sim.run().expect_done();
    assert_eq!(
        log(&counter),
        ["0.01s 0 connected a", "0.03s 0 Add(1)", "0.05s 0 disconnected"],
        "a way to open, one back, one for each message, and one for the close"
    );
    assert_eq!(notes(&sim), ["0.04s a Total(1)"]);
}

#[test]
fn a_new_latency_holds_for_what_is_sent_from_then_on_and_overtakes_nothing() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        node.link(&counter).set_latency(Latency::Constant(ms(9)));
        client.send(Ask::AddQuietly(1))?;
        node.link(&counter).set_latency(Latency::Constant(ms(2)));
        client.send(Ask::AddQuietly(2))?;
        node.sleep(ms(8)).await;
        client.send(Ask::AddQuietly(3))?;
        Ok::<_, Disconnected>(())
    });
    sim.run().expect_done();
    assert_eq!(
        log(&counter)[1..],
        [
            "0.009s 0 AddQuietly(1)",
            "0.009s 0 AddQuietly(2)",
            "0.01s 0 AddQuietly(3)",
            "0.01s 0 disconnected"
        ]
    );
}

#[test]
fn a_latency_without_end_loses_the_message_and_leaves_the_clock_alone() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sender(&mut sim, &counter, 1);
    node.link(&counter).set_latency(Latency::Constant(Duration::MAX));
    let Outcome::Stuck(stuck) = sim.run() else { panic!("it never connects") };
    assert_eq!(stuck.waiting[0].to_string(), "a: a connection to counter");
    assert_eq!(sim.now(), Instant::ZERO);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Neither TCP nor the protocols above it reorder: whatever the latencies, the schedule and the
    /// faults, each end sees what the other sent, in order, up to the point where the connection
    /// broke.
    #[test]
    fn a_connection_is_first_in_first_out(
        seed: u64,
        random: bool,
        exponential: bool,
        spread in 0_u64..5,
        pauses in proptest::collection::vec(0_u64..3, 1..30),
        partition in proptest::option::of((0_u64..20, 0_u64..20)),
        sever in proptest::option::of(0_u64..40),
    ) {
        let strategy = if random { Strategy::Random } else { Strategy::Fifo };
        let mut sim = Sim::with_config(Config::new(seed).with_strategy(strategy));
        let counter = counter(&mut sim);
        let handle = counter.clone();
        let sends = pauses.clone();
        let node = sim.node("a", move |node| {
            let (counter, pauses) = (handle.clone(), sends.clone());
            async move {
                let client = Client::open(&node, &counter).await?;
                for pause in &pauses {
                    client.send(Ask::Add(1))?;
                    node.sleep(ms(*pause)).await;
                }
                for n in 1..=pauses.len() as u64 {
                    assert_eq!(client.next().await?, Tell::Total(n));
                }
                Ok::<_, Disconnected>(())
            }
        });
        let link = node.link(&counter);
        link.set_latency(if exponential {
            Latency::Exponential { min: ms(1), mean: ms(spread) }
        } else {
            Latency::Uniform { min: ms(1), max: ms(1 + spread) }
        });
        if let Some((from, lasts)) = partition {
            let (cut, heal) = (link.clone(), link.clone());
            sim.at(at_ms(from), move || cut.partition());
            sim.at(at_ms(from + lasts), move || heal.heal());
        }
        if let Some(at) = sever {
            sim.at(at_ms(at), move || link.sever());
        }
        let outcome = sim.run();
        let all = pauses.len() as u64;
        let total = counter.inspect(|machine| machine.total);
        match outcome {
            Outcome::Done => prop_assert_eq!(total, all),
            Outcome::Failed(problem) => {
                prop_assert!(sever.is_some() && !problem.panicked, "{}", problem);
                prop_assert!(total <= all);
            }
            other => prop_assert!(false, "{}", other),
        }
    }
}

#[test]
fn a_partition_holds_bytes_back_and_heal_delivers_them_in_order() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let link = sender(&mut sim, &counter, 3).link(&counter);
    link.set_latency(Latency::Constant(ms(2)));
    let (cut, heal) = (link.clone(), link.clone());
    // The connection stands at 4 ms, and the first message is on its way.
    sim.at(at_ms(5), move || cut.partition());
    sim.at(at_ms(900), move || heal.heal());
    sim.run_for(ms(500)).expect_reached();
    assert!(link.is_partitioned());
    assert_eq!(log(&counter), ["0.002s 0 connected a"]);
    sim.run().expect_done();
    assert!(!link.is_partitioned());
    assert_eq!(
        log(&counter)[1..],
        ["0.9s 0 Add(1)", "0.9s 0 Add(2)", "0.9s 0 Add(3)", "0.904s 0 disconnected"]
    );
    assert_eq!(notes(&sim), ["0.902s a Total(1)", "0.902s a Total(3)", "0.902s a Total(6)"]);
}

#[test]
fn a_partition_that_heals_and_returns_at_once_lets_nothing_through() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let link = sender(&mut sim, &counter, 2).link(&counter);
    let flap = link.clone();
    link.partition();
    sim.at(at_ms(5), move || {
        flap.heal();
        flap.partition();
    });
    sim.run_for(secs(1)).expect_reached();
    assert_eq!(log(&counter).len(), 0);
    link.heal();
    sim.run().expect_done();
    assert_eq!(log(&counter).len(), 4, "and nothing was lost or doubled: {:?}", log(&counter));
}

#[test]
fn opening_a_connection_waits_for_a_partition_to_heal() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let link = sender(&mut sim, &counter, 1).link(&counter);
    link.partition();
    let heal = link;
    sim.after(secs(60), move || heal.heal());
    sim.run().expect_done();
    assert_eq!(log(&counter)[0], "60s 0 connected a");
}

#[test]
fn a_connection_dropped_during_a_partition_closes_after_it() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        node.link(&counter).partition();
        client.send(Ask::AddQuietly(1))?;
        drop(client);
        node.sleep(ms(50)).await;
        assert_eq!(counter.inspect(|machine| machine.total), 0);
        node.link(&counter).heal();
        Ok::<_, Disconnected>(())
    });
    sim.run().expect_done();
    assert_eq!(log(&counter)[1..], ["0.05s 0 AddQuietly(1)", "0.05s 0 disconnected"]);
}

#[test]
fn severing_a_link_resets_both_ends_and_loses_what_was_in_flight() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Add(1))?;
        let answer = client.next().await;
        node.note(format_args!("{answer:?}, then {:?}", client.send(Ask::Add(2))));
        drop(client);
        let again = Client::open(&node, &counter).await?;
        node.note(format_args!("{:?}", again.ask(Ask::Add(4)).await?));
        Ok::<_, Disconnected>(())
    });
    let link = node.link(&counter);
    link.set_latency(Latency::Constant(ms(10)));
    sim.at(at_ms(25), move || link.sever());
    sim.run().expect_done();
    assert_eq!(
        notes(&sim),
        ["0.025s a Err(Reset), then Err(Reset)", "0.065s a Total(4)"],
        "seen at once, and the link itself works on"
    );
    assert_eq!(
        log(&counter),
        [
            "0.01s 0 connected a",
            "0.025s 0 disconnected",
            "0.035s 1 connected a",
            "0.055s 1 Add(4)",
            "0.075s 1 disconnected"
        ]
    );
}

#[test]
fn an_answer_in_flight_when_the_link_is_severed_is_lost_although_it_counted() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sender(&mut sim, &counter, 1);
    let link = node.link(&counter);
    link.set_latency(Latency::Constant(ms(10)));
    sim.at(at_ms(35), move || link.sever());
    let Outcome::Failed(problem) = sim.run() else { panic!("the answer was lost") };
    assert_eq!(problem.message, Disconnected::Reset.to_string());
    assert_eq!(counter.inspect(|machine| machine.total), 1);
}

#[test]
fn a_connection_made_right_after_severing_is_a_new_one() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let handle = counter;
    sim.node("a", move |node| {
        let counter = handle.clone();
        async move {
            let old = Client::open(&node, &counter).await?;
            node.link(&counter).sever();
            let new = Client::open(&node, &counter).await?;
            assert_eq!(old.next().await, Err(Disconnected::Reset));
            assert_eq!(new.ask(Ask::Add(1)).await?, Tell::Total(1));
            Ok::<_, Disconnected>(())
        }
    });
    sim.run().expect_done();
}

#[test]
fn severing_a_partitioned_link_closes_and_the_partition_stays() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let handle = counter;
    sim.node("a", move |node| {
        let counter = handle.clone();
        async move {
            let link = node.link(&counter);
            link.set_latency(Latency::Constant(ms(5)));
            let client = Client::open(&node, &counter).await?;
            link.partition();
            client.send(Ask::Add(1))?;
            node.sleep(ms(20)).await;
            client.send(Ask::Add(2))?;
            link.sever();
            assert_eq!(client.next().await, Err(Disconnected::Reset));
            drop(client);
            let again = node.timeout(ms(50), Client::open(&node, &counter)).await;
            assert!(again.is_err(), "still partitioned");
            link.heal();
            let again = Client::open(&node, &counter).await?;
            assert_eq!(again.ask(Ask::Add(4)).await?, Tell::Total(4));
            Ok::<_, Disconnected>(())
        }
    });
    sim.run().expect_done();
}

#[test]
fn each_link_has_faults_of_its_own() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    for name in ["near", "far"] {
        let node = sim.node_with(name, counter.clone(), async |node, counter| {
            let client = Client::open(&node, &counter).await?;
            node.note(format_args!("{:?}", client.ask(Ask::Add(1)).await?));
            Ok::<_, Disconnected>(())
        });
        if name == "far" {
            node.link(&counter).partition();
        }
    }
    let Outcome::Failed(problem) = sim.run() else { panic!("the far one cannot connect") };
    assert_eq!((&*problem.node, problem.at), ("far", Instant::ZERO + secs(127)));
    assert_eq!(problem.message, Disconnected::TimedOut.to_string());
    assert_eq!(notes(&sim), ["0s near Total(1)"]);
}

#[test]
fn the_trace_tells_of_every_fault_once() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let link = sender(&mut sim, &counter, 1).link(&counter);
    link.partition();
    link.partition();
    link.heal();
    link.heal();
    link.sever();
    let _ = sim.run();
    let told: Vec<_> = sim
        .trace()
        .events()
        .filter(|e| {
            matches!(
                e.kind,
                EventKind::Partitioned(_) | EventKind::Healed(_) | EventKind::Severed(_)
            )
        })
        .map(|e| format!("{} {}", e.who, e.kind))
        .collect();
    assert_eq!(
        told,
        ["a partitioned from counter", "a link to counter healed", "a link to counter severed"]
    );
}
