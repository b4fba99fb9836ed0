//! Time: tokio's clock is the world's, to the nanosecond, and a timer fires when it is due.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use stunt_double::redis::{Client, ServerOptions};
use stunt_double::sim::{Config, Node, Outcome, Sim, Strategy, check_determinism};
use tokio::time::{Instant, interval, sleep, timeout};

/// What code of a node sees: the world's time, tokio's, and who it was.
type Probes = Rc<RefCell<Vec<(u128, u128, u32)>>>;

/// Code that looks at both clocks.
#[derive(Clone)]
struct Look {
    node: Node,
    start: Instant,
    began: stunt_double::Instant,
    probes: Probes,
}

impl Look {
    fn new(node: &Node, probes: &Probes) -> Look {
        Look {
            node: node.clone(),
            start: Instant::now(),
            began: node.now(),
            probes: Rc::clone(probes),
        }
    }

    fn at(&self, who: u32) {
        let world = (self.node.now() - self.began).as_nanos();
        self.probes.borrow_mut().push((world, self.start.elapsed().as_nanos(), who));
    }
}

/// A server on a plain node and `clients` on tokio nodes that ask it, each with time-outs, timers
/// of tokio and timers of the world.
fn scenario(sim: &mut Sim, clients: u32) -> Probes {
    let probes = Probes::default();
    let (sender, receiver) =
        tokio::sync::mpsc::unbounded_channel::<(u64, tokio::sync::oneshot::Sender<u64>)>();
    let receiver = Rc::new(RefCell::new(Some(receiver)));
    sim.daemon_with("server", receiver, async |node, receiver| {
        let mut receiver = receiver.take().expect("the server starts once");
        while let Some((number, answer)) = receiver.recv().await {
            node.sleep(Duration::from_nanos(137_531 + number * 911)).await;
            let _ = answer.send(number * 2);
        }
    });
    for client in 0..clients {
        let with = (client, sender.clone(), Rc::clone(&probes));
        let name = format!("client{client}");
        sim.tokio_node_with(&name, with, async |node, (client, sender, probes)| {
            let look = Look::new(&node, &probes);
            let local = tokio::task::LocalSet::new();
            for task in 0..20_u64 {
                let (sender, look) = (sender.clone(), look.clone());
                local.spawn_local(async move {
                    for round in 0..20_u64 {
                        let number = u64::from(client) * 7 + task * 13 + round * 7;
                        sleep(Duration::from_millis(number % 11)).await;
                        look.at(100 + task as u32);
                        let (answer, answered) = tokio::sync::oneshot::channel();
                        sender.send((task, answer)).unwrap();
                        let answer = timeout(Duration::from_millis(5), answered).await;
                        look.at(if answer.is_ok() { 200 } else { 300 } + task as u32);
                        if round == 3 {
                            look.node.sleep(Duration::from_nanos(250_001)).await;
                            look.at(400 + task as u32);
                        }
                    }
                });
            }
            local.await;
        });
    }
    probes
}

#[test]
fn the_clocks_agree_to_the_nanosecond_whenever_code_runs() {
    for clients in [1, 2, 5] {
        let mut sim = Sim::new(1);
        let probes = scenario(&mut sim, clients);
        sim.run().expect_done();
        let probes = probes.borrow();
        assert!(probes.len() as u32 >= clients * 820, "{}", probes.len());
        for (world, tokio, who) in probes.iter() {
            assert_eq!(world, tokio, "probe {who} of {clients} clients");
        }
        assert!(probes.iter().any(|(.., who)| (200..300).contains(who)));
        // Only a busy server is too slow for the time-out.
        assert_eq!(probes.iter().any(|(.., who)| (300..400).contains(who)), clients == 5);
    }
}

#[test]
fn a_seed_gives_the_same_run() {
    for strategy in [Strategy::Fifo, Strategy::Random] {
        for seed in 0..20 {
            let config = Config::new(seed).with_strategy(strategy);
            check_determinism(config, |sim| {
                scenario(sim, 3);
                sim.run().expect_done();
            })
            .unwrap_or_else(|divergence| panic!("{divergence}"));
        }
    }
}

#[test]
fn a_timer_fires_at_its_millisecond_however_many_nodes_there_are() {
    for nodes in 1..4 {
        let mut sim = Sim::new(1);
        for i in 0..nodes {
            sim.tokio_node_with(&format!("node{i}"), i, async |node, i| {
                node.sleep(Duration::from_nanos(300_001)).await;
                sleep(Duration::from_millis(5)).await;
                assert_eq!(node.now().as_nanos(), 6_000_000);
                sleep(Duration::from_millis(20)).await;
                assert_eq!(node.now().as_nanos(), 26_000_000);
                let mut ticks = interval(Duration::from_secs(1));
                for _ in 0..4 + i {
                    ticks.tick().await;
                }
                assert_eq!(node.now().as_nanos(), 3_026_000_000 + i * 1_000_000_000);
                let late = timeout(Duration::from_millis(7), node.sleep(Duration::from_secs(1)));
                assert!(late.await.is_err());
            });
        }
        sim.run().expect_done();
        assert_eq!(sim.now().as_nanos(), 3_033_000_000 + (nodes - 1) * 1_000_000_000);
    }
}

#[test]
fn a_node_alone_jumps_over_years() {
    let mut sim = Sim::new(1);
    sim.tokio_node("sleeper", async |node| {
        for _ in 0..10 {
            sleep(Duration::from_secs(86_400 * 100)).await;
        }
        assert_eq!(node.now().as_nanos(), 86_400_000_000_000_000);
    });
    sim.run().expect_done();
}

