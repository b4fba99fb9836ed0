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

#[test]
fn explore() {
    for fault in ["close", "crash", "kill", "partition", "power"] {
        for strategy in [Strategy::Fifo, Strategy::Random] {
            let mut digests = std::collections::BTreeMap::<String, u32>::new();
            let start = std::time::Instant::now();
            let mut first: Option<stunt_double::sim::trace::Trace> = None;
            for _ in 0..100 {
                let sim = run(Config::new(3).with_strategy(strategy), fault);
                *digests.entry(sim.digest().to_string()).or_default() += 1;
                let trace = sim.trace();
                match &first {
                    None => first = Some(trace),
                    Some(first) => {
                        if let Some(difference) = first.first_difference(&trace) {
                            println!("{fault} {strategy:?} {difference}");
                            break;
                        }
                    }
                }
            }
            println!("{fault} {strategy:?}: {} in {:?}", digests.len(), start.elapsed());
            if digests.len() == 1 && strategy == Strategy::Fifo {
                let notes = first.unwrap().notes();
                println!("{}", notes.lines().rev().take(6).collect::<Vec<_>>().join("\n"));
            }
        }
    }
}
