//! Messages wait in one queue, each for its own time. A message expires only at the head of its
//! queue, so one that waits long holds up those that came after it. The fix has a queue for each
//! time.

use super::{Table, channel, consume, durable, expect_ack, ms, persistent, with};
use crate::{Bug, Planted};
use stunt_double::Instant;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, Error, FieldTable, Properties, Publish, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "TTL head-of-line",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::LATE,
};

fn waiting() -> QueueOptions {
    let table = FieldTable::default().with("x-dead-letter-exchange", "");
    with(table.with("x-dead-letter-routing-key", "due"))
}

/// Publishes a reminder that is due after `delay`.
async fn remind(node: Node, rabbit: RabbitMq, delay: u64, fixed: bool) -> Result<(), Error> {
    let channel = channel(&node, &rabbit).await;
    let queue = if fixed { format!("waiting-{delay}") } else { "waiting".to_owned() };
    channel.queue_declare("due", durable()).await?;
    channel.queue_declare(&queue, waiting()).await?;
    channel.confirm_select().await?;
    let properties = Properties::default().persistent().with_expiration(delay.to_string());
    let message = persistent("", &queue, &format!("after {delay} ms"));
    let confirm = channel.publish(Publish { properties, ..message })?;
    expect_ack(confirm).await?;
    channel.close().await
}

async fn serve(node: &Node, channel: &Channel, heard: &Heard) -> Result<(), Error> {
    let mut due = consume(channel, "due", durable(), 1).await?;
    while let Some(reminder) = due.next().await {
        let reminder = reminder?;
        node.note(format_args!("is reminded: {}", reminder.text()));
        heard.lock().push((reminder.text(), node.now()));
        reminder.ack()?;
    }
    Ok(())
}

type Heard = Table<Vec<(String, Instant)>>;

async fn listener(node: Node, (rabbit, heard): (RabbitMq, Heard)) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&node, &channel, &heard).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let heard = Heard::default();
    sim.daemon_with("listener", (rabbit.clone(), heard.clone()), listener);
    for (name, delay, start) in [("short", 100, 0), ("long", 1_000, 3)] {
        sim.node_with(name, rabbit.clone(), move |node, rabbit| async move {
            node.sleep(ms(start)).await;
            remind(node, rabbit, delay, fixed).await
        });
    }
    sim.run().expect_done();
    let heard = heard.lock();
    let short = heard.iter().find(|(text, _)| text == "after 100 ms");
    match short {
        Some((_, at)) if at.since_start() < ms(500) => Ok(()),
        Some((text, at)) => Err(format!("what is due {text} came at {at}")),
        None => Err("a reminder was lost".to_owned()),
    }
}
