//! A worker returns a job that it cannot do to its queue. If nobody can ever do that job, it is
//! delivered forever, and the worker does little else. The fix limits the deliveries and parks what
//! exceeds the limit.

use super::{Done, Table, channel, consume, finish, ms, with};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, Error, FieldTable, Properties, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "poison loop",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::Calm,
};

fn jobs(fixed: bool) -> QueueOptions {
    let quorum = FieldTable::default().with("x-queue-type", "quorum");
    if !fixed {
        return with(quorum);
    }
    let parking = quorum.with("x-delivery-limit", 3).with("x-dead-letter-exchange", "");
    with(parking.with("x-dead-letter-routing-key", "parked"))
}

#[derive(Clone)]
struct Handles {
    rabbit: RabbitMq,
    done: Done,
    deliveries: Table<u32>,
}

async fn serve(
    node: &Node,
    channel: &Channel,
    handles: &Handles,
    fixed: bool,
) -> Result<(), Error> {
    channel.queue_declare("parked", with(FieldTable::default())).await?;
    let mut consumer = consume(channel, "jobs", jobs(fixed), 1).await?;
    while let Some(job) = consumer.next().await {
        let job = job?;
        *handles.deliveries.lock() += 1;
        match job.text().parse::<u32>() {
            Ok(_) => {
                finish(node, &handles.done, job.text());
                job.ack()?;
            }
            Err(_) => job.nack(true)?,
        }
    }
    Ok(())
}

async fn worker(node: Node, handles: Handles, fixed: bool) {
    loop {
        let channel = channel(&node, &handles.rabbit).await;
        if serve(&node, &channel, &handles, fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

async fn publish(node: Node, rabbit: RabbitMq, fixed: bool) -> Result<(), Error> {
    let channel = channel(&node, &rabbit).await;
    channel.queue_declare("jobs", jobs(fixed)).await?;
    for job in ["1", "two", "3", "4"] {
        channel.basic_publish("", "jobs", Properties::default().persistent(), job)?;
    }
    channel.close().await
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let handles =
        Handles { rabbit: rabbit.clone(), done: Done::default(), deliveries: Table::default() };
    sim.daemon_with("worker", handles.clone(), move |node, with| worker(node, with, fixed));
    sim.node_with("producer", rabbit, move |node, rabbit| publish(node, rabbit, fixed));
    sim.run_for(Duration::from_secs(1)).expect_reached();
    let (done, deliveries) = (handles.done.lock().len(), *handles.deliveries.lock());
    match (done, deliveries) {
        (3, 0..=10) => Ok(()),
        _ => Err(format!("{done} jobs done in {deliveries} deliveries")),
    }
}
