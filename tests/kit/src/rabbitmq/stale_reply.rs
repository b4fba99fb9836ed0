//! A client calls a server by messages, and calls again when no reply comes in time. It takes the
//! next reply for the answer to its last call, although it is a late or second reply to an earlier
//! one. The fix compares the correlation ids.

use super::{channel, consume, durable, ms};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, ConsumeOptions, Error, Properties, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "RPC duplicate and stale reply",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("server paused for"),
};

async fn serve(channel: &Channel) -> Result<(), Error> {
    let mut requests = consume(channel, "double", durable(), 1).await?;
    while let Some(request) = requests.next().await {
        let request = request?;
        let n: u64 = request.text().parse().unwrap_or_default();
        let properties = Properties::default()
            .with_correlation_id(request.properties().correlation_id().unwrap_or_default());
        let reply_to = request.properties().reply_to().unwrap_or_default();
        channel.basic_publish("", reply_to, properties, (2 * n).to_string())?;
        request.ack()?;
    }
    Ok(())
}

async fn server(node: Node, rabbit: RabbitMq) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&channel).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

async fn client(node: Node, rabbit: RabbitMq, fixed: bool) -> Result<(), String> {
    call_all(&node, &rabbit, fixed).await.unwrap_or_else(|error| Err(error.to_string()))
}

async fn call_all(
    node: &Node,
    rabbit: &RabbitMq,
    fixed: bool,
) -> Result<Result<(), String>, Error> {
    let channel = channel(node, rabbit).await;
    channel.queue_declare("double", durable()).await?;
    let options = QueueOptions { exclusive: true, ..Default::default() };
    let callback = channel.queue_declare("", options).await?.queue;
    let options = ConsumeOptions { no_ack: true, ..Default::default() };
    let mut replies = channel.basic_consume(&callback, options).await?;
    for n in 1_u64..=5 {
        let id = n.to_string();
        'ask: loop {
            let properties =
                Properties::default().with_reply_to(&*callback).with_correlation_id(&*id);
            channel.basic_publish("", "double", properties, n.to_string())?;
            while let Ok(Some(reply)) = node.timeout(ms(300), replies.next()).await {
                let reply = reply?;
                if fixed && reply.properties().correlation_id() != Some(&id) {
                    continue;
                }
                if reply.text() != (2 * n).to_string() {
                    return Ok(Err(format!("twice {n} is {}", reply.text())));
                }
                break 'ask;
            }
        }
    }
    Ok(Ok(()))
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let server = sim.daemon_with("server", rabbit.clone(), server);
    sim.node_with("client", rabbit, move |node, rabbit| client(node, rabbit, fixed));
    let plan = Chaos::new().pause(&server, ms(100)..Duration::from_secs(2));
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    Ok(())
}
