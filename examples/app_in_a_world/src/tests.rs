//! The promises of the service, each in a world made for it.

use super::world::{FromNode, part, servers, start};
use super::{Task, sweep};
use order_service::{Marker, Role, report};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;
use stunt_double::Site;
use stunt_double::rabbitmq::{Connection, Error, QueueOptions};
use stunt_double::sim::{Latency, Node, Seeds, Sim};
use tokio::sync::watch;
use tracing::Level;
use tracing::subscriber::{DefaultGuard, set_global_default};

const MESSAGE: Site = Site::new("app.test.message");
const STALL: Site = Site::new("app.test.stall");

const WORKER: Role = Role::Worker(Marker::WithTheResult);

/// Makes what the service logs notes. Other tests run beside this one without a subscriber, and
/// tracing asks only the thread that meets an event first whether anybody listens, unless there is
/// a subscriber for all of them.
fn logs(sim: &Sim) -> DefaultGuard {
    static FOR_ALL: Once = Once::new();
    FOR_ALL.call_once(|| drop(set_global_default(tracing_subscriber::registry())));
    sim.note_events(Level::WARN)
}

fn parse(arguments: &str) -> Result<Task, String> {
    Task::parse(arguments.split_whitespace().map(str::to_owned))
}

#[test]
fn each_option_has_an_effect_or_is_refused() {
    let hunt = |seeds, only_mended| Ok(Task::Hunt { seeds, only_mended });
    assert_eq!(parse(""), hunt(200, false));
    assert_eq!(parse("--mended"), hunt(200, true));
    assert_eq!(parse("--seeds 7 --mended"), hunt(7, true));
    assert_eq!(parse("--seed 7"), Ok(Task::Show(7, Marker::BeforeTheCharge)));
    assert_eq!(parse("--mended --seed 7"), Ok(Task::Show(7, Marker::WithTheResult)));
    assert_eq!(parse("--report"), Ok(Task::Report));
    for wrong in ["--report --mended", "--report --seed 1", "--seed 1 --seeds 2", "--seed x", "-h"]
    {
        let said = parse(wrong).expect_err("it makes no sense");
        assert!(said.contains("usage:"), "{wrong}: {said}");
    }
}

#[test]
fn the_mended_service_survives() {
    let sweep = sweep(40, Marker::WithTheResult);
    assert!(sweep.failures.is_empty(), "{sweep}");
}

/// A worker dies at any of its messages, so perhaps between the charge and the books.
#[test]
fn the_bank_charges_each_order_once() {
    Seeds::new(0..100)
        .run(|sim: &mut Sim| {
            let world = start(sim, Marker::WithTheResult);
            for (at, worker) in world.parts[1..3].iter().enumerate() {
                let n = sim.choose(MESSAGE, at as u64, 60);
                let again = worker.clone();
                sim.at_message(&worker.link(&world.redis), n, move || again.restart());
            }
            sim.run()
        })
        .expect_none();
}

/// Two closers stall at any of their messages, so each may lose its lock in the middle.
#[test]
fn the_ledger_never_falls() {
    Seeds::new(0..300)
        .run(|sim: &mut Sim| {
            let servers = servers(sim);
            let closers: Vec<Node> =
                ["closer1", "closer2"].map(|name| part(sim, name, Role::Closer, &servers)).into();
            let mut stalls = Vec::new();
            for (at, closer) in closers.iter().enumerate() {
                let is_stalled = Rc::new(Cell::new(false));
                let (paused, flag) = (closer.clone(), Rc::clone(&is_stalled));
                let n = sim.choose(MESSAGE, at as u64, 40);
                sim.at_message(&closer.link(&servers.1), n, move || {
                    paused.pause();
                    flag.set(true);
                });
                let ticks = sim.choose(STALL, at as u64, 80);
                stalls.push((closer.clone(), is_stalled, ticks));
            }
            sim.tokio_node_with("operator", (servers, stalls), async |node, (servers, stalls)| {
                let (rabbit, redis) = servers;
                let mut left: Vec<u64> = stalls.iter().map(|(_, _, ticks)| *ticks).collect();
                for order in 0..300 {
                    redis.command(["RPUSH", "charged", &order.to_string()]);
                    node.sleep(Duration::from_millis(50)).await;
                    for ((closer, is_stalled, _), left) in stalls.iter().zip(&mut left) {
                        *left -= u64::from(is_stalled.get() && *left > 0);
                        if *left == 0 {
                            closer.resume();
                        }
                    }
                }
                stalls.iter().for_each(|(closer, _, _)| closer.resume());
                stalls.iter().for_each(|(closer, _, _)| closer.terminate());
                let servers = FromNode { node, rabbit, redis };
                let report = report(&servers).await?;
                assert!(report.ledger.len() > 2, "the closers have hardly worked");
                report.check_ledger()
            });
            sim.run()
        })
        .expect_none();
}

