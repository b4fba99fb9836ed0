//! A publisher relies on the consumer to declare the exchange and its queue. If the publisher is
//! the first, the broker closes its channel, or drops what no queue takes. The fix lets either
//! declare what it needs.

use super::{Done, channel, durable, expect_done, finish, ms, persistent};
use crate::{Bug, Planted};
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, ConsumeOptions, Error, ExchangeOptions, RabbitMq,
};
use stunt_double::sim::{Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "publish to an exchange not yet declared",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::LATE,
};

const JOBS: u32 = 3;

async fn declare(channel: &Channel) -> Result<(), Error> {
    let fanout = ExchangeOptions { kind: "fanout".into(), durable: true, ..Default::default() };
    channel.exchange_declare("events", fanout).await?;
    channel.queue_declare("audit", durable()).await?;
    channel.queue_bind("audit", "events", "").await
}

async fn serve(node: &Node, channel: &Channel, done: &Done) -> Result<(), Error> {
    declare(channel).await?;
    let mut events = channel.basic_consume("audit", ConsumeOptions::default()).await?;
    while let Some(event) = events.next().await {
        let event = event?;
        finish(node, done, event.text());
        event.ack()?;
    }
    Ok(())
}

async fn audit(node: Node, (rabbit, done): (RabbitMq, Done)) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&node, &channel, &done).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

async fn publisher(node: Node, rabbit: RabbitMq, fixed: bool) {
    let channel = channel(&node, &rabbit).await;
    if fixed && declare(&channel).await.is_err() {
        return;
    }
    for event in 1..=JOBS {
        if let Err(error) = channel.basic_publish_with(persistent("events", "", &event.to_string()))
        {
            node.note(format_args!("event {event} was not published: {error}"));
        }
    }
    drop(channel.close().await);
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let done = Done::default();
    sim.daemon_with("audit", (rabbit.clone(), done.clone()), audit);
    sim.node_with("publisher", rabbit, move |node, rabbit| async move {
        node.sleep(ms(4)).await;
        publisher(node, rabbit, fixed).await;
    });
    sim.run().expect_done();
    let count = done.lock().len();
    expect_done(count, JOBS)
}
