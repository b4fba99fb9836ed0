//! A consumer has an exclusive queue. When its machine loses power and starts again, the broker
//! still has the old connection, refuses the queue to the new one, and the consumer gives up. The
//! fix tries again until heartbeats have told the broker that the old connection is dead.

use super::{channel, consume, ms};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{self, BrokerOptions, Channel, Error, QueueOptions, RabbitMq};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "exclusive queue after reconnect",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("listener without power"),
};

async fn serve(node: &Node, channel: &Channel) -> Result<(), Error> {
    let options = QueueOptions { exclusive: true, ..Default::default() };
    let mut notices = consume(channel, "notices", options, 0).await?;
    while let Some(notice) = notices.next().await {
        let notice = notice?;
        node.note(notice.text());
        notice.ack()?;
    }
    Ok(())
}

async fn listener(node: Node, rabbit: RabbitMq, fixed: bool) {
    loop {
        let channel = channel(&node, &rabbit).await;
        match serve(&node, &channel).await {
            // The broker refuses what the program asks for: that will not change.
            Err(Error::Amqp(refused)) if !fixed => {
                node.note(format_args!("gives up: {refused}"));
                return;
            }
            Ok(()) | Err(_) => node.sleep(ms(500)).await,
        }
    }
}

async fn announce(node: Node, rabbit: RabbitMq) -> Result<(), Error> {
    for notice in 1..=4 {
        let channel = channel(&node, &rabbit).await;
        channel.basic_publish("", "notices", Default::default(), format!("notice {notice}"))?;
        channel.close().await?;
        node.sleep(ms(20)).await;
    }
    Ok(())
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let node = sim
        .daemon_with("listener", rabbit.clone(), move |node, rabbit| listener(node, rabbit, fixed));
    sim.node_with("announcer", rabbit.clone(), announce);
    Chaos::new().lose_power(&node).run_then_heal(sim, Duration::from_secs(30)).expect_done();
    // The broker considers it dead after 30 s at most.
    sim.run_for(Duration::from_secs(60)).expect_reached();
    match rabbit.list_consumers().iter().any(|consumer| consumer.queue == "notices") {
        true => Ok(()),
        false => Err("nobody listens to notices any more".to_owned()),
    }
}
