//! The same seed gives the same run, whatever lapin's threads and hash maps do.

use crate::support::{channel, consume, declare, next, publish, take};
use lapin::ConnectionProperties;
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, RabbitMq};
use stunt_double::sim::{Config, Node, Sim, Strategy};

/// Several channels, each with consumers, that fail all at once.
async fn many(node: Node, rabbit: RabbitMq) -> lapin::Result<()> {
    let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
    let mut workers = Vec::new();
    for number in 0..6 {
        let channel = channel(&connection).await?;
        let queue = format!("q{number}");
        declare(&channel, &queue).await?;
        for part in 0..2 {
            let mut consumer = consume(&channel, &queue, &format!("c{number}.{part}")).await?;
            let (node, channel, queue) = (node.clone(), channel.clone(), queue.clone());
            let (name, worker) = (format!("{number}.{part}"), node.clone());
            workers.push(worker.spawn(async move {
                let confirmed = publish(&channel, &queue, name.as_bytes()).await;
                node.note(format!("{name}: {:?}", confirmed.map(|c| c.is_ack())));
                loop {
                    match next(&mut consumer).await {
                        Some(Ok(delivery)) => {
                            let acked = delivery.ack(Default::default()).await;
                            node.note(format!("{name}: {:?} {acked:?}", delivery.data));
                        }
                        Some(Err(error)) => node.note(format!("{name}: {error}")),
                        None => {
                            node.note(format!("{name}: the end"));
                            // Something of the world follows, in the order of the workers.
                            let retried = publish(&channel, &queue, b"x").await.is_ok();
                            return node.note(format!("{name}: {retried}"));
                        }
                    }
                }
            }));
        }
    }
    for worker in workers {
        let _ = worker.await;
    }
    Ok(())
}

fn run(config: Config, fault: &str) -> Sim {
    let mut sim = Sim::with_config(config);
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    let node = sim.node_with("app", rabbit.clone(), many);
    let fault = fault.to_owned();
    sim.after(Duration::from_secs(1), move || match fault.as_str() {
        "close" => rabbit.list_connections().iter().for_each(|row| {
            rabbit.close_connection(row.id, "maintenance").expect("it is open");
        }),
        "crash" => rabbit.crash(),
        "kill" => node.kill(),
        "partition" => node.link(&rabbit).partition(),
        "power" => node.lose_power(),
        other => unreachable!("{other}"),
    });
    let _ = sim.run();
    sim
}

const FAULTS: [&str; 5] = ["close", "crash", "kill", "partition", "power"];
const STRATEGIES: [Strategy; 2] = [Strategy::Fifo, Strategy::Random];

/// How many runs are compared. The variable asks for more.
fn runs() -> u32 {
    let wanted = std::env::var("STUNT_DOUBLE_LAPIN_RUNS").ok();
    wanted.map_or(20, |text| text.parse().expect("it is a number"))
}

#[test]
fn channels_and_consumers_that_fail_at_once_fail_in_the_same_order() {
    for fault in FAULTS {
        for strategy in STRATEGIES {
            let config = || Config::new(3).with_strategy(strategy);
            let first = run(config(), fault).trace();
            for _ in 1..runs().div_ceil(10) {
                let again = run(config(), fault).trace();
                if let Some(difference) = first.first_difference(&again) {
                    panic!("{fault}, {strategy:?}: {difference}");
                }
            }
        }
    }
}

async fn simple(node: Node, rabbit: RabbitMq) -> lapin::Result<()> {
    let connection = rabbit.lapin(&node, ConnectionProperties::default()).await?;
    let channel = channel(&connection).await?;
    declare(&channel, "jobs").await?;
    let mut consumer = consume(&channel, "jobs", "me").await?;
    for number in 0..3 {
        publish(&channel, "jobs", &[number]).await?;
        node.note(format!("{:?}", take(&mut consumer).await?));
    }
    connection.close(200, "bye".into()).await
}

/// Two clients at work.
fn pair(strategy: Strategy) -> String {
    let mut sim = Sim::with_config(Config::new(5).with_strategy(strategy));
    let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
    for name in ["a", "b"] {
        sim.node_with(name, rabbit.clone(), simple);
    }
    sim.run().expect_done();
    sim.digest().to_string()
}

#[test]
fn every_run_has_the_same_digest() {
    for strategy in STRATEGIES {
        let first = pair(strategy);
        for _ in 1..runs() {
            assert_eq!(pair(strategy), first, "{strategy:?}");
        }
    }
}

#[test]
fn two_processes_have_the_same_digest() {
    const CHILD: &str = "STUNT_DOUBLE_TEST_CHILD";
    let digests = STRATEGIES.map(|strategy| format!("digest {}", pair(strategy)));
    if std::env::var_os(CHILD).is_some() {
        return println!("\n{}", digests.join("\n"));
    }
    let this = std::env::current_exe().expect("a test knows its own binary");
    let output = std::process::Command::new(this)
        .args(["--exact", "determinism::two_processes_have_the_same_digest", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("a test can run itself");
    let text = String::from_utf8_lossy(&output.stdout);
    let told: Vec<&str> = text.lines().filter(|line| line.starts_with("digest ")).collect();
    assert_eq!(told, digests, "{text}");
}
