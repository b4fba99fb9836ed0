//! Faults of every kind at random moments, and the guarantees that survive them.

use crate::support::{Ask, Client, Counter, at_ms, counter, log, ms};
use proptest::prelude::*;
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::sim::service::Keepalive;
use stunt_double::sim::{Config, Latency, Node, Outcome, ServiceHandle, Sim, Strategy};
use stunt_double::{Instant, Site};

const PAUSE: Site = Site::new("test.pause");

#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Restart,
    Pause,
    Resume,
    Partition,
    Heal,
    Sever,
    StopServer,
    StartServer,
    CrashServer,
    LosePower,
    Terminate,
    Blackhole,
    Forget,
    VanishServer,
    Drift,
}

const FAULTS: [Fault; 16] = [
    Fault::Kill,
    Fault::Restart,
    Fault::Pause,
    Fault::Resume,
    Fault::Partition,
    Fault::Heal,
    Fault::Sever,
    Fault::StopServer,
    Fault::StartServer,
    Fault::CrashServer,
    Fault::LosePower,
    Fault::Terminate,
    Fault::Blackhole,
    Fault::Forget,
    Fault::VanishServer,
    Fault::Drift,
];

fn strike(fault: Fault, node: &Node, counter: &ServiceHandle<Counter>) {
    match fault {
        Fault::Kill => node.kill(),
        Fault::Restart => node.restart(),
        Fault::Pause => node.pause(),
        Fault::Resume => node.resume(),
        Fault::Partition => node.link(counter).partition(),
        Fault::Heal => node.link(counter).heal(),
        Fault::Sever => node.link(counter).sever(),
        Fault::StopServer => counter.stop(Shutdown::Clean),
        Fault::StartServer => counter.start(),
        Fault::CrashServer => counter.crash(),
        Fault::LosePower => node.lose_power(),
        Fault::Terminate => node.terminate_within(ms(7)),
        Fault::Blackhole => node.link(counter).blackhole(),
        Fault::Forget => node.link(counter).forget(),
        Fault::VanishServer => counter.vanish(),
        Fault::Drift => counter.set_clock_drift(200_000),
    }
}

/// A client that connects, works and gives up, again and again.
async fn persist(node: Node, counter: ServiceHandle<Counter>) {
    if node.choose(PAUSE, 2) == 1 {
        drop(node.terminated());
    }
    let step = || ms(1 + node.choose(PAUSE, 4));
    while node.now() < at_ms(200) {
        if let Ok(Ok(client)) = node.timeout(ms(9), Client::open(&node, &counter)).await {
            for _ in 0..node.choose(PAUSE, 6) {
                let _ = node.timeout(step(), client.ask(Ask::Add(1))).await;
                let _ = client.send(Ask::Ring(step()));
            }
        }
        node.sleep(step()).await;
    }
}

fn stricken(config: Config, faults: &[(u64, Fault, usize)]) -> (Sim, ServiceHandle<Counter>) {
    let mut sim = Sim::with_config(config);
    let counter = counter(&mut sim);
    let keepalive = Keepalive { idle: ms(50), interval: ms(10), probes: 3 };
    counter.with(|machine, _| machine.keepalive = Some(keepalive));
    let nodes: Vec<Node> = (0..3)
        .map(|i| {
            let handle = counter.clone();
            let node = sim.node(&format!("n{i}"), move |node| persist(node, handle.clone()));
            node.link(&counter).set_latency(Latency::Uniform { min: ms(i), max: ms(2 * i) });
            node
        })
        .collect();
    for (at, fault, node) in faults.iter().copied() {
        let (node, counter) = (nodes[node].clone(), counter.clone());
        sim.at(at_ms(at), move || strike(fault, &node, &counter));
    }
    let healed = counter.clone();
    sim.at(at_ms(300), move || {
        for node in &nodes {
            node.resume();
            node.link(&healed).heal();
        }
        healed.start();
    });
    (sim, counter)
}

/// Longer than any end of an unreachable connection waits.
const LONG: Duration = Duration::from_secs(2_000);

/// Returns the first line at which the story that a machine was told is unsound. It must hear of
/// each connection's beginning, its messages and its end, in that order, and a stop ends all
/// connections.
fn flaw(log: &[String]) -> Option<String> {
    let mut open = Vec::new();
    let mut up = true;
    for line in log {
        let words: Vec<&str> = line.split(' ').collect();
        let sound = match words[1..] {
            ["stop", _] => {
                open.clear();
                std::mem::replace(&mut up, false)
            }
            ["start"] => !std::mem::replace(&mut up, true),
            ["timeout"] => up,
            [id, "connected", _] => {
                let new = !open.contains(&id);
                open.push(id);
                up && new
            }
            [id, "disconnected"] => {
                let at = open.iter().position(|o| *o == id);
                at.map(|at| open.remove(at)).is_some() && up
            }
            [id, ..] => open.contains(&id) && up,
            [] => false,
        };
        if !sound {
            return Some(line.clone());
        }
    }
    open.first().map(|id| format!("connection {id} never ended"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_breaks_a_server_hears_a_sound_story_and_the_run_replays(
        seed: u64,
        strategy in proptest::sample::select(vec![
            Strategy::Fifo, Strategy::Random, Strategy::Pct { depth: 3, moments: Some(500) },
        ]),
        faults in proptest::collection::vec(
            (0_u64..200, proptest::sample::select(FAULTS.to_vec()), 0_usize..3), 0..25,
        ),
    ) {
        let config = Config::new(seed).with_strategy(strategy).with_recording();
        let (mut sim, counter) = stricken(config.clone(), &faults);
        sim.run_for(LONG).expect_reached();
        prop_assert_eq!(&sim.run(), &Outcome::Done);
        prop_assert_eq!(flaw(&log(&counter)), None);

        let (mut driven, _) = stricken(config.clone(), &faults);
        while let Some(at) = driven.next_event() {
            driven.advance_to(at).expect_reached();
        }
        driven.advance_to(Instant::ZERO + LONG).expect_reached();
        prop_assert_eq!(driven.digest(), sim.digest());
        let (mut replayed, _) = stricken(config.with_tape(sim.tape()), &faults);
        let end = Instant::ZERO + LONG;
        while replayed.next_event().is_some_and(|at| at <= end) {
            prop_assert_eq!(replayed.step(), Outcome::Reached);
            prop_assert_eq!(replayed.check_invariants(), Ok(()));
        }
        replayed.advance_to(end).expect_reached();
        prop_assert_eq!(replayed.digest(), sim.digest());
    }
}