#[test]
fn several_nodes_that_sleep_for_days_wake_when_they_should() {
    let mut sim = Sim::new(1);
    for i in 1..3_u64 {
        sim.tokio_node_with(&format!("sleeper{i}"), i, async |node, i| {
            sleep(Duration::from_secs(50_000 * i)).await;
            assert_eq!(node.now().as_nanos(), 50_000_000_000_000 * i);
        });
    }
    sim.run().expect_done();
}

#[test]
fn a_node_that_has_jumped_ahead_waits_for_the_world() {
    let mut sim = Sim::new(1);
    for i in 0..3_u64 {
        sim.tokio_node_with(&format!("sleeper{i}"), i, async |node, i| {
            for round in 1..4 {
                sleep(Duration::from_secs(3600) - Duration::from_millis(i)).await;
                assert_eq!(node.now().as_nanos(), round * (3_600_000 - i) * 1_000_000);
            }
        });
    }
    sim.run().expect_done();
}

#[test]
fn nodes_that_wait_for_ever_are_stuck_and_say_for_what() {
    for nodes in 1..3 {
        let mut sim = Sim::new(1);
        for i in 0..nodes {
            sim.tokio_node(&format!("waiter{i}"), async |_| {
                tokio::spawn(std::future::pending::<()>());
                std::future::pending::<()>().await;
            });
        }
        let Outcome::Stuck(stuck) = sim.run() else { panic!("they never end") };
        assert_eq!(stuck.waiting.len(), nodes);
        let told = stuck.waiting[0].to_string();
        assert!(told.contains("1 spawned task"), "{told}");
    }
}

#[test]
fn a_run_of_fixed_length_ends_exactly_and_goes_on_later() {
    for nodes in 1..3 {
        let mut sim = Sim::new(1);
        for i in 0..nodes {
            sim.tokio_node(&format!("ticker{i}"), async |node| {
                for _ in 0..3 {
                    sleep(Duration::from_millis(10)).await;
                    node.note("tick");
                }
            });
        }
        assert!(matches!(sim.run_for(Duration::from_nanos(10_500_000)), Outcome::Reached));
        assert_eq!(sim.now().as_nanos(), 10_500_000);
        assert_eq!(sim.trace().notes().lines().count(), nodes);
        assert!(matches!(sim.run_for(Duration::from_nanos(10_000_000)), Outcome::Reached));
        assert_eq!(sim.trace().notes().lines().count(), 2 * nodes);
        sim.run().expect_done();
        assert_eq!(sim.now().as_nanos(), 30_000_000);
    }
}

#[test]
fn timers_of_daemons_do_not_keep_a_run_from_its_end() {
    let mut sim = Sim::new(1);
    for i in 0..2 {
        sim.tokio_daemon(&format!("ticker{i}"), async |_| {
            let mut ticks = interval(Duration::from_secs(1));
            loop {
                ticks.tick().await;
            }
        });
    }
    sim.tokio_node("main", async |_| sleep(Duration::from_secs(10)).await);
    sim.run().expect_done();
    assert_eq!(sim.now().to_string(), "10s");
}

#[test]
fn daemons_that_go_on_sending_do_not_keep_a_run_from_its_end() {
    let mut sim = Sim::new(1);
    let redis = stunt_double::redis::start(&mut sim, ServerOptions::default());
    for i in 0..2 {
        sim.tokio_daemon_with(&format!("beats{i}"), redis.clone(), async |node, redis| {
            let client = Client::connect(&node, &redis).await.unwrap();
            let mut ticks = interval(Duration::from_millis(300));
            loop {
                ticks.tick().await;
                client.call(["INCR", "beats"]).await.unwrap();
            }
        });
    }
    sim.tokio_node("main", async |_| sleep(Duration::from_secs(10)).await);
    sim.run().expect_done();
    assert_eq!(sim.now().to_string(), "10s");
    assert!(redis.command(["GET", "beats"]).as_text().unwrap().parse::<u32>().unwrap() >= 66);
    assert!(matches!(sim.run_for(Duration::from_secs(10)), Outcome::Reached));
    assert!(redis.command(["GET", "beats"]).as_text().unwrap().parse::<u32>().unwrap() >= 132);
}

#[test]
fn a_drifting_clock_is_tokios_clock_too() {
    let mut sim = Sim::new(1);
    let fast = sim.tokio_node("fast", async |node| {
        sleep(Duration::from_secs(10)).await;
        assert_eq!(node.now().to_string(), "5s");
    });
    fast.set_clock_drift(1_000_000);
    sim.tokio_node("exact", async |node| {
        sleep(Duration::from_secs(10)).await;
        assert_eq!(node.now().to_string(), "10s");
    });
    sim.run().expect_done();
}

/// With `RUSTFLAGS="--cfg tokio_unstable"` alone; a stable tokio draws at random here.
#[cfg(tokio_unstable)]
#[test]
fn select_draws_from_the_seed() {
    let notes = |seed: u64| {
        let mut sim = Sim::new(seed);
        sim.tokio_node("chooser", async |node| {
            for _ in 0..50 {
                tokio::select! {
                    () = std::future::ready(()) => node.note("left"),
                    () = std::future::ready(()) => node.note("right"),
                }
                sleep(Duration::from_millis(1)).await;
            }
        });
        sim.run().expect_done();
        sim.trace().notes()
    };
    assert_eq!(notes(1), notes(1));
    assert_ne!(notes(1), notes(2));
}
