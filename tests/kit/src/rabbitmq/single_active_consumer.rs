//! Of two consumers only one is active, so the program takes it that only one writes. When the
//! connection of the active one breaks, the other takes over while the first still works on what it
//! has, and the old write overtakes the new ones. The fix writes only what is newer than what is
//! there.

use super::{Table, channel, consume, ms, produce_to, with};
use crate::{Bug, Planted};
use std::time::Duration;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Channel, Error, FieldTable, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Chaos, Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "single active consumer handover",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::fault("connections of consumer-1"),
};

const PRICES: u32 = 6;

fn prices() -> QueueOptions {
    with(FieldTable::default().with("x-single-active-consumer", true))
}

/// The last price, and whether an old one has taken the place of a new one.
type Last = Table<(u32, bool)>;

async fn serve(
    node: &Node,
    channel: &Channel,
    (last, work): (&Last, u64),
    fixed: bool,
) -> Result<(), Error> {
    let mut consumer = consume(channel, "prices", prices(), 1).await?;
    while let Some(price) = consumer.next().await {
        let price = price?;
        let new: u32 = price.text().rsplit(' ').next().unwrap_or_default().parse().unwrap_or(0);
        node.sleep(ms(work)).await;
        let mut last = last.lock();
        if !fixed || new > last.0 {
            node.note(format_args!("writes {}", price.text()));
            last.1 |= new < last.0;
            last.0 = new;
        }
        drop(last);
        price.ack()?;
    }
    Ok(())
}

async fn consumer(node: Node, (rabbit, last): (RabbitMq, Last), work: u64, fixed: bool) {
    loop {
        let channel = channel(&node, &rabbit).await;
        if serve(&node, &channel, (&last, work), fixed).await.is_err() {
            node.sleep(ms(20)).await;
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let last = Last::default();
    let mut plan = Chaos::new();
    // The first machine is slow.
    for (name, start, work) in [("consumer-1", 0, 30), ("consumer-2", 20, 2)] {
        let handles = (rabbit.clone(), last.clone());
        let node = sim.daemon_with(name, handles, move |node, with| async move {
            node.sleep(ms(start)).await;
            consumer(node, with, work, fixed).await;
        });
        plan = plan.sever(&node.link(&rabbit));
    }
    sim.node_with("producer", rabbit, |node, rabbit| {
        produce_to(node, rabbit, "prices", prices(), PRICES)
    });
    plan.run_then_heal(sim, Duration::from_secs(30)).expect_done();
    match *last.lock() {
        (PRICES, false) => Ok(()),
        (last, true) => {
            Err(format!("an old price took the place of a new one; the last is {last}"))
        }
        (last, false) => Err(format!("the last price is {last}")),
    }
}
