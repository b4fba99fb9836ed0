//! Connections whose other end is gone silently, and the timers that end them.

use crate::support::{Ask, Client, Counter, Tell, at_ms, counter, log, ms, notes, secs};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::sim::service::Keepalive;
use stunt_double::sim::trace::EventKind;
use stunt_double::sim::{Config, Disconnected, Latency, Node, Outcome, ServiceHandle, Sim};

/// A node that connects, asks for a ring after `delay`, and notes what it hears.
fn waiter(sim: &mut Sim, counter: &ServiceHandle<Counter>, delay: Duration) -> Node {
    sim.node_with("a", (counter.clone(), delay), async |node, (counter, delay)| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Ring(delay))?;
        loop {
            match client.next().await {
                Ok(told) => node.note(format_args!("{told:?}")),
                Err(why) => {
                    node.note(format_args!("{why:?}"));
                    return Ok::<_, Disconnected>(());
                }
            }
        }
    })
}

fn last(counter: &ServiceHandle<Counter>) -> String {
    log(counter).last().expect("something has reached it").clone()
}

#[test]
fn a_machine_without_power_tells_nobody_and_what_it_had_sent_arrives() {
    let mut sim = Sim::with_config(Config::new(1).with_latency(Latency::Constant(ms(10))));
    let counter = counter(&mut sim);
    let node = waiter(&mut sim, &counter, secs(3_600));
    let victim = node.clone();
    sim.at(at_ms(25), move || victim.lose_power());
    sim.run_for(secs(1_800)).expect_reached();
    assert_eq!(log(&counter), ["0.01s 0 connected a", "0.03s 0 Ring(3600s)"]);
    assert!(!node.is_alive());
    assert!(sim.trace().transcript().contains("a            lost power"));
    // An hour later the server sends to it, in vain.
    sim.run_for(secs(3_600)).expect_reached();
    assert_eq!(last(&counter), "4524.64s 0 disconnected", "15 minutes of retransmissions");
    assert!(sim.trace().transcript().contains("counter      gave up a: it no longer answers"));
}

#[test]
fn a_machine_that_is_up_again_resets_what_comes_for_its_earlier_connections() {
    let mut sim = Sim::with_config(Config::new(1).with_latency(Latency::Constant(ms(10))));
    let counter = counter(&mut sim);
    let node = waiter(&mut sim, &counter, secs(60));
    let (off, on) = (node.clone(), node);
    sim.at(at_ms(1_000), move || off.lose_power());
    sim.at(at_ms(5_000), move || on.restart());
    sim.run_for(secs(50)).expect_reached();
    let held = log(&counter).iter().filter(|line| line.contains("disconnected")).count();
    assert_eq!(held, 0, "nobody has told it");
    sim.run_for(secs(11)).expect_reached();
    assert!(
        log(&counter).contains(&"60.05s 0 disconnected".to_owned()),
        "what it sent was answered with a reset: {:?}",
        log(&counter)
    );
}

#[test]
fn keepalive_finds_a_dead_peer_that_nothing_is_sent_to() {
    for (idle, interval, after) in [(300, 100, 600), (2, 1, 5)] {
        let mut sim = Sim::new(1);
        let counter = counter(&mut sim);
        let keepalive = Keepalive { idle: secs(idle), interval: secs(interval), probes: 3 };
        counter.with(|machine, _| machine.keepalive = Some(keepalive));
        let node = waiter(&mut sim, &counter, secs(3_600));
        sim.at(at_ms(1_000), move || node.lose_power());
        sim.run_for(secs(after - 1)).expect_reached();
        assert_eq!(log(&counter).len(), 2, "not yet");
        sim.run_for(secs(2)).expect_reached();
        assert_eq!(last(&counter), format!("{after}s 0 disconnected"));
    }
}

#[test]
fn keepalive_leaves_a_peer_alone_that_is_there_even_if_it_stands_still() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let keepalive = Keepalive { idle: secs(2), interval: secs(1), probes: 3 };
    counter.with(|machine, _| machine.keepalive = Some(keepalive));
    let node = waiter(&mut sim, &counter, secs(3_600));
    sim.at(at_ms(1_000), move || node.pause());
    sim.run_for(secs(3_000)).expect_reached();
    assert_eq!(log(&counter).len(), 2, "its operating system answers");
}

