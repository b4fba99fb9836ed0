//! Several tokio nodes in one world: whose turn it is, and when.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Connection, RabbitMq};
use stunt_double::redis::{Client, ServerOptions};
use stunt_double::sim::{Config, Node, Outcome, Sim, Strategy};
use tokio::time::{interval, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// Adds a node that does nothing for a day but keep the world from having one tokio node only.
fn add_idler(sim: &mut Sim) {
    sim.tokio_daemon("idler", async |_| sleep(SECOND * 86_400).await);
}

#[test]
fn a_task_of_the_node_itself_wakes_when_its_timer_is_due() {
    let mut sim = Sim::new(1);
    add_idler(&mut sim);
    sim.tokio_node("worker", async |node| {
        let inner = node.clone();
        let joined = node.spawn(async move {
            sleep(SECOND * 5).await;
            inner.now()
        });
        assert_eq!(joined.await.unwrap().to_string(), "5s");
    });
    sim.run().expect_done();
    assert_eq!(sim.now().to_string(), "5s");
}

/// Increments a key when it is dropped.
struct Counts(Client);

impl Drop for Counts {
    fn drop(&mut self) {
        // The first poll sends it, and nobody waits for the answer.
        let call = pin!(self.0.call(["INCR", "dropped"]));
        let _ = call.poll(&mut Context::from_waker(Waker::noop()));
    }
}

#[test]
fn tasks_are_dropped_with_their_process_when_a_timer_ends_it() {
    for (panics, expected) in [(false, "1"), (true, "")] {
        for idlers in [false, true] {
            let mut sim = Sim::new(1);
            let redis = stunt_double::redis::start(&mut sim, ServerOptions::default());
            if idlers {
                add_idler(&mut sim);
            }
            let with = (redis.clone(), panics);
            sim.tokio_node_with("worker", with, async |node, (redis, panics)| {
                let counts = Counts(Client::connect(&node, &redis).await.unwrap());
                tokio::spawn(async move {
                    let _counts = counts;
                    std::future::pending::<()>().await;
                });
                sleep(SECOND).await;
                assert!(!panics, "out of luck");
            });
            match sim.run() {
                Outcome::Failed(_) => assert!(panics),
                other => other.expect_done(),
            }
            let dropped = redis.command(["GET", "dropped"]);
            let dropped = dropped.as_text().unwrap_or_default();
            assert_eq!(dropped, expected, "panics: {panics}, with others: {idlers}");
        }
    }
}

#[test]
fn what_the_test_has_planned_happens_though_only_daemons_are_left() {
    let mut sim = Sim::new(1);
    let worker = sim.tokio_daemon("worker", async |_| {
        let mut ticks = interval(SECOND);
        loop {
            ticks.tick().await;
        }
    });
    sim.tokio_node("client", async |_| sleep(SECOND).await);
    let killed = worker.clone();
    sim.after(SECOND * 600, move || killed.kill());
    sim.run().expect_done();
    assert_eq!(sim.now().to_string(), "600s");
    assert!(!worker.is_alive());
}

#[test]
fn nodes_jump_only_after_a_silence() {
    let mut sim = Sim::new(1);
    let redis = stunt_double::redis::start(&mut sim, ServerOptions::default());
    sim.node_with("sender", redis.clone(), async |node, redis| {
        node.sleep(SECOND * 100).await;
        let client = Client::connect(&node, &redis).await.unwrap();
        client.call(["RPUSH", "jobs", "one"]).await.unwrap();
    });
    sim.tokio_node_with("worker", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await.unwrap();
        client.call(["BLPOP", "jobs", "0"]).await.unwrap();
        sleep(Duration::from_millis(50)).await;
        client.call(["RPUSH", "answers", "one"]).await.unwrap();
    });
    sim.tokio_node_with("asker", redis, async |node, redis| {
        let client = Client::connect(&node, &redis).await.unwrap();
        let answer = client.call(["BLPOP", "answers", "0"]);
        tokio::time::timeout(SECOND * 600, answer).await.unwrap().unwrap();
        assert_eq!(node.now().to_string(), "100.05s");
    });
    sim.run().expect_done();
}

