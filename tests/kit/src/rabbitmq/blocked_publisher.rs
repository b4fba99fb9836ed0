//! A worker publishes its results on the connection from which it consumes. When the broker is low
//! on memory it stops reading from connections that publish, so it reads no acknowledgement either,
//! and the backlog that fills its memory never shrinks. The fix has a connection for each.

use super::{channel, consume, durable, ms, produce};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::Site;
use stunt_double::rabbitmq::admin::Alarm;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, RabbitMq};
use stunt_double::sim::{Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "blocked publisher deadlock",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::Choice { site: "kit.alarm", words: "low on memory" },
};

const JOBS: u32 = 8;
const ALARM: Site = Site::new("kit.alarm");

async fn serve(node: &Node, jobs: &Channel, results: &Channel) -> Result<(), Error> {
    results.queue_declare("results", durable()).await?;
    let mut consumer = consume(jobs, "jobs", durable(), 2).await?;
    while let Some(job) = consumer.next().await {
        let job = job?;
        node.sleep(ms(5)).await;
        results.basic_publish_with(super::persistent("", "results", &job.text()))?;
        job.ack()?;
    }
    Ok(())
}

async fn worker(node: Node, rabbit: RabbitMq, fixed: bool) {
    loop {
        let jobs = channel(&node, &rabbit).await;
        let results = match fixed {
            true => channel(&node, &rabbit).await,
            false => match jobs.connection().channel().await {
                Ok(results) => results,
                Err(_) => continue,
            },
        };
        if serve(&node, &jobs, &results).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    sim.daemon_with("worker", rabbit.clone(), move |node, rabbit| worker(node, rabbit, fixed));
    sim.node_with("producer", (rabbit.clone(), "jobs", JOBS), produce);
    let told = |n| match n {
        0 => "the broker has memory enough".to_owned(),
        n => format!("rabbitmq low on memory from {} ms on (calm: never)", 5 * n),
    };
    let alarm = sim.choose_told(ALARM, 0, 20, told);
    if alarm > 0 {
        let low = rabbit.clone();
        sim.after(ms(5 * alarm), move || low.set_alarm(Alarm::Memory, true));
    }
    sim.run_for(Duration::from_secs(1)).expect_reached();
    // Memory is free again as soon as the backlog is gone.
    let backlog = rabbit.messages_ready("jobs").unwrap_or_default()
        + rabbit.messages_unacknowledged("jobs").unwrap_or_default();
    if backlog > 0 {
        return Err(format!("{backlog} jobs left, and nothing moves any more"));
    }
    rabbit.set_alarm(Alarm::Memory, false);
    sim.run().expect_done();
    let results = rabbit.messages_ready("results").unwrap_or_default();
    super::expect_done(results, JOBS)
}