#[test]
fn a_black_hole_delivers_no_close_also_not_after_a_late_heal() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = waiter(&mut sim, &counter, secs(86_400));
    let link = node.link(&counter);
    let (cut, heal) = (link.clone(), link.clone());
    sim.at(at_ms(1_000), move || cut.blackhole());
    sim.at(at_ms(2_000), move || node.kill());
    sim.at(at_ms(200_000), move || heal.heal());
    sim.run_for(secs(3_600)).expect_reached();
    assert!(!link.is_blackholed());
    assert_eq!(log(&counter).len(), 2, "the dead process's system gave up after 102 s");
}

#[test]
fn a_black_hole_that_heals_in_time_delivers_what_tcp_goes_on_sending() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = waiter(&mut sim, &counter, secs(86_400));
    let link = node.link(&counter);
    let (cut, heal) = (link.clone(), link);
    sim.at(at_ms(1_000), move || cut.blackhole());
    sim.at(at_ms(2_000), move || node.kill());
    sim.at(at_ms(10_000), move || heal.heal());
    sim.run_for(secs(3_600)).expect_reached();
    // Sent at 2 s, again after 0.2, 0.6, 1.4, 3, 6.2 and 12.6 s.
    assert_eq!(last(&counter), "14.6s 0 disconnected");
}

#[test]
fn a_client_that_sends_into_a_black_hole_gives_up_and_one_that_waits_does_not() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let waits = waiter(&mut sim, &counter, secs(86_400));
    let sends = sim.node_with("sends", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        node.sleep(secs(2)).await;
        let told = client.ask(Ask::Add(1)).await;
        node.note(format_args!("{told:?}"));
        Ok::<_, Disconnected>(())
    });
    for node in [&waits, &sends] {
        let link = node.link(&counter);
        sim.at(at_ms(1_000), move || link.blackhole());
    }
    let Outcome::Stuck(stuck) = sim.run() else { panic!("one waits for ever") };
    assert_eq!(notes(&sim), ["926.6s sends Err(TimedOut)"]);
    assert_eq!(
        stuck.waiting[0].to_string(),
        "a: the counter's answer (its link to counter drops everything)"
    );
}

#[test]
fn a_connection_attempt_that_nobody_answers_times_out() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = waiter(&mut sim, &counter, secs(1));
    node.link(&counter).blackhole();
    let Outcome::Failed(problem) = sim.run() else { panic!("it cannot connect") };
    assert_eq!(
        (problem.at.to_string(), problem.message),
        ("127s".to_owned(), Disconnected::TimedOut.to_string())
    );
}

#[test]
fn an_end_that_was_given_up_is_reset_when_it_gets_through_again() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let keepalive = Keepalive { idle: secs(2), interval: secs(1), probes: 3 };
    counter.with(|machine, _| machine.keepalive = Some(keepalive));
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        node.sleep(secs(20)).await;
        let told = client.ask(Ask::Add(1)).await;
        node.note(format_args!("{told:?}"));
        Ok::<_, Disconnected>(())
    });
    let link = node.link(&counter);
    let heal = link.clone();
    sim.at(at_ms(1_000), move || link.blackhole());
    sim.at(at_ms(10_000), move || heal.heal());
    sim.run().expect_done();
    assert_eq!(log(&counter), ["0s 0 connected a", "5s 0 disconnected"]);
    assert_eq!(notes(&sim), ["20s a Err(Reset)"]);
}

#[test]
fn a_nat_that_forgets_cuts_what_it_has_for_good_and_nothing_new() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.ask(Ask::Add(1)).await?;
        node.sleep(secs(2)).await;
        let again = Client::open(&node, &counter).await?;
        assert_eq!(again.ask(Ask::Add(1)).await?, Tell::Total(2));
        let told = client.ask(Ask::Add(1)).await;
        node.note(format_args!("{told:?}"));
        Ok::<_, Disconnected>(())
    });
    let link = node.link(&counter);
    sim.at(at_ms(1_000), move || link.forget());
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["926.6s a Err(TimedOut)"]);
    assert_eq!(counter.inspect(|machine| machine.total), 2);
    assert_eq!(last(&counter), "926.6s 1 disconnected", "the first is still held");
}