#[test]
fn a_scheduler_feeds_a_worker_that_has_a_longer_timer() {
    let mut sim = Sim::new(1);
    let redis = stunt_double::redis::start(&mut sim, ServerOptions::default());
    sim.tokio_daemon_with("worker", redis.clone(), async |node, redis| {
        let client = Client::connect(&node, &redis).await.unwrap();
        loop {
            let job = client.call(["BLPOP", "jobs", "0"]);
            tokio::time::timeout(SECOND * 600, job).await.unwrap().unwrap();
            node.note("worked");
        }
    });
    sim.tokio_node_with("scheduler", redis, async |node, redis| {
        let client = Client::connect(&node, &redis).await.unwrap();
        for _ in 0..3 {
            sleep(SECOND * 120).await;
            client.call(["RPUSH", "jobs", "one"]).await.unwrap();
        }
    });
    sim.run().expect_done();
    assert_eq!(sim.trace().notes().lines().count(), 3);
    assert_eq!(sim.now().to_string(), "360s");
}

#[test]
fn a_node_that_another_stops_at_the_same_moment_does_not_run() {
    for pause in [false, true] {
        let mut sim = Sim::new(1);
        let second = Arc::<OnceLock<Node>>::default();
        sim.tokio_node_with("first", (Arc::clone(&second), pause), async |_, (second, pause)| {
            sleep(SECOND).await;
            let second = second.get().unwrap();
            if pause { second.pause() } else { second.kill() }
        });
        let node = sim.tokio_daemon("second", async |node| {
            sleep(SECOND).await;
            node.note("ran");
        });
        second.set(node).unwrap();
        sim.run_for(SECOND * 2).expect_reached();
        assert_eq!(sim.trace().notes(), "", "pause: {pause}");
    }
}

#[test]
fn the_strategy_decides_who_goes_first() {
    let orders = |strategy| {
        let order = |seed| {
            let mut sim = Sim::with_config(Config::new(seed).with_strategy(strategy));
            for name in ["a", "b", "c"] {
                sim.tokio_node(name, async |node| {
                    sleep(Duration::from_millis(5)).await;
                    sleep(Duration::from_millis(5)).await;
                    node.note(node.name());
                });
            }
            sim.run().expect_done();
            sim.trace().notes()
        };
        (0..60).map(order).collect::<BTreeSet<String>>().len()
    };
    assert_eq!(orders(Strategy::Fifo), 1);
    assert_eq!(orders(Strategy::Random), 6);
}

#[test]
fn a_run_that_ended_in_a_pause_goes_on_after_it() {
    let mut sim = Sim::new(1);
    let node = sim.tokio_node("worker", async |node| {
        sleep(SECOND).await;
        node.note("awake");
    });
    sim.run_for(Duration::from_millis(100)).expect_reached();
    node.pause();
    assert!(matches!(sim.run(), Outcome::Stuck(_)));
    node.resume();
    sim.run().expect_done();
    assert_eq!(sim.trace().notes().trim(), "1.000s  worker       awake");
}

#[test]
fn another_clock_can_drive_nodes_by_what_happens_next() {
    let mut sim = Sim::new(1);
    for i in 1..3 {
        sim.tokio_node_with(&format!("sleeper{i}"), i, async |node, i| {
            sleep(Duration::from_millis(10 * i)).await;
            node.note("awake");
        });
    }
    while let Some(at) = sim.next_event() {
        sim.advance_to(at).expect_reached();
        assert!(sim.now() < stunt_double::Instant::ZERO + SECOND, "it goes on for ever");
    }
    assert_eq!(sim.trace().notes().lines().count(), 2);
}

#[test]
fn a_connection_of_a_node_that_only_sleeps_stays_alive() {
    let mut sim = Sim::new(1);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let idle = async |node: Node, rabbit: RabbitMq| {
        let connection = Connection::connect(&node, &rabbit).await.unwrap();
        for _ in 0..30 {
            sleep(SECOND * 3600).await;
        }
        connection.channel().await.unwrap();
    };
    sim.tokio_node_with("idle", rabbit, idle);
    sim.run().expect_done();
}