/// A message that is no order ends with those that somebody has to look at, once.
#[test]
fn what_is_no_order_is_parked() {
    let mut sim = Sim::new(1);
    let world = start(&mut sim, Marker::WithTheResult);
    world.redis.command(["RPUSH", "outbox", "no order"]);
    world.redis.command([&b"RPUSH"[..], b"outbox", b"\xff\x00"]);
    sim.run().expect_done();
    assert_eq!(world.rabbit.messages_ready("orders.parked"), Some(2));
    assert!(world.told().is_some(), "the orders behind them were not charged");
}

/// Whoever could ask a part to stop is gone, so it stops.
#[test]
fn a_part_that_nobody_can_stop_stops() {
    for role in [Role::Relay, WORKER, Role::Closer] {
        let mut sim = Sim::new(1);
        let servers = servers(&mut sim);
        let node =
            sim.tokio_node_with("part", (servers, role), async |node, ((rabbit, redis), role)| {
                let (stop, stopped) = watch::channel(false);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    drop(stop);
                });
                order_service::run(FromNode { node, rabbit, redis }, role, stopped).await;
            });
        drop(sim.run_for(Duration::from_secs(4)));
        assert!(node.is_alive(), "{role:?}");
        drop(sim.run_for(Duration::from_secs(4)));
        assert!(!node.is_alive(), "{role:?} goes on");
    }
}

/// A part stops at once if it is connecting, and after its grace if it has begun something, though
/// neither server can be reached.
#[test]
fn a_part_behind_a_partition_stops() {
    for (role, partitioned, limit) in [
        (Role::Relay, 0, 1),
        (WORKER, 0, 1),
        (Role::Closer, 0, 1),
        (Role::Relay, 5, 15),
        (WORKER, 5, 15),
        (Role::Closer, 5, 15),
    ] {
        for server in ["rabbitmq", "redis"] {
            let mut sim = Sim::new(1);
            let servers = servers(&mut sim);
            let node = part(&mut sim, "part", role, &servers);
            let link =
                if server == "redis" { node.link(&servers.1) } else { node.link(&servers.0) };
            sim.after(Duration::from_secs(partitioned), move || link.partition());
            drop(sim.run_for(Duration::from_secs(6)));
            node.terminate();
            drop(sim.run_for(Duration::from_secs(limit)));
            assert!(!node.is_alive(), "{role:?}, {server} gone after {partitioned} s");
        }
    }
}

/// The queue of orders is gone: the relay says so, and waits between its attempts.
#[test]
fn an_order_that_rabbitmq_returns_is_tried_again_slowly() {
    let mut sim = Sim::new(1);
    let _logs = logs(&sim);
    let servers = servers(&mut sim);
    let relay = part(&mut sim, "relay", Role::Relay, &servers);
    relay.link(&servers.0).set_latency(Latency::Constant(Duration::from_millis(1)));
    sim.node_with("operator", servers.clone(), async |node, (rabbit, redis)| {
        node.sleep(Duration::from_secs(1)).await;
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_delete("orders", false, false).await?;
        redis.command(["RPUSH", "outbox", "1"]);
        Ok::<(), Error>(())
    });
    drop(sim.run_for(Duration::from_secs(2)));
    let before = relay.link(&servers.0).messages();
    drop(sim.run_for(Duration::from_secs(10)));
    let messages = relay.link(&servers.0).messages() - before;
    assert!((1..=60).contains(&messages), "{messages} messages in ten seconds");
    let notes = sim.trace().notes();
    assert!(notes.contains("RabbitMQ did not take an order order=1"), "{notes}");
}

/// A fault that no new attempt will mend is logged, and tried again ever more slowly.
#[test]
fn a_lasting_error_is_logged_and_backed_off() {
    let mut sim = Sim::new(1);
    let _logs = logs(&sim);
    let servers = servers(&mut sim);
    sim.node_with("operator", servers.0.clone(), async |node, rabbit| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("orders", QueueOptions::default()).await?;
        node.sleep(Duration::from_secs(60)).await;
        Ok::<(), Error>(())
    });
    drop(sim.run_for(Duration::from_secs(1)));
    part(&mut sim, "worker", WORKER, &servers);
    drop(sim.run_for(Duration::from_secs(60)));
    let notes = sim.trace().notes();
    let failed = notes.matches("a session has failed").count();
    assert!(notes.contains("PRECONDITION_FAILED"), "{notes}");
    assert!((6..=12).contains(&failed), "{failed} attempts in a minute:\n{notes}");
}