#[test]
fn a_server_machine_that_vanishes_leaves_its_clients_waiting_until_they_speak() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let waits = waiter(&mut sim, &counter, secs(60));
    sim.node_with("speaks", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        node.sleep(secs(5)).await;
        let told = client.ask(Ask::Add(1)).await;
        node.note(format_args!("{told:?}"));
        Ok::<_, Disconnected>(())
    });
    let (vanish, start) = (counter.clone(), counter.clone());
    sim.at(at_ms(1_000), move || vanish.vanish());
    sim.at(at_ms(30_000), move || start.start());
    let Outcome::Stuck(stuck) = sim.run() else { panic!("one waits for ever") };
    assert_eq!(&*stuck.waiting[0].node, waits.name());
    // Sent at 5 s. The sixth retransmission is the first that is answered.
    assert_eq!(notes(&sim), ["30.4s speaks Err(Reset)"]);
}

#[test]
fn a_server_machine_without_power_answers_no_connection_attempt() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    counter.vanish();
    let node = waiter(&mut sim, &counter, secs(1));
    let Outcome::Failed(problem) = sim.run() else { panic!("it cannot connect") };
    assert_eq!(problem.message, Disconnected::TimedOut.to_string());
    node.restart();
    let start = counter.clone();
    sim.after(secs(5), move || start.start());
    sim.run_for(secs(10)).expect_reached();
    assert!(
        log(&counter).contains(&"134s 1 connected a".to_owned()),
        "at its third attempt: {:?}",
        log(&counter)
    );
}

#[test]
fn each_end_learns_how_the_other_hung_up() {
    for (how, expected) in [
        (Shutdown::Clean, Disconnected::Closed),
        (Shutdown::Kill, Disconnected::Closed),
        (Shutdown::PowerLoss, Disconnected::Reset),
    ] {
        let mut sim = Sim::new(1);
        let counter = counter(&mut sim);
        waiter(&mut sim, &counter, secs(60));
        let stop = counter.clone();
        sim.at(at_ms(1), move || stop.stop(how));
        sim.run().expect_done();
        let told = sim.trace().events().find_map(|event| match &event.kind {
            EventKind::Disconnected { why: Some(why), .. } => Some(*why),
            _ => None,
        });
        assert_eq!(told, Some(expected), "{how:?}");
    }
}

#[test]
fn the_same_cut_twice_is_one_and_the_trace_tells_it_once() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = waiter(&mut sim, &counter, secs(60));
    let link = node.link(&counter);
    link.blackhole();
    link.blackhole();
    link.partition();
    link.heal();
    link.heal();
    link.forget();
    let transcript = sim.trace().transcript();
    for line in
        ["drops everything", "partitioned from", "healed", "connections to counter forgotten"]
    {
        assert_eq!(transcript.matches(line).count(), 1, "{line}: {transcript}");
    }
}

#[test]
fn keepalive_counts_from_the_last_probe_that_was_answered() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let keepalive = Keepalive { idle: secs(300), interval: secs(100), probes: 3 };
    counter.with(|machine, _| machine.keepalive = Some(keepalive));
    let node = waiter(&mut sim, &counter, secs(86_000));
    sim.at(at_ms(3_700_000), move || node.lose_power());
    sim.run_for(secs(5_000)).expect_reached();
    assert_eq!(last(&counter), "4200s 0 disconnected", "answered at 3600 s, and never again");
}

#[test]
fn a_machine_without_power_sends_nothing_again() {
    let mut sim = Sim::with_config(Config::new(1).with_latency(Latency::Constant(ms(5))));
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        node.sleep(ms(90)).await;
        client.ask(Ask::Add(1)).await.map(drop)
    });
    let link = node.link(&counter);
    let (cut, heal) = (link.clone(), link);
    sim.at(at_ms(102), move || {
        cut.blackhole();
        node.lose_power();
    });
    sim.at(at_ms(10_000), move || heal.heal());
    sim.run_for(secs(100)).expect_reached();
    assert_eq!(counter.inspect(|machine| machine.total), 0, "what was in flight is lost");
}
